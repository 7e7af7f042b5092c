"""A driver kept open as a supervisor would, and everything it told."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from drivers.opcua import OpcuaDriver
from edge_agent.driver import ConnectionFailed
from edge_agent.model.batch import Batch, Value
from edge_agent.model.quality import Quality

LIMIT = 30.0


class Life:
    """Opens, streams, and opens again after each failure.

    `batches` are all batches of all connections; `latest` the last reading of each tag since the last
    failure, as (value, flaw); `failures` what was raised.
    """

    def __init__(self, driver: OpcuaDriver) -> None:
        self.driver = driver
        self.batches: list[Batch] = []
        self.latest: dict[tuple[str, str], tuple[Value, Quality | None]] = {}
        self.failures: list[ConnectionFailed] = []
        self.pause: asyncio.Event | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.driver.close()

    async def _live(self) -> None:
        while True:
            try:
                await self.driver.open()
                async for batch in self.driver.stream():
                    self._take(batch)
                    if self.pause is not None:
                        await self.pause.wait()
            except ConnectionFailed as failure:
                self.failures.append(failure)
                self.latest.clear()
                await self.driver.close()
                await asyncio.sleep(0.02)

    def _take(self, batch: Batch) -> None:
        self.batches.append(batch)
        for index, (tag, value) in enumerate(zip(batch.tags, batch.values, strict=True)):
            self.latest[batch.equipment, tag] = value, batch.flaws.get(index)

    def shows(self, equipment: str, tag: str, value: Value) -> bool:
        """Whether `value` is the tag's last reading, and good."""
        return self.latest.get((equipment, tag)) == (value, None)

    def reason(self, equipment: str, tag: str) -> str:
        """Why the tag's last reading is not good; nothing if it is, or if there is none."""
        flaw = self.latest.get((equipment, tag), (None, None))[1]
        return flaw.reason if flaw is not None else ""

    def history(self, equipment: str, tag: str) -> list[tuple[Value, int | None]]:
        """Every value of a tag with its source time, in the order in which they came."""
        return [
            (value, source)
            for batch in self.batches
            if batch.equipment == equipment
            for name, value, source in zip(batch.tags, batch.values, batch.source_ms or (), strict=True)
            if name == tag
        ]

    async def until(self, condition: Callable[[], bool]) -> float:
        """Wait until `condition` holds, and say how long that took. Raises AssertionError."""
        started = time.monotonic()
        while not condition():
            assert not self._task.done(), self._task.exception()
            assert time.monotonic() - started < LIMIT, f"not in time; failures: {self.failures[-3:]}"
            await asyncio.sleep(0.01)
        return time.monotonic() - started
