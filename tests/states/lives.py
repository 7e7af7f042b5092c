"""Made-up lives of machines, for tests."""

from hypothesis import strategies as st

from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.tracker import Interval

RUNNING = StateWithCause(MachineState.RUNNING, "auto")
IDLE = StateWithCause(MachineState.IDLE)
DOOR = StateWithCause(MachineState.ALARM, "door open 门未关")
NO_DATA = unknown(UnknownCause.NO_DATA)
TIMEOUT = unknown(UnknownCause.TIMEOUT)
CLOCK_STEP = unknown(UnknownCause.CLOCK_STEP)
STATES = (RUNNING, IDLE, DOOR, NO_DATA, TIMEOUT, CLOCK_STEP)
MINUTE = 60_000
DAY_MS = 1440 * MINUTE


@st.composite
def lives(draw: st.DrawFn, equipment: str = "M") -> list[Interval]:
    """Some days of a machine: mostly without gaps, now and then with one, or with an overlap; the last
    interval is perhaps still open."""
    time = draw(st.integers(-DAY_MS, DAY_MS))
    found = []
    for state in draw(st.lists(st.sampled_from(STATES), max_size=25)):
        time += draw(st.sampled_from((0, 0, 0, 0, 1, 7 * MINUTE, DAY_MS)))
        end = time + draw(st.integers(0, DAY_MS // 2) | st.integers(0, 20))
        found.append(Interval(equipment, time, end, state))
        time = max(time + 1, end - draw(st.sampled_from((0, 0, 0, 3))))
    if draw(st.booleans()) and found:
        found[-1] = Interval(equipment, found[-1].start_ms, None, found[-1].state)
    return found
