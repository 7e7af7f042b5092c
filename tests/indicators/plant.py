"""A small plant as tables that can be read and checked by hand, and what every definition makes of it."""

from datetime import date

from edge_agent.contract.messages import Statements
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.definitions import Definition
from edge_agent.model.equipment import Control, Equipment, Industry, Process, Register
from edge_agent.model.link import LinkLevel
from edge_agent.model.minutes import Minutes
from edge_agent.model.state import MachineState

NOW = 1_790_000_000_000  # 2026-09-21
HOUR = 3_600_000
ENTERPRISE = "91330300MA00DEM06A"

# The register. `value` in yuan; `link` is the level now, `hours` since the newest good reading.
PLANT = """
id  workshop  production  digital  nc   key  connect  robot  value      processes  service  link        hours
M1  A         yes         yes      yes  yes  yes      no     100000.00  P1         yes      live        0
M2  A         yes         yes      no   yes  yes      no     50000.50   P1         yes      data_valid  2
M3  A         yes         yes      yes  no   yes      yes    200000.00  P2,P7      yes      registered  23
M4  A         yes         no       yes  no   yes      no     0.01       P2,P6      yes      registered  25
M5  B         yes         no       no   yes  no       no     149999.49  P3         yes      reachable   -
M6  B         no          yes      yes  yes  yes      yes    70000.00   P4         yes      live        0
M7  B         yes         yes      yes  yes  yes      yes    90000.00   P5         retired  live        0
M8  C         no          no       no   no   no       no     10.00      -          yes      live        0
"""

PROCESSES = """
id  workshop  key  industry  control
P1  A         yes  discrete  cnc
P2  A         yes  discrete  plc
P3  B         yes  discrete  nc
P4  B         yes  process   dcs
P5  B         yes  process   plc
P6  A         no   discrete  cnc
P7  A         yes  process   -
"""

HEADCOUNT = 250

# Numerator and denominator by scope, worked out by hand. What the whole works has is written out; the
# workshops A, B and C follow. Counted: production equipment in service is M1 M2 M3 M4 (A) and M5 (B).
EXPECTED = """
definition                            enterprise           A                    B            C
digital-rate/miit-sme-2024            3/5                  3/4                  0/1          0/0
networked-rate/miit-sme-2024          3/5                  3/4                  0/1          0/0
networked-rate/of-digital             3/3                  3/3                  0/0          0/0
networked-rate/of-should-connect      3/4                  3/4                  0/0          0/0
networked-rate/of-key                 2/3                  2/2                  0/1          0/0
networked-rate/of-nc                  2/3                  2/3                  0/0          0/0
networked-rate/live                   1/5                  1/4                  0/1          0/0
nc-rate/by-count                      3/5                  3/4                  0/1          0/0
nc-rate/by-asset-value                300000.01/500000.00  300000.01/350000.51  0/149999.49  0/0
key-process-nc-rate/discrete          1/3                  1/2                  0/1          0/0
key-process-nc-rate/process-industry  1/2                  0/1                  1/1          0/0
key-equipment-nc-rate/by-count        1/3                  1/2                  0/1          0/0
robot-density/ifr                     2/250                1/?                  1/?          0/?
"""
# digital: M1 M2 M3. Data within 24 hours: M1 M2 M3; live now: M1. Digital: M1 M2 M3. Should be connected:
# M1 M2 M3 M4. Key: M1 M2 M5. NC: M1 M3 M4. M6 and M8 are no production equipment, M7 is retired.
# Discrete key processes: P1 P2 P3; P2 is under a PLC, and the equipment of P3 is not NC. Of the process
# industry: P4 P7; P7 is under nothing, and P5 has only a retired machine. Robots: M3 M6, not M7.


def table(text: str) -> list[dict[str, str]]:
    """The rows of a table, by its headings."""
    heading, *rows = (line.split() for line in text.strip().splitlines())
    return [dict(zip(heading, row, strict=True)) for row in rows]


_KINDS: dict[str, Industry] = {"discrete": "discrete", "process": "process"}
_CONTROLS: dict[str, Control] = {"cnc": "cnc", "nc": "nc", "plc": "plc", "dcs": "dcs", "-": ""}


def _fen(yuan: str) -> int:
    whole, _, fen = yuan.partition(".")
    return int(whole) * 100 + int(fen or 0)


def _equipment(row: dict[str, str]) -> Equipment:
    yes = {name: row[name] == "yes" for name in ("production", "digital", "nc", "key", "connect", "robot")}
    return Equipment(
        id=row["id"],
        name=row["id"],
        workshop=row["workshop"],
        production=yes["production"],
        digital=yes["digital"],
        nc=yes["nc"],
        key=yes["key"],
        should_connect=yes["connect"],
        robot=yes["robot"],
        asset_value=_fen(row["value"]),
        processes=() if row["processes"] == "-" else tuple(row["processes"].split(",")),
        commissioned=date(2020, 5, 1),
        retired=date(2025, 1, 1) if row["service"] == "retired" else None,
    )


ROWS = {row["id"]: row for row in table(PLANT)}
REGISTER = Register(
    tuple(map(_equipment, ROWS.values())),
    tuple(
        Process(
            row["id"],
            f"process {row['id']}",
            row["workshop"],
            row["key"] == "yes",
            _KINDS[row["industry"]],
            _CONTROLS[row["control"]],
        )
        for row in table(PROCESSES)
    ),
    HEADCOUNT,
)

STATES = dict.fromkeys(ROWS, MachineState.RUNNING)
STATES |= dict.fromkeys(("M4", "M5", "M6"), MachineState.UNKNOWN)


class TableEvidence:
    """The columns `link` and `hours`."""

    def level(self, equipment: str, now_ms: int) -> LinkLevel:
        assert now_ms == NOW
        return LinkLevel[ROWS[equipment]["link"].upper()]

    def last_good_ms(self, equipment: str) -> int | None:
        hours = ROWS[equipment]["hours"]
        return None if hours == "-" else NOW - int(hours) * HOUR

    def good_readings(self, equipment: str, from_ms: int) -> int:
        last = self.last_good_ms(equipment)
        return 10 if last is not None and last >= from_ms else 0

    def proved_minutes(self, equipment: str, planned: Minutes) -> int:
        raise AssertionError(f"{equipment}: no shipped definition asks for {len(planned)} hours")


def statements(definition: Definition, register: Register = REGISTER) -> Statements:
    return Calculator(definition, ENTERPRISE, register).statements(TableEvidence(), STATES, NOW)


def counts(text: str) -> tuple[int, int]:
    """`3/5`; amounts with a decimal point are yuan, counted in fen."""
    numerator, denominator = text.replace("?", "0").split("/")
    unit = _fen if "." in text else int
    return unit(numerator), unit(denominator)
