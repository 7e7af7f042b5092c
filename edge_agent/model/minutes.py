"""Whole minutes as bitmaps: one integer of 60 bits for each hour, which any database keeps in a column."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

Minutes: TypeAlias = Mapping[int, int]
"""By the beginning of the hour (UTC, epoch ms) its minutes; the lowest bit is the first of them."""


def whole_minutes(from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
    """The minutes that lie wholly within [from_ms, to_ms), hour by hour."""
    minute, end = -(-from_ms // MINUTE_MS), to_ms // MINUTE_MS
    while minute < end:
        hour, first = divmod(minute, 60)
        last = min(end - hour * 60, 60)
        yield hour * HOUR_MS, (1 << last) - (1 << first)
        minute = hour * 60 + last


def minutes_of(windows: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The whole minutes of some windows [from_ms, to_ms)."""
    minutes: dict[int, int] = {}
    for window in windows:
        for hour_ms, bits in whole_minutes(*window):
            minutes[hour_ms] = minutes.get(hour_ms, 0) | bits
    return minutes


def count(minutes: Minutes) -> int:
    return sum(bits.bit_count() for bits in minutes.values())


def count_common(one: Minutes, other: Minutes) -> int:
    """How many minutes are in both."""
    return sum((bits & other.get(hour_ms, 0)).bit_count() for hour_ms, bits in one.items())
