"""Late data fills unknown time and nothing else, whatever the order in which it comes."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.indicators.accounts import Timeline
from edge_agent.model.batch import Batch, Value
from edge_agent.model.options import StateRule
from edge_agent.model.quality import Quality, bad, uncertain
from edge_agent.model.state import NOT_HEARD, MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.history import GATEWAY_DOWN, Changes, History
from edge_agent.states.late import MOST_READINGS, QUIET_MS, Late, LateReadings, Refusal
from edge_agent.states.tracker import Interval, StateTracker
from tests.states.lives import DAY_MS

RUNNING, IDLE = StateWithCause(MachineState.RUNNING), StateWithCause(MachineState.IDLE)
DOOR = StateWithCause(MachineState.ALARM, "door")
UNREACHABLE, TIMEOUT = unknown(UnknownCause.UNREACHABLE), unknown(UnknownCause.TIMEOUT)
NO_DATA = unknown(UnknownCause.NO_DATA)
RULES = (
    StateRule(when="door == 1", state=MachineState.ALARM, cause="door"),
    StateRule(when="status == 2", state=MachineState.RUNNING),
    StateRule(when="status == 1", state=MachineState.IDLE),
)
STALE_MS = 3000
BEGIN = 10 * DAY_MS
GAP = bad("gap")

Line = tuple[float, str, Value]
"""When it was read, in seconds since the beginning; which tag; what it showed."""


class Scene:
    """A machine that is connected from second 0 on, and everything behind it."""

    def __init__(self, folder: Path) -> None:
        self.history = History(folder / "history.db")
        self.noted: list[Interval] = []
        self.tracker = StateTracker(self._changed)
        self.tracker.add("M", RULES, STALE_MS, NO_DATA, BEGIN)
        self.late = LateReadings()
        self.late.add("M", self.tracker.rules("M"), STALE_MS, 1000)

    def _changed(self, ended: Interval, begun: Interval) -> None:
        self.noted += [ended, begun]
        self.late.ended(ended)

    def batch(self, received: float, lines: Sequence[Line], flaws: Mapping[int, Quality] = {}) -> None:
        batch = Batch(
            "M",
            BEGIN + round(received * 1000),
            [tag for _, tag, _ in lines],
            [value for _, _, value in lines],
            flaws,
            [
                None if flaws.get(index) == GAP else BEGIN + round(read * 1000)
                for index, (read, _, _) in enumerate(lines)
            ],
        )
        self.tracker.batch(batch)
        self.late.batch(batch)

    def lost(self, second: float, cause: UnknownCause = UnknownCause.UNREACHABLE) -> None:
        self.tracker.lost(["M"], cause, BEGIN + round(second * 1000))

    def save(self) -> None:
        self.history.save(Changes(0, [*self.noted, *self.tracker.open_intervals()]))
        self.noted.clear()

    def fill(self, second: float) -> list[Interval | Refusal]:
        """All that is due then."""
        self.save()
        found: list[Interval | Refusal] = []
        for late in self.late.due(BEGIN + round(second * 1000)):
            if isinstance(late, Late):
                found += late.fill(self.history)
                self.late.done(late)
            else:
                found.append(late)
        return found

    def told(self, to: float) -> list[tuple[float, float, StateWithCause]]:
        """What the machine did, in seconds; equal states that follow each other are one."""
        lines: list[tuple[float, float, StateWithCause]] = []
        for one in self.history.intervals(BEGIN, BEGIN + round(to * 1000)):
            start = (one.start_ms - BEGIN) / 1000
            end = to if one.end_ms is None else min((one.end_ms - BEGIN) / 1000, to)
            if lines and lines[-1][2] == one.state:
                lines[-1] = lines[-1][0], end, one.state
            else:
                lines.append((start, end, one.state))
        return lines


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with closing((scene := Scene(tmp_path)).history):
        yield scene


def cut(scene: Scene) -> None:
    """Running from second 1 on; cut off from 10 on."""
    scene.batch(1, [(1, "door", 0), (1, "status", 2)])
    scene.batch(5, [(5, "status", 2)])
    scene.lost(10)


CASES: dict[str, tuple[list[Line], list[tuple[float, float, StateWithCause]]]] = {
    # What came at second 20; from when until when the machine did what, from second 10 on.
    "each state from its first reading to the next": (
        [(8, "door", 0), (11, "status", 1), (14, "status", 2), (17, "door", 1), (19.5, "door", 0)],
        [
            (10, 11, UNREACHABLE),
            (11, 14, IDLE),
            (14, 17, RUNNING),
            (17, 19.5, DOOR),
            (19.5, 20, RUNNING),
        ],
    ),
    "what was read before the cut held until the next reading": (
        [(4, "door", 0), (6, "status", 1), (13, "status", 2), (18, "status", 2)],
        [(10, 13, IDLE), (13, 20, RUNNING)],
    ),
    "readings that do not go on to the end": (
        [(8, "door", 0), (11, "status", 1), (14, "status", 2), (16.9, "status", 2)],
        [(10, 11, UNREACHABLE), (11, 14, IDLE), (14, 16.9, RUNNING), (16.9, 20, UNREACHABLE)],
    ),
    "readings of other tags show that it goes on": (
        [(8, "door", 0), (11, "status", 1), (17, "power", 5.0)],
        [(10, 11, UNREACHABLE), (11, 20, IDLE)],
    ),
    "nothing is known of a tag that the rules need": (
        [(11, "status", 1), (19, "status", 2)],
        [(10, 20, UNREACHABLE)],
    ),
    "nothing is said by the rules": (
        [(8, "door", 0), (11, "status", 7), (15, "status", 1), (19, "status", 1)],
        [(10, 15, UNREACHABLE), (15, 20, IDLE)],
    ),
    "a bad reading takes the state with it": (
        [(8, "door", 0), (11, "status", 1), (13, "status", None), (15, "status", 2), (19, "status", 2)],
        [(10, 11, UNREACHABLE), (11, 13, IDLE), (13, 15, UNREACHABLE), (15, 20, RUNNING)],
    ),
    "nothing was read while it was cut off": (
        [(8, "door", 0), (8, "status", 2)],
        [(10, 20, UNREACHABLE)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_filled(scene: Scene, name: str) -> None:
    readings, expected = CASES[name]
    cut(scene)
    scene.batch(20, readings)
    scene.batch(20.5, [(20.4, "door", 0), (20.4, "status", 2)])
    scene.fill(23)
    assert [line for line in scene.told(20) if line[0] >= 10] == expected
    assert scene.told(20)[:2] == [(0, 1, NO_DATA), (1, 10, RUNNING)]


def test_missing_values_end_what_was_believed(scene: Scene) -> None:
    cut(scene)
    readings = [(8, "door", 0), (11, "status", 1), (12, "status", 2), (0, "status", None), (18, "status", 1)]
    scene.batch(20, readings, {3: GAP})
    scene.batch(20.5, [(20.4, "door", 0), (20.4, "status", 2)])
    scene.fill(23)
    assert scene.told(20)[2:] == [
        (10, 11, UNREACHABLE),
        (11, 12, IDLE),
        (12, 18, UNREACHABLE),
        (18, 20, IDLE),
    ]


def test_before_a_value_that_is_uncertain_others_may_be_missing(scene: Scene) -> None:
    cut(scene)
    readings = [(8, "door", 0), (11, "status", 1), (12, "status", 2), (17, "status", 1), (18, "status", 1)]
    scene.batch(20, readings, {3: uncertain("overflow")})
    scene.batch(20.5, [(20.4, "door", 0), (20.4, "status", 2)])
    scene.fill(23)
    assert scene.told(20)[2:] == [
        (10, 11, UNREACHABLE),
        (11, 12, IDLE),
        (12, 17, UNREACHABLE),
        (17, 20, IDLE),
    ]


def test_values_that_are_missing_at_the_end_are_not_made_up(scene: Scene) -> None:
    cut(scene)
    readings = [(8, "door", 0), (11, "status", 1), (12, "status", 2), (19, "power", 1.0), (0, "status", None)]
    scene.batch(20, readings, {4: GAP})
    scene.batch(20.5, [(20.4, "door", 0), (20.4, "status", 2)])
    scene.fill(23)
    assert scene.told(20)[2:] == [(10, 11, UNREACHABLE), (11, 12, IDLE), (12, 20, UNREACHABLE)]


def test_causes_of_one_cut_are_one_time(scene: Scene) -> None:
    cut(scene)
    scene.lost(14, UnknownCause.TIMEOUT)
    scene.batch(20, [(8, "door", 0), (11, "status", 1), (19.5, "status", 2)])
    scene.batch(20.5, [(20.4, "door", 0), (20.4, "status", 2)])
    filled = scene.fill(23)
    assert scene.told(20)[2:] == [(10, 11, UNREACHABLE), (11, 19.5, IDLE), (19.5, 20, RUNNING)]
    assert len(filled) == 3
    amendments = scene.history.amendments("anybody")
    assert [(a.equipment, a.from_ms - BEGIN, a.to_ms - BEGIN) for a in amendments] == [
        ("M", 11_000, 14_000),
        ("M", 14_000, 20_000),
    ]


@pytest.mark.parametrize(
    "cause",
    [UnknownCause.DISABLED, UnknownCause.NOT_CONNECTED, UnknownCause.BAD_QUALITY, UnknownCause.UNDECIDED],
)
def test_time_that_is_unknown_for_another_reason_stays_so(scene: Scene, cause: UnknownCause) -> None:
    cut(scene)
    scene.lost(14, cause)
    scene.lost(15)
    scene.batch(20, [(8, "door", 0), (11, "status", 1), (19.5, "status", 2)])
    scene.batch(20.5, [(20.4, "door", 0), (20.4, "status", 2)])
    scene.fill(23)
    assert (14, 15, unknown(cause)) in scene.told(20)
    assert (15, 19.5, IDLE) in scene.told(20)


def test_readings_that_trickle_in_are_taken_together(scene: Scene) -> None:
    cut(scene)
    scene.batch(20, [(8, "door", 0), (11, "status", 1)])
    assert scene.fill(20 + QUIET_MS / 1000 - 0.1) == []
    scene.batch(21, [(19, "status", 1)])
    scene.batch(21.5, [(15, "status", 2)])
    scene.batch(21.6, [(21.5, "door", 0), (21.5, "status", 2)])
    assert scene.fill(22.5) == []
    assert scene.fill(23.6)
    assert scene.told(20)[2:] == [(10, 11, UNREACHABLE), (11, 15, IDLE), (15, 19, RUNNING), (19, 20, IDLE)]
    assert scene.fill(30) == [], "each once"


def test_later_readings_follow_on_what_was_filled_before(scene: Scene) -> None:
    cut(scene)
    scene.batch(20, [(8, "door", 0), (11, "status", 1), (12, "status", 2)])
    scene.batch(20.5, [(20.4, "door", 0), (20.4, "status", 2)])
    scene.fill(23)
    assert scene.told(20)[2:] == [(10, 11, UNREACHABLE), (11, 12, IDLE), (12, 20, UNREACHABLE)]
    scene.batch(30, [(15, "status", 1), (19, "status", 1)])
    scene.fill(33)
    assert scene.told(20)[2:] == [(10, 11, UNREACHABLE), (11, 12, IDLE), (12, 15, RUNNING), (15, 20, IDLE)]


def test_nothing_is_carried_from_one_cut_to_the_next(scene: Scene) -> None:
    """In between, the machine told other values."""
    cut(scene)
    scene.batch(20, [(8, "door", 0), (11, "status", 1), (19, "status", 1)])
    scene.batch(21, [(20.5, "status", 2)])
    scene.lost(25)
    scene.batch(30, [(28, "status", 1), (29, "status", 1)])
    scene.batch(30.5, [(30.4, "door", 0), (30.4, "status", 2)])
    scene.fill(33)
    assert (11, 21, IDLE) in scene.told(30), "what was complete when the second cut came"
    assert (25, 30, UNREACHABLE) in scene.told(30), "of the door nothing is known"


def test_a_value_that_is_polled_again_and_again_is_no_news(scene: Scene) -> None:
    cut(scene)
    for second in range(20, 40):
        scene.batch(second, [(8, "door", 0), (11, "status", 1), (second - 0.1, "power", 1.0)])
    assert scene.fill(40) != []
    for second in range(40, 60):
        scene.batch(second, [(8, "door", 0), (11, "status", 1), (second - 0.1, "power", 1.0)])
    assert scene.late.due(BEGIN + 100_000) == []
    assert len(scene.late._machines["M"].readings) < 10


def test_too_many_readings_are_not_waited_for(scene: Scene) -> None:
    cut(scene)
    scene.batch(60, [(8, "door", 0), (11, "status", 1)])
    scene.batch(60.1, [(12 + n / 1000, "power", 1.0) for n in range(MOST_READINGS)])
    assert scene.fill(60.2) != []
    assert scene.told(60)[3:] == [(11, 12 + (MOST_READINGS - 1) / 1000, IDLE), (31.999, 60, UNREACHABLE)]
    assert len(scene.late._machines["M"].readings) == 3, "the newest of each tag, and of all"


@pytest.mark.parametrize(("ahead", "fits"), [(0.9, True), (1.1, False), (-1.9, True), (-2.2, False)])
def test_a_controllers_clock_has_to_fit(scene: Scene, ahead: float, fits: bool) -> None:
    scene.batch(1, [(1 + ahead, "door", 0), (1 + ahead, "status", 2)])
    scene.batch(5, [(5 + ahead, "status", 2)])
    scene.lost(10)
    scene.batch(20, [(8 + ahead, "door", 0), (11 + ahead, "status", 1), (19 + ahead, "status", 1)])
    scene.batch(21, [(21 + ahead, "status", 2)])
    scene.save()
    if fits:
        assert scene.fill(30) != []
        assert (10, 20, UNREACHABLE) not in scene.told(20)
    else:
        assert scene.fill(30) == [Refusal("M", round(1000 * ahead))]
        assert scene.told(20)[2:] == [(10, 20, UNREACHABLE)]


@pytest.mark.parametrize("behind", [60, 8 * 3600])
def test_a_clock_that_does_not_fit_is_told_once(scene: Scene, behind: int) -> None:
    refused: list[Interval | Refusal] = []
    for start in (0, 1000, 2000):
        scene.lost(start + 10)
        for second in range(start + 20, start + 900, 5):
            scene.batch(
                second, [(second - behind, "door", 0), (second - behind, "status", 1 + second // 5 % 2)]
            )
            refused += scene.fill(second)
        assert len(scene.late._machines["M"].readings) < 200
    assert refused == [Refusal("M", -1000 * behind)]
    assert scene.history.amendments("anybody") == []


def test_without_a_reading_in_time_nobody_knows_how_the_clock_goes(scene: Scene) -> None:
    """As after a start, when nothing has changed since."""
    scene.tracker.lost(["M"], UnknownCause.TIMEOUT, BEGIN + 2000)
    scene.batch(20, [(8, "door", 0), (11, "status", 1), (19, "status", 1)])
    assert scene.fill(3000) == []
    scene.batch(3001, [(3000.5, "status", 2)])
    assert scene.fill(3010) != []
    assert (11, 20, IDLE) in scene.told(20)


def test_time_in_which_the_agent_was_not_running_is_filled_too(tmp_path: Path) -> None:
    with closing((scene := Scene(tmp_path)).history):
        scene.batch(1, [(1, "door", 0), (1, "status", 2)])
        scene.save()
        scene.history.save(Changes(BEGIN + 10_000))
    with closing((again := Scene(tmp_path)).history):
        since = again.history.resume(BEGIN + 18_000)
        again.tracker.add("M", RULES, STALE_MS, GATEWAY_DOWN, since)
        again.tracker.lost(["M"], UnknownCause.NO_DATA, BEGIN + 18_000)
        again.batch(20, [(8, "door", 0), (11, "status", 1), (19, "status", 1)])
        again.batch(21, [(20.5, "status", 2)])
        again.fill(30)
        assert again.told(20)[1:] == [(1, 10, RUNNING), (10, 11, GATEWAY_DOWN), (11, 20, IDLE)]


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        # Unchanged since second 8 by its time, which a server may also never set again.
        ([(8, "door", 0), (8, "status", 1)], [(10, 18, GATEWAY_DOWN), (18, 20, NO_DATA), (20, 30, IDLE)]),
        (
            [(8, "door", 0), (8, "status", 1), (18.5, "load", 3)],
            [(10, 18, GATEWAY_DOWN), (18, 18.5, NO_DATA), (18.5, 30, IDLE)],
        ),
    ],
    ids=["nothing of the outage", "something of it"],
)
def test_a_value_of_before_an_outage_of_the_gateway_does_not_prove_that_it_held(
    tmp_path: Path, newest: list[Line], expected: list[tuple[float, float, StateWithCause]]
) -> None:
    with closing((scene := Scene(tmp_path)).history):
        scene.batch(1, [(1, "door", 0), (1, "status", 2)])
        scene.save()
        scene.history.save(Changes(BEGIN + 10_000))
    with closing((again := Scene(tmp_path)).history):
        since = again.history.resume(BEGIN + 18_000)
        again.tracker.add("M", RULES, STALE_MS, GATEWAY_DOWN, since)
        again.tracker.lost(["M"], UnknownCause.NO_DATA, BEGIN + 18_000)
        again.batch(20, newest)
        again.batch(21, [(20.5, "status", 1)])
        again.fill(30)
        assert again.told(30)[-len(expected) :] == expected


def test_days_that_are_packed_are_filled_as_well(scene: Scene) -> None:
    cut(scene)
    scene.batch(20, [(8, "door", 0), (11, "status", 1), (19, "status", 1)])
    scene.batch(20.5, [(20.4, "door", 0), (20.4, "status", 2)])
    scene.tracker.lost(["M"], UnknownCause.NO_DATA, BEGIN + 2 * DAY_MS)
    scene.save()
    while scene.history.pack(BEGIN + 3 * DAY_MS):
        pass
    assert scene.history._db.execute("SELECT count(*) FROM packs").fetchone()[0] > 0
    scene.fill(40)
    assert scene.told(20)[2:] == [(10, 11, UNREACHABLE), (11, 20, IDLE)]


TIMES = st.integers(0, 60_000)
EVENTS = st.lists(st.tuples(st.integers(1, 8000), st.integers(0, 6)), max_size=12)
READINGS = st.lists(
    st.tuples(
        TIMES, st.sampled_from([("status", 1), ("status", 2), ("status", None), ("door", 0), ("door", 1)])
    ),
    max_size=15,
    unique_by=lambda line: line[0],
)


def live_through(scene: Scene, events: list[tuple[int, int]]) -> int:
    """What happened to the machine, one after the other; returns when it was over."""
    now = 0
    for step, what in events:
        now += step
        if what <= 1:
            scene.lost(now / 1000, (UnknownCause.UNREACHABLE, UnknownCause.DISABLED)[what])
        elif what == 2:
            scene.tracker.check_stale(BEGIN + now)
        elif what == 3:
            scene.tracker.clock_stepped(BEGIN + now, BEGIN + now + 500)
            now += 500
        else:
            scene.batch(now / 1000, [(now / 1000, "door", 0), (now / 1000, "status", what - 4)])
    scene.batch(now / 1000 + 0.001, [(now / 1000, "door", 0), (now / 1000, "status", 2)])
    return now + 1


@settings(max_examples=60, deadline=None)
@given(EVENTS, READINGS, st.integers(1, 4), st.randoms(use_true_random=False))
@example([(1000, 6), (1000, 0)], [(1500, ("door", 0)), (1500, ("status", 1))], 2, random.Random(1))  # noqa: S311 - no secret
def test_known_time_never_changes_and_the_order_does_not_matter(
    events: list[tuple[int, int]],
    readings: list[tuple[int, tuple[str, Value]]],
    batches: int,
    chance: random.Random,
) -> None:
    told = []
    for shuffled in (False, True):
        with (
            tempfile.TemporaryDirectory() as folder,
            closing((scene := Scene(Path(folder))).history),
        ):
            over = live_through(scene, events)
            lines = [(time / 1000, tag, value) for time, (tag, value) in sorted(readings) if time < over]
            scene.save()
            before = scene.history.intervals(BEGIN, BEGIN + over)
            parts = [lines[n::batches] for n in range(batches)]
            if shuffled:
                chance.shuffle(parts)
            for part in parts:
                scene.batch(over / 1000, part)
            scene.batch(over / 1000 + 0.5, [(over / 1000 + 0.4, "status", 2)])
            scene.fill(over / 1000 + 10)
            after = scene.history.intervals(BEGIN, BEGIN + over)
            told.append(after)
            assert_only_unheard_time_changed(before, after, over)
    assert told[0] == told[1]


def assert_only_unheard_time_changed(before: list[Interval], after: list[Interval], over: int) -> None:
    edges = sorted({BEGIN, BEGIN + over, *(i.start_ms for i in [*before, *after])})
    for start, one, other in zip(
        edges, Timeline.of(before).between(edges), Timeline.of(after).between(edges), strict=False
    ):
        assert one.total_ms == other.total_ms, "accounts sum to the period"
        if one != other:
            (state,) = one.times
            (found,) = other.times
            assert state in NOT_HEARD, start
            assert found.state is not MachineState.UNKNOWN
    for earlier, later in pairwise(after):
        assert earlier.end_ms == later.start_ms
