"""The accounts of the day that it is, kept as states change: they cost the same at any hour of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from edge_agent.indicators.accounts import Account, Timeline
from edge_agent.indicators.periods import PeriodKind, period_at
from edge_agent.model.state import StateWithCause
from edge_agent.states.columns import Columns
from edge_agent.states.tracker import Current, Interval


@dataclass(frozen=True, slots=True)
class Closed:
    """What a machine's intervals that were over had of the day since `from_ms`."""

    from_ms: int
    times: Mapping[StateWithCause, int]


class RunningDay:
    """Times of each machine since midnight by the site's clocks. All times are in epoch ms."""

    def __init__(self, zone: ZoneInfo, now_ms: int) -> None:
        self._zone = zone
        self._day = period_at(PeriodKind.DAY, now_ms, zone)
        self._closed: dict[str, Counter[StateWithCause]] = {}
        """By machine, what its intervals that ended today had of today."""

    @property
    def from_ms(self) -> int:
        return self._day.from_ms

    def count(self, equipment: str, columns: Columns, to_ms: int) -> None:
        """Take the time up to `to_ms`, at which the current interval begins, from the history's `columns`."""
        self._closed[equipment] = self._counted(columns, to_ms)

    def ended(self, interval: Interval) -> None:
        """Add an interval, which is over."""
        end_ms = interval.end_ms
        if end_ms is None:
            raise ValueError(f"an interval that is not over: {interval}")
        self._follow(end_ms)
        ms = end_ms - max(interval.start_ms, self._day.from_ms)
        if ms > 0:
            self._closed.setdefault(interval.equipment, Counter())[interval.state] += ms

    def account(self, equipment: str, current: Current, now_ms: int) -> Account:
        """From midnight until now, with the interval that is not over."""
        self._follow(now_ms)
        times = Counter(self._closed.get(equipment, ()))
        times[current.state] += max(0, now_ms - max(current.since_ms, self._day.from_ms))
        return Account({state: ms for state, ms in times.items() if ms})

    def closed(self, equipment: str) -> Closed:
        """What `recount` needs to know of the moment at which the history is asked."""
        return Closed(self._day.from_ms, Counter(self._closed.get(equipment, ())))

    def recount(self, equipment: str, before: Closed, columns: Columns, to_ms: int) -> None:
        """The history has other intervals than those that were added, as late data filled unknown time.

        `before` is of when the current interval began at `to_ms`, up to which `columns` count; what has ended
        since then stays.
        """
        if before.from_ms != self._day.from_ms:
            return  # it is another day now
        times = self._closed.setdefault(equipment, Counter())
        times.update(self._counted(columns, to_ms))
        times.subtract(before.times)

    def _counted(self, columns: Columns, to_ms: int) -> Counter[StateWithCause]:
        if to_ms <= self._day.from_ms:
            return Counter()
        return Counter(Timeline.of_columns(columns).total(self._day.from_ms, to_ms).times)

    def _follow(self, time_ms: int) -> None:
        if time_ms >= self._day.to_ms:
            self._day = period_at(PeriodKind.DAY, time_ms, self._zone)
            self._closed.clear()
