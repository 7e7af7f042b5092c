"""Each recogniser against answers that are wrong, huge, broken off or missing."""

import asyncio
import random
import struct
from functools import partial

import pytest

from edge_agent.discovery.protocols import recognisers
from edge_agent.driver import DriverError
from edge_agent.model.found import Found, Recogniser, TcpPlace
from tests.discovery import network as net

RECOGNISERS = recognisers()
ADDRESS = "127.0.0.31"
LIMIT_S = 20.0
"""Where something is found, or the other side ends."""
SHORT_S = 0.04
SOON_S = 30.0
"""What never ended, would take longer."""


async def ask(recogniser: Recogniser, make: object, limit: float = LIMIT_S) -> list[Found]:
    """What is found at a host that serves `make`; what a recogniser may raise is as good as nothing."""
    found: list[Found] = []
    async with net.network() as network:
        port = await network.serve_anywhere(ADDRESS, make)  # type: ignore[arg-type]  # a factory of protocols
        try:
            async for one in recogniser.recognise(TcpPlace(ADDRESS, port), limit):
                found.append(one)
        except (OSError, ValueError, DriverError):
            pass
    return found


def asked(recogniser: Recogniser, answer: net.Answer, limit: float = LIMIT_S) -> list[Found]:
    return asyncio.run(ask(recogniser, partial(net.StandIn, answer=answer), limit))


def by_name(protocol: str) -> Recogniser:
    return next(one for one in RECOGNISERS if one.protocol == protocol)


GARBAGE = [
    b"",
    b"\x00",
    b"\xff" * 300,
    b"HTTP/1.1 200 OK",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"220 ready\r\n",
    random.Random(7).randbytes(2_000),  # noqa: S311 - no secret
    b"\x03\x00\xff\xff" + bytes(100),  # ISO-on-TCP of 65,535 bytes
    struct.pack("<HHII8sI", 0x63, 0xFFFF, 0, 0, bytes(8), 0),  # EtherNet/IP of 65,535 bytes
    b"\xd0\x00\x00\xff\xff\x03\x00\xff\xff",
    bytes.fromhex("a0a0a0a000010102ffff"),
    b"\xff\xff\xff\xffT_OK",  # LSV2 of 4 GB
    b"ACKF\xff\xff\xff\xff" + bytes(64),  # OPC UA of 4 GB
    b"\x00\x01\x00\x00\xff\xff\x01\x03",  # Modbus of 65,535 bytes
]


@pytest.mark.parametrize("recogniser", RECOGNISERS, ids=lambda one: one.protocol)
def test_garbage_is_nothing_and_soon_over(recogniser: Recogniser) -> None:
    async def all_of_it() -> dict[bytes, list[Found]]:
        answers = [
            ask(
                recogniser,
                partial(net.StandIn, answer=net.whole(1, one)),
                LIMIT_S if one.startswith(b"HTTP/") else SHORT_S,  # which a web server is recognised by
            )
            for one in GARBAGE
        ]
        async with asyncio.timeout(SOON_S):
            return dict(zip(GARBAGE, await asyncio.gather(*answers), strict=True))

    found = asyncio.run(all_of_it())
    if recogniser.protocol == "http":
        assert found.pop(b"HTTP/1.1 200 OK") != []
    assert {answer: one for answer, one in found.items() if one} == {}


class EndlessOpcua(net.Endless):
    """Says that 4 GB come, and lets them come."""

    begin = b"ACKF\xf0\xff\xff\xff"


@pytest.mark.parametrize("recogniser", RECOGNISERS, ids=lambda one: one.protocol)
@pytest.mark.parametrize("hostile", [net.Endless, net.Drip, EndlessOpcua])
def test_no_end_comes_to_an_end(recogniser: Recogniser, hostile: type[net.Endless]) -> None:
    async def limited() -> list[Found]:
        async with asyncio.timeout(SOON_S):
            return await ask(recogniser, hostile, SHORT_S)

    assert asyncio.run(limited()) == []


def test_an_s7_that_refuses_is_one() -> None:
    refusal = bytes.fromhex("0300000b06800001000003")
    (found,) = asked(by_name("s7"), net.whole(22, refusal))
    assert "refused" in found.note


def test_an_slmp_station_that_does_not_tell_its_type() -> None:
    refused = b"\xd0\x00\x00\xff\xff\x03\x00" + struct.pack("<HH", 2, 0xC059)
    (found,) = asked(by_name("slmp"), net.whole(15, refused))
    assert (found.maker, found.model) == ("Mitsubishi Electric", "")
    assert "C059" in found.note


def test_a_heidenhain_that_refuses_the_login() -> None:
    (found,) = asked(by_name("lsv2"), net.whole(8, struct.pack(">I", 0) + b"T_ER"))
    assert (found.maker, found.model) == ("Heidenhain", "")


def test_a_document_that_unfolds_is_none() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + net.PROBE[38:]
    assert asked(by_name("mtconnect"), net.http(bomb, "/probe")) == []


def test_devices_before_the_end_of_a_broken_document() -> None:
    (found,) = asked(by_name("mtconnect"), net.http(net.PROBE[:-25], "/probe"))
    assert found.part == "VMC-850"


def test_several_devices_of_one_agent_and_no_other_document() -> None:
    device = b'<Device name="B-%d" serialNumber="x%d"/>'
    several = b"<MTConnectDevices><Devices>" + b"".join(device % (n, n) for n in range(70))
    assert len(asked(by_name("mtconnect"), net.http(several, "/probe"))) == 64
    assert (
        asked(by_name("mtconnect"), net.http(several.replace(b"MTConnectDevices", b"Other"), "/probe")) == []
    )


def test_what_a_stranger_says_is_cleaned() -> None:
    found = Found(protocol="x", host="h", where="h", name="\x1b[31m" + "a" * 500, model="one\ntwo\u202e")
    assert found.cleaned().model == "one two"
    assert len(found.cleaned().name) == 100
    assert "\x1b" not in found.cleaned().name
