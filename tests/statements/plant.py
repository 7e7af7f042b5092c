"""A plant whose March can be worked out by hand: what is in the history, hour by hour."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.config.definitions import known_definitions
from edge_agent.indicators.connected import Connected, ConnectedVersions
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.periods import Period, PeriodKind, period_at
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.equipment import Equipment, Process, Register
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.statements.record import RecordMaker
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval

ENTERPRISE = "91330300MA00DEM06A"
ZONE = ZoneInfo("Asia/Shanghai")
HOUR = 3_600_000
DEFINITIONS = tuple(known_definitions().values())


def at(text: str) -> int:
    """`2026-03-31 23:59:59` by the plant's clocks."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def day(text: str) -> Period:
    return period_at(PeriodKind.DAY, at(f"{text} 12:00"), ZONE)


MARCH = period_at(PeriodKind.MONTH, at("2026-03-15 12:00"), ZONE)

REGISTER = Register(
    (
        Equipment("M1", "Lathe", "A", "L1", digital=True, nc=True, nc_ground="828D", processes=("P1",)),
        Equipment("M2", "Press", "A", "L1", digital=True),
        Equipment("M3", "Robot", "A", "L2", digital=True, nc=True, nc_ground="KRC", robot=True,
                  commissioned=date(2026, 3, 31)),
        Equipment("M4", "Saw", "B", retired=date(2026, 4, 1)),
        Equipment("M5", "Shear", "B", retired=date(2026, 3, 31)),
        Equipment("M6", "Drill", "B", "L1", should_connect=False, connect_reason="manual"),
    ),
    (Process("P1", "Turning", "A", key=True, control="cnc"),),
    headcount=50,
)  # fmt: skip

# The newest good readings: equipment, from which hour on, to which time, how many in each hour.
READINGS = """
M1  2026-02-27 00:00  2026-04-01 12:00  every hour, to its last second
M2  2026-03-31 00:00  2026-03-31 00:30  one hour
M3  2026-03-30 23:00  2026-03-30 23:59  one hour
M4  2026-04-01 00:00  2026-04-01 00:10  one hour
"""


def write(folder: Path, alive: str = "2026-04-02 00:00", register: Register = REGISTER) -> Path:
    """The data folder of an agent that was last alive at that time; returns the history file."""
    path = folder / "history.db"
    alive_ms = at(alive)
    evidence = [("M2", at("2026-03-31 00:00"), 3, at("2026-03-31 00:30"))]
    evidence.append(("M3", at("2026-03-30 23:00"), 9, at("2026-03-30 23:59")))
    evidence.append(("M4", at("2026-04-01 00:00"), 7, at("2026-04-01 00:10")))
    for hour in range(at("2026-02-27 00:00"), at("2026-04-01 12:00"), HOUR):
        evidence.append(("M1", hour, 100, hour + HOUR - 1000))
    running, idle = StateWithCause(MachineState.RUNNING), StateWithCause(MachineState.IDLE)
    intervals = [
        Interval("M1", at("2026-02-27 00:00"), at("2026-04-01 00:00"), running),
        Interval("M1", at("2026-04-01 00:00"), None, idle),
        Interval("M2", at("2026-02-27 00:00"), at("2026-03-31 23:59:59"), running),
        Interval("M2", at("2026-03-31 23:59:59"), None, StateWithCause(MachineState.UNKNOWN, "stale")),
    ]
    history = History(path)
    history.save(
        Changes(
            alive_ms,
            [i for i in intervals if i.start_ms <= alive_ms],
            [(*row, 0) for row in evidence if row[1] <= alive_ms],
        )
    )
    history.close()
    registers = RegisterVersions(path)
    registers.keep(register, at("2026-02-27 09:00"))
    registers.close()
    versions = ConnectedVersions(path)
    tags = {"M1": ("program", "parts"), "M2": ("spindle_speed",), "M3": ("axis",)}
    versions.keep({name: Connected(3000, tags[name]) for name in tags}, at("2026-02-27 09:00"))
    versions.close()
    return path


def maker(path: Path, *definitions: Definition) -> RecordMaker:
    return RecordMaker(path, "gw-01", ENTERPRISE, ZONE, definitions or DEFINITIONS, lambda _: {})
