"""Accounts and key figures of machines, as messages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import ZoneInfo

from edge_agent.contract import messages
from edge_agent.indicators.accounts import Account, Timeline
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.holidays import HolidaysUnknownError
from edge_agent.indicators.kpis import KeyFigure, Made, Missing, NotComputed, Production, key_figures
from edge_agent.indicators.periods import Period
from edge_agent.model.state import MachineState
from edge_agent.states.produced import Produced, ProductionRecord
from edge_agent.states.production import Counting, Quantity
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
    counting: Mapping[str, Counting] = field(default_factory=dict)
    """By equipment; what one makes that is not in it nobody counts."""

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
        counting = self.counting.get(equipment)
        made, figures_of = (
            (Produced(), Production())
            if counting is None
            else self._production(equipment, counting, period, busy)
        )
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
            figures=[_message(figure) for figure in key_figures(whole, planned, failures, figures_of)],
            cycle_time=figures_of.cycle_time_ms,
            parts=made.parts,
            good=made.good,
            energy_wh=made.energy_wh,
            spanning_parts=made.spanning_parts,
            spanning_good=made.spanning_good,
            spanning_energy_wh=made.spanning_energy_wh,
            unseen=made.unseen_ms,
            counter_resets=made.resets,
        )

    def _production(
        self, equipment: str, counting: Counting, period: Period, busy: list[tuple[int, int]] | Missing
    ) -> tuple[Produced, Production]:
        """What was made in the period, and what figures are made of."""
        record = ProductionRecord(self.history, counting.limit_ms)
        whole = record.produced(equipment, [(period.from_ms, period.to_ms)])
        planned = None if isinstance(busy, Missing) else record.produced(equipment, busy)
        return whole, Production(
            counting.cycle_time_ms,
            Made() if planned is None else _made(planned, counting),
            _made(whole, counting),
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


def _made(produced: Produced, counting: Counting) -> Made:
    def known(quantity: Quantity, n: int | None, not_counted: Missing) -> int | Missing:
        if n is not None:
            return n
        return Missing.PRODUCTION_GAP if counting.counts(quantity) else not_counted

    return Made(
        known(Quantity.PARTS, produced.parts, Missing.PRODUCED),
        known(Quantity.GOOD, produced.good, Missing.GOOD),
        known(Quantity.ENERGY, produced.energy_wh, Missing.ENERGY),
        produced.spanning_parts,
        produced.unseen_ms,
    )


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
        reason=figure.reason or "",
        spanning=figure.spanning,
        unseen=figure.unseen_ms,
    )
