import sqlite3
from pathlib import Path

import pytest

from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.history import GATEWAY_DOWN, Changes, History
from edge_agent.states.tracker import Interval

RUNNING = StateWithCause(MachineState.RUNNING, "auto")
IDLE = StateWithCause(MachineState.IDLE)
NO_DATA = unknown(UnknownCause.NO_DATA)
ALL_MINUTES = 2**60 - 1


def test_a_kill_is_accounted_for_from_the_last_sign_of_life(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    assert history.resume(1000) == 1000, "a first start has no gap"
    history.save(Changes(1000, [Interval("A", 1000, None, NO_DATA)]))
    history.save(Changes(2500, [Interval("A", 1000, 2000, NO_DATA), Interval("A", 2000, None, RUNNING)]))
    history.save(Changes(7000))
    history.close()  # without closing intervals, as after a kill

    history = History(tmp_path / "h.db")
    since = history.resume(60_000)
    assert since == 7000
    history.save(
        Changes(60_000, [Interval("A", since, 60_000, GATEWAY_DOWN), Interval("A", 60_000, None, NO_DATA)])
    )
    assert history.intervals(0, 100_000) == [
        Interval("A", 1000, 2000, NO_DATA),
        Interval("A", 2000, 7000, RUNNING),
        Interval("A", 7000, 60_000, GATEWAY_DOWN),
        Interval("A", 60_000, None, NO_DATA),
    ]
    assert [i.start_ms for i in history.intervals(2000, 7001)] == [2000, 7000]
    history.close()


def test_a_clock_that_was_set_back_rewrites_no_time(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save(Changes(9000, [Interval("A", 5000, None, RUNNING)]))
    assert history.resume(2000) == 9000
    assert history.intervals(0, 100_000) == [Interval("A", 5000, 9000, RUNNING)]
    history.close()


def test_evidence_is_overwritten_by_hour_and_read_by_time(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save(Changes(100, evidence=[("A", 0, 5, 100, 0b11), ("B", 0, 1, 50, 0)]))
    history.save(Changes(200, evidence=[("A", 0, 9, 200, ALL_MINUTES)]))
    assert sorted(history.evidence(0)) == [("A", 0, 9, 200, ALL_MINUTES), ("B", 0, 1, 50, 0)]
    assert list(history.evidence(200)) == [("A", 0, 9, 200, ALL_MINUTES)]
    history.close()


def test_evidence_of_a_file_without_minutes_proves_none(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "h.db")
    old.execute(
        "CREATE TABLE evidence (equipment TEXT NOT NULL, hour_ms INTEGER NOT NULL,"
        " good_readings INTEGER NOT NULL, last_good_ms INTEGER NOT NULL,"
        " PRIMARY KEY (equipment, hour_ms)) WITHOUT ROWID"
    )
    old.execute("INSERT INTO evidence VALUES ('A', 0, 5, 100)")
    old.commit()
    old.close()
    for _ in range(2):
        history = History(tmp_path / "h.db")
        assert list(history.evidence(0)) == [("A", 0, 5, 100, 0)]
        history.close()
    history = History(tmp_path / "h.db")
    history.save(Changes(200, evidence=[("A", 0, 9, 200, ALL_MINUTES)]))
    assert list(history.evidence(0)) == [("A", 0, 9, 200, ALL_MINUTES)]
    history.close()


def test_counters_are_kept_as_they_are(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save(Changes(100, counters=[("A", "parts", 5, 3), ("A", "energy", 5.0, 0.1)]))
    history.save(Changes(200, counters=[("A", "parts", 2**53, 2**53)]))
    history.close()
    history = History(tmp_path / "h.db")
    rows = sorted(history.counters())
    assert rows == [("A", "energy", 5.0, 0.1), ("A", "parts", 2**53, 2**53)]
    assert [type(value) for row in rows for value in row[2:]] == [float, float, int, int]
    history.close()


def test_intervals_of_one_equipment_go_back_to_the_last_known_state(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    life = [
        Interval("B", 0, 10, RUNNING),
        Interval("B", 10, 20, NO_DATA),
        Interval("B", 20, 30, GATEWAY_DOWN),
        Interval("B", 30, 40, RUNNING),
        Interval("B", 40, None, NO_DATA),
    ]
    others = [Interval("A", 5, None, RUNNING), Interval("C", 25, None, RUNNING)]
    history.save(Changes(50, [*others, *life]))
    assert history.intervals_of("B", 25, 35) == life[:4]
    assert history.intervals_of("B", 30, 40) == life[3:4]
    assert history.intervals_of("B", 45, 60) == life[3:]
    assert history.intervals_of("B", -9, 5) == life[:1]
    assert history.intervals_of("A", 0, 9) == others[:1], "from the first on, if nothing was before"
    assert history.intervals_of("A", 0, 5) == []
    history.close()


def test_a_machine_that_was_never_known_has_its_newest_interval(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save(Changes(50, [Interval("A", 0, 10, NO_DATA), Interval("A", 10, None, GATEWAY_DOWN)]))
    assert history.intervals_of("A", 20, 30) == [Interval("A", 10, None, GATEWAY_DOWN)]
    history.close()


def test_how_far_periods_are_accounted_for_is_kept(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    assert history.accounted("hour") is None
    history.set_accounted("hour", 1000)
    history.set_accounted("day", 500)
    history.set_accounted("hour", 2000)
    history.close()
    history = History(tmp_path / "h.db")
    assert (history.accounted("hour"), history.accounted("day")) == (2000, 500)
    history.close()


def test_of_two_changes_in_one_moment_the_last_holds_before_it_is_saved_as_after(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save(Changes(5, [Interval("A", 0, None, NO_DATA)]))
    noted = [Interval("A", 0, 0, NO_DATA), Interval("A", 0, 0, IDLE), Interval("A", 0, None, RUNNING)]
    before = history.columns("A", 0, 10, noted).intervals("A")
    history.save(Changes(10, noted))
    assert before == history.columns("A", 0, 10).intervals("A") == noted[-1:]
    history.close()


def test_somebody_else_who_writes_meanwhile_does_not_spoil_a_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path / "h.db")
    other = sqlite3.connect(tmp_path / "h.db", 0, isolation_level=None)
    look = history._unpack_at

    def look_and_be_interrupted(equipment: str, start_ms: int) -> None:
        look(equipment, start_ms)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO amendments (equipment, from_ms, to_ms) VALUES ('A', 0, 1)")

    monkeypatch.setattr(history, "_unpack_at", look_and_be_interrupted)
    history.save(Changes(10, [Interval("A", 0, None, RUNNING)]))
    assert history.alive_ms() == 10
    history.close()
    other.close()
