from hypothesis import given
from hypothesis import strategies as st

from edge_agent.model.minutes import HOUR_MS, MINUTE_MS, count, count_common, minutes_of, whole_minutes

BEGIN = 500_000 * HOUR_MS
times = st.integers(BEGIN - 3 * HOUR_MS, BEGIN + 3 * HOUR_MS)


def as_set(minutes: dict[int, int]) -> set[int]:
    """Each minute by itself, counted from 1970."""
    return {hour // MINUTE_MS + n for hour, bits in minutes.items() for n in range(60) if bits >> n & 1}


def test_by_hand() -> None:
    assert dict(whole_minutes(BEGIN, BEGIN + MINUTE_MS)) == {BEGIN: 1}
    assert dict(whole_minutes(BEGIN + 1, BEGIN + 2 * MINUTE_MS)) == {BEGIN: 0b10}
    assert dict(whole_minutes(BEGIN, BEGIN + MINUTE_MS - 1)) == {}
    assert dict(whole_minutes(BEGIN - MINUTE_MS, BEGIN + MINUTE_MS)) == {BEGIN - HOUR_MS: 1 << 59, BEGIN: 1}
    assert dict(whole_minutes(BEGIN, BEGIN + HOUR_MS)) == {BEGIN: 2**60 - 1}


@given(st.lists(st.tuples(times, times), max_size=4), st.lists(st.tuples(times, times), max_size=4))
def test_minutes_are_those_within_a_window(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    def within(windows: list[tuple[int, int]]) -> set[int]:
        first, last = (BEGIN - 4 * HOUR_MS) // MINUTE_MS, (BEGIN + 4 * HOUR_MS) // MINUTE_MS
        return {
            minute
            for minute in range(first, last)
            if any(a <= minute * MINUTE_MS and (minute + 1) * MINUTE_MS <= b for a, b in windows)
        }

    minutes, others = minutes_of(one), minutes_of(other)
    assert as_set(minutes) == within(one)
    assert all(0 < bits < 2**60 for bits in minutes.values()), "it fits into a signed integer of 64 bits"
    assert count(minutes) == len(within(one))
    assert count_common(minutes, others) == count_common(others, minutes) == len(within(one) & within(other))
