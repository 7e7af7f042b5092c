"""One encoded overview for all browsers: made when the first asks, and again when it is too old."""

import asyncio
from collections.abc import AsyncIterator, Callable

EVERY_S = 0.8
"""How often browsers get the news; all of them at the same moment."""


class Shared:
    """Work is done only while somebody asks."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._turn = -1
        self._body = b""
        self._closing = asyncio.Event()
        self.followers = 0
        """How many browsers follow the news now."""

    def current(self) -> bytes:
        """Not older than `EVERY_S`."""
        turn = int(asyncio.get_running_loop().time() / EVERY_S)
        if turn != self._turn:
            self._body, self._turn = self._make(), turn
        return self._body

    async def follow(self, lasts: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Server-sent events, one at once and one each turn, while the sign-in `lasts` and until `close`.
        Each is one overview.

        A browser that is too slow to take them misses some.
        """
        loop = asyncio.get_running_loop()
        self.followers += 1
        try:
            while not self._closing.is_set() and lasts():
                yield b"event: overview\ndata: " + self.current() + b"\n\n"
                wait_s = EVERY_S - loop.time() % EVERY_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._closing.wait()
                except TimeoutError:
                    continue
        finally:
            self.followers -= 1

    def close(self) -> None:
        """End all streams."""
        self._closing.set()
