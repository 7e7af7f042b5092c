"""Gets readings out of any driver, and waits for what is to come of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

from edge_agent.driver import AnyDriver, AnyTagSet, EquipmentFailed, PolledDriver, StreamingDriver
from edge_agent.model.batch import Batch, Value
from edge_agent.model.quality import Quality, QualityLevel

LIMIT = 30.0
"""Seconds after which a condition that is waited for counts as not met."""


class Picture:
    """The latest reading of each tag of one tag set."""

    def __init__(self, tag_set: AnyTagSet) -> None:
        self.tag_set = tag_set
        self.values: dict[str, Value] = {}
        self.flaws: dict[str, Quality | None] = {}
        self.received_ms = 0

    def take(self, batch: Batch) -> None:
        assert batch.equipment == self.tag_set.equipment.id
        assert len(batch.values) == len(batch.tags)
        assert batch.source_ms is None or len(batch.source_ms) == len(batch.tags)
        assert set(batch.flaws) <= set(range(len(batch.tags)))
        assert set(batch.tags) <= set(self.tag_set.names)
        assert batch.received_ms >= self.received_ms
        self.received_ms = batch.received_ms
        for index, (tag, value) in enumerate(zip(batch.tags, batch.values, strict=True)):
            self.values[tag] = value
            self.flaws[tag] = batch.flaws.get(index)

    def complete(self) -> bool:
        return set(self.values) == set(self.tag_set.names)

    def is_bad(self, tag: str) -> bool:
        flaw = self.flaws.get(tag)
        return flaw is not None and flaw.level is QualityLevel.BAD

    def good(self) -> dict[str, Value]:
        return {tag: value for tag, value in self.values.items() if self.flaws[tag] is None}

    def all_bad(self) -> bool:
        return self.complete() and all(self.is_bad(tag) for tag in self.values)


Condition = Callable[[Picture], bool]


def shows(expected: dict[str, Value]) -> Condition:
    """The picture is complete, `expected` are its good readings, and the others are bad."""
    return lambda picture: picture.complete() and picture.good() == expected


def has(tag: str, value: Value) -> Condition:
    return lambda picture: picture.good().get(tag) == value


class Reader:
    """Gets the tags of a tag set out of an opened driver, polled or streaming alike.

    One reader serves one opening of the driver; `aclose` it before the driver is closed.
    """

    def __init__(self, driver: AnyDriver) -> None:
        self.driver = driver
        self.pictures = {id(tag_set): Picture(tag_set) for tag_set in driver.tag_sets}
        self._stream: AsyncIterator[Batch] | None = None

    async def collect(self, tag_set: AnyTagSet) -> Picture:
        """A picture with every tag of `tag_set`. Raises what the driver raises."""
        return await self.until(tag_set, Picture.complete)

    async def until(self, tag_set: AnyTagSet, condition: Condition) -> Picture:
        """Read on until the picture of `tag_set` meets `condition`; a dead equipment is asked again."""
        picture = self.pictures[id(tag_set)]
        async with asyncio.timeout(LIMIT):
            while True:
                try:
                    await self.step(tag_set)
                except EquipmentFailed:
                    await asyncio.sleep(0.05)
                    continue
                if condition(picture):
                    return picture

    async def step(self, tag_set: AnyTagSet) -> Batch:
        """One read of `tag_set`, or the next batch of the stream, whichever tag set that is of."""
        driver = self.driver
        if isinstance(driver, PolledDriver):
            batch = await driver.read(tag_set)
            assert tuple(batch.tags) == tag_set.names, "a polled batch has all tags, in their order"
            self.pictures[id(tag_set)].take(batch)
            return batch
        assert isinstance(driver, StreamingDriver)
        if self._stream is None:
            self._stream = driver.stream()
        batch = await anext(self._stream)
        for picture in self.pictures.values():
            if picture.tag_set.equipment.id == batch.equipment:
                picture.take(batch)
        return batch

    async def until_dead(self, tag_set: AnyTagSet) -> None:
        """Read on until the equipment of `tag_set` is known to be dead."""
        picture = self.pictures[id(tag_set)]
        async with asyncio.timeout(LIMIT):
            while not picture.all_bad():
                try:
                    await self.step(tag_set)
                except EquipmentFailed:
                    return

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()
        self._stream = None


class CancelledAt:
    """Awaits a coroutine and cancels its task at suspension number `count`, counted from 0.

    So a test can go through every await of a coroutine, one after the other. `reached` tells whether
    there was such an await.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, object], count: int) -> None:
        self._coroutine = coroutine
        self._count = count
        self.reached = False

    def __await__(self) -> Generator[Any, Any, object]:
        inner = self._coroutine.__await__()
        seen = 0
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = inner.send(None) if thrown is None else inner.throw(thrown)
            except StopIteration as stop:
                return stop.value
            if seen == self._count:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            seen += 1
            try:
                yield waited_for
                thrown = None
            except BaseException as error:  # handed on to the coroutine, which decides
                thrown = error


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds. Raises AssertionError after LIMIT seconds."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        await asyncio.sleep(0.01)
