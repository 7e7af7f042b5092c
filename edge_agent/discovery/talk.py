"""A short talk with a stranger over TCP: every answer is limited in time and in size."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge_agent.model.found import Place, TcpPlace

_BUFFERED = 64 * 1024
"""Bytes that are taken in before anybody asks for them; the other side waits then."""


class Talk:
    """One connection. Raises TimeoutError where an answer is not complete in time, ConnectionError where the
    other side ends before."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: float) -> None:
        self._reader = reader
        self._writer = writer
        self._limit = limit

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def exactly(self, count: int) -> bytes:
        """The next `count` bytes."""
        try:
            async with asyncio.timeout(self._limit):
                return await self._reader.readexactly(count)
        except asyncio.IncompleteReadError as error:
            raise ConnectionError(f"the other side ended after {len(error.partial)} bytes") from None

    async def until_the_end(self, most: int) -> bytes:
        """What comes until the other side ends, at most `most` bytes of it."""
        taken = bytearray()
        async with asyncio.timeout(self._limit):
            while len(taken) < most and (part := await self._reader.read(most - len(taken))):
                taken += part
        return bytes(taken)


@asynccontextmanager
async def talking(place: Place, limit: float) -> AsyncIterator[Talk]:
    """A connection to `place`, gone at the end of the block. Raises OSError, TimeoutError among them."""
    if not isinstance(place, TcpPlace):
        raise ConnectionError(f"{place} is no port of a network")
    async with asyncio.timeout(limit):
        reader, writer = await asyncio.open_connection(place.host, place.port, limit=_BUFFERED)
    try:
        yield Talk(reader, writer, limit)
    finally:
        # Not closed in good order: that would wait for what the other side may never take.
        writer.transport.abort()
        await asyncio.sleep(0)
