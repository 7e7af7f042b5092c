"""The kinds of machine: their habits, what each shows, and where a client finds it.

Every float is a multiple of a power of two, so it comes through float32 and through scaling unchanged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from edge_agent.simulator.life import Doing, Habits, Moment, Value

Show = Callable[[Moment], Mapping[str, Value]]
Table = Literal["coil", "discrete", "holding", "input"]
RegisterType = Literal["bool", "uint16", "int16", "uint32", "float32"]


@dataclass(frozen=True, slots=True)
class Point:
    """Where a Modbus client finds a tag. Two registers to a 32-bit value, the high word first.

    The register carries value / scale. A bool is one bit: of a bit table, or `bit` (0 the lowest) of a
    register.
    """

    tag: str
    table: Table
    address: int
    type: RegisterType
    scale: float = 1.0
    bit: int | None = None


@dataclass(frozen=True, slots=True)
class ModbusKind:
    habits: Habits
    show: Show
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class OpcuaKind:
    """`nodes` are (tag, built-in OPC UA type)."""

    habits: Habits
    show: Show
    nodes: tuple[tuple[str, str], ...]


_STATUS = {
    Doing.OFF: 0,
    Doing.IDLE: 1,
    Doing.RUN: 2,
    Doing.SETUP: 3,
    Doing.ALARM: 4,
    Doing.WAIT: 5,
}


def _show_cnc(now: Moment) -> dict[str, Value]:
    running = now.doing is Doing.RUN
    return {
        "power": now.doing is not Doing.OFF,
        "door_open": now.doing in (Doing.SETUP, Doing.WAIT),
        "status": _STATUS[now.doing],
        "alarm": now.alarm,
        "parts": now.parts,
        "rejects": now.parts // 17,
        "spindle_speed": 1200 + now.jitter(800) * 0.5 if running else 0.0,
        "spindle_load": 15 + now.jitter(240) * 0.25 if running else 0.0,
        "temperature": 18 + now.number % 256 * 0.125,
        "feed_override": 60 if now.doing is Doing.SETUP else 100,
    }


CNC = ModbusKind(
    Habits(cycle=(12, 25), batch=(2, 8), alarms=(1024, 2041, 3006)),
    _show_cnc,
    (
        Point("power", "holding", 0, "bool", bit=0),
        Point("door_open", "holding", 0, "bool", bit=1),
        Point("status", "holding", 1, "uint16"),
        Point("alarm", "holding", 2, "uint16"),
        Point("parts", "holding", 3, "uint32"),
        Point("spindle_speed", "holding", 5, "float32"),
        Point("spindle_load", "holding", 7, "uint16", scale=0.25),
        Point("temperature", "holding", 8, "int16", scale=0.125),
        Point("feed_override", "holding", 9, "uint16"),
        Point("tick", "holding", 10, "uint32"),
        Point("rejects", "holding", 12, "uint32"),
    ),
)
"""A machine tool with a controller: a status word, alarm codes, counters of parts and of bad ones."""


def _show_press(now: Moment) -> dict[str, Value]:
    pressing = now.doing is Doing.RUN and now.progress >= 0.5
    return {
        "power": now.doing is not Doing.OFF,
        "cycle_on": now.doing is Doing.RUN,
        "setup_key": now.doing is Doing.SETUP,
        "fault": now.doing is Doing.ALARM,
        "call_operator": now.doing is Doing.WAIT,
        "alarm": now.alarm,
        "strokes": now.parts,
        "force": now.jitter(2000) * 0.5 if pressing else 0.0,
        "die_temperature": now.number % 640 * 0.125 - 5,
    }


PRESS = ModbusKind(
    Habits(cycle=(4, 8), batch=(6, 30), alarms=(17, 23)),
    _show_press,
    (
        Point("tick", "input", 100, "uint32"),
        Point("power", "input", 102, "bool", bit=0),
        Point("cycle_on", "input", 102, "bool", bit=1),
        Point("setup_key", "input", 102, "bool", bit=2),
        Point("fault", "input", 102, "bool", bit=7),
        Point("call_operator", "input", 102, "bool", bit=15),
        Point("alarm", "input", 103, "uint16"),
        Point("strokes", "input", 104, "uint32"),
        Point("force", "input", 106, "float32"),
        Point("die_temperature", "input", 108, "int16", scale=0.125),
    ),
)
"""A forming machine whose PLC shows bits, not a status word."""


def _show_cell(now: Moment) -> dict[str, Value]:
    rejected = now.parts // 23
    return {
        "mode": _STATUS[now.doing] * 10,
        "alarm": now.alarm,
        "good_parts": now.parts - rejected,
        "rejected_parts": rejected,
        "takt": (20 + now.jitter(64)) * 0.125 if now.doing is Doing.RUN else 0.0,
    }


CELL = ModbusKind(
    Habits(cycle=(10, 16), batch=(3, 12), alarms=(501, 502)),
    _show_cell,
    (
        Point("mode", "holding", 40, "uint16"),
        Point("alarm", "holding", 41, "uint16"),
        Point("good_parts", "holding", 42, "uint32"),
        Point("rejected_parts", "holding", 44, "uint32"),
        Point("takt", "holding", 46, "float32"),
        Point("tick", "holding", 48, "uint32"),
    ),
)
"""An assembly line's PLC, with one word for its mode."""


