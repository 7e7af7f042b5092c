"""Modbus units as `edge-agent discover` finds them."""

import asyncio
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from drivers.modbus import recognition
from drivers.modbus.recognition import ModbusRecogniser
from edge_agent.discovery.survey import Results, Survey, Surveyor
from edge_agent.model.found import Found, SerialPlace, TcpPlace
from tests.discovery import network as net
from tests.drivers.modbus.ptys import pty_pair
from tests.field.libmodbus.server import libmodbus_unit
from tests.ports import free_port

Unit = Callable[[bytes], bytes | None]
"""The answer to a PDU, or silence."""


def identified(**said: str) -> Unit:
    """A unit with registers and these objects: vendor, product, revision; name, model, application."""
    numbers = {"vendor": 0, "product": 1, "revision": 2, "name": 4, "model": 5, "application": 6}

    def answer(pdu: bytes) -> bytes:
        if pdu[0] == 3:
            return b"\x03\x02\x00\x2a"
        shown = {numbers[name]: text.encode() for name, text in said.items()}
        shown = {number: text for number, text in shown.items() if number <= 2 or pdu[2] == 2}
        objects = b"".join(bytes((number, len(text))) + text for number, text in shown.items())
        return bytes((43, 14, pdu[2], 2, 0, 0, len(shown))) + objects

    return answer


def refusing(pdu: bytes) -> bytes:
    return bytes((pdu[0] | 0x80, 1))


def absent(pdu: bytes) -> bytes:
    return bytes((pdu[0] | 0x80, 11))


def found(units: dict[int, Unit], other: Unit = lambda _: None) -> list[Found]:
    def answer(came: bytes) -> bytes | None:
        if len(came) < 8:
            return None
        pdu = units.get(came[6], other)(came[7:])
        return None if pdu is None else came[:4] + struct.pack(">HB", len(pdu) + 1, came[6]) + pdu

    async def find() -> list[Found]:
        port = free_port()
        async with net.network() as network:
            host = await network.serve("127.0.0.61", port, partial(net.StandIn, answer=answer))
            place = TcpPlace(host.address, port)
            return [one async for one in ModbusRecogniser().recognise(place, 60.0)]

    return asyncio.run(find())


def test_units_of_a_gateway_that_says_who_is_absent() -> None:
    meter = identified(vendor="Eastron", product="SDM630", revision="2.1")
    bus = {3: meter, 7: refusing, 9: identified(vendor="V", product="P", model="X-9", application="Press 4")}
    those = found(bus, absent)
    assert [(one.part, one.maker, one.model, one.name, one.firmware) for one in those] == [
        ("unit 3", "Eastron", "SDM630", "", "2.1"),
        ("unit 7", "", "", "", ""),
        ("unit 9", "V", "X-9", "Press 4", ""),
    ]
    assert [one.profile for one in those] == ["modbus/eastron-sdm630", "", ""]
    assert [bool(one.tags) for one in those] == [True, False, True]  # a refused register is no tag
    assert [one.unit for one in those] == [{"unit": 3}, {"unit": 7}, {"unit": 9}]


def test_a_device_that_does_not_care_for_the_unit_is_one() -> None:
    (one,) = found({}, identified(vendor="Schneider Electric", product="ATV312HU15N4"))
    assert (one.part, one.profile) == ("unit 1", "modbus/schneider-altivar-312")


def test_a_device_that_wants_255() -> None:
    (one,) = found({255: refusing, 0: refusing}, absent)
    assert one.unit == {"unit": 255}


def test_a_serial_port_is_tried_until_somebody_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "UNITS", range(16, 18))
    results = Results()
    with pty_pair(tmp_path) as line, libmodbus_unit(line.other, 17):
        nobody = SerialPlace(str(tmp_path / "none"), 9600, "N")
        settings = [SerialPlace(str(line.port), rate, "N") for rate in (19200, 9600)]
        survey = Survey((), (), (nobody, *settings), (ModbusRecogniser(),), 6.0)
        asyncio.run(Surveyor(survey, results).look())
    (one,) = results.found
    assert (one.part, one.unit) == ("unit 17", {"unit": 17})
    assert one.address == {"serial": {"device": str(line.port), "baudrate": 19200, "parity": "N"}}
    assert [trouble.where for trouble in results.troubles] == [str(nobody)]
    assert results.done == 3
