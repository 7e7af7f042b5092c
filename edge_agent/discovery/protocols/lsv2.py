"""Heidenhain controls by LSV2: logs in to look (INSPECT), reads the versions, logs out.

Source: the open implementation pyLSV2; the protocol is not published.
"""

from collections.abc import AsyncGenerator
from typing import ClassVar

from edge_agent.discovery.talk import Talk, talking
from edge_agent.model.found import Found, Place, Recogniser

_LOG_IN, _LOG_OUT, _VERSION = b"A_LG", b"A_LO", b"R_VR"
_INSPECT = b"INSPECT\0"
_CONTROL, _NC = b"\x01", b"\x02"
_ANSWERS = (b"T_OK", b"T_ER", b"T_FD", b"T_BD", b"M_CC")
_LONGEST = 1024


class Lsv2Recogniser(Recogniser):
    protocol: ClassVar[str] = "lsv2"
    ports: ClassVar[tuple[int, ...]] = (19000,)
    asks: ClassVar[str] = (
        "以 INSPECT 查看登录，读版本 logs in as INSPECT (may look only), reads the versions, logs out"
    )

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        async with talking(place, limit) as talk:
            answer, _ = await _ask(talk, _LOG_IN, _INSPECT)
            if answer not in _ANSWERS:
                return
            model = firmware = ""
            if answer == b"T_OK":
                model, firmware = await _version(talk, _CONTROL), await _version(talk, _NC)
                talk.send(_telegram(_LOG_OUT, b""))
        note = "" if answer == b"T_OK" else "拒绝登录 refuses the login"
        yield Found(
            protocol="lsv2",
            host=place.host,
            where=str(place),
            maker="Heidenhain",
            model=model,
            firmware=firmware,
            kind="machine_tool",
            note=note,
        )


async def _version(talk: Talk, which: bytes) -> str:
    answer, text = await _ask(talk, _VERSION, which)
    return text.rstrip(b"\0").decode("latin-1").strip() if answer == b"S_VR" else ""


async def _ask(talk: Talk, command: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """Command and payload of the answering telegram; two empty ones if what comes is none."""
    talk.send(_telegram(command, payload))
    size = int.from_bytes(await talk.exactly(4), "big")
    if size > _LONGEST:
        return b"", b""
    answer = await talk.exactly(4)
    return answer, await talk.exactly(size)


def _telegram(command: bytes, payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + command + payload
