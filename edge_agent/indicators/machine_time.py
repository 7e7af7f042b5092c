"""Accounts and key figures of machines, as messages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from edge_agent.contract import messages
from edge_agent.indicators.accounts import Account, Timeline
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.holidays import HolidaysUnknownError
from edge_agent.indicators.kpis import KeyFigure, Missing, NotComputed, Production, key_figures
from edge_agent.indicators.periods import Period
from edge_agent.model.state import MachineState
from edge_agent.states.reading import HistoryReader
from edge_agent.states.tracker import Interval

_ORDER = {state: place for place, state in enumerate(MachineState)}


@dataclass(frozen=True, slots=True)
class MachineTime:
    """Machine time out of a history, the agent's own or one that is looked at."""

    history: HistoryReader
    zone: ZoneInfo
    calendars: Mapping[str, Calendar]
    """By equipment; one that is not in it has no planned calendar."""

    def account(
        self, equipment: str, period: Period, unsaved: Iterable[Interval], now_ms: int
    ) -> messages.Account:
        """The account of a period that is over; `unsaved` is what the history has not got yet.

        Raises sqlite3.Error.
        """
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
            shift=period.shift,
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