def _show_contacts(now: Moment) -> dict[str, Value]:
    running = now.doing is Doing.RUN
    return {
        "power": now.doing is not Doing.OFF,
        "motor": running,
        "fault": now.doing is Doing.ALARM,
        "lamp": now.doing in (Doing.ALARM, Doing.WAIT),
        "current": 4 + now.jitter(160) * 0.0625 if running else 0.0,
        "strokes": now.parts,
    }


CONTACTS = ModbusKind(
    Habits(
        cycle=(15, 40),
        batch=(1, 5),
        after=((Doing.IDLE, 4), (Doing.WAIT, 2), (Doing.ALARM, 1), (Doing.OFF, 2)),
    ),
    _show_contacts,
    (
        Point("power", "discrete", 0, "bool"),
        Point("motor", "discrete", 1, "bool"),
        Point("fault", "discrete", 2, "bool"),
        Point("lamp", "coil", 0, "bool"),
        Point("current", "input", 0, "float32"),
        Point("strokes", "input", 2, "uint32"),
        Point("tick", "input", 4, "uint32"),
    ),
)
"""A machine without a controller, retrofitted with a remote I/O module and a current transformer."""


def _show_centre(now: Moment) -> dict[str, Value]:
    running = now.doing is Doing.RUN
    return {
        "power": now.doing is not Doing.OFF,
        "status": _STATUS[now.doing],
        "alarm": now.alarm,
        "parts": now.parts,
        "program": f"O{1000 + now.number % 40}",
        "spindle_speed": 6000 + now.jitter(4000) * 0.5 if running else 0.0,
        "feed": 200 + now.jitter(3000) * 0.25 if running else 0.0,
        "tool": 1 + int(now.progress * 6) if running else 0,
    }


CENTRE = OpcuaKind(
    Habits(cycle=(20, 40), batch=(1, 5), alarms=(70001, 70116)),
    _show_centre,
    (
        ("tick", "UInt32"),
        ("power", "Boolean"),
        ("status", "Int32"),
        ("alarm", "UInt32"),
        ("parts", "UInt32"),
        ("program", "String"),
        ("spindle_speed", "Float"),
        ("feed", "Double"),
        ("tool", "UInt16"),
    ),
)
"""A machining centre."""


def _show_laser(now: Moment) -> dict[str, Value]:
    running = now.doing is Doing.RUN
    return {
        "power": now.doing is not Doing.OFF,
        "status": _STATUS[now.doing],
        "alarm": now.alarm,
        "parts": now.parts,
        "beam_power": 2000 + now.jitter(2000) * 0.5 if running else 0.0,
        "shutter_open": running and now.progress >= 0.25,
    }


LASER = OpcuaKind(
    Habits(cycle=(15, 30), batch=(1, 6), alarms=(70201, 70330)),
    _show_laser,
    (
        ("tick", "UInt32"),
        ("power", "Boolean"),
        ("status", "Int32"),
        ("alarm", "UInt32"),
        ("parts", "UInt32"),
        ("beam_power", "Float"),
        ("shutter_open", "Boolean"),
    ),
)


def _show_robot(now: Moment) -> dict[str, Value]:
    running = now.doing is Doing.RUN
    return {
        "power": now.doing is not Doing.OFF,
        "status": _STATUS[now.doing],
        "alarm": now.alarm,
        "parts": now.parts,
        "speed": now.jitter(400) * 0.25 if running else 0.0,
        "joint_1": (now.jitter(2880) - 1440) * 0.125 if running else 0.0,
    }


ROBOT = OpcuaKind(
    Habits(cycle=(15, 30), batch=(2, 8), alarms=(311, 640)),
    _show_robot,
    (
        ("tick", "UInt32"),
        ("power", "Boolean"),
        ("status", "Int32"),
        ("alarm", "UInt16"),
        ("parts", "UInt32"),
        ("speed", "Float"),
        ("joint_1", "Double"),
    ),
)
