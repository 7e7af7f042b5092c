"""Time accounts: always sum to the period, whatever came in which order, and however it is divided."""

import itertools
import random
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.indicators.accounts import Account, AlarmCause, Timeline
from edge_agent.indicators.periods import HOUR_MS, PeriodKind, midnight_ms, period_at, periods
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.history import GATEWAY_DOWN
from edge_agent.states.tracker import Interval, totals_ms

RUNNING = StateWithCause(MachineState.RUNNING)
IDLE = StateWithCause(MachineState.IDLE)
DOOR = StateWithCause(MachineState.ALARM, "door open")
TOOL = StateWithCause(MachineState.ALARM, "tool broken")
OFF = StateWithCause(MachineState.OFF)
TIMEOUT = unknown(UnknownCause.TIMEOUT)
CLOCK_STEP = unknown(UnknownCause.CLOCK_STEP)
STATES = (RUNNING, IDLE, DOOR, TOOL, OFF, TIMEOUT, CLOCK_STEP, GATEWAY_DOWN)

MINUTE = 60_000
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
APART = ZoneInfo("Australia/Lord_Howe")
"""Its clocks are set by half an hour."""


def ms(text: str, zone: ZoneInfo) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@st.composite
def lives(draw: st.DrawFn) -> list[Interval]:
    """What a machine did: intervals in order with gaps now and then, the last perhaps still open."""
    time = draw(st.integers(-5, 200))
    found = []
    for state in draw(st.lists(st.sampled_from(STATES), max_size=20)):
        time += draw(st.sampled_from((0, 0, 0, 1, 30)))
        end = time + draw(st.integers(0, 50))
        found.append(Interval("M", time, end, state))
        time = end
    if draw(st.booleans()) and found:
        found[-1] = Interval("M", found[-1].start_ms, None, found[-1].state)
    return found


def by_hand(life: Sequence[Interval], from_ms: int, to_ms: int) -> dict[StateWithCause, int]:
    """The account worked out millisecond by millisecond."""
    counts: dict[StateWithCause, int] = {}
    for time in range(from_ms, to_ms):
        state = GATEWAY_DOWN
        for interval in life:
            if interval.start_ms <= time and (interval.end_ms is None or time < interval.end_ms):
                state = interval.state
        counts[state] = counts.get(state, 0) + 1
    return counts


@given(lives(), st.integers(-50, 300), st.integers(0, 300))
def test_an_account_is_right_to_the_millisecond_and_sums_to_the_period(
    life: list[Interval], from_ms: int, length: int
) -> None:
    account = Timeline.of(life).total(from_ms, from_ms + length)
    assert account.times == by_hand(life, from_ms, from_ms + length)
    assert account.total_ms == length


@given(lives(), st.lists(st.integers(-50, 500), min_size=2, max_size=12).map(sorted))
def test_parts_add_up_to_the_whole(life: list[Interval], edges: list[int]) -> None:
    timeline = Timeline.of(life)
    parts = timeline.between(edges)
    assert [part.total_ms for part in parts] == [b - a for a, b in itertools.pairwise(edges)]
    assert Account.pooled(parts) == timeline.total(edges[0], edges[-1])
    windows = list(itertools.pairwise(edges))[::2]
    assert timeline.within(windows) == parts[::2]
    failures = [timeline.failures(a, b) for a, b in itertools.pairwise(edges)]
    assert sum(failures) == timeline.failures(edges[0], edges[-1])


