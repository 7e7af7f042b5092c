"""Limits of what a connection's diagnostics may say, looked at once a minute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.driver import ANSWERS, REQUESTS, RESPONSE_P99, Diagnostic

FAILED_SHARE = "failed_share"
"""Name of a figure worked out here: the share of the requests since the last look that were not answered."""

FAILED_SHARE_LIMIT = 0.1
RESPONSE_LIMIT = 0.5
"""As a share of the shortest period on the connection: slower, and there is no time for another try."""

BACK_TO_NORMAL = 0.8
"""Normal again is what keeps within this share of its limit, so that nothing goes back and forth over it."""

FEW_FAILED = 1
"""So many unanswered requests prove nothing by themselves: one may be on its way just now."""
ENOUGH_REQUESTS = 10


@dataclass(frozen=True, slots=True)
class Crossing:
    """The figure `name` of `subject` went over its limit, or is back."""

    subject: str
    name: str
    value: float
    limit: float
    over: bool

    def __str__(self) -> str:
        of = f"{self.subject}: " if self.subject else ""
        return f"{of}{self.name} is {self.value:.3g}, {'over' if self.over else 'back within'} {self.limit:g}"


class LimitWatch:
    """Knows which figures of one connection are over their limits, and tells each change once."""

    def __init__(self, shortest_period: float) -> None:
        """`shortest_period` of the connection's tag sets, in seconds."""
        self._response_limit_ms = 1000 * RESPONSE_LIMIT * shortest_period
        self._counted: dict[str, tuple[float, float]] = {}
        """By subject, its requests and answers up to where the figures looked at next begin."""
        self._over: set[tuple[str, str]] = set()

    def look(self, diagnostics: Sequence[Diagnostic]) -> list[Crossing]:
        """What has crossed a limit since the last look. Counts in `diagnostics` begin at 0."""
        by_subject: dict[str, dict[str, float]] = {}
        for one in diagnostics:
            by_subject.setdefault(one.subject, {})[one.name] = one.value
        crossings: list[Crossing] = []
        for subject, figures in by_subject.items():
            share = self._failed_share(subject, figures)
            if share is not None:
                crossings += self._compare(subject, FAILED_SHARE, share, FAILED_SHARE_LIMIT)
            if RESPONSE_P99 in figures:
                crossings += self._compare(
                    subject, RESPONSE_P99, figures[RESPONSE_P99], self._response_limit_ms
                )
        return crossings

    def _failed_share(self, subject: str, figures: Mapping[str, float]) -> float | None:
        """The share of requests that failed; None as long as too few were made to tell.

        A unit that is seldom asked is not judged every minute: its requests are added up until they tell.
        """
        if REQUESTS not in figures or ANSWERS not in figures:
            return None
        now = figures[REQUESTS], figures[ANSWERS]
        before = self._counted.get(subject, (0.0, 0.0))
        requests = now[0] - before[0]
        failed = max(0.0, requests - (now[1] - before[1]))
        if requests <= 0 or (0 < failed <= FEW_FAILED and requests < ENOUGH_REQUESTS):
            return None
        self._counted[subject] = now
        return failed / requests

    def _compare(self, subject: str, name: str, value: float, limit: float) -> list[Crossing]:
        key = (subject, name)
        was_over = key in self._over
        is_over = value > (limit * BACK_TO_NORMAL if was_over else limit)
        if is_over == was_over:
            return []
        (self._over.add if is_over else self._over.discard)(key)
        return [Crossing(subject, name, value, limit, is_over)]
