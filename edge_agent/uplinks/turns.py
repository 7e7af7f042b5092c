"""Who sends next: what is urgent before what is not, and nobody while there is no room."""

import asyncio
import time
from collections.abc import Callable

from edge_agent.journal.lanes import Lane


class Turns:
    """Both lanes wait here, each with one message at a time."""

    def __init__(self, has_room: Callable[[], bool], rate: float | None = None) -> None:
        """`rate` is in bytes a second; None: as fast as there is room."""
        self._has_room = has_room
        self._rate = rate
        self._free_at = 0.0
        """When what was sent last has passed a line of that rate, by the monotonic clock."""
        self._urgent_waits = False
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """There may be room now."""
        self._changed.set()

    async def wait(self, lane: Lane, size: int) -> None:
        """Return when `lane` may send one message of `size` bytes, which it has to do before it waits for
        anything else."""
        urgent = lane is Lane.URGENT
        while not self._may_send(urgent=urgent):
            self._urgent_waits |= urgent
            self._changed.clear()
            pause = self._free_at - time.monotonic()
            try:
                async with asyncio.timeout(pause if pause > 0 else None):
                    await self._changed.wait()
            except TimeoutError:
                pass
        if self._rate is not None:
            self._free_at = max(self._free_at, time.monotonic()) + size / self._rate
        if urgent:
            self._urgent_waits = False
            self._changed.set()

    def _may_send(self, *, urgent: bool) -> bool:
        if self._urgent_waits and not urgent:
            return False
        return self._has_room() and self._free_at <= time.monotonic()
