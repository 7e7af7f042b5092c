"""A copy of the demo's configuration with a history in it."""

import shutil
from pathlib import Path

from edge_agent.model.clock import CLOCK
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.simulator.fleet import MACHINES
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval

DEMO = Path(__file__).parents[2] / "configs" / "demo"


def copied_demo(folder: Path) -> Path:
    """The demo's configuration in a new folder below `folder`."""
    demo = folder / "demo"
    shutil.copytree(DEMO, demo, ignore=shutil.ignore_patterns("data"))
    return demo


def ran_until_now(demo: Path) -> None:
    """Every machine of the simulator ran and sent to the last."""
    now = CLOCK.now_ms()
    (demo / "data").mkdir()
    history = History(demo / "data" / "history.db")
    running = StateWithCause(MachineState.RUNNING)
    running_now = [Interval(name, now - 5000, None, running) for name in MACHINES]
    evidence = [(name, now - 5000, 40, now - 100, 0) for name in MACHINES]
    history.save(Changes(now, running_now, evidence))
    history.close()
