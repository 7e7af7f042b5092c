"""Runs a coroutine in the time of its loop alone, so that the machine's load changes nothing.

The clock of the loop stands while anything can run and jumps to the next timer when nothing can. What waits
for another process or a thread belongs in `asyncio.run`: there, real time passes.
"""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

import looptime

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`; an hour of sleep takes no time."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(main)


CLOCK = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
"""In place of `time` in a module that reads the machine's clock itself."""
