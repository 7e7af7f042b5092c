from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_agent.model.batch import Batch, Value
from edge_agent.model.options import CounterOptions, EquipmentOptions, TagOptions
from edge_agent.model.quality import Quality, bad, uncertain
from edge_agent.states.counters import (
    LAYOUTS_KEPT,
    LIMIT,
    NOT_A_COUNTER,
    Count,
    CounterRow,
    Counters,
    Number,
    advanced,
)

MODULUS = 65536


def totals(values: Sequence[Number], modulus: Number | None) -> tuple[list[Number], int]:
    """The total after each value, and how many resets were seen."""
    count: Count | None = None
    resets = 0
    found = []
    for value in values:
        count, was_reset = advanced(count, value, modulus)
        resets += was_reset
        found.append(count.total)
    return found, resets


moduli = st.sampled_from([None, 2, 10, 100, 256, MODULUS, 2**32, 6553.6])
shown = st.integers(-(2**15), 2**32) | st.floats(-1e9, 1e9)


@given(st.lists(shown), moduli)
def test_a_total_never_decreases(values: list[Number], modulus: Number | None) -> None:
    found, _ = totals(values, modulus)
    assert found == sorted(found)
    assert found[:1] in ([], [0]), "counting begins when the counter is first seen"


@given(st.data(), st.integers(2, 2**32), st.integers(0, 2**32))
def test_a_counter_that_runs_over_loses_nothing(data: st.DataObject, modulus: int, first: int) -> None:
    steps = data.draw(st.lists(st.integers(0, (modulus - 1) // 2)))
    true = [sum(steps[:n]) for n in range(len(steps) + 1)]
    found, resets = totals([(first + parts) % modulus for parts in true], modulus)
    assert found == true
    assert resets == 0


@given(
    st.lists(st.lists(st.integers(0, 1000), min_size=1), min_size=1), st.sampled_from([None, 2**20, 2**32])
)
def test_a_reset_costs_only_what_nobody_saw(shifts: list[list[int]], modulus: int | None) -> None:
    """Each shift begins at 0, and counts some parts before the first reading and between the others."""
    assume(modulus is None or all(2 * sum(shift) < modulus for shift in shifts))
    values = [sum(shift[: n + 1]) for shift in shifts for n in range(len(shift))]
    found, resets = totals(values, modulus)
    seen = seen_back = 0
    for before, after in pairwise(values):
        seen += after - before if after >= before else after
        seen_back += after < before
    assert found[-1] == seen
    assert resets == seen_back


@pytest.mark.parametrize(
    ("before", "after", "modulus", "step", "was_reset"),
    [
        (65535, 0, MODULUS, 1, False),
        (65530, 5, MODULUS, 11, False),
        (30000, 7, MODULUS, 7, True),
        (0, 32767, MODULUS, 32767, False),
        (0, 32768, MODULUS, 32768, True),
        (32767, -32768, MODULUS, 1, False),
        (500, -20, None, 0, True),
        (500, 0, None, 0, True),
        (500, 500, None, 0, False),
        (6553.5, 0.25, 6553.75, 0.5, False),
    ],
)
def test_steps_at_the_border(
    before: Number, after: Number, modulus: Number | None, step: Number, was_reset: bool
) -> None:
    assert advanced(Count(before, 100), after, modulus) == (Count(after, 100 + step), was_reset)


class Recorder:
    """Equipment A counts `parts` (16 bits) and `strokes`, and has `power` beside; B has no counter."""

    def __init__(self, known: Sequence[CounterRow] = ()) -> None:
        self.resets: list[tuple[str, str, Number, Number]] = []
        a = EquipmentOptions(
            id="A",
            tags=(
                TagOptions(id="power"),
                TagOptions(id="parts", counter=CounterOptions(modulus=MODULUS)),
                TagOptions(id="strokes", counter=CounterOptions()),
            ),
        )
        b = EquipmentOptions(id="B", tags=(TagOptions(id="parts"),))
        self.counters = Counters([a, b], known, self.told)

    def told(self, equipment: str, tag: str, before: Number, after: Number) -> None:
        self.resets.append((equipment, tag, before, after))

    def total(self, value: Value, flaw: Quality | None = None) -> tuple[Value, Quality | None]:
        """Total of a reading of `strokes`, and its flaw."""
        flaws = {} if flaw is None else {0: flaw}
        batch = self.counters.batch(Batch("A", 1, ("strokes",), (value,), flaws))
        assert batch.tags == ("strokes", "strokes_total")
        return batch.values[1], batch.flaws.get(1)


def test_totals_stand_behind_the_readings_with_their_times() -> None:
    counters = Recorder().counters
    tags = ("strokes", "power", "parts", "parts")
    counters.batch(Batch("A", 5, tags, (10, True, 65000, 65100)))
    batch = counters.batch(Batch("A", 7, tags, [14, None, 65535, 3], {1: bad("gone")}, [1, None, 3, 4]))
    assert batch == Batch(
        "A",
        7,
        (*tags, "strokes_total", "parts_total", "parts_total"),
        [14, None, 65535, 3, 4, 535, 539],
        {1: bad("gone")},
        [1, None, 3, 4, 1, 3, 4],
    )


def test_a_batch_without_counters_is_the_same_object() -> None:
    counters = Recorder().counters
    for batch in (Batch("B", 1, ("parts",), (1,)), Batch("A", 1, ("power",), (1,)), Batch("A", 1, (), ())):
        assert counters.batch(batch) is batch


def test_batches_of_the_same_tags_have_the_same_tags_object() -> None:
    counters = Recorder().counters
    fast, slow = ("parts", "power"), ("strokes",)
    first = [counters.batch(Batch("A", 1, tags, [1] * len(tags))).tags for tags in (fast, slow)]
    second = [counters.batch(Batch("A", 2, tags, [2] * len(tags))).tags for tags in (fast, slow)]
    assert first[0] is second[0]
    assert first[1] is second[1]


def test_tags_that_are_new_each_time_are_told_apart() -> None:
    counters = Recorder().counters
    for number in range(3 * LAYOUTS_KEPT):
        tags = ["power"] * number + ["strokes"]
        batch = counters.batch(Batch("A", number, tags, [number] * len(tags)))
        assert batch.tags == (*tags, "strokes_total")
        assert batch.values[-1] == number


def test_a_bad_reading_counts_nothing_and_has_a_total_without_value() -> None:
    r = Recorder()
    assert r.total(10) == (0, None)
    assert r.total(None, bad("gone")) == (None, bad("gone"))
    assert r.total(0, bad("sensor")) == (None, bad("sensor"))
    assert r.total(12, uncertain("old")) == (2, uncertain("old"))
    assert r.total(13) == (3, None)
    assert r.resets == []


@pytest.mark.parametrize("value", ["13", True, None, [13], 2 * LIMIT, -2.0 * LIMIT])
def test_what_is_no_number_is_no_counter(value: Value) -> None:
    r = Recorder()
    assert r.total(10) == (0, None)
    assert r.total(value) == (None, NOT_A_COUNTER)
    assert r.total(value, uncertain("old")) == (None, NOT_A_COUNTER)
    assert r.total(12) == (2, None)


def test_a_total_out_of_all_proportion_is_none() -> None:
    r = Recorder([("A", "strokes", 10, LIMIT - 5)])
    assert r.total(15) == (LIMIT, None)
    assert r.total(16) == (None, NOT_A_COUNTER)
    assert r.total(3) == (None, NOT_A_COUNTER)
    assert r.resets == []


def test_integers_stay_integers() -> None:
    counters = Recorder().counters
    counters.batch(Batch("A", 1, ("parts",), (65535,)))
    total = counters.batch(Batch("A", 1, ("parts",), (2,))).values[1]
    assert total == 3
    assert isinstance(total, int)


def test_a_reset_is_told_and_urgent() -> None:
    r = Recorder()
    assert not r.counters.urgent
    r.total(10)
    assert r.counters.urgent, "what is first seen now must not be first seen again"
    assert r.counters.take_changed() == [("A", "strokes", 10, 0)]
    r.total(15)
    assert not r.counters.urgent
    r.total(3)
    assert r.counters.urgent
    assert r.resets == [("A", "strokes", 15, 3)]
    assert r.counters.take_changed() == [("A", "strokes", 3, 8)]
    assert not r.counters.urgent


def test_what_changed_is_taken_once_unless_it_was_not_kept() -> None:
    r = Recorder()
    r.total(10)
    rows = r.counters.take_changed()
    r.total(10)
    assert r.counters.take_changed() == []
    r.counters.not_kept(rows)
    r.total(11)
    assert r.counters.take_changed() == [("A", "strokes", 11, 1)]
    assert r.counters.take_changed() == []


def test_totals_go_on_where_they_were() -> None:
    known = [("A", "strokes", 10, 500), ("A", "power", 1, 1), ("GONE", "parts", 1, 1)]
    r = Recorder(known)
    assert r.total(12) == (502, None)
    assert r.counters.take_changed() == [("A", "strokes", 12, 502)]
