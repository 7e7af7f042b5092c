"""A day's statements on their way to the platform, and what a corrected register makes of them later."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.contract.messages import Event, StatementOfRecord, Statements, Status
from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind, local_day, period_at
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.clock import CLOCK
from edge_agent.model.equipment import Equipment, Register
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.statements.keys import KEY_FILE, signing_key
from edge_agent.statements.store import StatementStore
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from edge_agent.verifier import verify
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received

CONFIGURATION = """
gateway: {{id: gw-case, region: "330300", enterprise: 91330300MA00DEM06A, timezone: {zone}}}
register: register.csv
indicators: {{definitions: [nc-rate/by-count, networked-rate/miit-sme-2024]}}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {broker}, carries: [statements, events]}}
"""
REGISTER = "id,name,workshop,nc,nc_ground\nPRS-01,Press,Hall 1,yes,828D\nSAW-01,Saw,Hall 1,no,\n"
EAST_H = 12 - time.gmtime().tm_hour
ZONE = ZoneInfo(f"Etc/GMT{-EAST_H:+}")
"""Where it is about noon: no day ends during the tests."""
MACHINES = Register(
    (
        Equipment("PRS-01", "Press", "Hall 1", nc=True, nc_ground="828D"),
        Equipment("SAW-01", "Saw", "Hall 1"),
    )
)


def yesterday() -> Period:
    today = period_at(PeriodKind.DAY, CLOCK.now_ms(), ZONE)
    return period_at(PeriodKind.DAY, today.from_ms - 1, ZONE)


def an_agent_ran_yesterday(data: Path) -> Period:
    """It was killed at six in the evening; its press had sent to the last."""
    period = yesterday()
    killed = period.to_ms - 6 * HOUR_MS
    data.mkdir(parents=True)
    history = History(data / "history.db")
    running = StateWithCause(MachineState.RUNNING)
    evidence = [("PRS-01", killed - HOUR_MS, 60, killed - 1000, 0)]
    history.save(Changes(killed, [Interval("PRS-01", period.from_ms, None, running)], evidence))
    registers = RegisterVersions(data / "history.db")
    registers.keep(MACHINES, period.from_ms - 1)
    registers.close()
    store = StatementStore(data / "history.db", signing_key(data))
    for kind in (PeriodKind.DAY, PeriodKind.MONTH):
        store.set_stated(kind, period_at(kind, period.from_ms, ZONE).from_ms)
    store.close()
    history.close()
    return period


def days(received: list[Received]) -> dict[int, Received]:
    """Statements of days, by their number in the chain; one that comes again is the same."""
    found: dict[int, Received] = {}
    for item in received:
        if isinstance(item.message, StatementOfRecord) and item.message.period == "day":
            assert item.topic == f"statement/{item.message.subject}/day"
            before = found.setdefault(item.message.number, item)
            assert before.payload.partition(b",")[2] == item.payload.partition(b",")[2]
    return found


def status_of(received: list[Received]) -> Status | None:
    return next((r.message for r in received if isinstance(r.message, Status)), None)


def counts(item: Received) -> tuple[str, int, int, int]:
    """Definition, numerator, denominator and how many were unknown, of the enterprise."""
    assert isinstance(item.message, StatementOfRecord)
    figure = item.message.figures[0]
    return item.message.subject, figure.numerator, figure.denominator, figure.unknown


def test_a_day_is_stated_verified_and_superseded(tmp_path: Path) -> None:
    site = tmp_path / "site"
    period = an_agent_ran_yesterday(site / "data")
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        (site / "agent.yaml").write_text(CONFIGURATION.format(broker=broker.port, zone=ZONE), "utf-8")
        (site / "register.csv").write_text(REGISTER, "utf-8")
        with AgentProcess(site, tmp_path, module="tests.field.patient_agent") as agent:
            received = platform.wait_for(lambda r: len(days(r)) == 2 and status_of(r) is not None)
            first = days(received)
            assert {counts(item) for item in first.values()} == {
                ("nc-rate/by-count", 1, 2, 2),  # nobody knows what they did at midnight
                ("networked-rate/miit-sme-2024", 1, 2, 2),
            }
            status = status_of(received)
            assert status is not None
            for item in first.values():
                assert isinstance(item.message, StatementOfRecord)
                assert (item.message.from_, item.message.to) == (period.from_ms, period.to_ms)
                report = verify(item.payload, [status.key])
                assert report.failures == []
                assert verify(item.payload.replace(b'"counted"', b'"countet"'), [status.key]).failures
            moment = platform.wait_for(lambda r: any(isinstance(x.message, Statements) for x in r))
            figures = next(r for r in moment if isinstance(r.message, Statements))
            assert figures.topic.startswith("indicator/")
            assert verify(figures.payload, [status.key]).failures == []

            # In the evening somebody finds out that the press is no NC machine.
            (tmp_path / "corrected.csv").write_text(REGISTER.replace("yes,828D", "no,"), "utf-8")
            day, following = (f"{local_day(ms, ZONE)}" for ms in (period.from_ms, period.to_ms))
            done = subprocess.run(
                [sys.executable, "-m", "edge_agent", "recompute", str(site), "--from", day, "--to", following,
                 "--register", str(tmp_path / "corrected.csv")],
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            platform.wait_for(lambda r: bool(days(r).keys() - first.keys()))
            agent.stop(signal.SIGTERM)
            found = days(platform.received())
            new = [item for number, item in found.items() if number not in first]
            assert [counts(item) for item in new] == [("nc-rate/by-count", 0, 2, 2)]
            message, (old,) = new[0].message, [i for i in first.values() if i.topic == new[0].topic]
            assert isinstance(message, StatementOfRecord)
            assert isinstance(old.message, StatementOfRecord)
            assert message.supersedes is not None
            assert message.supersedes.number == old.message.number
            assert verify(new[0].payload, [status.key]).failures == []

            # The key is lost: told, and the chain goes on.
            (site / "data" / KEY_FILE).unlink()
            mark = len(platform.received())
            agent.start()
            received = platform.wait_for(
                lambda r: any(isinstance(x.message, Event) and x.message.kind == "key_changed" for x in r)
            )
            told = next(
                r.message
                for r in received
                if isinstance(r.message, Event) and r.message.kind == "key_changed"
            )
            assert told.detail["before"] == status.key
            assert told.detail["after"] == signing_key(site / "data").public
            agent.stop(signal.SIGTERM)
            assert not set(days(platform.received()[mark:])) - found.keys(), "nothing is stated twice"


def test_a_damaged_key_is_told_and_nothing_is_started(tmp_path: Path) -> None:
    site = tmp_path / "site"
    an_agent_ran_yesterday(site / "data")
    (site / "agent.yaml").write_text(CONFIGURATION.format(broker=1, zone=ZONE), "utf-8")
    (site / "register.csv").write_text(REGISTER, "utf-8")
    (site / "data" / KEY_FILE).write_text("-----BEGIN", "utf-8")
    with AgentProcess(site, tmp_path) as agent:
        assert agent.process is not None
        assert agent.process.wait(20) == 78
    assert f"{KEY_FILE}: cannot be read as a private key" in agent.log()
    assert "Traceback" not in agent.log()
    assert (site / "data" / KEY_FILE).read_text("utf-8") == "-----BEGIN", "no other key was made"
