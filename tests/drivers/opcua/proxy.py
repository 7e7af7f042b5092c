"""A TCP proxy that can be cut or fall silent between the driver and a server."""

import asyncio
from types import TracebackType
from typing import Self


class Proxy:
    """Passes bytes on to `target`. `sent` is what went to the server, `received` what came from it."""

    def __init__(self, target: int) -> None:
        self.sent = bytearray()
        self.received = bytearray()
        self.falsify = (b"", b"")
        """What is replaced on its way from the server, and by what."""
        self.port = 0
        self._target = target
        self._passing = asyncio.Event()
        self._passing.set()
        self._refusing = False
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def refuse(self) -> None:
        """Reset every connection, and each new one until `release`."""
        self._refusing = True
        self.cut()

    def hold(self) -> None:
        """Let nothing through any more, as a cable pulled out: no word, no reset."""
        self._passing.clear()

    def release(self) -> None:
        """Let new connections through; what was held stays held."""
        self._refusing = False
        self.cut()
        self._passing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, onward_writer]
        for source, sink, kept in (
            (reader, onward_writer, self.sent),
            (onward_reader, writer, self.received),
        ):
            task = asyncio.create_task(self._pass(source, sink, kept))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray) -> None:
        try:
            while data := await source.read(65536):
                await self._passing.wait()
                kept += data
                if kept is self.received and self.falsify[0]:
                    data = data.replace(*self.falsify)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.transport.abort()
