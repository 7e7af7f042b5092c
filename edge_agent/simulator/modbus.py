"""The simulated workshop's Modbus TCP servers."""

import struct
from collections.abc import Callable, Mapping, Sequence

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.simulator.fleet import ModbusServerPlan, ModbusUnit
from edge_agent.simulator.kinds import Point, Table
from edge_agent.simulator.life import Machine, Value

Now = Callable[[Machine], Mapping[str, Value]]
"""The values of a machine at the current tick."""

_BITS_PER_REGISTER = 16
_REGISTERS = {"bool": 1, "uint16": 1, "int16": 1, "uint32": 2, "float32": 2}
_FORMAT = {"uint16": ">H", "int16": ">h", "uint32": ">I", "float32": ">f"}
_TABLES: Mapping[int, Table] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
"""By the function code that reads it."""


def modbus_server(plan: ModbusServerPlan, port: int, now: Now) -> ModbusTcpServer:
    """A server for `plan` on the loopback, not started. Every request sees the tick it arrives in, whole."""
    if len(plan.units) == 1:
        devices = [_device(0, plan.units[0], now)]  # 0: whatever unit id is asked for
    else:
        devices = [_device(unit.unit, unit, now) for unit in plan.units]
        devices += [_silent_device(unit) for unit in (*plan.dead, 0)]  # 0: whoever else is asked for
    return ModbusTcpServer(devices, address=("127.0.0.1", port), ignore_missing_devices=True)


def image(points: Sequence[Point], values: Mapping[str, Value], table: Table) -> list[int]:
    """One table of a machine, as registers from address 0; the bits of a bit table 16 to a register."""
    registers = [0] * _size(points, table)
    for point in points:
        if point.table != table:
            continue
        value = values[point.tag]
        if point.type == "bool":
            address, bit = (
                divmod(point.address, _BITS_PER_REGISTER) if point.bit is None else (point.address, point.bit)
            )
            registers[address] |= bool(value) << bit
            continue
        assert not isinstance(value, str), "Modbus points carry numbers"  # noqa: S101 - narrows a type
        raw = value if point.scale == 1 else value / point.scale
        packed = struct.pack(_FORMAT[point.type], raw if point.type == "float32" else int(raw))
        for offset in range(0, len(packed), 2):
            registers[point.address + offset // 2] = int.from_bytes(packed[offset : offset + 2], "big")
    return registers


def _size(points: Sequence[Point], table: Table) -> int:
    """Registers that `table` takes up; one even if it is empty, since a device must have every table."""
    ends = [point.address + _REGISTERS[point.type] for point in points if point.table == table]
    end = max(ends, default=1)
    return -(-end // _BITS_PER_REGISTER) if table in ("coil", "discrete") else end


def _device(unit_id: int, unit: ModbusUnit, now: Now) -> SimDevice:
    async def fill(
        function: int,
        _start: int,
        _address: int,
        _count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Put the current image in place. The answer is taken from it with nothing else in between."""
        if written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        current = image(unit.points, now(unit.machine), _TABLES[function])
        registers[: len(current)] = current
        return None

    def bits(table: Table) -> list[SimData]:
        count = _size(unit.points, table) * _BITS_PER_REGISTER
        return [SimData(0, values=[False] * count, datatype=DataType.BITS)]

    def words(table: Table) -> list[SimData]:
        return [SimData(0, count=_size(unit.points, table), datatype=DataType.REGISTERS)]

    tables = (bits("coil"), bits("discrete"), words("holding"), words("input"))
    return SimDevice(unit_id, simdata=tables, action=fill)


def _silent_device(unit_id: int) -> SimDevice:
    """A unit without power. Every request reaches it, and the server then behaves as if nobody were there."""

    async def keep_silent(*_request: object) -> ExcCodes | None:
        raise NoSuchIdException("the unit has no power")

    return SimDevice(
        unit_id, simdata=SimData(0, count=65536, datatype=DataType.REGISTERS), action=keep_silent
    )
