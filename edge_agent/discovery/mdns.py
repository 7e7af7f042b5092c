"""OPC UA servers that announce themselves on the local network: one question by multicast DNS.

Source: RFC 6762, section 6.7: who asks from a port other than 5353 is answered directly, so that nothing has
to be joined or listened to; RFC 1035 for the message; OPC 10000-12 for the name of the service.
"""

import asyncio
import contextlib
import ipaddress
import struct
from dataclasses import dataclass
from typing import cast

from edge_agent.model.found import clean

SERVICE = "_opcua-tcp._tcp.local"
PROTOCOL = "opcua"
"""Whose servers these are."""
GROUP = ("224.0.0.251", 5353)
LISTEN_S = 2.0
_MOST_PACKETS = 200
_MOST_RECORDS = 100
_MOST_JUMPS = 20
_A, _PTR, _SRV = 1, 12, 33
_INTERNET = 1


@dataclass(frozen=True, slots=True)
class Announced:
    """A server as it announces itself; `host` is an IP address."""

    name: str
    host: str
    port: int


async def announced(listen_s: float = LISTEN_S, to: tuple[str, int] = GROUP) -> list[Announced]:
    """Ask once, and gather for `listen_s` seconds what is answered. Raises OSError without a network."""
    loop = asyncio.get_running_loop()
    ears = _Ears()
    transport, _ = await loop.create_datagram_endpoint(lambda: ears, local_addr=("0.0.0.0", 0))  # noqa: S104 - answers come to any interface
    try:
        transport.sendto(_question(), to)
        await asyncio.sleep(listen_s)
    finally:
        transport.close()
    found: dict[Announced, None] = {}
    for packet, sender in ears.heard:
        with contextlib.suppress(ValueError, struct.error, IndexError):  # not DNS, or damaged
            found.update(dict.fromkeys(services(packet, sender)))
    return list(found)


class _Ears(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: list[tuple[bytes, str]] = []

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if len(self.heard) < _MOST_PACKETS:
            self.heard.append((data, str(addr[0])))


def _question() -> bytes:
    name = b"".join(bytes((len(label),)) + label.encode() for label in SERVICE.split(".")) + b"\0"
    return struct.pack(">6H", 0, 0, 1, 0, 0, 0) + name + struct.pack(">2H", _PTR, _INTERNET)


def services(packet: bytes, sender: str) -> list[Announced]:
    """The servers that an answer names, at the address it gives or else at that of its `sender`.

    Raises ValueError, struct.error and IndexError for what is no DNS message.
    """
    _, flags, questions, *counts = struct.unpack_from(">6H", packet)
    if not flags & 0x8000:
        return []
    at = 12
    for _ in range(min(questions, _MOST_RECORDS)):
        at = _name(packet, at)[1] + 4
    pointed: list[str] = []
    places: dict[str, tuple[str, int]] = {}
    addresses: dict[str, str] = {}
    for _ in range(min(sum(counts), _MOST_RECORDS)):
        name, at = _name(packet, at)
        kind, _, _, size = struct.unpack_from(">HHIH", packet, at)
        at += 10
        if kind == _PTR and name == SERVICE:
            pointed.append(_name(packet, at)[0])
        elif kind == _SRV:
            places[name] = _name(packet, at + 6)[0], cast(int, struct.unpack_from(">3H", packet, at)[2])
        elif kind == _A and size == 4:
            addresses[name] = str(ipaddress.IPv4Address(packet[at : at + 4]))
        at += size
    return [
        Announced(
            clean(name.removesuffix(f".{SERVICE}")), addresses.get(places[name][0], sender), places[name][1]
        )
        for name in pointed
        if name in places and places[name][1]
    ]


def _name(packet: bytes, at: int) -> tuple[str, int]:
    """The name that begins at `at`, in small letters, and where what follows it begins."""
    labels: list[str] = []
    end, jumps = -1, 0
    while size := packet[at]:
        if size & 0xC0 == 0xC0:
            end = at + 2 if end < 0 else end
            at = int.from_bytes(packet[at : at + 2], "big") & 0x3FFF
            jumps += 1
            if jumps > _MOST_JUMPS:
                raise ValueError("a name that goes round in circles")
            continue
        if size & 0xC0 or len(labels) > 127:
            raise ValueError("no name")
        labels.append(packet[at + 1 : at + 1 + size].decode("utf-8", "replace"))
        at += 1 + size
    return ".".join(labels).lower(), at + 1 if end < 0 else end
