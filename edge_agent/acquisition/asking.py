"""Asking a connection once because somebody wants to know now, over the link that runs in any case."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge_agent.driver import DriverError
from edge_agent.model.batch import Batch
from edge_agent.model.quality import QualityLevel


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `error` is None if all went well.

    `way`: `read`, the tags of one equipment were read; `probe`, the other side was asked who it is; `open`,
    it went no further than opening the connection.
    """

    way: Literal["open", "read", "probe"]
    took_ms: float
    error: DriverError | None = None
    equipment: str = ""
    tags: int = 0
    usable: int = 0
    """How many of `tags` are not bad."""
    identity: Mapping[str, str] = field(default_factory=dict)


def of_batch(batch: Batch, took_ms: float) -> Outcome:
    bad = sum(flaw.level is QualityLevel.BAD for flaw in batch.flaws.values())
    return Outcome("read", took_ms, None, batch.equipment, len(batch.tags), len(batch.tags) - bad)


class Question:
    """Waits for its outcome; whoever has asked may have gone meanwhile."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def took_ms(self) -> float:
        return round(1000 * (time.monotonic() - self._began), 1)

    def answer(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class Nap:
    """A sleep from which somebody may be woken."""

    def __init__(self) -> None:
        self._woken: asyncio.Future[None] | None = None

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` (negative: none), or until `wake`."""
        loop = asyncio.get_running_loop()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._woken = loop.create_future()
        timer = loop.call_later(seconds, self.wake)
        try:
            await self._woken
        finally:
            timer.cancel()
            self._woken = None

    def wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
