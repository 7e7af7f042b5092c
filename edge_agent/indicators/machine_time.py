"""Accounts and key figures of machines for the periods that are over, as messages."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from edge_agent.contract import messages
from edge_agent.indicators.accounts import Account, Timeline
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.holidays import HolidaysUnknownError
from edge_agent.indicators.kpis import KeyFigure, Missing, NotComputed, Production, key_figures
from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind, period_at, periods
from edge_agent.model.state import MachineState
from edge_agent.states.history import History
from edge_agent.states.reading import Amendment
from edge_agent.states.tracker import Interval

MADE_UP_MS: Mapping[PeriodKind, int] = {PeriodKind.HOUR: 48 * HOUR_MS, PeriodKind.DAY: 62 * 24 * HOUR_MS}
"""The kinds of period that are accounted for, and how far back that is made up for after an outage."""

AMENDMENTS_READER = "accounts"

_ORDER = {state: place for place, state in enumerate(MachineState)}


@dataclass(frozen=True, slots=True)
class MachineTime:
    """Machine time out of the history, from whose thread all methods are called. They raise sqlite3.Error."""

    history: History
    zone: ZoneInfo
    calendars: Mapping[str, Calendar]
    """By equipment; one that is not in it has no planned calendar."""

    def due(self, kind: PeriodKind, now_ms: int) -> list[Period]:
        """The periods that are over and not accounted for yet, in order."""
        done_ms = self.history.accounted(kind)
        if done_ms is None or done_ms > now_ms:
            # The first start, or a clock that was set back since: begin with the period that it is now.
            self.history.set_accounted(kind, period_at(kind, now_ms, self.zone).from_ms)
            return []
        return list(periods(kind, max(done_ms, now_ms - MADE_UP_MS[kind]), now_ms, self.zone))

    def done(self, period: Period) -> None:
        """The period is accounted for, and with it those before."""
        self.history.set_accounted(period.kind, period.to_ms)

    def amended(self) -> tuple[list[tuple[str, Period]], int]:
        """The accounts, by equipment and period, that were made and hold no more, as unknown time was filled
        since; and what `made_again` is to be called with when they have been made again, 0 if nothing is."""
        pending = self.history.amendments(AMENDMENTS_READER)
        accounts = {
            (one.equipment, period): None
            for one in pending
            for kind in MADE_UP_MS
            for period in self._periods_of(one, kind)
        }
        return list(accounts), pending[-1].number if pending else 0

    def _periods_of(self, amendment: Amendment, kind: PeriodKind) -> Iterator[Period]:
        done_ms = self.history.accounted(kind) or 0
        for period in periods(kind, amendment.from_ms, done_ms, self.zone):
            if period.from_ms >= amendment.to_ms:
                return
            yield period

    def made_again(self, number: int) -> None:
        self.history.set_amendments_taken(AMENDMENTS_READER, number)

    def account(
        self, equipment: str, period: Period, unsaved: Iterable[Interval], now_ms: int
    ) -> messages.Account:
        """The account of a period that is over; `unsaved` is what the history has not got yet."""
        columns = self.history.columns(equipment, period.from_ms, period.to_ms, unsaved)
        timeline = Timeline.of_columns(columns)
        calendar = self.calendars.get(equipment)
        busy = _busy(calendar, period)
        whole, planned_account = timeline.whole_and_within(
            period.from_ms, period.to_ms, () if isinstance(busy, Missing) else busy
        )
        planned = busy if isinstance(busy, Missing) else planned_account
        failures = timeline.failures(period.from_ms, period.to_ms)
        return messages.Account(
            equipment=equipment,
            time=now_ms,
            period=period.kind,
            from_=period.from_ms,
            to=period.to_ms,
            timezone=self.zone.key,
            calendar=calendar.name if calendar is not None else "",
            times=_times(whole),
            planned=None if isinstance(planned, Missing) else _times(planned),
            failures=failures,
            alarms=[
                messages.AlarmTime(alarm.cause, alarm.count, alarm.ms)
                for alarm in timeline.alarms(period.from_ms, period.to_ms)
            ],
            figures=[_message(figure) for figure in key_figures(whole, planned, failures, Production())],
        )


@lru_cache(maxsize=16)
def _busy(calendar: Calendar | None, period: Period) -> list[tuple[int, int]] | Missing:
    """The planned busy time; kept, as all machines of a calendar are accounted for one after the other."""
    if calendar is None:
        return Missing.CALENDAR
    try:
        return calendar.busy(period.from_ms, period.to_ms)
    except HolidaysUnknownError:
        return Missing.HOLIDAYS


def _times(account: Account) -> list[messages.StateTime]:
    """By state as they are listed everywhere, and by time."""
    ordered = sorted(account.times.items(), key=lambda item: (_ORDER[item[0].state], -item[1], item[0].cause))
    return [messages.StateTime(state.state.value, ms, state.cause) for state, ms in ordered]


def _message(figure: KeyFigure) -> messages.KeyFigure:
    if isinstance(figure, NotComputed):
        return messages.KeyFigure(figure.kpi.id, None, missing=figure.missing)
    return messages.KeyFigure(
        id=figure.kpi.id,
        value=figure.value,
        numerator=figure.numerator,
        denominator=figure.denominator,
        unknown=figure.unknown_ms,
        reason="" if figure.denominator else "denominator_zero",
    )
