"""Time accounts: how long one machine was in each state, by cause, exact to the millisecond."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.columns import STILL_SO_MS, Codes, Columns, Milliseconds, code_type
from edge_agent.states.history import GATEWAY_DOWN
from edge_agent.states.tracker import Interval

Places: TypeAlias = npt.NDArray[np.intp]

_BLOCK = 8192
"""So many intervals at a time are added up: their intermediate results stay in the processor's cache."""

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
    """What one machine did, in columns: `states[codes[i]]` from `starts[i]` until `starts[i + 1]`, of which
    there is one more.

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
        down = states.index(GATEWAY_DOWN) if GATEWAY_DOWN in states else len(states)
        states = (*states, GATEWAY_DOWN)[: max(len(states), down + 1)]
        if not (bool((ends > starts).all()) and np.array_equal(ends[:-1], starts[1:])):
            starts, ends, codes = _without_gaps(*_in_order(starts, ends, codes), down)
        over = [end for end in ends[-1:].tolist() if end < _NEVER]
        starts = np.concatenate(([_EVER], starts, np.array([*over, _NEVER])))
        around = np.full(len(starts) - 1, down, code_type(states))
        around[1 : 1 + len(codes)] = codes
        return cls(starts, around, states)

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

    def whole_and_within(
        self, from_ms: int, to_ms: int, windows: Sequence[tuple[int, int]]
    ) -> tuple[Account, Account]:
        """The account of [from_ms, to_ms), and that of all the time in `windows`, which lie in it, ascend and
        do not overlap."""
        edges = np.array([from_ms, *chain.from_iterable(windows), to_ms], np.int64)
        table = self._table(edges)
        whole, within = self._accounts(np.stack([table.sum(0), table[1::2].sum(0)]))
        return whole, within

    def failures(self, from_ms: int, to_ms: int) -> int:
        """How often the machine went into alarm within [from_ms, to_ms).

        Time unknown in between says nothing: it ends no alarm, and begins none.
        """
        at, before = self._alarms()
        begins = (before < 0) | ~self._are(MachineState.ALARM)[self.codes[before]]
        return int(np.count_nonzero(begins & (self.starts[at] >= from_ms) & (self.starts[at] < to_ms)))

    def alarms(self, from_ms: int, to_ms: int) -> list[AlarmCause]:
        """The causes of alarm within [from_ms, to_ms), the one that took most time first."""
        at, before = self._alarms()
        starts, codes = self.starts[at], self.codes[at]
        begins = (before < 0) | (codes != self.codes[before])
        counts = np.bincount(
            codes[begins & (starts >= from_ms) & (starts < to_ms)], minlength=len(self.states)
        )
        stood = self.starts[at + 1].clip(from_ms, to_ms) - starts.clip(from_ms, to_ms)
        times = np.bincount(codes, stood, len(self.states)).astype(np.int64)
        found = [
            AlarmCause(self.states[code].cause, int(counts[code]), int(times[code]))
            for code in np.flatnonzero((counts > 0) | (times > 0)).tolist()
        ]
        return sorted(found, key=lambda line: (-line.ms, -line.count, line.cause))

    def _alarms(self) -> tuple[Places, Places]:
        """Where the machine is in alarm, and where it was known before that the last time; -1: never."""
        at = np.flatnonzero(self._are(MachineState.ALARM)[self.codes])
        unknown = np.flatnonzero(self._are(MachineState.UNKNOWN)[self.codes])
        before = at - 1
        nth = unknown.searchsorted(before)
        lost = unknown.take(nth, mode="clip") == before
        # Pieces of unknown time that follow each other have one number here.
        runs = unknown - np.arange(len(unknown))
        before[lost] = unknown[runs.searchsorted(runs[nth[lost]])] - 1
        return at, before

    def _are(self, state: MachineState) -> npt.NDArray[np.bool_]:
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
        starts, codes = self.starts, self.codes
        table = np.zeros((len(edges) - 1, len(self.states)), np.int64)
        # The first and the last piece may reach out of the edges, those between them do not.
        first = int(starts.searchsorted(edges[0], "right")) - 1
        last = max(int(starts.searchsorted(edges[-1], "left")) - 1, first)
        for piece in {first, last}:
            inside = np.minimum(starts[piece + 1], edges[1:]) - np.maximum(starts[piece], edges[:-1])
            table[:, codes[piece]] += inside.clip(0)
        first += 1
        # Of those between, each is counted in the row that it begins in; row i has those from bounds[i] on.
        places = first + starts[first:last].searchsorted(edges[1:-1])
        bounds = np.concatenate(([first], places, [max(first, last)]))
        for low in range(first, last, _BLOCK):
            high = min(low + _BLOCK, last)
            top, bottom = bounds.searchsorted((low, high - 1), "right") - 1
            size = bottom + 1 - top
            cells = np.repeat(
                np.arange(size) * len(self.states), np.diff(bounds[top : bottom + 2].clip(low, high))
            )
            cells += codes[low:high]
            durations = starts[low + 1 : high + 1] - starts[low:high]
            # Sums of whole numbers below 2^53 are exact in the floats that bincount adds up.
            sums = np.bincount(cells, durations, size * len(self.states)).astype(np.int64)
            table[top : bottom + 1] += sums.reshape(size, -1)
        # What of a piece is behind an edge is taken over into the next row.
        rows = np.flatnonzero(places > first)
        crossing = places[rows] - 1
        behind = np.maximum(starts[crossing + 1] - edges[rows + 1], 0)
        np.subtract.at(table, (rows, codes[crossing]), behind)
        np.add.at(table, (rows + 1, codes[crossing]), behind)
        return table


def _in_order(
    starts: Milliseconds, ends: Milliseconds, codes: Codes
) -> tuple[Milliseconds, Milliseconds, Codes]:
    """Ascending, each start once, none without a duration, none that lasts into the next."""
    order = np.lexsort((codes, ends, starts))
    order = order[(ends > starts)[order]]
    order = order[np.diff(starts[order], prepend=_EVER - 1) > 0]
    starts, ends, codes = starts[order], ends[order], codes[order]
    return starts, np.minimum(ends, np.append(starts, _NEVER)[1:]), codes


def _without_gaps(
    starts: Milliseconds, ends: Milliseconds, codes: Codes, filling: int
) -> tuple[Milliseconds, Milliseconds, Codes]:
    gaps = np.flatnonzero(ends[:-1] < starts[1:])
    return (
        np.insert(starts, gaps + 1, ends[gaps]),
        np.insert(ends, gaps + 1, starts[gaps + 1]),
        np.insert(codes, gaps + 1, filling),
    )
