"""Mitsubishi MELSEC by SLMP (MC protocol), 3E frame, binary: reads the name of the processor's type.

Source: SLMP reference manual SH-080956ENG, command Read Type Name (0101).
"""

import struct
from collections.abc import AsyncGenerator
from typing import ClassVar

from edge_agent.discovery.talk import talking
from edge_agent.model.found import Found, Place, Recogniser

_STATION = bytes((0x00, 0xFF, 0xFF, 0x03, 0x00))
"""The connected station itself: network, station, module, drop."""
_READ_TYPE_NAME = struct.pack("<2s5sHHHH", b"\x50\x00", _STATION, 6, 4, 0x0101, 0x0000)
_ANSWER = b"\xd0\x00"
_NAME_SIZE = 16
_LONGEST = 64


class SlmpRecogniser(Recogniser):
    protocol: ClassVar[str] = "slmp"
    ports: ClassVar[tuple[int, ...]] = (5007, 5562)
    asks: ClassVar[str] = "读 CPU 型号 reads the name of the processor's type (command 0101)"

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        async with talking(place, limit) as talk:
            talk.send(_READ_TYPE_NAME)
            head = await talk.exactly(9)
            length = int.from_bytes(head[7:9], "little")
            if head[:2] != _ANSWER or not 2 <= length <= _LONGEST:
                return
            data = await talk.exactly(length)
        refused = int.from_bytes(data[:2], "little")
        yield Found(
            protocol="slmp",
            host=place.host,
            where=str(place),
            maker="Mitsubishi Electric",
            model="" if refused else data[2 : 2 + _NAME_SIZE].decode("ascii", "replace").strip(),
            note=f"不告知型号 does not tell its type (end code {refused:04X})" if refused else "",
        )
