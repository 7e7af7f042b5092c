"""From what counters show to what was made in some windows: over kills, resets and gaps nothing is lost, and
nothing is counted twice."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.model.batch import Batch, Value
from edge_agent.model.minutes import HOUR_MS, MINUTE_MS
from edge_agent.model.options import CounterOptions, EquipmentOptions, ProductionOptions, TagOptions
from edge_agent.model.quality import bad
from edge_agent.states.counters import Counters, Number
from edge_agent.states.history import KEEP_MS, Changes, History
from edge_agent.states.produced import Produced, ProductionRecord, Window
from edge_agent.states.production import Counting, ProductionTally, Quantity
from edge_agent.states.reading import HistoryReader

LIMIT_MS = 6000
EIGHT = 1000 * HOUR_MS
TAGS = ("power", "parts", "rejects", "meter")
EQUIPMENT = EquipmentOptions(
    id="M",
    tags=(
        TagOptions(id="power"),
        TagOptions(id="parts", counter=CounterOptions(modulus=65536)),
        TagOptions(id="rejects", counter=CounterOptions()),
        TagOptions(id="meter", unit="kW.h", counter=CounterOptions()),
    ),
    production=ProductionOptions(parts="parts", rejects="rejects", energy="meter"),
)


class Chain:
    """Counters, what is made of them, and the history, as the agent has them; `kill` forgets what is not on
    disk."""

    def __init__(
        self, path: Path, equipment: EquipmentOptions = EQUIPMENT, *, tells_changes: bool = False
    ) -> None:
        self.path = path
        self.equipment = equipment
        self.tells_changes = tells_changes
        self.now_ms = EIGHT
        self.totals: dict[str, Number] = {}
        self._open()

    def _open(self) -> None:
        counting = Counting.of(self.equipment, LIMIT_MS, tells_changes=self.tells_changes)
        assert counting is not None
        self.history = History(self.path)
        self.tally = ProductionTally({"M": counting}, self.history.production_counters())
        self.counters = Counters([self.equipment], self.history.counters(), self.told_reset)

    def told_reset(self, equipment: str, tag: str, before: Number, after: Number) -> None:  # noqa: ARG002
        self.tally.reset(equipment, tag)

    def batch(self, batch: Batch) -> None:
        with_totals = self.counters.batch(batch)
        self.tally.batch(with_totals)
        for tag, value in zip(with_totals.tags, with_totals.values, strict=True):
            if tag.endswith("_total") and isinstance(value, int | float):
                self.totals[tag] = value

    def shows(self, time_ms: int, parts: Value, rejects: Value = 0, meter: Value = 0) -> None:
        """A reading of everything."""
        self.batch(Batch("M", time_ms, TAGS, (True, parts, rejects, meter)))

    def save(self, alive_ms: int = 0, *, fails: bool = False) -> None:
        counters, production = self.counters.take_changed(), self.tally.take_changed()
        if fails:
            self.counters.not_kept(counters)
            self.tally.not_kept(production)
        else:
            self.history.save(Changes(alive_ms, counters=counters, production=production))

    def kill(self) -> None:
        self.history.close()
        self._open()

    def produced(self, *windows: Window) -> Produced:
        return ProductionRecord(self.history, LIMIT_MS).produced("M", windows)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    found = Chain(tmp_path / "history.db")
    yield found
    found.history.close()


def at(minute: float) -> int:
    """So many minutes after eight."""
    return EIGHT + round(minute * MINUTE_MS)


def between(first: float, last: float) -> Window:
    return at(first), at(last)


def test_what_is_counted_belongs_to_the_minute_of_the_later_reading(chain: Chain) -> None:
    for minute, parts, rejects, meter in [
        (0.00, 100, 7, 5.000),
        (0.05, 103, 8, 5.010),
        (0.98, 103, 8, 5.010),
        (1.01, 105, 8, 5.025),
        (61.5, 105, 8, 5.025),
    ]:
        for second in range(2):  # a gap in which nothing was counted hides nothing
            chain.shows(at(minute) + second, parts, rejects, meter)
    chain.save()
    assert chain.produced(between(0, 1)) == Produced(3, 2, 10)
    assert chain.produced(between(1, 2)) == Produced(2, 2, 15)
    assert chain.produced(between(2, 60)) == Produced(0, 0, 0)
    assert chain.produced(between(0, 1), between(30, 61)) == Produced(3, 2, 10)
    assert chain.produced() == Produced(0, 0, 0)
    assert chain.produced(between(0, 61.5)).energy_kwh == 0.025


def test_what_came_in_a_gap_is_never_divided(chain: Chain) -> None:
    """Seen until 08:10 and from 08:30 on, and 7 pieces more then, 2 of them bad."""
    chain.shows(at(0), 0)
    chain.shows(at(0) + 1000, 1)
    chain.shows(at(10), 1)
    chain.tally.lost(["M", "another"])
    chain.shows(at(30), 8, 2)
    chain.save()
    assert chain.produced(between(0, 60)) == Produced(8, 6, 0, unseen_ms=at(60) - at(30) - LIMIT_MS)
    assert chain.produced(between(0, 20)) == Produced(1, 1, 0, spanning_parts=7, spanning_good=5)
    assert chain.produced(between(20, 30)) == Produced(None, None, 0, spanning_parts=7, spanning_good=5), (
        "the meter stood still, and nobody knows whether pieces were made"
    )
    assert chain.produced(between(0, 5)) == Produced(1, 1, 0)
    assert chain.produced(between(0, 20), between(20, 30.1)) == Produced(8, 6, 0), "one after the other"
    assert chain.produced(between(0, 20), between(21, 30.1)).spanning_parts == 7


def test_before_the_first_reading_and_after_the_last_nothing_is_known(chain: Chain) -> None:
    chain.shows(at(10), 5)
    chain.shows(at(10) + 1000, 6)
    chain.save()
    assert chain.produced(between(0, 10)) == Produced(unseen_ms=10 * MINUTE_MS)
    assert chain.produced(between(0, 20)) == Produced(1, 1, 0, unseen_ms=20 * MINUTE_MS - 1000 - LIMIT_MS)
    assert chain.produced(between(11, 20)).parts is None
    assert ProductionRecord(chain.history, LIMIT_MS).produced("N", [between(0, 20)]) == Produced()


def test_a_reset_counts_what_is_shown_since_and_is_told(chain: Chain) -> None:
    """The rejects are set back, and both are; the parts counter runs over by itself, which is no reset."""
    for number, (parts, rejects) in enumerate([(65530, 9), (2, 10), (3, 1), (1, 2)]):
        chain.shows(at(0.93) + 1000 * number, parts, rejects)
    chain.shows(at(1), 1, 1)
    chain.save()
    found = chain.produced(between(0, 1))
    assert (found.parts, found.good, found.resets) == (8 + 1 + 1, 10 - 1 - 1 - 1, 2)
    assert chain.produced(between(1, 1.1)) == Produced(0, -1, 0, resets=1), "found bad later"


def test_a_bad_reading_is_none(chain: Chain) -> None:
    """One that comes back in time costs nothing; after more of them it is a gap of this counter alone."""
    chain.shows(at(0), 1, 0, 1)
    chain.shows(at(0) + 2000, None, 0, 2)
    chain.shows(at(0) + 4000, 3, 0, 3)
    for second in range(6, 20, 2):
        chain.batch(Batch("M", at(0) + 1000 * second, TAGS, (True, 7, 0, 4), {1: bad("sensor_failure")}))
    chain.shows(at(0) + 20_000, 9, 0, 5)
    chain.save()
    half = (at(0), at(0) + 10_000)
    assert chain.produced(half) == Produced(2, 2, 4000, spanning_parts=6, spanning_good=6)
    assert chain.produced(between(0, 0.4)) == Produced(8, 8, 4000)


def test_what_a_controller_does_not_repeat_stands_where_it_stood(tmp_path: Path) -> None:
    """By subscription only what changed is told, and a sign of life says that nothing did."""
    chain = Chain(tmp_path / "history.db", tells_changes=True)
    chain.shows(at(0), 1)
    for second in range(0, 600, 5):
        tags: Sequence[str] = ("power",) if second % 2 else ()
        chain.batch(Batch("M", at(0) + 1000 * second, tags, (True,) * len(tags)))
    chain.batch(Batch("M", at(10), ("parts",), (2,)))
    chain.tally.lost(["M"])
    chain.batch(Batch("M", at(10) + 1000, ("power",), (True,)))
    chain.batch(Batch("M", at(20), ("parts",), (4,)))
    chain.save()
    found = chain.produced(between(10, 11))
    assert (found.parts, found.spanning_parts, found.spanning_good) == (1, 2, 2)
    (span, _) = chain.history.production("M", *between(0, 60)).spans
    assert (span.from_ms, span.to_ms) == between(10, 20), "the new connection has not told of it before"
    chain.history.close()


def test_a_polled_counter_that_was_not_read_was_not_seen(chain: Chain) -> None:
    """It has a longer period than the other tags: those say nothing of it."""
    chain.batch(Batch("M", at(0), ("parts",), (1,)))
    for second in range(0, 60, 5):
        chain.batch(Batch("M", at(0) + 1000 * second, ("power",), (True,)))
    chain.batch(Batch("M", at(1), ("parts",), (4,)))
    chain.save()
    assert chain.produced(between(0.5, 2)).spanning_parts == 3


def test_a_clock_that_was_set_back_makes_a_gap_of_the_time_that_comes_twice(chain: Chain) -> None:
    chain.shows(at(10), 1)
    chain.save()
    chain.kill()
    chain.shows(at(5), 4)
    chain.save()
    assert chain.produced(between(4, 11)).parts == 3
    assert chain.produced(between(7, 8)).spanning_parts == 3


def test_a_counter_that_is_configured_later_begins_then(tmp_path: Path) -> None:
    without = EQUIPMENT.model_copy(update={"production": ProductionOptions(energy="meter")})
    chain = Chain(tmp_path / "history.db", without)
    chain.shows(at(0), 100)
    chain.shows(at(0) + 1000, 150)
    chain.save()
    assert chain.produced(between(0, 1)).parts is None
    chain.equipment = EQUIPMENT
    chain.kill()
    chain.shows(at(2), 170)
    chain.shows(at(2) + 1000, 171)
    chain.save()
    assert chain.produced(between(0, 3)) == Produced(1, 1, 0, unseen_ms=3 * MINUTE_MS - 1000 - LIMIT_MS)
    chain.history.close()


def test_parts_of_pieces_count_when_one_is_whole(tmp_path: Path) -> None:
    """Two strokes make a piece; the meter counts in tenths of a kWh."""
    options = ProductionOptions(parts="parts", good="parts", energy="meter")
    chain = Chain(tmp_path / "history.db", EQUIPMENT.model_copy(update={"production": options}))
    for number in range(12):
        chain.shows(at(0) + 1000 * number, number * 0.5, 0, number * 0.1)
    chain.save()
    found = chain.produced(between(0, 1))
    assert (found.parts, found.good, found.energy_wh) == (5, 5, 1100)
    chain.history.close()


def test_what_could_not_be_written_is_written_with_what_came_since(chain: Chain) -> None:
    chain.shows(at(0), 1)
    chain.save()
    chain.shows(at(0) + 1000, 3)
    chain.save(fails=True)
    chain.shows(at(0) + 2000, 4)
    chain.save()
    assert chain.produced(between(0, 0.1)).parts == 3
    chain.kill()
    chain.shows(at(0) + 3000, 5)
    chain.save()
    assert chain.produced(between(0, 0.1)).parts == 4


STEP = st.sampled_from((0, 1, 500, 1000, LIMIT_MS, LIMIT_MS + 1, 25_000, MINUTE_MS, HOUR_MS))
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("shows"), STEP, st.integers(0, 50), st.integers(0, 3), st.integers(0, 40)),
        st.tuples(st.just("shows"), STEP, st.integers(0, 50), st.integers(0, 3), st.integers(0, 40)),
        st.tuples(st.sampled_from(("save", "save", "fails", "kill", "lost", "reset", "bad", "life"))),
    ),
    max_size=40,
)
EDGES = st.lists(st.integers(-100, 4 * 3600), max_size=8)


@given(ACTIONS, EDGES, st.booleans())
@settings(max_examples=150, deadline=None)
def test_windows_and_what_spans_them_are_what_was_counted(
    actions: list[tuple[str, int, int, int, int] | tuple[str]], edges: list[int], tells_changes: bool
) -> None:
    """Of any division of time into windows: what each has, and once each what lies on an edge, is what the
    totals went up by, whenever the agent was killed and whatever could not be written."""
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder) / "history.db", tells_changes=tells_changes)
        shown = {"parts": 0, "rejects": 0, "meter": 0}
        now_ms = EIGHT

        def show() -> None:
            chain.shows(now_ms, shown["parts"] % 65536, shown["rejects"], shown["meter"])

        show()
        chain.save()
        for name, *numbers in actions:
            match name:
                case "shows":
                    step_ms, *counted = map(int, numbers)
                    now_ms += step_ms
                    for tag, n in zip(shown, counted, strict=True):
                        shown[tag] += n
                    show()
                case "reset":
                    shown["rejects"] = shown["meter"] = 0
                case "save" | "fails":
                    chain.save(fails=name == "fails")
                case "kill":
                    chain.kill()
                case "lost":
                    chain.tally.lost(["M"])
                case "bad":
                    chain.batch(
                        Batch("M", now_ms, TAGS, (True, None, None, None), dict.fromkeys((1, 2, 3), bad("x")))
                    )
                case "life":
                    chain.batch(Batch("M", now_ms, ("power",), (True,)))
        show()
        chain.save()

        totals = {name: int(chain.totals[f"{name}_total"]) for name in shown}
        end_ms = now_ms + LIMIT_MS
        whole = chain.produced((EIGHT - 200_000, end_ms))
        assert whole.parts == totals["parts"] == shown["parts"], "it has no resets"
        assert whole.good == totals["parts"] - totals["rejects"]
        assert whole.energy_wh == 1000 * totals["meter"]
        assert (whole.spanning_parts, whole.spanning_energy_wh) == (0, 0)

        times = sorted({EIGHT - 200_000, end_ms, *(EIGHT + 1000 * edge for edge in edges)})
        windows = [(a, b) for a, b in pairwise(times) if b <= end_ms]
        found = [chain.produced(window) for window in windows]
        spans = chain.history.production("M", times[0], end_ms).spans
        divided = [one for one in spans if any(one.from_ms < time < one.to_ms for time in times)]
        for quantity, total, values in (
            (Quantity.PARTS, whole.parts, [one.parts for one in found]),
            (Quantity.GOOD, whole.good, [one.good for one in found]),
            (Quantity.ENERGY, whole.energy_wh, [one.energy_wh for one in found]),
        ):
            once = sum(span.n for span in divided if span.quantity is quantity)
            assert sum(value or 0 for value in values) + once == total
        for (start, end), one in zip(windows, found, strict=True):
            touching = [span for span in divided if start < span.to_ms and span.from_ms < end]
            assert one.spanning_parts == sum(s.n for s in touching if s.quantity is Quantity.PARTS)
        chain.history.close()


def test_what_is_older_than_five_years_is_removed_little_by_little(chain: Chain) -> None:
    for hour in range(4):
        chain.shows(at(60 * hour), hour)
        chain.shows(at(60 * hour) + 1000, hour + 1)
        chain.shows(at(60 * hour + 30), hour + 2)
    chain.save()
    later = at(60 * 3) + KEEP_MS
    before = chain.produced(between(180, 240))
    assert before.parts == 2
    chain.history.forget(later)
    kept = chain.history.production("M", at(0), at(240))
    assert {hour for hour, _, _ in kept.hours} == {at(120), at(180)}
    assert {span.to_ms for span in kept.spans} == {at(210)}
    for _ in range(3):
        chain.history.forget(later)
    kept = chain.history.production("M", at(0), at(240))
    assert {hour for hour, _, _ in kept.hours} == {at(180)}
    assert chain.produced(between(180, 240)) == before


def test_a_file_of_before_has_nothing_of_it(chain: Chain) -> None:
    for table in ("production", "production_spans", "production_counters"):
        chain.history._db.execute(f"DROP TABLE {table}")
    with closing(HistoryReader.look(chain.path)) as looked:
        assert ProductionRecord(looked, LIMIT_MS).produced("M", [between(0, 1)]) == Produced()


def test_a_damaged_hour_is_told_and_does_not_stop_the_agent(
    chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    chain.shows(at(0), 1)
    chain.shows(at(0) + 1000, 2)
    chain.save()
    chain.history._db.execute("UPDATE production SET content = x'90'")
    with pytest.raises(sqlite3.DatabaseError, match="an hour of M's production"):
        chain.produced(between(0, 1))
    chain.shows(at(0) + 2000, 4)
    chain.save()
    assert "an hour of M's production" in caplog.text
    assert chain.produced(between(0, 1)).parts == 2
