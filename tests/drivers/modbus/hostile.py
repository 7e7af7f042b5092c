"""A Modbus server that answers as badly as a test wants, over TCP or in the test's own loop."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any
from unittest import mock

from drivers.modbus import ModbusDriver, endpoint, line
from drivers.modbus.frames import crc16
from drivers.modbus.line import Line, Owed
from drivers.modbus.options import ModbusConnection, ModbusEquipment, ModbusTag
from drivers.modbus.reading import ModbusTagSet
from drivers.modbus.statistics import ConnectionStatistics
from tests import loop_time
from tests.drivers.modbus.harness import connection, tag_set

TIMEOUT = 0.05


def value_at(address: int) -> int:
    """What a holding register holds: its address can be told from it."""
    return address ^ 0x5A00


def answer_pdu(pdu: bytes, illegal: Sequence[range] = (), most: int = 125) -> bytes:
    """The right answer of a device that has holding registers and no identification."""
    if pdu[0] != 3:
        return bytes((pdu[0] | 0x80, 1))
    function, start, count = struct.unpack(">BHH", pdu)
    if any(address in gap for gap in illegal for address in range(start, start + count)):
        return bytes((function | 0x80, 2))
    if count > most:
        return bytes((function | 0x80, 3))
    values = [value_at(address) for address in range(start, start + count)]
    return struct.pack(f">BB{count}H", function, 2 * count, *values)


class Question:
    """One request as the server got it, and ways to answer it."""

    def __init__(
        self,
        number: int,
        framing: str,
        header: bytes,
        body: bytes,
        send: Callable[[bytes], None],
        reset: Callable[[], None],
    ) -> None:
        self.number = number
        """Counted from 0."""
        self._framing = framing
        self._header = header
        self.unit = body[0]
        self.pdu = body[1:]
        self.send = send
        self.reset = reset
        """Cut the connection off, not in order."""

    def frame(self, pdu: bytes, *, unit: int | None = None) -> bytes:
        body = bytes((self.unit if unit is None else unit,)) + pdu
        if self._framing == "rtu":
            return body + crc16(body)
        if self._framing == "ascii":
            return b":" + (body + bytes((-sum(body) & 0xFF,))).hex().upper().encode() + b"\r\n"
        return self._header[:4] + struct.pack(">H", len(body)) + body

    def answer(self, pdu: bytes | None = None) -> None:
        self.send(self.frame(answer_pdu(self.pdu) if pdu is None else pdu))


Script = Callable[[Question], Awaitable[None]]


async def _serve(
    reader: asyncio.StreamReader,
    send: Callable[[bytes], None],
    reset: Callable[[], None],
    framing: str,
    script: Script,
    numbers: Iterator[int],
) -> None:
    """Have `script` answer the questions of one connection in turn."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        while True:
            if framing == "tcp":
                header = await reader.readexactly(6)
                body = await reader.readexactly(int.from_bytes(header[4:], "big"))
            elif framing == "rtu":
                header, body = b"", (await reader.readexactly(8))[:-2]
            else:
                header, body = b"", bytes.fromhex((await reader.readuntil(b"\r\n"))[1:-4].decode())
            await script(Question(next(numbers), framing, header, body, send, reset))
    reset()


@asynccontextmanager
async def hostile_server(script: Script, framing: str = "tcp") -> AsyncIterator[int]:
    """Gives the port of a server that has `script` answer the questions of a connection in turn."""
    numbers = count()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await _serve(reader, writer.write, writer.transport.abort, framing, script, numbers)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


class _Wire(asyncio.WriteTransport):
    """The line's end of a connection without a network: what one side sends, the other has in the next turn
    of the loop."""

    def __init__(self, end: Line) -> None:
        super().__init__()
        self.reader = asyncio.StreamReader()
        """The other end."""
        self._line = end
        self._loop = asyncio.get_running_loop()
        self._cut = self._lost = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._loop.call_soon(self.reader.feed_data, bytes(data))

    def is_closing(self) -> bool:
        return self._cut

    def abort(self) -> None:
        """Of both ends."""
        if not self._cut:
            self._cut = True
            self._loop.call_soon(self._lose)
            self._loop.call_soon(self.reader.feed_eof)

    def answer(self, data: bytes) -> None:
        """Send from the other end."""
        self._loop.call_soon(self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        if data and not self._lost:
            self._line.data_received(data)

    def _lose(self) -> None:
        self._lost = True
        self._line.connection_lost(None)


@contextmanager
def hostile_line(script: Script, framing: str = "tcp") -> Iterator[int]:
    """As `hostile_server`, in the loop of whoever connects and without a network: for what is decided in the
    time of the loop (tests/loop_time.py), where nothing may be waited for that is outside. Any connection of
    the Modbus driver, to whatever port, leads there."""
    numbers = count()
    tasks: set[asyncio.Task[None]] = set()

    async def connect(options: ModbusConnection, statistics: ConnectionStatistics, owed: Owed) -> Line:
        made = Line(endpoint.framing_of(options), options.timeout, statistics, owed)
        wire = _Wire(made)
        made.connection_made(wire)
        tasks.add(asyncio.create_task(_serve(wire.reader, wire.answer, wire.abort, framing, script, numbers)))
        return made

    with mock.patch.object(endpoint, "_connect", connect), mock.patch.object(line, "time", loop_time.CLOCK):
        yield 502


def unit_with(addresses: Sequence[int], unit: int = 1, **limits: Any) -> ModbusTagSet:
    """A tag set of uint16 holding registers, each tag called after its address: r17."""
    tags = tuple(ModbusTag(id=f"r{a}", table="holding", address=a, type="uint16") for a in addresses)
    return tag_set(
        ModbusEquipment.model_validate({"id": f"U{unit}", "unit": unit, "tags": tags, "limits": limits})
    )


@asynccontextmanager
async def driver_on(
    script: Script, *tag_sets: ModbusTagSet, framing: str = "tcp", limit: float = TIMEOUT
) -> AsyncIterator[ModbusDriver]:
    """A driver whose questions `script` answers, opened, in the loop of the test."""
    with hostile_line(script, framing) as port:
        options = connection(port, [s.equipment for s in tag_sets], framing=framing, timeout=f"{limit:g}s")
        driver = ModbusDriver(options, tag_sets)
        await driver.open()
        try:
            yield driver
        finally:
            await driver.close()
