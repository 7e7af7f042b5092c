"""Hours, days and months as the site's clocks show them, and shifts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

HOUR_MS = 3_600_000


class PeriodKind(StrEnum):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


SHIFT = "shift"
"""The kind of a period that a planned calendar cuts, and not the clock."""


@dataclass(frozen=True, slots=True)
class Period:
    """[from_ms, to_ms)"""

    kind: str
    """A PeriodKind, or SHIFT."""
    from_ms: int
    to_ms: int
    shift: str = ""
    """Of a shift: its id in the calendar."""


def local_ms(day: date, at: time, zone: tzinfo) -> int:
    """When it is `at` on `day`. A time that the clocks leave out is that at which they are set forward."""
    return round(datetime.combine(day, at, zone).timestamp() * 1000)


def local_day(time_ms: int, zone: tzinfo | None) -> date:
    """The day that `time_ms` is in; without a zone, by the computer's clocks."""
    # From whole seconds: a division of the milliseconds could round up into the next day.
    return datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(zone).date()


def midnight_ms(day: date, zone: tzinfo) -> int:
    """When `day` begins."""
    return local_ms(day, time(), zone)


def period_at(kind: PeriodKind, time_ms: int, zone: tzinfo) -> Period:
    """The period that `time_ms` is in.

    A day in which the clocks are set has 23 or 25 hours. Hours are counted from midnight; if the clocks are
    set by half an hour, the last one is half as long.
    """
    day = local_day(time_ms, zone)
    if kind is PeriodKind.MONTH:
        first = day.replace(day=1)
        following = (first + timedelta(days=31)).replace(day=1)
        return Period(kind, midnight_ms(first, zone), midnight_ms(following, zone))
    begin, end = midnight_ms(day, zone), midnight_ms(day + timedelta(days=1), zone)
    if kind is PeriodKind.HOUR:
        begin += (time_ms - begin) // HOUR_MS * HOUR_MS
        end = min(begin + HOUR_MS, end)
    return Period(kind, begin, end)


def periods(kind: PeriodKind, from_ms: int, to_ms: int, zone: tzinfo) -> Iterator[Period]:
    """The periods that end after `from_ms` and not after `to_ms`, in order."""
    period = period_at(kind, from_ms, zone)
    while period.to_ms <= to_ms:
        yield period
        period = period_at(kind, period.to_ms, zone)
