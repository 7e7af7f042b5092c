from hypothesis import given
from hypothesis import strategies as st

from edge_agent.model.batch import Batch
from edge_agent.model.options import StateRule
from edge_agent.model.quality import bad
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.tracker import Interval, StateTracker, totals_ms

RUNNING, IDLE = StateWithCause(MachineState.RUNNING), StateWithCause(MachineState.IDLE)
RULES = (
    StateRule(when="status == 2", state=MachineState.RUNNING),
    StateRule(when="status == 1", state=MachineState.IDLE),
)


class Recorder:
    def __init__(self) -> None:
        self.tracker = StateTracker(self.changed)
        self.tracker.add("A", RULES, 3000, unknown(UnknownCause.NO_DATA), 1000)
        self.over: list[Interval] = []

    def changed(self, ended: Interval, begun: Interval) -> None:
        assert ended.end_ms == begun.start_ms
        self.over.append(ended)

    def states(self) -> list[tuple[StateWithCause, int, int | None]]:
        every = [*self.over, *self.tracker.open_intervals()]
        return [(i.state, i.start_ms, i.end_ms) for i in every]


def status(time_ms: int, value: int) -> Batch:
    return Batch("A", time_ms, ("other", "status"), (5, value))


def test_intervals_follow_each_other() -> None:
    r = Recorder()
    r.tracker.batch(status(2000, 1))
    r.tracker.batch(status(3000, 1))
    r.tracker.batch(status(4000, 2))
    assert r.states() == [
        (unknown(UnknownCause.NO_DATA), 1000, 2000),
        (IDLE, 2000, 4000),
        (RUNNING, 4000, None),
    ]


def test_silence_is_unknown_and_not_the_last_state() -> None:
    r = Recorder()
    r.tracker.batch(status(2000, 2))
    r.tracker.check_stale(5000)
    assert r.tracker.current("A").state == RUNNING
    r.tracker.check_stale(5001)
    assert r.tracker.current("A").state == unknown(UnknownCause.STALE)
    r.tracker.batch(Batch("A", 6000, (), ()))
    assert r.tracker.current("A").state == RUNNING, "a sign of life says that nothing changed"


def test_after_a_loss_old_values_decide_nothing() -> None:
    r = Recorder()
    r.tracker.batch(status(2000, 2))
    r.tracker.lost(["A"], UnknownCause.UNREACHABLE, 2500)
    r.tracker.batch(Batch("A", 3000, ("other",), (5,)))
    assert r.tracker.current("A").state == unknown(UnknownCause.BAD_QUALITY)


def test_a_bad_reading_takes_the_state_with_it() -> None:
    r = Recorder()
    r.tracker.batch(status(2000, 2))
    r.tracker.batch(Batch("A", 3000, ("status",), (2,), {0: bad("sensor")}))
    assert r.tracker.current("A").state == unknown(UnknownCause.BAD_QUALITY)


def test_of_several_values_the_last_counts() -> None:
    r = Recorder()
    r.tracker.batch(Batch("A", 2000, ("status", "status"), (2, 1)))
    assert r.tracker.current("A").state == IDLE


def test_a_batch_stamped_before_the_last_change_makes_no_negative_interval() -> None:
    r = Recorder()
    r.tracker.lost(["A"], UnknownCause.TIMEOUT, 3000)
    r.tracker.batch(status(2900, 2))
    assert r.states()[-1] == (RUNNING, 3000, None)
    assert all(end is None or end >= start for _, start, end in r.states())


def test_a_clock_step_is_nobodys_time() -> None:
    r = Recorder()
    r.tracker.batch(status(2000, 2))
    r.tracker.clock_stepped(5000, 905_000)
    assert r.states()[1:] == [
        (RUNNING, 2000, 5000),
        (unknown(UnknownCause.CLOCK_STEP), 5000, 905_000),
        (RUNNING, 905_000, None),
    ]


EVENTS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5)), max_size=40)


@given(EVENTS)
def test_time_always_adds_up_to_the_period(events: list[tuple[int, int]]) -> None:
    r = Recorder()
    now = 1000
    for step, what in events:
        now += step
        if what == 0:
            r.tracker.lost(["A"], UnknownCause.TIMEOUT, now)
        elif what == 1:
            r.tracker.check_stale(now)
        else:
            r.tracker.batch(status(now, what - 2))
    every = [*r.over, *r.tracker.open_intervals()]
    assert sum(totals_ms(every, 1000, now).values()) == now - 1000
