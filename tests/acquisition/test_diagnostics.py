"""Limits over diagnostics: told once when crossed, once when back, and never for a single lost request."""

from edge_agent.acquisition.diagnostics import (
    ENOUGH_REQUESTS,
    FAILED_SHARE,
    FAILED_SHARE_LIMIT,
    Crossing,
    LimitWatch,
)
from edge_agent.driver import ANSWERS, REQUESTS, RESPONSE_P99, Diagnostic


class Counting:
    """A connection with a period of 1 s, of which the units' requests and answers are counted up."""

    def __init__(self) -> None:
        self.watch = LimitWatch(1.0)
        self.counts: dict[str, list[int]] = {}

    def minute(self, requests: int, failed: int, unit: str = "unit 1") -> list[str]:
        """What is told after a minute with so many more requests."""
        counts = self.counts.setdefault(unit, [0, 0])
        counts[0] += requests
        counts[1] += requests - failed
        figures = [Diagnostic("", "bytes_in", 5, "By")]
        for subject, (asked, answered) in self.counts.items():
            figures += [Diagnostic(subject, REQUESTS, asked), Diagnostic(subject, ANSWERS, answered)]
        return [str(crossing) for crossing in self.watch.look(figures)]


OVER = "unit 1: failed_share is {}, over 0.1"
BACK = "unit 1: failed_share is {}, back within 0.1"


def test_a_limit_is_told_once_and_that_it_is_over_once() -> None:
    c = Counting()
    assert c.minute(60, 0) == []
    assert c.minute(60, 6) == [], "a tenth is not over a tenth"
    assert c.minute(60, 15) == [OVER.format(0.25)]
    assert c.minute(60, 60) == []
    assert c.minute(60, 15) == []
    assert c.minute(60, 0) == [BACK.format(0)]
    assert c.minute(60, 0) == []
    assert c.minute(60, 30) == [OVER.format(0.5)]


def test_what_goes_back_and_forth_about_the_limit_is_told_once() -> None:
    c = Counting()
    told = [line for failed in (7, 5, 7, 6, 7, 5, 7) for line in c.minute(60, failed)]
    assert told == [OVER.format("0.117")]
    assert c.minute(60, 4) == [BACK.format("0.0667")]


def test_only_the_last_minute_counts() -> None:
    c = Counting()
    assert c.minute(100_000, 0) == []
    assert c.minute(60, 30) == [OVER.format(0.5)]


def test_units_are_judged_each_for_itself() -> None:
    c = Counting()
    c.minute(60, 0, "unit 2")
    assert c.minute(60, 60) == [OVER.format(1)]
    assert c.minute(60, 60, "unit 2") == ["unit 2: failed_share is 1, over 0.1"]
    assert c.minute(60, 0, "unit 2") == ["unit 2: failed_share is 0, back within 0.1"]


def test_a_request_on_its_way_is_no_failure() -> None:
    c = Counting()
    for _ in range(20):
        assert c.minute(1, 1) == []
        assert c.minute(1, -1) == [], "the answer has come meanwhile"


def test_a_unit_that_is_seldom_asked_is_judged_over_more_than_a_minute() -> None:
    c = Counting()
    assert c.minute(1, 0) == []
    assert c.minute(1, 1) == [], "one failure proves nothing"
    assert c.minute(1, 1) == [OVER.format(1)]
    assert c.minute(1, 1) == []
    assert c.minute(0, 0) == [], "parked: nothing new"
    assert c.minute(1, 0) == [], "one of two did not answer"
    told = [line for _ in range(ENOUGH_REQUESTS) for line in c.minute(1, 0)]
    assert told == [BACK.format(0)]


def test_one_failure_of_enough_requests_counts() -> None:
    c = Counting()
    for _ in range(ENOUGH_REQUESTS - 1):
        assert c.minute(1, 0) == []
    assert c.minute(ENOUGH_REQUESTS - 1, 1) == []
    assert c.minute(1, 0) == [], "1 of 10 is a tenth"


def test_a_dead_unit_that_is_parked_stays_over_its_limit() -> None:
    """It is asked once a minute at last, and whatever was answered before its end is long ago."""
    c = Counting()
    told = [c.minute(60, 0), c.minute(60, 5), c.minute(3, 3), *(c.minute(1, 1) for _ in range(30))]
    assert [line for lines in told for line in lines] == [OVER.format(1)]
    assert c.minute(60, 0) == [BACK.format(0)]


def response(watch: LimitWatch, milliseconds: float, subject: str = "unit 1") -> list[Crossing]:
    return watch.look([Diagnostic(subject, RESPONSE_P99, milliseconds, "ms")])


def test_slow_answers_are_told_against_the_period() -> None:
    watch = LimitWatch(0.2)
    assert response(watch, 100) == []
    assert response(watch, 120) == [Crossing("unit 1", RESPONSE_P99, 120, 100, True)]
    assert response(watch, 90) == []
    assert response(watch, 120) == []
    assert response(watch, 80) == [Crossing("unit 1", RESPONSE_P99, 80, 100, False)]


def test_the_connection_itself_may_be_the_subject() -> None:
    watch = LimitWatch(1.0)
    figures = [Diagnostic("", REQUESTS, 60), Diagnostic("", ANSWERS, 0)]
    assert watch.look(figures) == [Crossing("", FAILED_SHARE, 1.0, FAILED_SHARE_LIMIT, True)]
    assert str(response(watch, 501, "")[0]) == "response_p99 is 501, over 500"


def test_figures_that_nobody_knows_are_left_alone() -> None:
    watch = LimitWatch(1.0)
    assert watch.look([Diagnostic("", "whatever", 1e9), Diagnostic("", REQUESTS, 1e9)]) == []
    assert watch.look([]) == []