@given(lives(), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(life: list[Interval], chance: random.Random) -> None:
    shuffled = [*life]
    # What was written while an interval was open may come along with the interval that has ended.
    shuffled += [Interval(i.equipment, i.start_ms, None, i.state) for i in life if i.end_ms != i.start_ms]
    chance.shuffle(shuffled)
    assert Timeline.of(shuffled).between([-9, 0, 100, 999]) == Timeline.of(life).between([-9, 0, 100, 999])


@given(lives())
def test_a_timeline_says_the_same_as_the_tracker(life: list[Interval]) -> None:
    account = Timeline.of(life).total(0, 400)
    told = dict(totals_ms(life, 0, 400))
    missing = 400 - sum(told.values())
    if missing:
        told[GATEWAY_DOWN] = told.get(GATEWAY_DOWN, 0) + missing
    assert account.times == told


def test_intervals_that_overlap_all_the_same_never_count_time_twice() -> None:
    timeline = Timeline.of([Interval("M", 0, 100, RUNNING), Interval("M", 40, 60, IDLE)])
    assert timeline.total(0, 100).times == {RUNNING: 40, IDLE: 20, GATEWAY_DOWN: 40}


def test_time_without_any_interval_is_unknown() -> None:
    assert Timeline.of([]).total(0, HOUR_MS).times == {GATEWAY_DOWN: HOUR_MS}
    assert Timeline.of([]).total(5, 5).times == {}
    assert Timeline.of([]).within([]) == []


def test_late_data_takes_the_place_of_what_was_unknown() -> None:
    known = [Interval("M", 0, 10, RUNNING), Interval("M", 10, 30, TIMEOUT), Interval("M", 30, None, IDLE)]
    late = [known[0], Interval("M", 10, 25, RUNNING), Interval("M", 25, 30, TIMEOUT), known[2]]
    before, after = Timeline.of(known).total(0, 40), Timeline.of(late).total(0, 40)
    assert before.times == {RUNNING: 10, TIMEOUT: 20, IDLE: 10}
    assert after.times == {RUNNING: 25, TIMEOUT: 5, IDLE: 10}


def test_a_clock_step_of_two_years_is_unknown_and_nothing_else() -> None:
    two_years = 2 * 365 * 24 * HOUR_MS
    life = [
        Interval("M", 0, 1000, RUNNING),
        Interval("M", 1000, 1000 + two_years, CLOCK_STEP),
        Interval("M", 1000 + two_years, None, RUNNING),
    ]
    account = Timeline.of(life).total(0, 2000 + two_years)
    assert account.times == {RUNNING: 2000, CLOCK_STEP: two_years}


def test_edges_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        Timeline.of([]).total(10, 9)


LIFE = [
    Interval("M", 0 * MINUTE, 10 * MINUTE, RUNNING),
    Interval("M", 10 * MINUTE, 12 * MINUTE, DOOR),
    Interval("M", 12 * MINUTE, 13 * MINUTE, TOOL),  # the alarm goes on for another reason: one failure
    Interval("M", 13 * MINUTE, 20 * MINUTE, RUNNING),
    Interval("M", 20 * MINUTE, 25 * MINUTE, DOOR),
    Interval("M", 25 * MINUTE, 30 * MINUTE, TIMEOUT),
    Interval("M", 30 * MINUTE, 31 * MINUTE, DOOR),  # as far as anybody knows still the same failure
    Interval("M", 31 * MINUTE, 50 * MINUTE, RUNNING),
    Interval("M", 50 * MINUTE, None, DOOR),
]


def test_failures_are_counted_when_they_begin() -> None:
    timeline = Timeline.of(LIFE)
    assert timeline.failures(0, 60 * MINUTE) == 3
    assert [timeline.failures(m * MINUTE, (m + 10) * MINUTE) for m in range(0, 60, 10)] == [0, 1, 1, 0, 0, 1]


def test_the_pareto_has_counts_and_times_of_each_cause() -> None:
    timeline = Timeline.of(LIFE)
    assert timeline.alarms(0, 60 * MINUTE) == [
        AlarmCause("door open", 3, 18 * MINUTE),
        AlarmCause("tool broken", 1, 1 * MINUTE),
    ]
    # Begun before the period, and standing in it: time, and no occurrence.
    assert timeline.alarms(22 * MINUTE, 40 * MINUTE) == [AlarmCause("door open", 0, 4 * MINUTE)]


def alarms_by_hand(life: Sequence[Interval], from_ms: int, to_ms: int) -> tuple[int, dict[str, list[int]]]:
    """Failures, and for each cause how often it began and how long it stood, looking millisecond by
    millisecond."""
    failures, causes = 0, dict[str, list[int]]()
    known = None
    for time in range(-60, to_ms):
        state = GATEWAY_DOWN
        for interval in life:
            if interval.start_ms <= time and (interval.end_ms is None or time < interval.end_ms):
                state = interval.state
        if state.state is MachineState.UNKNOWN:
            continue
        if time >= from_ms and state.state is MachineState.ALARM:
            line = causes.setdefault(state.cause, [0, 0])
            line[0] += state != known
            line[1] += 1
            failures += known is None or known.state is not MachineState.ALARM
        known = state
    return failures, causes


@given(lives(), st.integers(-50, 300), st.integers(0, 300))
def test_failures_and_the_pareto_are_right(life: list[Interval], from_ms: int, length: int) -> None:
    timeline = Timeline.of(life)
    failures, causes = alarms_by_hand(life, from_ms, from_ms + length)
    assert timeline.failures(from_ms, from_ms + length) == failures
    found = timeline.alarms(from_ms, from_ms + length)
    assert {line.cause: [line.count, line.ms] for line in found} == causes
    assert [line.ms for line in found] == sorted((line.ms for line in found), reverse=True)


@given(lives(), st.lists(st.integers(-50, 500), min_size=2, max_size=12).map(sorted))
def test_planned_time_is_counted_with_the_whole(life: list[Interval], edges: list[int]) -> None:
    timeline = Timeline.of(life)
    windows = list(itertools.pairwise(edges))[1:-1:2]
    whole, within = timeline.whole_and_within(edges[0], edges[-1], windows)
    assert whole == timeline.total(edges[0], edges[-1])
    assert within == Account.pooled(timeline.within(windows))


def test_a_long_life_is_added_up_in_parts() -> None:
    chance = random.Random(5)  # noqa: S311 - a story, not a secret
    starts = sorted(chance.sample(range(100 * HOUR_MS), 20_000))
    life = [
        Interval("M", start, end, chance.choice(STATES[:-1])) for start, end in itertools.pairwise(starts)
    ]
    edges = [starts[0], *sorted(chance.sample(range(starts[0], starts[-1]), 300)), starts[-1]]
    accounts = Timeline.of(life).between(edges)
    assert [account.times for account in accounts] == [totals_ms(life, *p) for p in itertools.pairwise(edges)]
    assert accounts[0].total_ms == edges[1] - edges[0]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (SHANGHAI, date(2026, 10, 1), 24),
        (BERLIN, date(2026, 3, 29), 23),
        (BERLIN, date(2026, 10, 25), 25),
        (APART, date(2026, 4, 5), 24.5),
        (APART, date(2026, 10, 4), 23.5),
    ],
)
def test_days_are_as_long_as_they_are_and_divided_into_hours(zone: ZoneInfo, day: date, hours: float) -> None:
    begin = midnight_ms(day, zone)
    whole = period_at(PeriodKind.DAY, begin + HOUR_MS, zone)
    assert (whole.from_ms, whole.to_ms - whole.from_ms) == (begin, hours * HOUR_MS)
    parts = list(periods(PeriodKind.HOUR, whole.from_ms, whole.to_ms, zone))
    edges = [whole.from_ms, *(part.to_ms for part in parts)]
    assert edges[-1] == whole.to_ms
    assert all(part.to_ms - part.from_ms == HOUR_MS for part in parts[:-1])
    timeline = Timeline.of([Interval("M", begin - 5, begin + 3 * HOUR_MS + 7, RUNNING)])
    accounts = timeline.between(edges)
    assert Account.pooled(accounts) == timeline.total(whole.from_ms, whole.to_ms)
    assert [a.of(MachineState.RUNNING) for a in accounts[:5]] == [HOUR_MS, HOUR_MS, HOUR_MS, 7, 0]


