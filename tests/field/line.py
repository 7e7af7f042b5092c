"""The line between a gateway and its broker, which can be slow, stand still, or be cut."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

from tests.ports import free_port

_CHUNK = 1024
_LOOK_EVERY_S = 0.02
_LATE_S = 0.1
"""So much of the time in which the line could have passed something is made up for."""


class Line:
    """Listens on a port of its own and passes on what comes to `port`, both ways; in a thread of its own."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.bytes_per_second: float | None = None
        """None: as fast as it goes; 0: nothing passes, and nobody is told."""
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line")
        self._passing: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """End all connections that stand."""
        self._call(self._end())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        ends = [writer]
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(back)
            pumps = [
                asyncio.create_task(self._pump(reader, back)),
                asyncio.create_task(self._pump(there, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        for end in ends:
            end.transport.abort()
        self._passing.discard(task)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        free_at = 0.0
        while data := await source.read(_CHUNK):
            while self.bytes_per_second == 0:
                await asyncio.sleep(_LOOK_EVERY_S)
            if self.bytes_per_second:
                # A sleep that was too long does not make the line slower.
                now = self._loop.time()
                free_at = max(free_at, now - _LATE_S) + len(data) / self.bytes_per_second
                await asyncio.sleep(free_at - now)
            target.write(data)
            await target.drain()

    async def _end(self) -> None:
        passing = list(self._passing)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _close(self) -> None:
        self._server.close()
        await self._end()

    def __enter__(self) -> "Line":
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
