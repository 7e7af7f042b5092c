"""FANUC controls by FOCAS over Ethernet: opens the session and closes it.

Source: the open implementation pyfanuc; the protocol is not published.
"""

import struct
from collections.abc import AsyncGenerator
from typing import ClassVar

from edge_agent.discovery.talk import talking
from edge_agent.model.found import Found, Place, Recogniser

_SYNC = b"\xa0\xa0\xa0\xa0"
_HEADER = struct.Struct(">4sHHH")
"""Sync, version, kind, size of what follows."""
_OPEN, _OPENED, _CLOSE = 0x0101, 0x0102, 0x0201
_LONGEST = 1024


class FocasRecogniser(Recogniser):
    protocol: ClassVar[str] = "focas"
    ports: ClassVar[tuple[int, ...]] = (8193,)
    asks: ClassVar[str] = "打开并关闭会话 opens a session and closes it, reads nothing"

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        async with talking(place, limit) as talk:
            talk.send(_HEADER.pack(_SYNC, 1, _OPEN, 2) + b"\x00\x02")
            sync, _, kind, size = _HEADER.unpack(await talk.exactly(_HEADER.size))
            if sync != _SYNC or kind != _OPENED or size > _LONGEST:
                return
            await talk.exactly(size)
            talk.send(_HEADER.pack(_SYNC, 1, _CLOSE, 0))
        yield Found(protocol="focas", host=place.host, where=str(place), maker="FANUC", kind="machine_tool")
