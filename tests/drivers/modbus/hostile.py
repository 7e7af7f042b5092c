"""A Modbus server over TCP that answers as badly as a test wants."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from drivers.modbus import ModbusDriver
from drivers.modbus.frames import crc16
from drivers.modbus.options import ModbusEquipment, ModbusTag
from drivers.modbus.reading import ModbusTagSet
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
        self, number: int, framing: str, header: bytes, body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        """Counted from 0."""
        self._framing = framing
        self._header = header
        self.unit = body[0]
        self.pdu = body[1:]
        self.writer = writer

    def frame(self, pdu: bytes, *, unit: int | None = None) -> bytes:
        body = bytes((self.unit if unit is None else unit,)) + pdu
        if self._framing == "rtu":
            return body + crc16(body)
        if self._framing == "ascii":
            return b":" + (body + bytes((-sum(body) & 0xFF,))).hex().upper().encode() + b"\r\n"
        return self._header[:4] + struct.pack(">H", len(body)) + body

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def answer(self, pdu: bytes | None = None) -> None:
        self.send(self.frame(answer_pdu(self.pdu) if pdu is None else pdu))

    def reset(self) -> None:
        """Cut the connection off, not in order."""
        self.writer.transport.abort()


Script = Callable[[Question], Awaitable[None]]


@asynccontextmanager
async def hostile_server(script: Script, framing: str = "tcp") -> AsyncIterator[int]:
    """Gives the port of a server that has `script` answer the questions of a connection in turn."""
    count = 0
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                if framing == "tcp":
                    header = await reader.readexactly(6)
                    body = await reader.readexactly(int.from_bytes(header[4:], "big"))
                elif framing == "rtu":
                    header, body = b"", (await reader.readexactly(8))[:-2]
                else:
                    header, body = b"", bytes.fromhex((await reader.readuntil(b"\r\n"))[1:-4].decode())
                question = Question(count, framing, header, body, writer)
                count += 1
                await script(question)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


def unit_with(addresses: Sequence[int], unit: int = 1, **limits: Any) -> ModbusTagSet:
    """A tag set of uint16 holding registers, each tag called after its address: r17."""
    tags = tuple(ModbusTag(id=f"r{a}", table="holding", address=a, type="uint16") for a in addresses)
    return tag_set(
        ModbusEquipment.model_validate({"id": f"U{unit}", "unit": unit, "tags": tags, "limits": limits})
    )


@asynccontextmanager
async def driver_on(
    port: int, *tag_sets: ModbusTagSet, framing: str = "tcp", limit: float = TIMEOUT
) -> AsyncIterator[ModbusDriver]:
    options = connection(port, [s.equipment for s in tag_sets], framing=framing, timeout=f"{limit:g}s")
    driver = ModbusDriver(options, tag_sets)
    await driver.open()
    try:
        yield driver
    finally:
        await driver.close()
