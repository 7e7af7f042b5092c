"""A font is found, or it is said what to install."""

from pathlib import Path

import pytest
import reportlab

from edge_agent.report.fonts import FontError, use_font

WITHOUT_CHINESE = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"


def test_one_of_the_system_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    use_font(None)


def test_none_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_DATA_DIRS", "WINDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(FontError, match="apt-get install fonts-wqy-microhei"):
        use_font(None)


def test_the_users_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is refused if it has no Chinese characters, whatever it is called."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "fonts" / "mine").mkdir(parents=True)
    own = tmp_path / "fonts" / "mine" / "WQY-MicroHei.ttc"
    own.write_bytes(WITHOUT_CHINESE.read_bytes())
    with pytest.raises(FontError, match="has no Chinese characters"):
        use_font(None)


def test_what_is_no_font(tmp_path: Path) -> None:
    (tmp_path / "font.ttf").write_text("no font")
    with pytest.raises(FontError, match="cannot be used as a font"):
        use_font(tmp_path / "font.ttf")
