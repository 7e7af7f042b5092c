"""Which machines stand in the simulated workshop, and behind which port and unit id."""

from dataclasses import dataclass, field

from edge_agent.simulator.kinds import (
    CELL,
    CENTRE,
    CNC,
    CONTACTS,
    LASER,
    PRESS,
    ROBOT,
    ModbusKind,
    OpcuaKind,
    Point,
)
from edge_agent.simulator.life import Machine

DEFAULT_MODBUS_PORT = 15020
DEFAULT_OPCUA_PORT = 15030
DEFAULT_BROKER_PORT = 11883
DEFAULT_PAGE_PORT = 18080

OPCUA_NAMESPACE = "urn:edge-agent:simulated-workshop"


@dataclass(frozen=True, slots=True)
class ModbusUnit:
    unit: int
    machine: Machine
    points: tuple[Point, ...]

    @property
    def apart(self) -> frozenset[str]:
        """Tags in another table than `tick`: another request reads them, perhaps at a later tick."""
        tables = {point.tag: point.table for point in self.points}
        return frozenset(tag for tag, table in tables.items() if table != tables["tick"])


@dataclass(frozen=True, slots=True)
class ModbusServerPlan:
    """One TCP server.

    With one unit it is the machine's own Ethernet port, which does not care for the unit id. With several
    it is a serial gateway: `dead` units are wired to it and never answer.
    """

    units: tuple[ModbusUnit, ...]
    dead: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OpcuaMachine:
    machine: Machine
    nodes: tuple[tuple[str, str], ...] = field(repr=False)

    def node(self, tag: str) -> str:
        """The string identifier of the tag's node in `OPCUA_NAMESPACE`."""
        return f"{self.machine.id}.{tag}"


def _modbus(id: str, kind: ModbusKind, unit: int = 1) -> ModbusUnit:
    return ModbusUnit(unit, Machine(id, kind.habits, kind.show), kind.points)


def _opcua(id: str, kind: OpcuaKind) -> OpcuaMachine:
    return OpcuaMachine(Machine(id, kind.habits, kind.show), kind.nodes)


MODBUS_SERVERS = (
    ModbusServerPlan(
        (
            _modbus("CNC-01", CNC, unit=1),
            _modbus("CNC-02", CNC, unit=2),
            _modbus("GRD-01", CNC, unit=3),
            _modbus("SAW-01", CONTACTS, unit=4),
        ),
        dead=(5,),
    ),
    ModbusServerPlan((_modbus("PRS-01", PRESS),)),
    ModbusServerPlan((_modbus("PRS-02", PRESS),)),
    ModbusServerPlan((_modbus("BND-01", CNC),)),
    ModbusServerPlan((_modbus("ASM-01", CELL),)),
    ModbusServerPlan((_modbus("AIR-01", CONTACTS),)),
)
"""On consecutive ports, in this order."""

OPCUA_MACHINES = (
    _opcua("MIL-01", CENTRE),
    _opcua("LAS-01", LASER),
    _opcua("ROB-01", ROBOT),
    _opcua("ROB-02", ROBOT),
)
"""Behind one server."""

MACHINES = {
    machine.id: machine
    for machine in (
        *(unit.machine for server in MODBUS_SERVERS for unit in server.units),
        *(served.machine for served in OPCUA_MACHINES),
    )
}
"""Every machine that lives, by its equipment id."""
