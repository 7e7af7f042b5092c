"""How long to wait before the next attempt."""

import random
from collections.abc import Callable


class Backoff:
    """Doubling delays with jitter, in seconds: many agents that lost one server do not return as one.

    Each delay is drawn from the upper half of [0, ceiling]; the ceiling starts at `first` and doubles
    up to `limit`.
    """

    def __init__(self, first: float, limit: float, draw: Callable[[], float] = random.random) -> None:
        self._first = first
        self._limit = limit
        self._draw = draw
        self._ceiling = first

    def next(self) -> float:
        delay = self._ceiling * (0.5 + 0.5 * self._draw())
        self._ceiling = min(self._limit, self._ceiling * 2)
        return delay

    def reset(self) -> None:
        self._ceiling = self._first
