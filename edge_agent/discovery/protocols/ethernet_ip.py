"""EtherNet/IP: the ListIdentity command, which needs no session.

Source: CIP Networks Library, volume 2: encapsulation, and the CIP identity item.
"""

import struct
from collections.abc import AsyncGenerator
from typing import ClassVar

from edge_agent.discovery.talk import talking
from edge_agent.model.found import Found, Place, Recogniser

_LIST_IDENTITY = 0x63
_IDENTITY_ITEM = 0x0C
_HEADER = struct.Struct("<HHII8sI")
_ITEM = struct.Struct("<HH")
_IDENTITY = struct.Struct("<H16sHHHBBHIB")
"""Version, socket address, vendor, device type, product code, revision, status, serial, name's size."""
_LONGEST = 2_000
_VENDORS = {1: "Rockwell Automation", 47: "OMRON"}


class EthernetIpRecogniser(Recogniser):
    protocol: ClassVar[str] = "ethernet-ip"
    ports: ClassVar[tuple[int, ...]] = (44818,)
    asks: ClassVar[str] = "查询设备标识 asks for the identity (ListIdentity), without a session"

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        async with talking(place, limit) as talk:
            talk.send(_HEADER.pack(_LIST_IDENTITY, 0, 0, 0, bytes(8), 0))
            command, length, _, status, _, _ = _HEADER.unpack(await talk.exactly(_HEADER.size))
            if command != _LIST_IDENTITY or status or not 2 <= length <= _LONGEST:
                return
            data = await talk.exactly(length)
        found = _identity(place, data)
        if found is not None:
            yield found


def _identity(place: Place, data: bytes) -> Found | None:
    """From the items of an answer; None if none of them is an identity."""
    at = 2
    while len(data) >= at + _ITEM.size:
        kind, size = _ITEM.unpack_from(data, at)
        item = data[at + _ITEM.size : at + _ITEM.size + size]
        if kind == _IDENTITY_ITEM and len(item) >= _IDENTITY.size:
            _, _, vendor, _, product, major, minor, _, serial, name_size = _IDENTITY.unpack_from(item)
            name = item[_IDENTITY.size : _IDENTITY.size + name_size].decode("latin-1")
            return Found(
                protocol="ethernet-ip",
                host=place.host,
                where=str(place),
                maker=_VENDORS.get(vendor, f"vendor {vendor}"),
                model=name or f"product {product}",
                serial_number=f"{serial:08X}",
                firmware=f"{major}.{minor}",
            )
        at += _ITEM.size + size
    return None
