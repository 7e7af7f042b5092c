import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.acquisition.schedule import LONGEST_SLOT_S, SLOTS, Schedule, first_turn


def test_ticks_do_not_drift_with_the_time_that_work_takes() -> None:
    schedule = Schedule([("a", 1.0)], start=10.0)
    dues = []
    for _ in range(5):
        due, _ = schedule.next()
        dues.append(due)
        schedule.done(due + 0.3)
    assert dues == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert schedule.missed == 0


def test_missed_ticks_are_counted_and_not_made_up_for() -> None:
    schedule = Schedule([("a", 1.0)], start=0.0)
    schedule.next()
    schedule.done(3.5)  # ticks 1 and 2 passed unused; 3 is late but still its turn
    assert schedule.next() == (3.0, "a")
    assert schedule.missed == 2
    schedule.done(3.6)
    assert schedule.next() == (4.0, "a")


@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=5),
    st.lists(st.integers(0, 40), min_size=1, max_size=60),
)
def test_every_tick_is_either_had_or_missed_and_never_early(periods: list[int], lasts: list[int]) -> None:
    schedule = Schedule([(i, float(p)) for i, p in enumerate(periods)], start=0.0)
    now = 0.0
    had = dict.fromkeys(range(len(periods)), 0)
    latest = dict.fromkeys(range(len(periods)), -1.0)
    for last in lasts:
        due, key = schedule.next()
        assert due % periods[key] == 0
        assert due > latest[key]
        latest[key] = due
        had[key] += 1
        now = max(now, due) + last / 4
        schedule.done(now)
    passed = sum(int(latest[k] / periods[k]) + 1 for k in had if latest[k] >= 0)
    upcoming = sum(had.values())
    assert upcoming <= passed <= upcoming + schedule.missed


@given(st.floats(0, 1e7), st.floats(0, 1), st.sampled_from((0.05, 0.2, 1.0, 10.0, 60.0)))
def test_a_first_turn_is_in_the_slot_after_its_phase(now: float, phase: float, period: float) -> None:
    slot = min(period / SLOTS, LONGEST_SLOT_S)
    turn = first_turn(now, phase, period)
    assert -1e-6 <= turn - (now + phase * period) < slot + 1e-6
    assert turn / slot == pytest.approx(round(turn / slot), abs=1e-6)


@pytest.mark.parametrize(("period", "instants"), [(0.2, 4), (1.0, 4), (5.0, 20)])
def test_a_hundred_connections_are_asked_in_a_few_instants_but_not_in_one(
    period: float, instants: int
) -> None:
    turns = [first_turn(1000.1, index / 100, period) for index in range(100)]
    together = [turns.count(turn) for turn in set(turns)]
    assert instants <= len(together) <= instants + 1
    assert max(together) <= 100 // instants + 1
