"""Chinese public holidays (法定节假日) with the weekends that are worked in exchange (调休上班)."""

from datetime import date
from enum import Enum, auto


class DayKind(Enum):
    ORDINARY = auto()
    """A day of the week like any other, Saturdays and Sundays too."""
    HOLIDAY = auto()
    """Of a public holiday, the days off in exchange included."""
    WORKING_WEEKEND = auto()


class HolidaysUnknownError(Exception):
    """The holidays of `day` are not published, or not known to the installed list."""

    def __init__(self, day: date) -> None:
        super().__init__(f"public holidays of {day} are not known")
        self.day = day


def chinese_day(day: date) -> DayKind:
    """What kind of day the State Council made of it. Raises HolidaysUnknownError."""
    # Not at the top: only those who have such a calendar pay for the list.
    from chinese_calendar import constants  # type: ignore[import-untyped]  # it has no annotations

    first, last = min(constants.holidays).year, max(constants.holidays).year
    # A year's notice also moves days of the December before it; the earliest so far was the 29th.
    if not date(first, 1, 1) <= day <= date(last, 12, 24):
        raise HolidaysUnknownError(day)
    if day in constants.workdays:
        return DayKind.WORKING_WEEKEND
    return DayKind.HOLIDAY if day in constants.holidays else DayKind.ORDINARY
