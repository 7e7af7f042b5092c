"""The history against a plain list of times, whatever happens in whatever order: changes, saves, kills,
restarts, a clock that goes back while nobody is there, packs, late data."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.indicators.accounts import Timeline
from edge_agent.model.state import NOT_HEARD, StateWithCause, UnknownCause, unknown
from edge_agent.states.history import GATEWAY_DOWN, Changes, History
from edge_agent.states.tracker import Interval, StateTracker
from tests.states.lives import DOOR, IDLE, MINUTE, RUNNING, TIMEOUT

NO_DATA = unknown(UnknownCause.NO_DATA)
UNIT = 20 * MINUTE
units = st.integers(1, 150)


class Model(RuleBasedStateMachine):
    """`lived[n]` is what is to be said of the n-th 20 minutes; time begins with the first start."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "history.db"
        self.lived: list[StateWithCause] = []
        self.pending: list[Interval] = []
        self.saved: int | None = None
        self.begun = 0
        """Before the first start of which anything was saved there is nothing to fill."""

    @initialize()
    def first_start(self) -> None:
        self._start()

    def _start(self) -> None:
        """Start at the time that it is, after whatever was."""
        now = len(self.lived)
        self.history = History(self.path)
        since = self.history.resume(now * UNIT) // UNIT
        assert since == (now if self.saved is None else self.saved)
        if self.saved is None:
            self.begun = now
        forgotten = slice(self.saved or 0, now)
        self.lived[forgotten] = [GATEWAY_DOWN] * len(self.lived[forgotten])
        self.pending = []
        self.tracker = StateTracker(lambda ended, begun: self.pending.extend((ended, begun)))
        self.tracker.add("M", (), 0, GATEWAY_DOWN, since * UNIT)
        self.pending += self.tracker.open_intervals()
        self.tracker.lost(["M"], UnknownCause.NO_DATA, now * UNIT)

    @rule(state=st.sampled_from([RUNNING, IDLE, DOOR, TIMEOUT, NO_DATA]), lasts=units)
    def live(self, state: StateWithCause, lasts: int) -> None:
        self.tracker._set("M", state, len(self.lived) * UNIT)
        self.lived += [state] * lasts

    @rule()
    def save(self) -> None:
        self.saved = len(self.lived)
        self.history.save(Changes(self.saved * UNIT, self.pending))
        self.pending = []

    @rule(away=st.integers(0, 150))
    def kill(self, away: int) -> None:
        self.history.close()
        # What was not saved is gone; nobody sees what the machine does meanwhile.
        self.lived += [GATEWAY_DOWN] * away
        self._start()

    @rule()
    def pack(self) -> None:
        while self.history.pack(len(self.lived) * UNIT):
            pass

    @precondition(lambda self: not self.pending)
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        """Late data say what the machine did at some time; they count where it was not heard."""
        if not self.lived:
            return
        first = data.draw(st.integers(0, len(self.lived) - 1))
        last = data.draw(st.integers(first + 1, len(self.lived)))
        over = self.tracker.current("M").since_ms // UNIT
        self.history.amend("M", [Interval("M", first * UNIT, last * UNIT, IDLE)])
        for place in range(max(first, self.begun), min(last, over)):
            if self.lived[place] in NOT_HEARD:
                self.lived[place] = IDLE

    @invariant()
    def everything_is_as_it_was(self) -> None:
        now = len(self.lived)
        if not now:
            return
        columns = self.history.columns("M", 0, now * UNIT, self.pending)
        timeline = Timeline.of_columns(columns)
        expected: dict[StateWithCause, int] = {}
        for state in self.lived:
            expected[state] = expected.get(state, 0) + UNIT
        assert timeline.total(0, now * UNIT).times == expected
        for place in range(max(0, now - 9), now):
            assert timeline.total(place * UNIT, (place + 1) * UNIT).times == {self.lived[place]: UNIT}

    def teardown(self) -> None:
        self.history.close()
        self.folder.cleanup()


TestHistory = Model.TestCase
TestHistory.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
