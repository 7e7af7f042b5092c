"""Siemens S7 and others by ISO-on-TCP: the connection is asked for, and nothing is sent over it.

Source: RFC 1006 (TPKT), ISO 8073 class 0 (connection request and confirm).
"""

from collections.abc import AsyncGenerator
from typing import ClassVar

from edge_agent.discovery.talk import talking
from edge_agent.model.found import Found, Place, Recogniser

_VERSION = 3
_CONFIRM, _REFUSAL = 0xD0, 0x80
_SLOTS = (2, 1, 0)
"""Where the processor of an S7-300/400, of an S7-1200/1500 and of others is."""
_LONGEST = 64


class S7Recogniser(Recogniser):
    protocol: ClassVar[str] = "s7"
    ports: ClassVar[tuple[int, ...]] = (102,)
    asks: ClassVar[str] = (
        "仅请求建立 ISO-on-TCP 连接 asks for a connection (COTP) and sends nothing over it; "
        "up to 3 times, a slot each"
    )

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        for slot in _SLOTS:
            try:
                async with talking(place, limit) as talk:
                    talk.send(_connection_request(slot))
                    head = await talk.exactly(4)
                    length = int.from_bytes(head[2:4], "big")
                    if head[0] != _VERSION or not 7 <= length <= _LONGEST:
                        return
                    kind = (await talk.exactly(length - 4))[1] & 0xF0
            except ConnectionError:
                continue  # it hangs up on a slot that it does not have
            if kind not in (_CONFIRM, _REFUSAL):
                return
            yield Found(
                protocol="s7",
                host=place.host,
                where=str(place),
                maker="Siemens",
                note=f"ISO-on-TCP {'已确认' if kind == _CONFIRM else '已拒绝'}"
                f" {'confirmed' if kind == _CONFIRM else 'refused'}, slot {slot}; "
                "S7，或其他 ISO 设备 an S7, or another device with ISO transport",
            )
            return


def _connection_request(slot: int) -> bytes:
    parameters = bytes((0xC0, 1, 0x0A, 0xC1, 2, 1, 0, 0xC2, 2, 1, slot))
    request = bytes((6 + len(parameters), 0xE0, 0, 0, 0, 1, 0)) + parameters
    return bytes((_VERSION, 0)) + (4 + len(request)).to_bytes(2, "big") + request
