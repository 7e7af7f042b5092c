"""The agent on a gateway whose clock is set forward by an hour every few seconds: for benchmarks/soak.py.

    SOAK_BEGAN=<monotonic s> SOAK_HOUR_S=2 SOAK_TELL=tasks.json python -m benchmarks.soak_agent run CONFIG

Nothing else of the agent is other than a technician has it: time limits, pauses and periods pass as ever. On
SIGUSR1 it writes down what it has: asyncio tasks, and objects that the garbage collector looks after, with
the kinds that most of them are of.
"""

import asyncio
import gc
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

from edge_agent.model import clock

_BEGAN_S = float(os.environ["SOAK_BEGAN"])
_HOUR_S = float(os.environ["SOAK_HOUR_S"])
_TELL = Path(os.environ["SOAK_TELL"])
_HOUR_NS = 3_600_000_000_000


def wall_ns() -> int:
    hours = int((time.monotonic() - _BEGAN_S) / _HOUR_S)
    return time.time_ns() + hours * _HOUR_NS


def tell(*_: object) -> None:
    objects = gc.get_objects()
    kinds = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in objects)
    count = {"tasks": len(asyncio.all_tasks()), "objects": len(objects), "kinds": kinds.most_common(12)}
    unfinished = _TELL.with_suffix(".new")
    unfinished.write_text(json.dumps(count))
    unfinished.rename(_TELL)


clock.CLOCK = clock.SteadyClock(wall_ns)

from edge_agent.cli.main import main  # noqa: E402 - all modules are to take the clock that was set

if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    main()
