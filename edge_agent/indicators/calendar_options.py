"""What a plant writes of its planned calendars (计划日历): weekly shifts, holidays, exceptions by date."""

import re
from datetime import date, time
from itertools import combinations, pairwise
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from edge_agent.model.options import Options

DAY_MIN = 1440
WEEK_MIN = 7 * DAY_MIN

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

CLOCK_PATTERN = r"^([01]\d|2[0-3]):[0-5]\d$"


def _clock_time(value: object) -> time:
    if not isinstance(value, str) or not re.fullmatch(CLOCK_PATTERN, value):
        raise ValueError("expected a time of day, 00:00 to 23:59")
    return time.fromisoformat(value)


def _calendar_day(value: object) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("expected a day, such as 2026-10-01")


ClockTime = Annotated[
    time, BeforeValidator(_clock_time), WithJsonSchema({"type": "string", "pattern": CLOCK_PATTERN})
]
CalendarDay = Annotated[
    date, BeforeValidator(_calendar_day), WithJsonSchema({"type": "string", "format": "date"})
]


def minute(at: time) -> int:
    """Of the day."""
    return at.hour * 60 + at.minute


class BreakOptions(Options):
    """A pause within a shift, in which nothing is planned."""

    start: ClockTime
    end: ClockTime


class ShiftOptions(Options):
    """A shift (班次). It belongs to the day on which it begins; if `end` is not after `start`, it ends on
    the day after.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    days: tuple[Weekday, ...] = Field(description="Days of the week; [] for a shift of exceptions only")
    start: ClockTime
    end: ClockTime
    breaks: tuple[BreakOptions, ...] = ()

    @property
    def minutes(self) -> int:
        """From start to end, by the clock."""
        return self.after_start(self.end) or DAY_MIN

    def after_start(self, at: time) -> int:
        """Minutes from the start until the clock next shows `at`."""
        return (minute(at) - minute(self.start)) % DAY_MIN

    @model_validator(mode="after")
    def _breaks_within(self) -> "ShiftOptions":
        before = 0
        for pause in self.breaks:
            start, end = self.after_start(pause.start), self.after_start(pause.end) or DAY_MIN
            told = f"the break {pause.start:%H:%M} to {pause.end:%H:%M}"
            if not start < end <= self.minutes:
                raise ValueError(f"{told} is not within the shift, {self.start:%H:%M} to {self.end:%H:%M}")
            if start < before:
                raise ValueError(f"{told} begins before the break above it has ended")
            before = end
        return self


def _apart(shifts: tuple[ShiftOptions, ...]) -> tuple[ShiftOptions, ...]:
    """Refuse shifts of which one begins before another has ended."""
    if len({shift.id for shift in shifts}) != len(shifts):
        raise ValueError("expected each shift with an id of its own")
    weekly = [
        (WEEKDAYS.index(day) * DAY_MIN + minute(shift.start), day, shift)
        for shift in shifts
        for day in shift.days
    ]
    for (start, day, shift), (other_start, other_day, other) in combinations(weekly, 2):
        ahead, behind = (other_start - start) % WEEK_MIN, (start - other_start) % WEEK_MIN
        if ahead < shift.minutes or behind < other.minutes:
            raise ValueError(f"{_told(shift, day)} overlaps {_told(other, other_day)}")
    return shifts


def _told(shift: ShiftOptions, day: str) -> str:
    return f"{shift.id} ({day} {shift.start:%H:%M} to {shift.end:%H:%M})"


class ExceptionOptions(Options):
    """Other shifts than those of the week, on one day or several; holidays do not matter then."""

    day: CalendarDay
    to: CalendarDay | None = Field(default=None, description="The last day, if there are several")
    shifts: tuple[str, ...] = Field(description="Ids of the shifts that are worked; []: closed")

    @property
    def last(self) -> date:
        return self.to or self.day

    @model_validator(mode="after")
    def _in_order(self) -> "ExceptionOptions":
        if self.last < self.day:
            raise ValueError(f"it ends on {self.to}, before it begins on {self.day}")
        return self


class CalendarOptions(Options):
    """A planned calendar. What it does not plan is not planned."""

    holidays: Literal["china", "none"] = Field(
        default="china",
        description="china: no shifts on public holidays, and those of a Monday on a weekend day that is"
        " worked in exchange",
    )
    shifts: Annotated[tuple[ShiftOptions, ...], AfterValidator(_apart)] = Field(min_length=1)
    exceptions: tuple[ExceptionOptions, ...] = ()

    @model_validator(mode="after")
    def _exceptions_fit(self) -> "CalendarOptions":
        known = {shift.id: shift for shift in self.shifts}
        for exception in self.exceptions:
            for name in exception.shifts:
                if name not in known:
                    raise ValueError(f"the exception of {exception.day} names {name}, which is no shift")
            named = sorted((known[name] for name in exception.shifts), key=lambda shift: shift.start)
            for shift, following in pairwise(named):
                if minute(following.start) < minute(shift.start) + shift.minutes:
                    both = f"{shift.id} and {following.id}"
                    raise ValueError(f"the exception of {exception.day}: {both} overlap")
        for one, other in combinations(self.exceptions, 2):
            if one.day <= other.last and other.day <= one.last:
                raise ValueError(f"two exceptions for {max(one.day, other.day)}")
        return self
