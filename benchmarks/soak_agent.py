"""The agent on a gateway whose clock is set forward by an hour every few seconds: for benchmarks/soak.py.

    SOAK_BEGAN=<monotonic s> SOAK_HOUR_S=2 SOAK_TELL=tasks.json python -m benchmarks.soak_agent run CONFIG

Before SOAK_BEGAN it is not set. Nothing else of the agent is other than a technician has it: time limits,
pauses and periods pass as ever. On SIGUSR1 it writes down what it has: asyncio tasks, memory in use and free,
and objects that the garbage collector looks after, with the kinds that most of them are of.
"""

import asyncio
import ctypes
import ctypes.util
import gc
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from edge_agent.model import clock

_BEGAN_S = float(os.environ["SOAK_BEGAN"])
_HOUR_S = float(os.environ["SOAK_HOUR_S"])
_TELL = Path(os.environ["SOAK_TELL"])
_HOUR_NS = 3_600_000_000_000


class Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc, in bytes."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo
sqlite = ctypes.CDLL(ctypes.util.find_library("sqlite3"))
sqlite.sqlite3_memory_used.restype = ctypes.c_int64


def wall_ns() -> int:
    hours = max(0, int((time.monotonic() - _BEGAN_S) / _HOUR_S))
    return time.time_ns() + hours * _HOUR_NS


def memory() -> dict[str, float]:
    """What takes it. Python keeps what is small in a heap of its own, all else is in that of C."""
    heap = libc.mallinfo2()
    return {
        "C heap in use MB": (heap.uordblks + heap.hblkhd) / 1e6,
        "C heap free MB": heap.fordblks / 1e6,
        "SQLite MB": sqlite.sqlite3_memory_used() / 1e6,
        "Python blocks": sys.getallocatedblocks(),
    }


def tell(*_: object) -> None:
    objects = gc.get_objects()
    kinds = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in objects)
    tasks = len(asyncio.all_tasks())
    count = {"tasks": tasks, "objects": len(objects), **memory(), "kinds": kinds.most_common(30)}
    unfinished = _TELL.with_suffix(".new")
    unfinished.write_text(json.dumps(count))
    unfinished.rename(_TELL)


clock.CLOCK = clock.SteadyClock(wall_ns)

from edge_agent.cli.main import main  # noqa: E402 - all modules are to take the clock that was set

if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    main()
