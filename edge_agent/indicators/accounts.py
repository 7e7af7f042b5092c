"""Time accounts: how long one machine was in each state, by cause, exact to the millisecond."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.columns import STILL_SO_MS, Codes, Columns, Milliseconds
from edge_agent.states.history import GATEWAY_DOWN
from edge_agent.states.tracker import Interval

_EVER, _NEVER = -(1 << 60), STILL_SO_MS


@dataclass(frozen=True, slots=True)
class Account:
    """Time in each state, by cause; the sum is all the time there was."""

    times: Mapping[StateWithCause, int]
    """Milliseconds, none of them 0."""

    @property
    def total_ms(self) -> int:
        return sum(self.times.values())

    def of(self, *states: MachineState) -> int:
        """Milliseconds in any of `states`, whatever the cause."""
        return sum(ms for state, ms in self.times.items() if state.state in states)

    @classmethod
    def pooled(cls, accounts: Iterable[Self]) -> Self:
        """The account of all the time that `accounts` cover."""
        times: Counter[StateWithCause] = Counter()
        for account in accounts:
            times.update(account.times)
        return cls(dict(times))


@dataclass(frozen=True, slots=True)
class AlarmCause:
    """One line of an alarm Pareto."""

    cause: str
    count: int
    """How often it began within the period."""
    ms: int
    """How long it stood within the period."""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """What one machine did, in columns: `states[codes[i]]` from `starts[i]` until `starts[i + 1]`.

    It has neither gaps nor ends. Time that no interval covers is unknown (gateway_down), as before the
    agent's first start; an interval without an end lasts for ever, so nothing is to be asked of the future.
    """

    starts: Milliseconds
    codes: Codes
    states: tuple[StateWithCause, ...]

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> Self:
        """From the intervals of one machine, in any order."""
        return cls.of_columns(Columns.of(intervals))

    @classmethod
    def of_columns(cls, columns: Columns) -> Self:
        """From columns in any order.

        Of one interval while it was open and when it had ended, the ended one holds. Should two overlap all
        the same, the one that begins later cuts the other short.
        """
        starts, ends, codes, states = columns.starts, columns.ends, columns.codes, columns.states
        if np.any(np.diff(starts) <= 0):
            order = np.lexsort((codes, ends, starts))
            starts, ends, codes = starts[order], ends[order], codes[order]
        lasting = ends > starts
        if not lasting.all():
            starts, ends, codes = starts[lasting], ends[lasting], codes[lasting]
        first = np.diff(starts, prepend=_EVER - 1) > 0
        if not first.all():
            starts, ends, codes = starts[first], ends[first], codes[first]
        following = np.append(starts, _NEVER)[1:]
        gaps = np.flatnonzero(ends < following)
        down = states.index(GATEWAY_DOWN) if GATEWAY_DOWN in states else len(states)
        starts = np.concatenate(([_EVER], np.insert(starts, gaps + 1, ends[gaps])))
        codes = np.concatenate(([down], np.insert(codes, gaps + 1, down)))
        return cls(starts, codes, (*states, GATEWAY_DOWN)[: max(len(states), down + 1)])

    def total(self, from_ms: int, to_ms: int) -> Account:
        """The account of [from_ms, to_ms)."""
        return self.between([from_ms, to_ms])[0]

    def between(self, edges: Sequence[int]) -> list[Account]:
        """An account from each of `edges`, in ascending order, up to the next."""
        return self._accounts(self._table(np.asarray(edges, np.int64)))

    def within(self, windows: Sequence[tuple[int, int]]) -> list[Account]:
        """An account of each [start, end) of `windows`, which ascend and do not overlap."""
        edges = np.asarray(windows, np.int64).reshape(-1)
        return self._accounts(self._table(edges)[::2])

    def failures(self, from_ms: int, to_ms: int) -> int:
        """How often the machine went into alarm within [from_ms, to_ms).

        Time unknown in between says nothing: it ends no alarm, and begins none.
        """
        starts, codes = self._known()
        alarm = self._is(MachineState.ALARM)[codes]
        begins = alarm & ~np.concatenate(([False], alarm[:-1]))
        return int(np.count_nonzero(begins & (starts >= from_ms) & (starts < to_ms)))

    def alarms(self, from_ms: int, to_ms: int) -> list[AlarmCause]:
        """The causes of alarm within [from_ms, to_ms), the one that took most time first."""
        starts, codes = self._known()
        alarm = self._is(MachineState.ALARM)
        begins = alarm[codes] & (codes != np.concatenate(([-1], codes[:-1])))
        begins &= (starts >= from_ms) & (starts < to_ms)
        counts = np.bincount(codes[begins], minlength=len(self.states))
        times = self.total(from_ms, to_ms).times
        found = [
            AlarmCause(state.cause, int(counts[code]), times.get(state, 0))
            for code, state in enumerate(self.states)
            if alarm[code] and (counts[code] or state in times)
        ]
        return sorted(found, key=lambda line: (-line.ms, -line.count, line.cause))

    def _known(self) -> tuple[Milliseconds, Codes]:
        """Starts and codes without the time that is unknown."""
        known = ~self._is(MachineState.UNKNOWN)[self.codes]
        return self.starts[known], self.codes[known]

    def _is(self, state: MachineState) -> npt.NDArray[np.bool_]:
        """By code, whether it is `state`."""
        return np.array([s.state is state for s in self.states], np.bool_)

    def _accounts(self, table: npt.NDArray[np.int64]) -> list[Account]:
        """One for each row of what `_table` returned."""
        times: list[dict[StateWithCause, int]] = [{} for _ in table]
        rows, codes = np.nonzero(table)
        for row, code, ms in zip(rows.tolist(), codes.tolist(), table[rows, codes].tolist(), strict=True):
            times[row][self.states[code]] = ms
        return [Account(of) for of in times]

    def _table(self, edges: Milliseconds) -> npt.NDArray[np.int64]:
        """Milliseconds between each of `edges` and the next (rows), for each of the states (columns)."""
        if len(edges) < 2:
            return np.zeros((0, len(self.states)), np.int64)
        if np.any(np.diff(edges) < 0) or edges[0] <= _EVER or edges[-1] >= _NEVER:
            raise ValueError("the edges of periods must ascend")
        low = np.searchsorted(self.starts, edges[0], "right") - 1
        high = max(np.searchsorted(self.starts, edges[-1], "left"), low + 1)
        starts, codes = self.starts[low:high], self.codes[low:high]
        places = np.searchsorted(starts, edges, "left")
        # The edges are put between the starts: every piece then lies in one period and has one state.
        points = np.insert(starts, places, edges)
        pieces = np.insert(codes, places, codes[places - 1])
        at = places + np.arange(len(edges))
        opened = np.zeros(len(points), np.int64)
        opened[at] = 1
        row = np.cumsum(opened) - 1
        inside = slice(at[0], at[-1])
        cells = row[inside] * len(self.states) + pieces[inside]
        # Sums of whole numbers below 2^53 are exact in the floats that bincount adds up.
        sums = np.bincount(cells, np.diff(points[at[0] : at[-1] + 1]), (len(edges) - 1) * len(self.states))
        return sums.astype(np.int64).reshape(len(edges) - 1, len(self.states))
