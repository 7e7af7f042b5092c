"""How long answers took: a histogram with fixed buckets, and the latest times for percentiles."""

from bisect import bisect_left
from collections import deque

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; above the last one there is one bucket more."""
WINDOW = 512
"""How many of the latest times the percentiles are taken from."""


class ResponseTimes:
    """Takes as much room after a year as after a minute. Times in seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        """How many times fell into each bucket, the last for those above all bounds."""
        self.sum_s = 0.0
        self._latest: deque[float] = deque(maxlen=WINDOW)

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds
        self._latest.append(seconds)

    @property
    def count(self) -> int:
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """The time that `share` (0 to 1) of the latest kept within; None before any."""
        times = sorted(self._latest)
        return times[min(int(share * len(times)), len(times) - 1)] if times else None
