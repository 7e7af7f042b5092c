"""Who sends next: what is urgent before what is not, and nobody while there is no room."""

import asyncio
import time
from collections.abc import Callable

from edge_agent.uplinks.streams import Stream, before

AROUND = 100
"""Bytes that a message takes of the line beside its content, about: topic, MQTT, TLS, TCP and IP."""

_BEFORE = {stream: before(stream) for stream in Stream}


class Turns:
    """All streams wait here, and what is sent again, each with one message at a time."""

    def __init__(self, has_room: Callable[[], bool], rate: float | None = None) -> None:
        """`rate` is in bytes a second; None: as fast as there is room."""
        self._has_room = has_room
        self._rate = rate
        self._free_at = 0.0
        """When what was sent last has passed a line of that rate, by the monotonic clock."""
        self._waiting: set[Stream] = set()
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """There may be room now."""
        self._changed.set()

    async def wait(self, stream: Stream, size: int) -> None:
        """Return when `stream` may send one message with `size` bytes of content, which it has to do before
        it waits for anything else."""
        while not self._may_send(stream):
            self._waiting.add(stream)
            self._changed.clear()
            pause = self._free_at - time.monotonic()
            try:
                async with asyncio.timeout(pause if pause > 0 else None):
                    await self._changed.wait()
            except TimeoutError:
                pass
        if self._rate is not None:
            self._free_at = max(self._free_at, time.monotonic()) + (AROUND + size) / self._rate
        if stream in self._waiting:
            self._waiting.remove(stream)
            self._changed.set()

    def _may_send(self, stream: Stream) -> bool:
        if self._waiting & _BEFORE[stream]:
            return False
        return self._has_room() and self._free_at <= time.monotonic()
