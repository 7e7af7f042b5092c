"""A wire to the broker that is listened to: what the client sends, packet by packet; and it can be cut."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14
_TOPIC_ALIAS, _SESSION_EXPIRY = 0x23, 0x11


@dataclass(frozen=True)
class Packet:
    """One packet from the client. `topic`, `payload`, `qos`, `retain` of a CONNECT are those of its Will."""

    at: float
    connection: int
    kind: int
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    clean: bool = False
    has_will: bool = False
    session_expiry: int = 0
    reason: int = 0


@dataclass
class _Reader:
    """Takes values off a packet's body."""

    body: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.body[self.at - count : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def octets(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        return self.octets().decode()

    def length(self) -> int:
        value = shift = 0
        while True:
            octet = self.number(1)
            value |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return value

    def properties(self) -> dict[int, int]:
        """Those that the client uses here."""
        found: dict[int, int] = {}
        end = self.length() + self.at
        while self.at < end:
            key = self.number(1)
            found[key] = self.number(2 if key in (_TOPIC_ALIAS, 0x21, 0x22) else 4)
        return found

    @property
    def left(self) -> int:
        return len(self.body) - self.at


@dataclass
class _Client:
    """One connection, as its bytes tell."""

    number: int
    buffer: bytes = b""
    five: bool = False
    aliases: dict[int, str] = field(default_factory=dict)

    def packets(self, data: bytes) -> list[Packet]:
        self.buffer += data
        found: list[Packet] = []
        while True:
            reader = _Reader(self.buffer)
            try:
                head = reader.number(1)
                if not self.buffer or len(self.buffer) < 2:
                    return found
                length = reader.length()
            except IndexError:
                return found
            if reader.left < length:
                return found
            body = reader.take(length)
            self.buffer = self.buffer[reader.at :]
            packet = self._packet(head >> 4, head & 15, _Reader(body))
            if packet is not None:
                found.append(packet)

    def _packet(self, kind: int, flags: int, body: _Reader) -> Packet | None:
        now = time.monotonic()
        if kind == CONNECT:
            body.text()
            self.five = body.number(1) == 5
            how = body.number(1)
            body.number(2)
            expiry = body.properties().get(_SESSION_EXPIRY, 0) if self.five else 0
            body.text()
            will = bool(how & 4)
            if will and self.five:
                body.properties()
            topic, payload = (body.text(), body.octets()) if will else ("", b"")
            return Packet(
                now,
                self.number,
                kind,
                topic,
                payload,
                how >> 3 & 3,
                bool(how & 32),
                bool(how & 2),
                will,
                expiry,
            )
        if kind == PUBLISH:
            qos, topic = flags >> 1 & 3, body.text()
            if qos:
                body.number(2)
            if self.five:
                alias = body.properties().get(_TOPIC_ALIAS)
                if alias is not None:
                    topic = self.aliases.setdefault(alias, topic)
            return Packet(now, self.number, kind, topic, body.take(body.left), qos, bool(flags & 1))
        if kind == SUBSCRIBE:
            body.number(2)
            if self.five:
                body.properties()
            return Packet(now, self.number, kind, body.text(), qos=body.number(1) & 3)
        if kind == DISCONNECT:
            return Packet(now, self.number, kind, reason=body.number(1) if body.left else 0)
        return None


class Tap:
    """Listens on `port`, and passes everything on to the broker."""

    def __init__(self, broker_port: int) -> None:
        self.packets: list[Packet] = []
        self.open = 0
        """Connections that the client has not ended."""
        self.most_open = 0
        self.answers = True
        """Whether what the broker says is passed on."""
        self.port = 0
        self._broker_port = broker_port
        self._count = 0
        self._serving = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "Tap":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        while self._serving:
            await asyncio.sleep(0.01)

    def cut(self) -> None:
        """End what stands, without a word of MQTT."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        client = _Client(self._count)
        self._serving += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        there: asyncio.StreamWriter | None = None
        try:
            try:
                back, there = await asyncio.open_connection("127.0.0.1", self._broker_port)
                self._writers |= {writer, there}
                answers = asyncio.create_task(self._pass_on(back, writer))
                with contextlib.suppress(OSError):
                    while data := await reader.read(65536):
                        self.packets += client.packets(data)
                        there.write(data)
                        await there.drain()
            finally:
                self.open -= 1  # now, and not when the broker has noticed: the client may come again at once
            there.close()
            await answers
        except OSError:
            pass
        finally:
            self._writers -= {writer, there} if there is not None else {writer}
            writer.close()
            self._serving -= 1

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.answers:
                    writer.write(data)
                    await writer.drain()
        writer.close()
