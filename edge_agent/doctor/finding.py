"""What was found, and what to do about it."""

from dataclasses import dataclass
from enum import IntEnum

from edge_agent.words import Words


class Level(IntEnum):
    GOOD = 0
    NOTICE = 1
    """Nothing is lost yet."""
    WRONG = 2
    """Something does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`about` names the thing, `text` is what was found, `remedy` what to do; None if that is nothing."""

    level: Level
    about: Words
    text: str
    remedy: Words | None = None


def good(about: Words, text: str) -> Finding:
    return Finding(Level.GOOD, about, text)


def notice(about: Words, text: str, remedy: Words) -> Finding:
    return Finding(Level.NOTICE, about, text, remedy)


def wrong(about: Words, text: str, remedy: Words) -> Finding:
    return Finding(Level.WRONG, about, text, remedy)
