"""Which accounts of machine time have to be made: periods that are over, and what was amended since."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.holidays import HolidaysUnknownError
from edge_agent.indicators.periods import HOUR_MS, SHIFT, Period, PeriodKind, period_at, periods
from edge_agent.states.history import History
from edge_agent.states.reading import Amendment

_DAY_MS = 24 * HOUR_MS
MADE_UP_MS: Mapping[str, int] = {
    PeriodKind.HOUR: 48 * HOUR_MS,
    SHIFT: 62 * _DAY_MS,
    PeriodKind.DAY: 62 * _DAY_MS,
    PeriodKind.MONTH: 400 * _DAY_MS,
}
"""The kinds of period that are accounted for, and how far back that is made up for after an outage."""

AMENDMENTS_READER = "accounts"


class Series(Protocol):
    """Periods one after another by which some equipment is accounted for."""

    @property
    def kind(self) -> str: ...

    @property
    def key(self) -> str:
        """What the history knows it by."""

    @property
    def equipment(self) -> Sequence[str]: ...

    def beginning(self, now_ms: int) -> int:
        """Where the period begins that it is now; `now_ms` if it is none."""

    def between(self, from_ms: int, to_ms: int) -> Iterator[Period]:
        """The periods that end after `from_ms` and not after `to_ms`, in order."""


@dataclass(frozen=True, slots=True)
class ByClock:
    """Every hour, day or month of a place."""

    kind: PeriodKind
    zone: ZoneInfo
    equipment: Sequence[str]

    @property
    def key(self) -> str:
        return self.kind

    def beginning(self, now_ms: int) -> int:
        return period_at(self.kind, now_ms, self.zone).from_ms

    def between(self, from_ms: int, to_ms: int) -> Iterator[Period]:
        return periods(self.kind, from_ms, to_ms, self.zone)


@dataclass(frozen=True, slots=True)
class ByShift:
    """Every shift of a planned calendar. There is none in a year whose holidays are not known yet."""

    calendar: Calendar
    equipment: Sequence[str]
    kind = SHIFT

    @property
    def key(self) -> str:
        return f"{SHIFT}/{self.calendar.name}"

    def beginning(self, now_ms: int) -> int:
        return next((shift.from_ms for shift in self._overlapping(now_ms, now_ms + 1)), now_ms)

    def between(self, from_ms: int, to_ms: int) -> Iterator[Period]:
        return (one for one in self._overlapping(from_ms, to_ms) if from_ms < one.to_ms <= to_ms)

    def _overlapping(self, from_ms: int, to_ms: int) -> list[Period]:
        try:
            shifts = self.calendar.shifts(from_ms, to_ms)
        except HolidaysUnknownError:
            return []
        return [Period(SHIFT, shift.from_ms, shift.to_ms, shift.id) for shift in shifts]


def all_series(zone: ZoneInfo, equipment: Sequence[str], calendars: Mapping[str, Calendar]) -> list[Series]:
    """Hours, days and months of all `equipment`, and the shifts of each of its calendars."""
    of_calendar: dict[str, list[str]] = {}
    for one in equipment:
        if one in calendars:
            of_calendar.setdefault(calendars[one].name, []).append(one)
    by_shift = [ByShift(calendars[members[0]], members) for members in of_calendar.values()]
    return [*(ByClock(kind, zone, equipment) for kind in PeriodKind), *by_shift]


@dataclass(frozen=True, slots=True)
class AccountsDue:
    """What the history says is done, from whose thread all methods are called. They raise sqlite3.Error."""

    history: History
    series: Sequence[Series]

    def due(self, series: Series, now_ms: int) -> list[Period]:
        """The periods that are over and not accounted for yet, in order."""
        done_ms = self.history.accounted(series.key)
        if done_ms is None or done_ms > now_ms:
            # The first start, or a clock that was set back since: begin with the period that it is now.
            self.history.set_accounted(series.key, series.beginning(now_ms))
            return []
        return list(series.between(max(done_ms, now_ms - MADE_UP_MS[series.kind]), now_ms))

    def done(self, series: Series, period: Period) -> None:
        """The period is accounted for, and with it those before."""
        self.history.set_accounted(series.key, period.to_ms)

    def amended(self) -> tuple[list[tuple[str, Period]], int]:
        """The accounts, by equipment and period, that were made and hold no more, as unknown time was filled
        since; and what `made_again` is to be called with when they have been made again, 0 if nothing is."""
        pending = self.history.amendments(AMENDMENTS_READER)
        accounts = {
            (one.equipment, period): None
            for one in pending
            for series in self.series
            if one.equipment in series.equipment
            for period in self._accounted(one, series)
        }
        return list(accounts), pending[-1].number if pending else 0

    def _accounted(self, amendment: Amendment, series: Series) -> Iterator[Period]:
        """The periods in which the amendment lies and that are accounted for."""
        done_ms = self.history.accounted(series.key) or 0
        for period in series.between(amendment.from_ms, done_ms):
            if period.from_ms >= amendment.to_ms:
                return
            yield period

    def made_again(self, number: int) -> None:
        self.history.set_amendments_taken(AMENDMENTS_READER, number)
