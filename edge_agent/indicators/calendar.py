"""When a machine is meant to work: the planned busy time of a calendar."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from edge_agent.indicators.calendar_options import (
    DAY_MIN,
    WEEKDAYS,
    CalendarOptions,
    ShiftOptions,
    minute,
)
from edge_agent.indicators.holidays import DayKind, chinese_day
from edge_agent.indicators.periods import local_day, local_ms, midnight_ms


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift as it is planned for one day: [from_ms, to_ms), and what of it is without breaks."""

    id: str
    day: date
    from_ms: int
    to_ms: int
    busy: tuple[tuple[int, int], ...]


class Calendar:
    """A planned calendar at a place. Durations are true ones: a night in which the clocks are set forward
    has an hour less.
    """

    def __init__(self, name: str, options: CalendarOptions, zone: tzinfo) -> None:
        self.name = name
        self.zone = zone
        self._options = options
        self._shifts = {shift.id: shift for shift in options.shifts}

    def shifts(self, from_ms: int, to_ms: int) -> list[Shift]:
        """The shifts that overlap [from_ms, to_ms), whole and in order; none overlaps the next.

        Raises HolidaysUnknownError.
        """
        # No shift is longer than a day, so one of the day before may still last.
        day, last = local_day(from_ms, self.zone) - timedelta(days=1), local_day(to_ms - 1, self.zone)
        found: list[Shift] = []
        done_ms = 0
        while day <= last:
            for shift in self._planned(day, from_ms):
                if shift.from_ms < to_ms and max(from_ms, done_ms) < shift.to_ms:
                    # On two days with different plans the first may still last when the second begins.
                    found.append(_after(shift, done_ms))
                done_ms = max(done_ms, shift.to_ms)
            day += timedelta(days=1)
        return found

    def busy(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """The planned busy time within [from_ms, to_ms): shifts without their breaks, in order.

        Raises HolidaysUnknownError.
        """
        shifts = self.shifts(from_ms, to_ms)
        windows = (window for shift in shifts for window in shift.busy)
        return list(_lasting((max(start, from_ms), min(end, to_ms)) for start, end in windows))

    def _planned(self, day: date, from_ms: int) -> Iterator[Shift]:
        """The shifts of `day`, by start. A day none of whose shifts can reach `from_ms` is not looked at."""
        if midnight_ms(day + timedelta(days=1), self.zone) <= from_ms and not any(
            minute(shift.start) + shift.minutes > DAY_MIN for shift in self._options.shifts
        ):
            return
        for shift in sorted(self._of(day), key=lambda shift: shift.start):
            yield self._on(shift, day)

    def _of(self, day: date) -> Sequence[ShiftOptions]:
        for exception in self._options.exceptions:
            if exception.day <= day <= exception.last:
                return [self._shifts[name] for name in exception.shifts]
        kind = chinese_day(day) if self._options.holidays == "china" else DayKind.ORDINARY
        if kind is DayKind.HOLIDAY:
            return ()
        name = WEEKDAYS[0 if kind is DayKind.WORKING_WEEKEND else day.weekday()]
        return [shift for shift in self._options.shifts if name in shift.days]

    def _on(self, shift: ShiftOptions, day: date) -> Shift:
        begin = datetime.combine(day, shift.start)

        def at(minutes: int) -> int:
            local = begin + timedelta(minutes=minutes)
            return local_ms(local.date(), local.time(), self.zone)

        edges = [0]
        for pause in shift.breaks:
            edges += [shift.after_start(pause.start), shift.after_start(pause.end) or DAY_MIN]
        edges.append(shift.minutes)
        times = [at(minutes) for minutes in edges]
        for i in range(1, len(times)):
            times[i] = max(times[i], times[i - 1])  # an hour that the clocks leave out
        return Shift(shift.id, day, times[0], times[-1], _lasting(zip(times[::2], times[1::2], strict=True)))


def _lasting(windows: Iterator[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in windows if start < end)


def _after(shift: Shift, time_ms: int) -> Shift:
    """What of `shift` lies after `time_ms`, which is before its end."""
    if shift.from_ms >= time_ms:
        return shift
    busy = _lasting((max(start, time_ms), end) for start, end in shift.busy)
    return Shift(shift.id, shift.day, time_ms, shift.to_ms, busy)
