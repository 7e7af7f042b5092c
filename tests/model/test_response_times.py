"""Histograms of response times: every time in its bucket, and no more room than that."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.model.response_times import BUCKETS_S, WINDOW, ResponseTimes

times = st.lists(st.floats(0, 20) | st.sampled_from(BUCKETS_S), max_size=60)


@given(times)
def test_every_time_is_in_the_bucket_of_its_bound(seconds: list[float]) -> None:
    found = ResponseTimes()
    for one in seconds:
        found.add(one)
    below = [sum(one <= bound for one in seconds) for bound in BUCKETS_S]
    assert [sum(found.counts[: place + 1]) for place in range(len(BUCKETS_S))] == below
    assert found.count == len(seconds)
    assert abs(found.sum_s - sum(seconds)) < 1e-6


def test_percentiles_are_of_the_latest_and_the_room_is_bounded() -> None:
    found = ResponseTimes()
    assert found.quantile(0.5) is None
    for _ in range(10 * WINDOW):
        found.add(5.0)
    size = sys.getsizeof(found._latest)
    for number in range(WINDOW):
        found.add(number / WINDOW)
    assert found.quantile(0.5) == 0.5
    assert found.quantile(1.0) == (WINDOW - 1) / WINDOW
    assert (len(found._latest), sys.getsizeof(found._latest)) == (WINDOW, size)
