"""The Modbus driver reads a server that is not of this project: libmodbus."""

import asyncio
from pathlib import Path
from typing import Any

from drivers.modbus import ModbusDriver
from drivers.modbus.options import ModbusEquipment, ModbusTag
from edge_agent.model.batch import Value
from edge_agent.model.quality import bad
from tests.drivers.modbus.harness import connection, tag_set
from tests.drivers.modbus.ptys import pty_pair
from tests.field.libmodbus import server


def tag(**options: Any) -> ModbusTag:
    return ModbusTag.model_validate(options)


def equipment_with_everything(unit: int) -> tuple[ModbusEquipment, list[Value]]:
    """Tags for all that the server has and one that it has not, and their values."""
    tags = [
        *(tag(id=f"h{a}", table="holding", address=a) for a in server.HOLDING),
        *(tag(id=f"i{a}", table="input", address=a) for a in server.INPUT),
        *(tag(id=f"c{a}", table="coil", address=a) for a in server.COILS),
        *(tag(id=f"d{a}", table="discrete", address=a) for a in server.DISCRETE),
        tag(id="real", table="holding", address=200, type="float32"),
        tag(id="integer", table="holding", address=202, type="int32"),
        tag(id="none", table="holding", address=204, type="int16", invalid=(0x7FFF,)),
        tag(id="absent", table="holding", address=206),
    ]
    values: list[Value] = [
        *server.HOLDING.values(),
        *server.INPUT.values(),
        *server.COILS.values(),
        *server.DISCRETE.values(),
        server.FLOAT32,
        server.INT32,
        None,
        None,
    ]
    return ModbusEquipment(id="A", unit=unit, tags=tuple(tags)), values


def assert_reads_everything(unit: int, port: int, **options: Any) -> None:
    equipment, expected = equipment_with_everything(unit)
    tags_of_a = tag_set(equipment)

    async def body() -> None:
        driver = ModbusDriver(connection(port, [equipment], **options), [tags_of_a])
        await driver.open()
        try:
            for _ in range(2):
                batch = await driver.read(tags_of_a)
                assert list(batch.values) == expected
                assert batch.flaws == {
                    len(expected) - 2: bad("invalid_value"),
                    len(expected) - 1: bad("illegal_data_address"),
                }
        finally:
            await driver.close()

    asyncio.run(body())


def test_reads_every_table_and_type() -> None:
    with server.libmodbus_server() as port:
        assert_reads_everything(1, port)


def test_reads_every_table_and_type_over_a_serial_line(tmp_path: Path) -> None:
    with pty_pair(tmp_path) as socat, server.libmodbus_unit(socat.other, 17):
        serial = {"device": str(socat.port), "baudrate": 19200, "parity": "N"}
        assert_reads_everything(17, 502, host=None, serial=serial)
