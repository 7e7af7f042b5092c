"""The demo's works with three months of history and the statements of each day and month."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.config.site import Site, load_site, planned_calendars
from edge_agent.indicators.connected import ConnectedVersions
from edge_agent.indicators.periods import HOUR_MS, PeriodKind, midnight_ms, periods
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.recording import connected
from edge_agent.statements.keys import signing_key
from edge_agent.statements.record import RecordMaker, keep
from edge_agent.statements.store import StatementStore
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from tests.cli.plant import copied_demo

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN = midnight_ms(date(2026, 8, 3), ZONE)
ALIVE = midnight_ms(date(2026, 11, 1), ZONE) + 10 * HOUR_MS
CALENDAR = """\
calendars:
  default:
    shifts: [{id: day, days: [mon, tue, wed, thu, fri, sat], start: "08:00", end: "17:00"}]
"""

HIDDEN = ("某某精密租户", "88.118.7/cnc-01")
"""What the register says of the first machine and a report does not: who uses it, and its handle."""

DAY: list[tuple[float, StateWithCause]] = [
    (0, StateWithCause(MachineState.OFF)),
    (7.8, StateWithCause(MachineState.SETUP)),
    (8.5, StateWithCause(MachineState.RUNNING)),
    (12, StateWithCause(MachineState.IDLE)),
    (13, StateWithCause(MachineState.RUNNING)),
    (15, StateWithCause(MachineState.ALARM, "E41")),
    (15.4, StateWithCause(MachineState.RUNNING)),
    (18, StateWithCause(MachineState.OFF)),
]
"""From which hour on a machine does what, each day."""


def at(text: str) -> int:
    """`2026-10-31 23:59:59` by the plant's clocks."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def days_of(name: str) -> Iterator[Interval]:
    """Every machine begins a little later than the one before, by its name."""
    later = sum(name.encode()) % 40 * 60_000
    starts = [
        (midnight + round(hour * HOUR_MS) + (later if hour else 0), state)
        for midnight in range(BEGIN, ALIVE, 24 * HOUR_MS)
        for hour, state in DAY
    ]
    starts = [(start, state) for start, state in starts if start < ALIVE]
    ends = [start for start, _ in starts[1:]] + [None]
    return (Interval(name, start, end, state) for (start, state), end in zip(starts, ends, strict=True))


def report_plant(folder: Path, more: str = "") -> Path:
    """The demo's configuration with all definitions, `more` YAML and its history; returns its folder.

    GRD-01 has been silent since the tenth of October; EDM-01 and others were never connected.
    """
    demo = copied_demo(folder)
    agent = (demo / "agent.yaml").read_text("utf-8")
    (demo / "agent.yaml").write_text(
        re.sub(r"^(indicators|calendars):\n(?:[ #].*\n|\n(?= ))*", "", agent, flags=re.M), "utf-8"
    )
    (demo / "more.yaml").write_text(CALENDAR + more, "utf-8")
    site = load_site(demo)
    first, *others = site.register.equipment
    used = replace(first, tenant=HIDDEN[0], handle=HIDDEN[1])
    site = replace(site, register=replace(site.register, equipment=(used, *others)))
    write_history(site)
    state_all(site)
    return demo


def write_history(site: Site) -> None:
    site.data_dir.mkdir()
    history = History(site.data_dir / "history.db")
    names = [equipment.id for connection in site.connections for equipment in connection.equipment]
    silent = at("2026-10-10 12:00")
    for name in sorted(set(names) - {"CNC-03"}):
        until = silent if name == "GRD-01" else ALIVE
        intervals = [one for one in days_of(name) if one.start_ms < until]
        if until < ALIVE:
            last = intervals[-1]
            intervals[-1] = Interval(name, last.start_ms, until, last.state)
            intervals.append(Interval(name, until, None, unknown(UnknownCause.UNREACHABLE)))
        evidence = [(name, hour, 3500, hour + HOUR_MS - 1000, 0) for hour in range(BEGIN, until, HOUR_MS)]
        history.save(Changes(ALIVE, intervals, evidence))
    timeout = unknown(UnknownCause.TIMEOUT)
    history.save(Changes(ALIVE, [Interval("CNC-03", BEGIN, None, timeout)], []))
    history.close()
    registers = RegisterVersions(site.data_dir / "history.db")
    registers.keep(site.register, BEGIN)
    registers.close()
    versions = ConnectedVersions(site.data_dir / "history.db")
    versions.keep(connected(site), BEGIN)
    versions.close()


def state_all(site: Site) -> None:
    """The statements of October's last days and of all months."""
    path = site.data_dir / "history.db"
    store = StatementStore(path, signing_key(site.data_dir))
    maker = RecordMaker(
        path,
        site.gateway.id,
        site.gateway.enterprise,
        ZONE,
        site.definitions,
        partial(planned_calendars, site),
    )
    ended = [
        *periods(PeriodKind.MONTH, BEGIN, ALIVE, ZONE),
        *periods(PeriodKind.DAY, at("2026-10-31 01:00"), ALIVE, ZONE),
    ]
    for period in ended:
        for draft in maker.drafts(period):
            keep(store, draft)
    maker.close()
    store.close()