def test_a_day_begins_at_the_sites_midnight() -> None:
    period = period_at(PeriodKind.DAY, ms("2026-11-22T00:00", SHANGHAI), SHANGHAI)
    assert period.from_ms == ms("2026-11-21T16:00", ZoneInfo("UTC"))
    assert period_at(PeriodKind.DAY, period.from_ms - 1, SHANGHAI).to_ms == period.from_ms


def test_months_follow_each_other() -> None:
    begin, end = ms("2026-01-01T00:00", BERLIN), ms("2027-01-01T00:00", BERLIN)
    months = list(periods(PeriodKind.MONTH, begin, end, BERLIN))
    assert [m.from_ms for m in months] == [ms(f"2026-{m:02}-01T00:00", BERLIN) for m in range(1, 13)]
    assert months[-1].to_ms == end


@given(
    st.sampled_from((SHANGHAI, BERLIN, APART)),
    st.sampled_from(PeriodKind),
    st.integers(0, 1_900_000_000_000),
)
def test_every_moment_is_in_one_period_of_each_kind(zone: ZoneInfo, kind: PeriodKind, time_ms: int) -> None:
    period = period_at(kind, time_ms, zone)
    assert period.from_ms <= time_ms < period.to_ms
    assert period_at(kind, period.to_ms, zone).from_ms == period.to_ms
    assert period_at(kind, period.from_ms - 1, zone).to_ms == period.from_ms
