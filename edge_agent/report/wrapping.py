"""Where lines of text end: between words or Chinese characters, and within what is longer than a line."""

import re
from collections.abc import Callable, Iterator

_PIECES = re.compile(r"\s+|[!-~À-ʯ]+|.", re.DOTALL)
"""Blanks, words of Latin letters, numbers and ids with what sticks to them, single characters of others."""
_NOT_FIRST = frozenset("，。、；：！？）》」』】〕”’％…")
_NOT_LAST = frozenset("（《「『【〔“‘¥")
_CUT_AFTER = frozenset("/-_.,")
"""Where an id that is longer than a line is cut, if it has one of these."""


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The lines of `text`, none wider than `width` as `measure` has it, but for a single character."""
    return [line for part in text.split("\n") for line in _lines(part, width, measure)]


def _lines(text: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    line = ""
    for piece in _unbroken(text):
        if line.strip() and measure((line + piece).rstrip()) > width:
            yield line.rstrip()
            line = ""
            piece = piece.lstrip()
        line += piece
        if measure(line.rstrip()) > width:
            *full, line = _cut(line, width, measure)
            yield from full
    yield line.rstrip()


def _unbroken(text: str) -> list[str]:
    """The pieces of `text` between which a line may end."""
    pieces: list[str] = []
    for found in _PIECES.finditer(text):
        piece = found[0]
        if pieces and (piece in _NOT_FIRST or pieces[-1][-1] in _NOT_LAST):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def _cut(piece: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """`piece`, which is wider than a line, cut into lines."""
    lines: list[str] = []
    rest = piece
    while measure(rest.rstrip()) > width and len(rest) > 1:
        fits = next((end for end in range(len(rest) - 1, 1, -1) if measure(rest[:end]) <= width), 1)
        end = next((end for end in range(fits, fits // 2, -1) if rest[end - 1] in _CUT_AFTER), fits)
        lines.append(rest[:end])
        rest = rest[end:]
    return [*lines, rest]
