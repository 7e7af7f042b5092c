"""Intervals of one machine in columns: how they are packed, and what figures are made of in bulk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.tracker import Interval

Milliseconds: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
"""Positions in `states`, in as few bytes as they need: a month is read faster that way."""

UNSIGNED: dict[int, np.dtype[np.unsignedinteger[Any]]] = {
    1: np.dtype("<u1"),
    2: np.dtype("<u2"),
    4: np.dtype("<u4"),
}
"""By width in bytes."""

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
            np.array([code[state] for state in each], code_type(states)),
            states,
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One behind the other; there is at least one."""
        if len(parts) == 1:
            return parts[0]
        states = all_states(part.states for part in parts)
        codes = []
        for part in parts:
            translation = translated(part.states, states)
            codes.append(part.codes if translation is None else translation[part.codes])
        return cls(
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.ends for part in parts]),
            np.concatenate(codes, dtype=code_type(states)),
            states,
        )

    def part(self, which: slice | npt.NDArray[np.intp]) -> "Columns":
        """Some of the intervals; the states stay all there."""
        return Columns(self.starts[which], self.ends[which], self.codes[which], self.states)

    def by_start(self) -> "Columns":
        ascending = bool((self.starts[1:] >= self.starts[:-1]).all())
        return self if ascending else self.part(np.argsort(self.starts, kind="stable"))

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


def all_states(parts: Iterable[tuple[StateWithCause, ...]]) -> tuple[StateWithCause, ...]:
    """Those of all parts."""
    different = {id(part): part for part in parts}  # many parts have one and the same
    if len(different) == 1:
        return next(iter(different.values()))
    return _sorted(state for part in different.values() for state in part)


def translated(states: tuple[StateWithCause, ...], into: tuple[StateWithCause, ...]) -> Codes | None:
    """What each code of `states` is in `into`; None if it is the same."""
    if states == into:
        return None
    code = {state: number for number, state in enumerate(into)}
    return np.array([code[state] for state in states], code_type(into))


def code_type(states: Sequence[StateWithCause]) -> np.dtype[np.unsignedinteger[Any]]:
    """Of codes for `states`."""
    return narrow_type(len(states) - 1)


def narrow_type(greatest: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The least that holds numbers from 0 to `greatest`."""
    width = next(width for width in UNSIGNED if greatest < 1 << (8 * width))
    return UNSIGNED[width]


def _sorted(states: Iterable[StateWithCause]) -> tuple[StateWithCause, ...]:
    return tuple(sorted(set(states), key=lambda s: (s.state, s.cause)))
