"""A network on the loopback: addresses that count who comes, stand-ins for controllers, and hostile ones.

The stand-ins answer as the protocols' documents say; no controller was at hand to hold them against.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

Answer = Callable[[bytes], bytes | None]
"""What to send for what has come so far; None: not yet enough. Empty: nothing, and the connection ends."""


@dataclass
class Host:
    """One address. `most_open` is how many connections it had at a time."""

    address: str
    accepted: int = 0
    open: int = 0
    most_open: int = 0
    requests: list[bytes] = field(default_factory=list)

    def came(self) -> None:
        self.accepted += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)


class _Counted(asyncio.Protocol):
    """One connection to a host, which is over as soon as the other side ends it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.transport: asyncio.Transport | None = None
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.host.came()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        self.transport = None
        self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self.host.open -= 1


class StandIn(_Counted):
    """Answers each piece that comes."""

    def __init__(self, host: Host, answer: Answer) -> None:
        super().__init__(host)
        self._answer = answer
        self._came = b""

    def data_received(self, data: bytes) -> None:
        self._came += data
        answer = self._answer(self._came)
        if answer is None:
            return
        self.host.requests.append(self._came)
        self._came = b""
        assert self.transport is not None
        self.transport.write(answer)
        if not answer or answer.startswith(b"HTTP/"):
            self.transport.close()


class Endless(_Counted):
    """Sends bytes for as long as somebody takes them; `begin` first."""

    begin = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._more = True
        if self.begin:
            cast(asyncio.Transport, transport).write(self.begin)
        self._send()

    def pause_writing(self) -> None:
        self._more = False

    def resume_writing(self) -> None:
        self._more = True
        self._send()

    def _send(self) -> None:
        if self.transport is not None and self._more:
            self.transport.write(b"\x07" * 65_536)
            asyncio.get_running_loop().call_soon(self._send)


class Drip(_Counted):
    """Sends a byte now and then, and never an end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._send()

    def _send(self) -> None:
        if self.transport is not None:
            self.transport.write(b"H")
            asyncio.get_running_loop().call_later(0.02, self._send)


class Passage(_Counted):
    """Leads to a real server on another port of 127.0.0.1."""

    def __init__(self, host: Host, port: int) -> None:
        super().__init__(host)
        self._port = port
        self._waiting: list[bytes] = []
        self._there: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        there, _ = await loop.create_connection(lambda: _Back(self), "127.0.0.1", self._port)
        self._there = there
        there.writelines(self._waiting)
        if self.transport is None:
            there.close()

    def data_received(self, data: bytes) -> None:
        self.host.requests.append(data)
        if self._there is None:
            self._waiting.append(data)
        else:
            self._there.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._there is not None:
            self._there.close()


class _Back(asyncio.Protocol):
    def __init__(self, passage: Passage) -> None:
        self._passage = passage

    def data_received(self, data: bytes) -> None:
        if self._passage.transport is not None:
            self._passage.transport.write(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._passage.transport is not None:
            self._passage.transport.close()


class Network:
    """Hosts by address; everything is closed with the block of `network`."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.hosts: dict[str, Host] = {}
        self._stack = stack

    async def serve(self, address: str, port: int, make: Callable[[Host], asyncio.Protocol]) -> Host:
        host = self.hosts.setdefault(address, Host(address))
        server = await asyncio.get_running_loop().create_server(lambda: make(host), address, port)
        self._stack.callback(server.close)
        return host

    async def serve_anywhere(self, address: str, make: Callable[[Host], asyncio.Protocol]) -> int:
        """Serve at a port that is free; returns it."""
        host = self.hosts.setdefault(address, Host(address))
        server = await asyncio.get_running_loop().create_server(lambda: make(host), address, 0)
        self._stack.callback(server.close)
        port: int = server.sockets[0].getsockname()[1]
        return port


@asynccontextmanager
async def network() -> AsyncIterator[Network]:
    async with AsyncExitStack() as stack:
        yield Network(stack)


def whole(size: int, answer: bytes) -> Answer:
    """`answer` as soon as `size` bytes have come."""
    return lambda came: answer if len(came) >= size else None


def http(body: bytes, path: str = "/", server: str = "Stand-in/1.0") -> Answer:
    """A web server that has one page."""

    def answer(came: bytes) -> bytes | None:
        if b"\r\n\r\n" not in came:
            return None
        if not came.startswith(f"GET {path} ".encode()):
            return b"HTTP/1.1 404 Not Found\r\n\r\n"
        return f"HTTP/1.1 200 OK\r\nServer: {server}\r\n\r\n".encode() + body

    return answer


PROBE = b"""<?xml version="1.0" encoding="UTF-8"?>
<MTConnectDevices xmlns="urn:mtconnect.org:MTConnectDevices:2.4"><Header version="2.4"/><Devices>
<Device id="d1" name="VMC-850" uuid="u1"><Description manufacturer="Mazak" model="VCN-530C"
serialNumber="M8010N9172N"/><Components/></Device></Devices></MTConnectDevices>"""

COTP_CONFIRM = bytes.fromhex("0300001611d00001000100c0010ac1020100c2020102")
CLX_NAME = b"1756-L83E/B"
ETHERNET_IP = struct.pack("<HHII8sI", 0x63, 6 + 33 + len(CLX_NAME) + 1, 0, 0, bytes(8), 0) + (
    struct.pack("<HHH", 1, 0x0C, 33 + len(CLX_NAME) + 1)
    + struct.pack("<H16sHHHBBHIB", 1, bytes(16), 1, 14, 166, 32, 11, 0, 0x00C0FFEE, len(CLX_NAME))
    + CLX_NAME
    + b"\x03"
)
SLMP = b"\xd0\x00\x00\xff\xff\x03\x00" + struct.pack("<HH16sH", 20, 0, b"R08CPU".ljust(16), 0x4801)
FOCAS_OPENED = bytes.fromhex("a0a0a0a0000101020008") + bytes(8)


def lsv2(came: bytes) -> bytes | None:
    if len(came) < 8:
        return None
    command, payload = came[4:8], came[8:]
    if command == b"R_VR":
        text = (b"TNC640" if payload[:1] == b"\x01" else b"340590 07") + b"\0"
        return struct.pack(">I", len(text)) + b"S_VR" + text
    return struct.pack(">I", 0) + b"T_OK"


def slots(slot: int) -> Answer:
    """An S7 that hangs up on every other slot."""
    return lambda came: None if len(came) < 22 else COTP_CONFIRM if came[21] == slot else b""


def modbus_functions(requests: Sequence[bytes]) -> set[int]:
    """Function codes of Modbus TCP requests, each of which came in a piece of its own."""
    return {request[7] for request in requests}
