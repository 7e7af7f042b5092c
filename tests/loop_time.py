"""Runs a coroutine in the time of its loop alone, so that the machine's load changes nothing.

The clock of the loop stands while anything can run and jumps to the next timer when nothing can. What waits
for another process or a thread belongs in `asyncio.run`: there, real time passes.
"""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

import looptime
import pytest

from edge_agent.model import progress

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`; an hour of sleep takes no time."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(main)


def measure_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `Progress` read the clock of the loop too, in place of the machine's."""
    clock = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    monkeypatch.setattr(progress, "time", clock)
