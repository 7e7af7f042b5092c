"""Finds Modbus units for `edge-agent discover`: asks for one register and the identification, reads only."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import ClassVar

from drivers.modbus.frames import identify_request
from drivers.modbus.identification import identity_of
from drivers.modbus.line import NoAnswer, Refused
from drivers.modbus.options import ModbusConnection
from drivers.modbus.scanning import LATE, Asker, FoundUnit, asking, look_for
from edge_agent.model.found import Found, Place, Recogniser, SerialPlace, TcpPlace

UNITS = range(1, 33)
"""A serial line carries so many units without a repeater."""
UNUSED = (247, 246)
"""Units that hardly any gateway has: a place that answers for both does not care for the unit id."""
OTHERS = (255, 0)
"""What devices that are asked directly may want in place of a unit id."""
PAUSE_S = 0.02
"""Between two requests on TCP: whoever else uses the line has its turn."""

_PROFILES = (
    (r"advantech.*4150|adam-?4150", "modbus/advantech-adam-4150"),
    (r"schneider.*(atv|altivar) ?312|\batv ?312", "modbus/schneider-altivar-312"),
    (r"sdm ?220", "modbus/eastron-sdm220"),
    (r"sdm ?630", "modbus/eastron-sdm630"),
)
"""The shipped profile by what a unit says of itself."""


class ModbusRecogniser(Recogniser):
    protocol: ClassVar[str] = "modbus"
    ports: ClassVar[tuple[int, ...]] = (502,)
    serial: ClassVar[bool] = True
    asks: ClassVar[str] = (
        "读保持寄存器 0 与设备标识 reads holding register 0 and the identification (functions 3 and 43)"
        f" of units {UNITS[0]}-{UNITS[-1]}, {UNUSED[1]}, {UNUSED[0]}, {OTHERS[1]} and {OTHERS[0]}"
    )

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        options = _options(place, limit / 2)  # most of the units are not there, and each is waited for
        async with asking(options) as asker:
            on_tcp = isinstance(place, TcpPlace)
            if on_tcp and await _answers_for_all(asker):
                unit = await look_for(asker, UNITS[0])
                if unit is not None:
                    yield await _found(asker, place, unit, "answers whatever the unit id is 不检查站号")
                return
            answered = set()
            for number in UNITS:
                if (unit := await look_for(asker, number)) is not None:
                    answered.add(number)
                    yield await _found(asker, place, unit)
                await asyncio.sleep(PAUSE_S)
            for number in sorted(asker.answered_late() - answered):
                answered.add(number)
                yield await _found(
                    asker, place, FoundUnit(number, LATE), "应答太慢 answers too late: --timeout"
                )
            for number in OTHERS if not answered and on_tcp else ():
                if (unit := await look_for(asker, number)) is not None:
                    yield await _found(asker, place, unit)
                    return


async def _answers_for_all(asker: Asker) -> bool:
    for unit in UNUSED:
        if await look_for(asker, unit) is None:
            return False
    return True


async def _found(asker: Asker, place: Place, unit: FoundUnit, note: str = "") -> Found:
    said = dict(unit.said)
    if said:
        with suppress(Refused, NoAnswer):  # of those that have the basic one only
            said |= identity_of(await asker.ask(identify_request(unit.unit, regular=True)))
    # Makers put the model under any of these names.
    model = said.get("model") or said.get("product name") or said.get("product", "")
    words = " ".join(said.values()).lower()
    return Found(
        protocol="modbus",
        host=place.host,
        where=str(place),
        part=f"unit {unit.unit}",
        name=said.get("application", ""),
        maker=said.get("vendor", ""),
        model=model,
        firmware=said.get("revision", ""),
        profile=next((profile for pattern, profile in _PROFILES if re.search(pattern, words)), ""),
        driver="modbus",
        address=_address(place),
        unit={"unit": unit.unit},
        tags=({"id": "holding_0", "table": "holding", "address": 0},) if unit.readable else (),
        note=note,
    )


def _address(place: Place) -> dict[str, object]:
    if isinstance(place, SerialPlace):
        line = {"device": place.device, "baudrate": place.baudrate, "parity": place.parity}
        return {"serial": line}
    return {"host": place.host, "port": place.port}


def _options(place: Place, limit: float) -> ModbusConnection:
    equipment = [{"id": "commissioning"}]
    made = {"id": "commissioning", "driver": "modbus", "equipment": equipment, **_address(place)}
    return ModbusConnection.model_validate(made).model_copy(update={"timeout": limit})
