from pathlib import Path

from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.history import GATEWAY_DOWN, History
from edge_agent.states.tracker import Interval

RUNNING = StateWithCause(MachineState.RUNNING, "auto")
NO_DATA = unknown(UnknownCause.NO_DATA)


def test_a_kill_is_accounted_for_from_the_last_sign_of_life(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    assert history.resume(1000) == 1000, "a first start has no gap"
    history.save([Interval("A", 1000, None, NO_DATA)], [], 1000)
    history.save([Interval("A", 1000, 2000, NO_DATA), Interval("A", 2000, None, RUNNING)], [], 2500)
    history.save([], [], 7000)
    history.close()  # without closing intervals, as after a kill

    history = History(tmp_path / "h.db")
    since = history.resume(60_000)
    assert since == 7000
    history.save(
        [Interval("A", since, 60_000, GATEWAY_DOWN), Interval("A", 60_000, None, NO_DATA)], [], 60_000
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
    history.save([Interval("A", 5000, None, RUNNING)], [], 9000)
    assert history.resume(2000) == 9000
    assert history.intervals(0, 100_000) == [Interval("A", 5000, 9000, RUNNING)]
    history.close()


def test_evidence_is_overwritten_by_hour_and_read_by_time(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save([], [("A", 0, 5, 100), ("B", 0, 1, 50)], 100)
    history.save([], [("A", 0, 9, 200)], 200)
    assert sorted(history.evidence(0)) == [("A", 0, 9, 200), ("B", 0, 1, 50)]
    assert history.evidence(200) == [("A", 0, 9, 200)]
    history.close()
