"""The Modbus driver reads a server that is not of this project: libmodbus."""

import asyncio
from typing import Any

import pytest

from drivers.modbus import ModbusDriver
from drivers.modbus.options import ModbusEquipment, ModbusTag
from edge_agent.model.quality import bad
from tests.drivers.modbus.harness import connection, tag_set
from tests.field.libmodbus import server

pytestmark = pytest.mark.skipif(not server.is_available(), reason="gcc or libmodbus-dev is missing")


def tag(**options: Any) -> ModbusTag:
    return ModbusTag.model_validate(options)


def test_reads_every_table_and_type() -> None:
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
    expected = [
        *server.HOLDING.values(),
        *server.INPUT.values(),
        *server.COILS.values(),
        *server.DISCRETE.values(),
        server.FLOAT32,
        server.INT32,
        None,
        None,
    ]
    equipment = ModbusEquipment(id="A", tags=tuple(tags))
    tags_of_a = tag_set(equipment)

    async def body(port: int) -> None:
        driver = ModbusDriver(connection(port, [equipment]), [tags_of_a])
        await driver.open()
        try:
            for _ in range(2):
                batch = await driver.read(tags_of_a)
                assert list(batch.values) == expected
                assert batch.flaws == {
                    len(tags) - 2: bad("invalid_value"),
                    len(tags) - 1: bad("illegal_data_address"),
                }
        finally:
            await driver.close()

    with server.libmodbus_server() as port:
        asyncio.run(body(port))
