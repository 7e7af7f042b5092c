"""Whatever a test of this folder makes the driver do: nothing that leaves it may write."""

import asyncio
from collections.abc import Iterator
from typing import cast

import pytest

from drivers.modbus import line
from drivers.modbus.frames import AsciiFraming, Framing, TcpFraming

READING = {1, 2, 3, 4, 43}


class Tap(asyncio.WriteTransport):
    """A transport that notes the function codes of the frames that are written to it."""

    def __init__(self, to: asyncio.WriteTransport, framing: Framing, functions: set[int]) -> None:
        super().__init__()
        self._to = to
        self._framing = framing
        self._functions = functions

    def write(self, data: bytes | bytearray | memoryview) -> None:
        frame = bytes(data)
        if isinstance(self._framing, AsciiFraming):
            pdu = bytes.fromhex(frame[1:-4].decode())[1:]
        else:
            pdu = frame[7:] if isinstance(self._framing, TcpFraming) else frame[1:]
        self._functions.add(pdu[0])
        self._to.write(data)

    def abort(self) -> None:
        self._to.abort()

    def is_closing(self) -> bool:
        return self._to.is_closing()


@pytest.fixture(autouse=True)
def functions_sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """The function codes of all frames that this process has sent; after the test, all of them read."""
    functions: set[int] = set()
    made = line.Line.connection_made

    def connection_made(self: line.Line, transport: asyncio.BaseTransport) -> None:
        made(self, Tap(cast(asyncio.WriteTransport, transport), self._framing, functions))

    monkeypatch.setattr(line.Line, "connection_made", connection_made)
    yield functions
    assert functions <= READING
