"""Intervals of one machine in columns: how they are packed, and what figures are made of in bulk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.tracker import Interval

Milliseconds: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.int64]
"""Positions in `states`."""

STILL_SO_MS = 1 << 60
"""Stands for the end of an interval that has none yet."""

Row = tuple[int, int | None, str, str]
"""start_ms, end_ms, state, cause"""


@lru_cache(maxsize=4096)
def state_of(state: str, cause: str) -> StateWithCause:
    return StateWithCause(MachineState(state), cause)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """`states[codes[i]]` from `starts[i]` up to, not including, `ends[i]`; `states` has each once, sorted."""

    starts: Milliseconds
    ends: Milliseconds
    codes: Codes
    states: tuple[StateWithCause, ...]

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> Self:
        """From intervals of one machine, in their order."""
        items = list(intervals)
        return cls._of(
            [item.start_ms for item in items],
            [item.end_ms for item in items],
            [item.state for item in items],
        )

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Self:
        return cls._of(
            [row[0] for row in rows], [row[1] for row in rows], [state_of(row[2], row[3]) for row in rows]
        )

    @classmethod
    def _of(cls, starts: list[int], ends: list[int | None], each: list[StateWithCause]) -> Self:
        states = _sorted(each)
        code = {state: number for number, state in enumerate(states)}
        return cls(
            np.array(starts, np.int64),
            np.array([STILL_SO_MS if end is None else end for end in ends], np.int64),
            np.array([code[state] for state in each], np.int64),
            states,
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One behind the other."""
        if len(parts) == 1:
            return parts[0]
        alphabets = {part.states for part in parts}
        states = _sorted(state for alphabet in alphabets for state in alphabet)
        code = {state: number for number, state in enumerate(states)}
        translation = {
            alphabet: np.array([code[state] for state in alphabet], np.int64) for alphabet in alphabets
        }
        none = np.zeros(0, np.int64)
        return cls(
            np.concatenate([none, *(part.starts for part in parts)]),
            np.concatenate([none, *(part.ends for part in parts)]),
            np.concatenate([none, *(translation[part.states][part.codes] for part in parts)]),
            states,
        )

    def part(self, which: slice | npt.NDArray[np.intp]) -> "Columns":
        """Some of the intervals; the states stay all there."""
        return Columns(self.starts[which], self.ends[which], self.codes[which], self.states)

    def by_start(self) -> "Columns":
        return (
            self
            if bool(np.all(np.diff(self.starts) >= 0))
            else self.part(np.argsort(self.starts, kind="stable"))
        )

    def known(self) -> npt.NDArray[np.bool_]:
        """Of each interval, whether its state is known."""
        by_code = np.array([state.state is not MachineState.UNKNOWN for state in self.states], np.bool_)
        return by_code[self.codes]

    def intervals(self, equipment: str) -> list[Interval]:
        return [
            Interval(equipment, start, None if end == STILL_SO_MS else end, self.states[code])
            for start, end, code in zip(
                self.starts.tolist(), self.ends.tolist(), self.codes.tolist(), strict=True
            )
        ]


def _sorted(states: Iterable[StateWithCause]) -> tuple[StateWithCause, ...]:
    return tuple(sorted(set(states), key=lambda s: (s.state, s.cause)))
