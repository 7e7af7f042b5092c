import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.acquisition import evidence as module
from edge_agent.acquisition.evidence import Evidence, EvidenceHour
from edge_agent.model.minutes import HOUR_MS

BEGIN = 500_000 * HOUR_MS
HOURS = 744
"""Of the longest month."""
times = st.integers(BEGIN - 2 * HOUR_MS, BEGIN + 2 * HOUR_MS)
hours = st.integers(-2, 2).map(lambda n: BEGIN + n * HOUR_MS)
minutes = st.integers(0, 2**60 - 1)


@dataclass
class Plain:
    """The same as Evidence, as simple as can be."""

    hours: dict[int, EvidenceHour] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)

    def _change(self, hour_ms: int, good: int, last_good_ms: int | None, bits: int, before_ms: int) -> None:
        old = self.hours.get(hour_ms, EvidenceHour("A", hour_ms, 0, before_ms))
        self.hours[hour_ms] = EvidenceHour(
            "A",
            hour_ms,
            old.good_readings + good,
            old.last_good_ms if last_good_ms is None else last_good_ms,
            old.minutes | bits,
        )
        self.changed.add(hour_ms)

    def add(self, good: int, time_ms: int) -> None:
        self._change(time_ms // HOUR_MS * HOUR_MS, good, time_ms, 0, time_ms)

    def prove(self, hour_ms: int, bits: int, last_good_ms: int) -> None:
        self._change(hour_ms, 0, None, bits, last_good_ms)

    def take_changed(self, since_ms: int) -> set[EvidenceHour]:
        changed = {self.hours[hour_ms] for hour_ms in self.changed}
        self.changed.clear()
        self.hours = {ms: hour for ms, hour in self.hours.items() if ms + HOUR_MS > since_ms}
        return changed


Step = Callable[[Evidence, Plain], None]


def adds(good: int, time_ms: int) -> Step:
    def step(evidence: Evidence, plain: Plain) -> None:
        evidence.add(good, time_ms)
        plain.add(good, time_ms)

    return step


def proves(hour_ms: int, bits: int, last_good_ms: int) -> Step:
    def step(evidence: Evidence, plain: Plain) -> None:
        evidence.prove(hour_ms, bits, last_good_ms)
        plain.prove(hour_ms, bits, last_good_ms)

    return step


def takes(since_ms: int) -> Step:
    def step(evidence: Evidence, plain: Plain) -> None:
        changed = evidence.take_changed("A", since_ms)
        assert len(changed) == len(set(changed)), "each once"
        assert set(changed) == plain.take_changed(since_ms)

    return step


steps = st.one_of(
    st.builds(adds, st.integers(0, 100), times),
    st.builds(proves, hours, minutes, times),
    st.builds(takes, times),
)


@given(st.lists(steps), times, st.dictionaries(hours, minutes))
def test_hours_in_columns_say_what_plain_ones_do(
    done: list[Step], from_ms: int, planned: dict[int, int]
) -> None:
    """Whatever the clock does: it may go back, and stay there."""
    evidence, plain = Evidence(), Plain()
    for step in done:
        step(evidence, plain)
    kept = plain.hours.values()
    again = Evidence.of(kept).get("A", Evidence())
    assert again.take_changed("A", 0) == [], "what is on record need not be written"
    for one in (evidence, again):
        assert one.good_readings(from_ms) == sum(
            hour.good_readings for hour in kept if hour.last_good_ms >= from_ms
        )
        assert one.proved_minutes(planned) == sum(
            (hour.minutes & planned.get(hour.hour_ms, 0)).bit_count() for hour in kept
        )
        assert one.last_good_ms() == max((hour.last_good_ms for hour in kept), default=None)


def lived_through(machine: int) -> Evidence:
    """A month in which hours are counted, kept and forgotten."""
    evidence = Evidence()
    for hour in range(HOURS + 100):
        now_ms = BEGIN + hour * HOUR_MS
        evidence.add(180_000 + machine, now_ms + 3_599_000)
        evidence.prove(now_ms, 2**60 - 1, now_ms)
        evidence.take_changed("A", now_ms - HOURS * HOUR_MS)
    return evidence


def test_a_month_of_a_hundred_machines_is_less_than_2_mb() -> None:
    tracemalloc.start()
    try:
        machines = [lived_through(machine) for machine in range(5)]
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    # Other threads of the process take memory, too.
    own = [tracemalloc.Filter(True, file) for file in (module.__file__, __file__)]
    taken = sum(one.size for one in snapshot.filter_traces(own).statistics("filename"))
    assert taken > 10_000 * len(machines), "it was looked at"
    assert all(one.good_readings(0) > 180_000 * HOURS for one in machines), "it is all there"
    assert taken * 100 / len(machines) < 2e6


def test_evidence_of_several_machines_is_taken_up_in_any_order() -> None:
    later, earlier, other = (
        EvidenceHour("A", BEGIN + HOUR_MS, 5, BEGIN + HOUR_MS + 7, 0b1),
        EvidenceHour("A", BEGIN, 3, BEGIN + 9, 0b10),
        EvidenceHour("B", BEGIN, 1, BEGIN + 2),
    )
    found = Evidence.of([later, other, earlier])
    assert found.keys() == {"A", "B"}
    assert (found["A"].good_readings(0), found["A"].last_good_ms()) == (8, BEGIN + HOUR_MS + 7)
    assert found["A"].proved_minutes({BEGIN: 0b11}) == 1
    assert found["B"].good_readings(0) == 1
