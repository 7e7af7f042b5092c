"""Values of every type arrive as they are, over each transport, from a server that was not written here."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.modbus import ModbusDriver
from drivers.modbus.options import ModbusConnection, ModbusEquipment, ModbusTag, Tls
from drivers.modbus.reading import ModbusTagSet
from edge_agent.driver import ConnectionFailed, EquipmentFailed, TagSet
from edge_agent.model.state import UnknownCause
from tests.drivers.modbus.harness import connection, limit_answers, tag_set
from tests.drivers.modbus.image import image_of_every_type, pymodbus_server
from tests.drivers.modbus.ptys import pty_to_tcp
from tests.field.certificates import Authority

IMAGE = image_of_every_type()
UNITS = (1, 7, 247)
ABSENT_UNIT = 9

TRANSPORTS = ["tcp", "rtu over tcp", "ascii over tcp", "tls", "rtu", "ascii"]


def equipment(unit: int) -> ModbusEquipment:
    return ModbusEquipment(id=f"U{unit}", unit=unit, tags=IMAGE.tags)


def server_context(authority: Authority, name: str = "server", *, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(name, expired=expired))
    return context


@asynccontextmanager
async def served(
    transport: str, folder: Path, units: list[ModbusEquipment]
) -> AsyncIterator[ModbusConnection]:
    """Options of a connection over `transport` to a running server."""
    framing = transport.split()[0]
    if transport == "tls":
        authority = Authority(folder)
        async with pymodbus_server(IMAGE.registers, UNITS, tls=server_context(authority)) as port:
            yield connection(port, units, tls=Tls(ca=authority.ca))
        return
    async with pymodbus_server(IMAGE.registers, UNITS, framing) as port:
        if transport == "tcp" or "over tcp" in transport:
            yield connection(port, units, framing=framing)
            return
        with pty_to_tcp(folder, port) as socat:
            serial = {"device": str(socat.port), "baudrate": 115200, "parity": "N"}
            yield connection(port, units, host=None, serial=serial, framing=framing)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_type_in_every_order_from_every_unit(transport: str, tmp_path: Path) -> None:
    async def body() -> None:
        units = [equipment(unit) for unit in UNITS]
        sets = [tag_set(one) for one in units]
        async with served(transport, tmp_path, units) as options:
            driver = ModbusDriver(options, sets)
            await driver.open()
            try:
                for _ in range(2):
                    for one in sets:
                        batch = await driver.read(one)
                        assert batch.flaws == {}
                        assert tuple(batch.values) == IMAGE.values
                assert all(not statistics.errors for statistics in driver.statistics.units.values())
            finally:
                await driver.close()

    asyncio.run(body())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_unit_that_is_not_there_costs_itself_only(transport: str, tmp_path: Path) -> None:
    async def body() -> None:
        units = [equipment(7), equipment(ABSENT_UNIT)]
        present, absent = (tag_set(one) for one in units)
        async with served(transport, tmp_path, units) as options:
            driver = ModbusDriver(options, [present, absent])
            await driver.open()
            try:
                for _ in range(2):
                    limit_answers(driver, 0.2)
                    with pytest.raises(EquipmentFailed) as failure:
                        await driver.read(absent)
                    assert failure.value.cause is UnknownCause.TIMEOUT
                    limit_answers(driver, options.timeout)
                    assert tuple((await driver.read(present)).values) == IMAGE.values
            finally:
                await driver.close()

    asyncio.run(body())


def test_who_is_there() -> None:
    async def body() -> None:
        one = equipment(7)
        async with pymodbus_server(IMAGE.registers, UNITS) as port:
            driver = ModbusDriver(connection(port, [one]), [tag_set(one)])
            await driver.open()
            try:
                probe = await driver.probe()
            finally:
                await driver.close()
        assert probe.identity == {"unit 7 vendor": "Acme", "unit 7 product": "PM-9", "unit 7 revision": "2.1"}

    asyncio.run(body())


def test_tags_of_one_unit_at_several_periods() -> None:
    """Each period has its own requests, which bring its own tags."""
    tags = tuple(ModbusTag(id=f"r{a}", table="holding", address=a) for a in range(12))
    one = ModbusEquipment(id="U1", tags=tags)
    sets: list[ModbusTagSet] = [
        TagSet(one, [tag for tag in tags if tag.address % 3 == k], period)
        for k, period in enumerate((0.1, 1.0, 60.0))
    ]

    async def body() -> None:
        async with pymodbus_server(range(100, 112)) as port:
            driver = ModbusDriver(connection(port, [one]), sets)
            assert [(planned.period, planned.tags) for planned in driver.plan()] == [
                (s.period, list(s.names)) for s in sets
            ]
            await driver.open()
            try:
                for s in (*sets, *reversed(sets)):
                    batch = await driver.read(s)
                    expected = {tag.id: 100 + tag.address for tag in s.tags}
                    assert dict(zip(batch.tags, batch.values, strict=True)) == expected
            finally:
                await driver.close()

    asyncio.run(body())


def test_the_plan_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "drivers.modbus")
    one = ModbusEquipment(id="U1", tags=(ModbusTag(id="r", table="input", address=7),))

    async def body() -> None:
        async with pymodbus_server(range(10)) as port:
            driver = ModbusDriver(connection(port, [one]), [tag_set(one)])
            for _ in range(2):
                await driver.open()
                await driver.read(driver.tag_sets[0])
                await driver.close()

    asyncio.run(body())
    assert caplog.messages == ["connection c: U1: unit 1 input 7-7 (function 4) every 0.1 s"]


# TLS


def open_with_tls(context: ssl.SSLContext, tls: Tls) -> None:
    async def body() -> None:
        one = equipment(1)
        async with pymodbus_server(IMAGE.registers, tls=context) as port:
            driver = ModbusDriver(connection(port, [one], tls=tls), [tag_set(one)])
            try:
                await driver.open()
                assert tuple((await driver.read(driver.tag_sets[0])).values) == IMAGE.values
            finally:
                await driver.close()

    asyncio.run(body())


def test_a_server_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    trusted, other = Authority(tmp_path / "trusted"), Authority(tmp_path / "other")
    with pytest.raises(ConnectionFailed) as failure:
        open_with_tls(server_context(other), Tls(ca=trusted.ca))
    assert failure.value.cause is UnknownCause.REFUSED
    assert failure.value.remedy


def test_without_an_authority_of_its_own_those_of_the_system_count(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailed) as failure:
        open_with_tls(server_context(Authority(tmp_path)), Tls())
    assert failure.value.cause is UnknownCause.REFUSED


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(ConnectionFailed, match="expired"):
        open_with_tls(server_context(authority, expired=True), Tls(ca=authority.ca))


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(ConnectionFailed, match="plc-7"):
        open_with_tls(server_context(authority), Tls(ca=authority.ca, server_name="plc-7"))


def test_a_server_that_wants_our_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = server_context(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.ca)
    certificate, key = authority.issue("agent")
    open_with_tls(context, Tls(ca=authority.ca, certificate=certificate, key=key))
    with pytest.raises((ConnectionFailed, EquipmentFailed)):
        open_with_tls(context, Tls(ca=authority.ca))


def test_a_server_without_tls_is_not_spoken_to_in_plain(tmp_path: Path) -> None:
    async def body() -> None:
        one = equipment(1)
        async with pymodbus_server(IMAGE.registers) as port:
            options = connection(port, [one], tls=Tls(ca=Authority(tmp_path).ca), timeout="200ms")
            driver = ModbusDriver(options, [tag_set(one)])
            with pytest.raises(ConnectionFailed):
                await driver.open()

    asyncio.run(body())
