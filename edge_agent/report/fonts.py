"""Finds a font with Chinese characters that can be put into a PDF."""

import os
from collections.abc import Iterator
from pathlib import Path

from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont

KNOWN = (
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "notosanssc-regular.ttf",
    "sourcehansanssc-regular.ttf",
    "droidsansfallbackfull.ttf",
    "msyh.ttc",
    "deng.ttf",
    "simhei.ttf",
    "simsun.ttc",
)
"""Files of fonts with TrueType outlines, in small letters, the best first. Noto Sans CJK (.ttc, .otf) has
others, which are not read."""

NAME = "report"
"""Under which the font is registered."""

_SAMPLE = "设备联网率，数控化率"
_HELP = (
    "Install one (Debian and Ubuntu: apt-get install fonts-wqy-microhei), or name a TrueType font"
    " (.ttf, .ttc) with --font. 请安装中文字体，或用 --font 指定 TrueType 字体文件"
)


class FontError(Exception):
    """There is no font that can be used; the message says why, for people."""


def use_font(path: Path | None) -> None:
    """Register the font of `path`, or the first that is found, as `NAME`. Raises FontError."""
    if path is None:
        path = next(_found(), None)
        if path is None:
            raise FontError(f"there is no Chinese font that a PDF can be made with. {_HELP}")
    try:
        font = TTFont(NAME, str(path))
    except (TTFError, OSError) as error:
        raise FontError(f"{path}: cannot be used as a font: {error}. {_HELP}") from error
    if not all(ord(character) in font.face.charToGlyph for character in _SAMPLE):
        raise FontError(f"{path}: has no Chinese characters. {_HELP}")
    registerFont(font)


def _found() -> Iterator[Path]:
    """Fonts of the system that are known to do, the best first."""
    files: dict[str, Path] = {}
    for place in _places():
        for path in sorted(place.rglob("*.tt[cf]")):
            files.setdefault(path.name.lower(), path)
    return (files[name] for name in KNOWN if name in files)


def _places() -> list[Path]:
    """Where systems keep fonts, the user's own first."""
    home = Path.home()
    data = [os.environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")]
    data += (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    windows = Path(os.environ.get("WINDIR", "C:/Windows"))
    others = [home / ".fonts", home / "Library" / "Fonts", Path("/Library/Fonts"), windows / "Fonts"]
    return [*(Path(one) / "fonts" for one in data if one), *others]
