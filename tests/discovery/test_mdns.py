"""The question by multicast DNS, and answers to it, good and bad."""

import asyncio
import contextlib
import struct
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.discovery.mdns import SERVICE, Announced, announced, services


def name(text: str) -> bytes:
    return b"".join(bytes((len(label.encode()),)) + label.encode() for label in text.split(".")) + b"\0"


def record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 120, len(data)) + data


def answer(host: str | None = "10.1.2.3") -> bytes:
    """As a responder makes it: the service's name once, after that pointers to it (at 12)."""
    instance = bytes((6,)) + "机床".encode()
    pointer = record(name(SERVICE), 12, instance + b"\xc0\x0c")
    at = 12 + len(name(SERVICE)) + 10
    srv = record(struct.pack(">H", 0xC000 | at), 33, struct.pack(">3H", 0, 0, 4841) + name("plc.local"))
    address = record(name("PLC.local"), 1, bytes(map(int, host.split(".")))) if host else b""
    return struct.pack(">6H", 0, 0x8400, 0, 1, 0, 1 + bool(host)) + pointer + srv + address


def test_a_server_at_the_address_it_names_or_that_the_answer_came_from() -> None:
    assert services(answer(), "10.9.9.9") == [Announced("机床", "10.1.2.3", 4841)]
    assert services(answer(None), "10.9.9.9") == [Announced("机床", "10.9.9.9", 4841)]


def test_a_question_is_no_answer() -> None:
    asked = bytearray(answer())
    asked[2] = 0
    assert services(bytes(asked), "10.9.9.9") == []


def test_a_name_that_goes_round_in_circles() -> None:
    circle = struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0) + b"\xc0\x0c" + bytes(10)
    with pytest.raises(ValueError, match="circles"):
        services(circle, "10.9.9.9")


@given(st.integers(0, len(answer()) - 1), st.integers(0, 255), st.integers(0, len(answer())))
def test_a_damaged_answer_is_read_or_refused(at: int, byte: int, end: int) -> None:
    damaged = bytearray(answer())
    damaged[at] = byte
    with contextlib.suppress(ValueError, struct.error, IndexError):
        assert len(services(bytes(damaged[:end]), "10.9.9.9")) <= 1


class Responder(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self.asked.append(data)
        for packet in (b"\xff" * 40, answer(), answer()):
            self.transport.sendto(packet, addr)


def test_one_packet_is_sent_and_answers_are_gathered() -> None:
    async def ask() -> tuple[list[Announced], list[bytes]]:
        responder = Responder()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: responder, local_addr=("127.0.0.1", 0))
        try:
            # Two turns of the loop, each of which a busy computer may delay.
            return await announced(3.0, transport.get_extra_info("sockname")), responder.asked
        finally:
            transport.close()

    found, asked = asyncio.run(ask())
    assert found == [Announced("机床", "10.1.2.3", 4841)]
    assert asked == [bytes.fromhex("000000000001000000000000") + name(SERVICE) + b"\x00\x0c\x00\x01"]
