"""How much of its planned time a machine was provably delivering data: the strictest way to be connected."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.holidays import HolidaysUnknownError
from edge_agent.model.minutes import MINUTE_MS, Minutes, count, minutes_of

CALENDAR_MISSING = "calendar_missing"
HOLIDAYS_UNKNOWN = "holidays_unknown"
NOTHING_PLANNED = "nothing_planned"
PLANNED_SHARE_BELOW = "planned_share_below"


class ProvedMinutes(Protocol):
    def proved_minutes(self, equipment: str, planned: Minutes) -> int: ...


@dataclass(frozen=True, slots=True)
class PlannedShare:
    """Of one machine in a window: its planned minutes, and in how many of them it was delivering."""

    planned: int = 0
    proved: int = 0
    missing: str = ""
    """Why nobody knows what was planned."""

    def shortfall(self, least: Decimal) -> str:
        """Why less than the share `least` is proved; empty if it is."""
        if self.missing:
            return self.missing
        if not self.planned:
            return NOTHING_PLANNED
        return "" if Fraction(self.proved, self.planned) >= Fraction(least) else PLANNED_SHARE_BELOW


class PlannedWindow:
    """The whole minutes of a window up to now, and which of them are planned by each calendar."""

    def __init__(self, calendars: Mapping[str, Calendar], window_ms: int, now_ms: int) -> None:
        """`calendars` by equipment."""
        self._calendars = calendars
        self._to_ms = now_ms // MINUTE_MS * MINUTE_MS
        self._from_ms = self._to_ms - window_ms
        self._planned: dict[str, Minutes | str] = {}

    def share(self, equipment: str, evidence: ProvedMinutes) -> PlannedShare:
        calendar = self._calendars.get(equipment)
        if calendar is None:
            return PlannedShare(missing=CALENDAR_MISSING)
        if calendar.name not in self._planned:
            self._planned[calendar.name] = self._minutes(calendar)
        planned = self._planned[calendar.name]
        if isinstance(planned, str):
            return PlannedShare(missing=planned)
        return PlannedShare(count(planned), evidence.proved_minutes(equipment, planned))

    def _minutes(self, calendar: Calendar) -> Minutes | str:
        try:
            return minutes_of(calendar.busy(self._from_ms, self._to_ms))
        except HolidaysUnknownError:
            return HOLIDAYS_UNKNOWN
