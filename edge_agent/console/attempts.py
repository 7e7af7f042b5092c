"""How often a sign-in may fail: some times at once, then now and then."""

from collections import OrderedDict
from collections.abc import Callable

KEPT = 1024
"""Addresses or users that are remembered; who has not failed for the longest time is forgotten first."""


class Attempts:
    """Each key may fail `burst` times, and once more every `every_s` seconds."""

    def __init__(self, burst: int, every_s: float, clock: Callable[[], float], kept: int = KEPT) -> None:
        self._burst = burst
        self._every_s = every_s
        self._clock = clock
        self._kept = kept
        self._free_at: OrderedDict[str, float] = OrderedDict()
        """When everything is forgiven, by key; each failure puts it `every_s` further away."""

    def wait_s(self, key: str) -> float:
        """How long until the key may try; 0 if it may now."""
        free_at = self._free_at.get(key, 0.0)
        return max(0.0, free_at - self._clock() - (self._burst - 1) * self._every_s)

    def begun(self, key: str) -> None:
        """Counts as failed until it has succeeded, so that many at once are not one."""
        now = self._clock()
        self._free_at[key] = max(now, self._free_at.get(key, now)) + self._every_s
        self._free_at.move_to_end(key)
        if len(self._free_at) > self._kept:
            self._free_at.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Take back what `begun` has counted.

        What failed before stays: who may sign in may not guess the passwords of others.
        """
        if key in self._free_at:
            self._free_at[key] -= self._every_s

    def __len__(self) -> int:
        return len(self._free_at)
