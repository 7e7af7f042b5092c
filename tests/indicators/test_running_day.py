"""The running day: at any moment what the whole history would give, over midnight and late data."""

from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.indicators.accounts import Timeline
from edge_agent.indicators.periods import HOUR_MS
from edge_agent.indicators.running_day import RunningDay
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.columns import Columns
from edge_agent.states.tracker import Current, Interval

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = 1_795_305_600_000 - 8 * HOUR_MS
"""The beginning of 22 November 2026 in Shanghai."""
RUNNING = StateWithCause(MachineState.RUNNING)
IDLE = StateWithCause(MachineState.IDLE)
UNHEARD = unknown(UnknownCause.UNREACHABLE)

lives = st.lists(
    st.tuples(st.integers(1, 9 * HOUR_MS), st.sampled_from([RUNNING, IDLE, UNHEARD])), min_size=2, max_size=30
)


def life(begin_ms: int, parts: list[tuple[int, StateWithCause]]) -> list[Interval]:
    """Intervals of M that follow each other, the last without an end."""
    found, start = [], begin_ms
    for ms, state in parts:
        found.append(Interval("M", start, start + ms, state))
        start += ms
    last = found[-1]
    return [*found[:-1], Interval("M", last.start_ms, None, last.state)]


@given(lives, st.integers(-30 * HOUR_MS, 5 * HOUR_MS), st.integers(0, 5 * HOUR_MS), st.data())
def test_at_any_moment_it_is_what_the_history_gives(
    parts: list[tuple[int, StateWithCause]], begin: int, more_ms: int, data: st.DataObject
) -> None:
    intervals = life(MIDNIGHT + begin, parts)
    timeline = Timeline.of(intervals)
    # The agent comes up after some of it, which it finds in the history.
    restarted = data.draw(st.integers(0, len(intervals) - 1))
    since = intervals[restarted].start_ms
    today = RunningDay(SHANGHAI, since)
    today.count("M", Columns.of(intervals[:restarted]), since)
    for ended, begun in pairwise(intervals[restarted:]):
        today.ended(ended)
        now = begun.start_ms + more_ms
        assert ended.end_ms == begun.start_ms
        account = today.account("M", Current(begun.state, begun.start_ms, None), begun.start_ms)
        assert account == timeline.total(today.from_ms, begun.start_ms)
    last = intervals[-1]
    now = last.start_ms + more_ms
    account = today.account("M", Current(last.state, last.start_ms, None), now)
    assert account == timeline.total(today.from_ms, now)
    assert account.total_ms == now - today.from_ms


def test_late_data_is_counted_and_what_ended_meanwhile_stays() -> None:
    eight = MIDNIGHT + 8 * HOUR_MS
    today = RunningDay(SHANGHAI, eight)
    today.count("M", Columns.of([]), MIDNIGHT)
    today.ended(Interval("M", MIDNIGHT, eight, UNHEARD))
    before = today.closed("M")
    filled = Columns.of([Interval("M", MIDNIGHT, eight, RUNNING)])
    today.ended(Interval("M", eight, eight + HOUR_MS, IDLE))
    today.recount("M", before, filled, eight)
    account = today.account("M", Current(RUNNING, eight + HOUR_MS, None), eight + 3 * HOUR_MS)
    assert account.times == {RUNNING: 10 * HOUR_MS, IDLE: HOUR_MS}


def test_a_machine_that_does_the_same_for_days_has_today_alone() -> None:
    today = RunningDay(SHANGHAI, MIDNIGHT)
    current = Current(RUNNING, MIDNIGHT - 50 * HOUR_MS, None)
    assert today.account("M", current, MIDNIGHT + HOUR_MS).times == {RUNNING: HOUR_MS}
    assert today.account("M", current, MIDNIGHT + 25 * HOUR_MS).times == {RUNNING: HOUR_MS}
    assert today.from_ms == MIDNIGHT + 24 * HOUR_MS
