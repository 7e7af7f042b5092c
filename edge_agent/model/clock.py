"""One clock for the whole agent: UTC milliseconds that never run backwards."""

import time
from collections.abc import Callable


class SteadyClock:
    """UTC anchored once, then driven by the monotonic clock.

    Every time that the agent takes itself ("received time", interval borders) comes from here, so a
    difference of two of them is a true duration whatever happens to the system clock. What the system
    clock does meanwhile shows in `offset_ms`.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._anchor_ns = wall_ns() - monotonic_ns()

    def now_ms(self) -> int:
        """UTC in epoch milliseconds; never less than an earlier answer."""
        return (self._anchor_ns + self._monotonic_ns()) // 1_000_000

    def offset_ms(self) -> int:
        """System clock minus this clock, in milliseconds: what was stepped since the anchor was taken."""
        return (self._wall_ns() - self._anchor_ns - self._monotonic_ns()) // 1_000_000

    def follow_forward(self) -> int:
        """Take a forward step of the system clock over, and return its size in ms; 0 if there was none.

        A gateway without a battery starts years in the past and is set right once the network is up. A
        backward step is never followed: it would make intervals of negative length. It stays visible in
        `offset_ms` until the next start.
        """
        step = self.offset_ms()
        if step <= 0:
            return 0
        self._anchor_ns += step * 1_000_000
        return step


CLOCK = SteadyClock()
"""The clock of this process."""
