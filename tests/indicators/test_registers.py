"""The register that was in force at a time, and what registers claim without evidence."""

import sqlite3
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from edge_agent.indicators.claims import (
    Claim,
    ClaimKind,
    claims_of_connection,
    claims_of_register,
    claims_of_tags,
)
from edge_agent.indicators.connected import Connected, ConnectedVersions
from edge_agent.indicators.kept import KeptHistory
from edge_agent.indicators.registers import Correction, RegisterVersions
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from tests.indicators.plant import HOUR, NOW, REGISTER, TableEvidence

MARCH, APRIL, MAY = 1_772_000_000_000, 1_775_000_000_000, 1_778_000_000_000
CHANGED = replace(REGISTER, equipment=REGISTER.equipment[1:])


def test_march_is_counted_on_the_register_of_march(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    History(file).close()
    versions = RegisterVersions(file)
    assert versions.keep(REGISTER, MARCH)
    assert versions.keep(CHANGED, APRIL)
    versions.close()

    kept = RegisterVersions(file, read_only=True)
    assert kept.at(MARCH - 1) is None, "nobody knows the register of before"
    assert kept.at(MARCH) == kept.at(APRIL - 1) == REGISTER
    assert kept.at(APRIL) == kept.at(MAY) == CHANGED
    assert kept.of(REGISTER.version) == kept.of(REGISTER.digest) == REGISTER
    assert kept.of("0" * 64) is None
    assert kept.in_force() == [(MARCH, REGISTER.version), (APRIL, CHANGED.version)]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        kept.keep(REGISTER, MAY)
    kept.close()


def test_a_register_is_noted_when_it_changes_and_no_more(tmp_path: Path) -> None:
    versions = RegisterVersions(tmp_path / "history.db")
    more_people = replace(REGISTER, headcount=251)
    assert [versions.keep(one, MARCH) for one in (REGISTER, REGISTER, more_people, REGISTER)] == [
        True,
        False,
        True,
        True,
    ]
    # The clock stood still, or was set back: what comes later is in force later.
    assert [from_ms for from_ms, _ in versions.in_force()] == [MARCH, MARCH + 1, MARCH + 2]
    assert versions.at(MARCH + 1) == more_people
    versions.close()


def test_a_corrected_register_holds_for_its_time(tmp_path: Path) -> None:
    versions = RegisterVersions(tmp_path / "history.db")
    versions.keep(REGISTER, MARCH)
    versions.correct(CHANGED, MARCH + 10, MARCH + 20, "corrected.csv", MAY)
    held = [versions.at(MARCH + ms) for ms in (9, 10, 19, 20)]
    assert held == [REGISTER, CHANGED, CHANGED, REGISTER]
    assert versions.of(CHANGED.version) == CHANGED
    assert versions.corrections() == [
        Correction(MARCH + 10, MARCH + 20, MAY, "corrected.csv", CHANGED.version)
    ]
    versions.correct(CHANGED, MARCH + 10, MARCH + 20, "again.csv", MAY + 1)
    assert len(versions.corrections()) == 1, "the same again is nothing new"
    versions.correct(REGISTER, MARCH + 15, MARCH + 30, "second.csv", MAY + 2)
    assert [versions.at(MARCH + ms) for ms in (14, 15)] == [CHANGED, REGISTER]
    versions.correct(CHANGED, MARCH + 10, MARCH + 20, "third.csv", MAY + 3)
    assert versions.at(MARCH + 15) == CHANGED, "the newest holds"
    assert versions.keep(REGISTER, MAY) is False, "what is in force from now on is another matter"
    versions.close()


def test_what_was_connected_when(tmp_path: Path) -> None:
    versions = ConnectedVersions(tmp_path / "history.db")
    assert versions.at(MARCH) == {}
    first, second = {"M1": Connected(3000, ("a",))}, {"M1": Connected(9000, ("a", "b"))}
    for connected, now_ms in ((first, MARCH), (first, MARCH + 1), (second, APRIL), (first, APRIL)):
        versions.keep(connected, now_ms)
    held = [versions.at(ms) for ms in (MARCH - 1, MARCH, APRIL - 1, APRIL, APRIL + 1, MAY)]
    assert held == [first, first, first, second, first, first]
    versions.close()


def test_evidence_is_read_beside_a_running_agent(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    running = StateWithCause(MachineState.RUNNING)
    idle = StateWithCause(MachineState.IDLE)
    intervals = [
        Interval("A", NOW - 2 * HOUR, NOW - HOUR, running),
        Interval("A", NOW - HOUR, None, idle),
        Interval("B", NOW - HOUR, None, running),
    ]
    evidence = [("A", NOW - 30 * HOUR, 5, NOW - 29 * HOUR, 0), ("A", NOW - HOUR, 7, NOW - 100, 0)]
    history = History(file)
    history.save(Changes(NOW, intervals, evidence))
    looked_at = KeptHistory(file)
    assert looked_at.alive_ms() == NOW
    states = looked_at.states(["A", "B", "C"], NOW)
    kept = looked_at.evidence(["A", "B", "C"], 0, NOW, {"A": 3000, "B": 3000})
    looked_at.close()
    history.close()
    assert states == {"A": MachineState.IDLE, "B": MachineState.RUNNING, "C": MachineState.UNKNOWN}
    assert (kept.good_readings("A", NOW - 24 * HOUR), kept.good_readings("A", 0)) == (7, 12)
    assert (kept.last_good_ms("A"), kept.last_good_ms("B")) == (NOW - 100, None)
    assert [kept.level(e, NOW) for e in ("A", "B", "C")] == [
        LinkLevel.LIVE,
        LinkLevel.REGISTERED,
        LinkLevel.REGISTERED,
    ]
    assert kept.level("A", NOW + HOUR) is LinkLevel.REGISTERED


def test_evidence_of_no_agent(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        KeptHistory(tmp_path / "history.db")
    assert not (tmp_path / "history.db").exists(), "looking makes nothing"
    History(tmp_path / "history.db").close()
    assert KeptHistory(tmp_path / "history.db").alive_ms() is None


DAY = date(2026, 9, 21)


def test_claims_of_connections() -> None:
    # M4 has sent nothing for 25 hours. M8 sends, and should not. M7 is retired.
    claims = list(claims_of_connection(REGISTER, DAY, TableEvidence(), NOW))
    assert claims == [
        Claim(ClaimKind.NO_EVIDENCE, "M4", "2026-09-20"),
        Claim(ClaimKind.CONNECTED_ALL_THE_SAME, "M8"),
    ]


def test_claims_of_the_register_itself() -> None:
    grounds = replace(
        REGISTER,
        equipment=tuple(
            replace(e, nc_ground="controller", connect_reason="manual") if e.id not in ("M3", "M5") else e
            for e in REGISTER.equipment
        ),
    )
    assert list(claims_of_register(grounds, DAY)) == [
        Claim(ClaimKind.NC_WITHOUT_GROUND, "M3"),
        Claim(ClaimKind.EXCLUDED_WITHOUT_REASON, "M5"),
        Claim(ClaimKind.PROCESS_WITHOUT_NC, "P3", "M5"),
    ]


def test_a_machine_with_the_tags_of_a_numerical_control_that_is_registered_as_none() -> None:
    tags = {
        "M1": {"program"},  # is NC
        "M2": {"status", "Spindle_Speed", "program_number"},
        "M5": {"status"},
        "M7": {"program"},  # is retired
    }
    assert list(claims_of_tags(REGISTER, DAY, tags)) == [
        Claim(ClaimKind.NC_NOT_REGISTERED, "M2", "Spindle_Speed, program_number")
    ]
