"""Two units behind one Modbus TCP server: pymodbus' own."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from pymodbus.server import ModbusTcpServer
from pymodbus.server.base import ModbusBaseServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.modbus import ModbusDriver
from drivers.modbus.options import ModbusConnection, ModbusEquipment, ModbusTag
from drivers.modbus.reading import ModbusTagSet
from edge_agent.driver import AnyDriver, AnyTagSet, TagSet
from edge_agent.model.batch import Value
from tests.ports import free_port

UNITS = {"A": 1, "B": 2}
TAGS = {"t0": 0, "t1": 1, "t2": 2}
REGISTERS = 8
NOT_BCD_AT = 4
ABSENT_AT = REGISTERS


def connection(port: int, equipment: Sequence[ModbusEquipment], **options: Any) -> ModbusConnection:
    return ModbusConnection.model_validate(
        {
            "id": "c",
            "driver": "modbus",
            "host": "127.0.0.1",
            "port": port,
            "timeout": "20s",
            "equipment": tuple(equipment),
            **options,
        }
    )


def limit_answers(driver: ModbusDriver, seconds: float) -> None:
    """From now until it is opened again, each answer has so long: for a unit that is to be found silent,
    while the opening and the other units have the time that a busy computer may need."""
    assert driver._line is not None
    driver._line._timeout = seconds


def listening_port(server: ModbusBaseServer) -> int:
    transport = server.transport
    assert isinstance(transport, asyncio.Server)
    port: int = transport.sockets[0].getsockname()[1]
    return port


def tag_set(equipment: ModbusEquipment, period: float = 0.1) -> ModbusTagSet:
    return TagSet(equipment, equipment.tags, period)


class ModbusHarness:
    """See `tests.drivers.harness.Harness`. Holding registers 0 to 7 exist; t0, t1, t2 are the first."""

    def __init__(self) -> None:
        self.port = free_port()
        self.requests = 0
        """Frames that the server got."""
        self._server: ModbusTcpServer | None = None
        self._registers = {unit: [0] * REGISTERS for unit in UNITS.values()}
        for registers in self._registers.values():
            registers[NOT_BCD_AT] = 0xFFFF
        self._silent: set[int] = set()

    async def start(self) -> None:
        devices = [
            SimDevice(
                id=unit,
                simdata=(
                    [SimData(0, values=[False] * 16, datatype=DataType.BITS)],
                    [SimData(0, values=[False] * 16, datatype=DataType.BITS)],
                    [SimData(0, values=list(registers), datatype=DataType.REGISTERS)],
                    [SimData(0, values=list(registers), datatype=DataType.REGISTERS)],
                ),
            )
            for unit, registers in self._registers.items()
        ]
        self._server = ModbusTcpServer(
            devices, address=("127.0.0.1", self.port), trace_packet=self._pass_unless_silent
        )
        await self._server.serve_forever(background=True)

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus does not annotate it

    def tag_sets(self, *, bad_tag: bool = False, wrong_type: bool = False) -> list[AnyTagSet]:
        tag_sets: list[ModbusTagSet] = []
        for name, unit in UNITS.items():
            tags = {tag: ModbusTag(id=tag, table="holding", address=address) for tag, address in TAGS.items()}
            if bad_tag and name == "A":
                tags["t1"] = ModbusTag(id="t1", table="holding", address=ABSENT_AT)
            if wrong_type and name == "A":
                tags["t1"] = ModbusTag(id="t1", table="holding", address=NOT_BCD_AT, type="bcd16")
            tag_sets.append(tag_set(ModbusEquipment(id=name, unit=unit, tags=tuple(tags.values()))))
        return cast(list[AnyTagSet], tag_sets)

    def driver(self, tag_sets: list[AnyTagSet]) -> AnyDriver:
        ours = cast(list[ModbusTagSet], tag_sets)
        options = connection(self.port, [s.equipment for s in ours], timeout="3s")
        return cast(AnyDriver, ModbusDriver(options, ours))

    async def set(self, equipment: str, tag: str, value: Value) -> None:
        assert isinstance(value, int)
        self._registers[UNITS[equipment]][TAGS[tag]] = value
        if self._server is not None:
            await self._server.async_setValues(UNITS[equipment], 16, TAGS[tag], [value])

    async def silence(self, equipment: str, silent: bool) -> None:
        (self._silent.add if silent else self._silent.discard)(UNITS[equipment])

    def sessions(self) -> int:
        return len(self._server.active_connections) if self._server is not None else 0

    def _pass_unless_silent(self, sending: bool, packet: bytes) -> bytes:
        if not sending:
            self.requests += 1
        return b"" if sending and packet[6] in self._silent else packet
