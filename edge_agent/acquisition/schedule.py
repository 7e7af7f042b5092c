"""Fixed-rate ticks: never drifting, never bunched."""

import heapq
import math
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

SLOTS, LONGEST_SLOT_S = 4, 0.25
"""Connections take turns in so many slots of a period, which are no longer than this. Those of one slot are
asked, recorded and published together, which takes half the processor time; a hundred are still not asked
all at once."""


def first_turn(now: float, phase: float, period: float) -> float:
    """When something that is due every `period` seconds begins: `phase` (0 to 1) of it from now, and at the
    beginning of a slot."""
    slot = min(period / SLOTS, LONGEST_SLOT_S)
    return math.ceil((now + phase * period) / slot) * slot


class Schedule(Generic[K]):
    """When each of several things is due, on the clock that `start` is given in (seconds).

    Thing `k` with period `p` is due at start + p, start + 2p, … and first of all at start. A tick whose
    whole period has passed before its turn is missed: counted in `missed` and never made up for. Of those due
    at the same time, the one that has waited longest since its last turn comes first.
    """

    def __init__(self, things: Iterable[tuple[K, float]], start: float) -> None:
        self._periods = dict(things)
        self._start = start
        self._tick = dict.fromkeys(self._periods, 0)
        self._heap = [(start, i, key) for i, key in enumerate(self._periods)]
        self._turns = len(self._heap)
        self.missed = 0

    def next(self) -> tuple[float, K]:
        """The next due time and what is due then; call `done` before asking again."""
        due, _, key = self._heap[0]
        return due, key

    def done(self, now: float) -> None:
        """The thing last given by `next` has had its turn, which ended at `now`."""
        _, _, key = self._heap[0]
        period = self._periods[key]
        tick = self._tick[key] + 1
        current = int((now - self._start) / period)  # the newest tick that is due already
        if current > tick:
            self.missed += current - tick
            tick = current
        self._tick[key] = tick
        heapq.heapreplace(self._heap, (self._start + tick * period, self._turns, key))
        self._turns += 1
