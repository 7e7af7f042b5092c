"""What every driver must do, whatever its protocol: the same tests over each driver's own harness.

A driver's test module has a class derived from `DriverContract` that says which harness it brings:

    class TestModbusContract(DriverContract):
        def harness(self) -> Harness:
            return ModbusHarness()

Nothing here knows whether the driver asks or is told: a `Reader` hides the difference.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

import pytest

from edge_agent.driver import (
    AnyDriver,
    ConnectionFailed,
    DriverError,
    PolledDriver,
    ProbeResult,
)
from edge_agent.model.batch import Value
from edge_agent.model.clock import CLOCK
from edge_agent.model.quality import QualityLevel
from tests.drivers.harness import Harness
from tests.drivers.reading import LIMIT, CancelledAt, Reader, eventually, has, shows


class DriverContract(ABC):
    """The contract; see `edge_agent.driver` for its words."""

    @abstractmethod
    def harness(self) -> Harness:
        """A server of the driver's protocol, not started; called once a test."""

    # What the tests stand on

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Harness]:
        harness = self.harness()
        await harness.start()
        try:
            yield harness
        finally:
            await harness.stop()

    @asynccontextmanager
    async def opened(
        self, harness: Harness, *, bad_tag: bool = False, wrong_type: bool = False
    ) -> AsyncIterator[Reader]:
        driver = harness.driver(harness.tag_sets(bad_tag=bad_tag, wrong_type=wrong_type))
        reader = Reader(driver)
        try:
            await driver.open()
            yield reader
        finally:
            await reader.aclose()
            await driver.close()
        await eventually(lambda: harness.sessions() == 0)

    async def reads_as_set(self, harness: Harness, driver: AnyDriver) -> None:
        """Set every tag of A and B, and see these values come."""
        reader = Reader(driver)
        for offset, tag_set in enumerate(driver.tag_sets, start=1):
            expected: dict[str, Value] = {
                tag: 1000 * offset + 7 * index for index, tag in enumerate(tag_set.names)
            }
            for tag, value in expected.items():
                await harness.set(tag_set.equipment.id, tag, value)
            await reader.until(tag_set, shows(expected))
        await reader.aclose()

    async def serves_afresh(self, harness: Harness, driver: AnyDriver) -> None:
        """The closed `driver` leaves nothing behind, and can be opened, read and closed again."""
        await eventually(lambda: harness.sessions() == 0)
        await driver.open()
        await self.reads_as_set(harness, driver)
        assert harness.sessions() == 1
        await driver.close()
        await eventually(lambda: harness.sessions() == 0)

    # Values, plan, times

    def test_values_read_are_the_values_set(self) -> None:
        async def body() -> None:
            async with self.server() as harness, self.opened(harness) as reader:
                await self.reads_as_set(harness, reader.driver)

        asyncio.run(body())

    def test_a_change_is_seen(self) -> None:
        async def body() -> None:
            async with self.server() as harness, self.opened(harness) as reader:
                a, b = reader.driver.tag_sets
                for value in (3, 4):
                    await harness.set("A", "t1", value)
                    await harness.set("B", "t1", value + 100)
                    await reader.until(a, has("t1", value))
                    await reader.until(b, has("t1", value + 100))

        asyncio.run(body())

    def test_received_times_are_those_of_arrival(self) -> None:
        async def body() -> None:
            async with self.server() as harness, self.opened(harness) as reader:
                before = CLOCK.now_ms()
                for tag_set in reader.driver.tag_sets:
                    picture = await reader.collect(tag_set)
                    assert before <= picture.received_ms <= CLOCK.now_ms()

        asyncio.run(body())

    def test_plan_names_every_tag_once_and_needs_no_server(self) -> None:
        harness = self.harness()

        async def body() -> None:
            await harness.start()
            try:
                driver = harness.driver(harness.tag_sets())
                planned = [(request.equipment, tag) for request in driver.plan() for tag in request.tags]
                asked = [(s.equipment.id, tag) for s in driver.tag_sets for tag in s.names]
                assert sorted(planned) == sorted(asked)
                for request in driver.plan():
                    assert request.what
                    assert request.period == 0.1
                assert harness.sessions() == 0
            finally:
                await harness.stop()

        asyncio.run(body())

    def test_what_is_asked_and_how_long_answers_take_is_told(self) -> None:
        async def body() -> None:
            began = time.monotonic()
            async with self.server() as harness, self.opened(harness) as reader:
                driver = reader.driver
                for tag_set in driver.tag_sets:
                    await reader.collect(tag_set)
                asked = [(one.equipment, tag) for one in driver.requests() for tag in one.tags]
                assert sorted(asked) == sorted((t.equipment.id, n) for t in driver.tag_sets for n in t.names)
                assert all(one.detail for one in driver.requests())
                reads = [one.times for one in driver.response_times() if one.request == "read"]
                assert reads
                took = time.monotonic() - began
                assert all(0 < times.sum_s < took * times.count for times in reads), "seconds"

        asyncio.run(body())

    def test_probe_answers(self) -> None:
        async def body() -> None:
            async with self.server() as harness, self.opened(harness) as reader:
                assert isinstance(await reader.driver.probe(), ProbeResult)
                await reader.collect(reader.driver.tag_sets[0])
                # Between two reads, and beside a stream.
                assert isinstance(await reader.driver.probe(), ProbeResult)
                await harness.set("B", "t1", 77)
                await reader.until(reader.driver.tag_sets[1], has("t1", 77))

        asyncio.run(body())

    # Open and close

    @pytest.mark.parametrize(
        "order",
        ["c", "cc", "oc", "occ", "coc", "ococ", "orc", "orccoc", "orcorc", "ococorcc"],
    )
    def test_open_and_close_in_any_order(self, order: str) -> None:
        async def body() -> None:
            async with self.server() as harness:
                driver = harness.driver(harness.tag_sets())
                for what in order:
                    match what:
                        case "o":
                            await driver.open()
                        case "r":
                            reader = Reader(driver)
                            await reader.collect(driver.tag_sets[0])
                            await reader.aclose()
                        case _:
                            await driver.close()
                await self.serves_afresh(harness, driver)

        asyncio.run(body())

    def test_open_without_a_server_fails_and_works_once_it_is_there(self) -> None:
        async def body() -> None:
            harness = self.harness()
            await harness.start()
            driver = harness.driver(harness.tag_sets())
            await harness.stop()
            try:
                for _ in range(2):
                    with pytest.raises(ConnectionFailed) as failure:
                        await driver.open()
                    assert str(failure.value)
                await driver.close()
                await harness.start()
                await self.serves_afresh(harness, driver)
            finally:
                await driver.close()
                await harness.stop()

        asyncio.run(body())

    # Cancellation

    async def _cancelled_open(self, harness: Harness, at: int) -> bool:
        driver = harness.driver(harness.tag_sets())
        cancelled = CancelledAt(driver.open(), at)
        with suppress(asyncio.CancelledError):
            await _task(cancelled)
        await driver.close()
        await self.serves_afresh(harness, driver)
        return cancelled.reached

    async def _cancelled_read(self, harness: Harness, at: int) -> bool:
        driver = harness.driver(harness.tag_sets())
        await driver.open()
        reader = Reader(driver)
        cancelled = CancelledAt(reader.step(driver.tag_sets[0]), at)
        with suppress(asyncio.CancelledError):
            await _task(cancelled)
        await reader.aclose()
        await driver.close()
        await self.serves_afresh(harness, driver)
        return cancelled.reached

    @pytest.mark.parametrize("what", ["open", "read"])
    def test_cancel_at_every_await(self, what: str) -> None:
        async def body() -> None:
            cancelled = self._cancelled_open if what == "open" else self._cancelled_read
            async with self.server() as harness:
                at = 0
                while await cancelled(harness, at):
                    at += 1
            assert at > 0, "not one await: the test would show nothing"

        asyncio.run(body())

    @pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
    def test_cancel_while_answers_are_on_the_way(self, steps: int) -> None:
        async def body() -> None:
            async with self.server() as harness:
                driver = harness.driver(harness.tag_sets())
                reader = Reader(driver)

                async def use() -> None:
                    await driver.open()
                    for tag_set in driver.tag_sets:
                        await reader.collect(tag_set)

                task = asyncio.create_task(use())
                for _ in range(steps):
                    await asyncio.sleep(0.0005)  # what is cut off is a matter of chance, and meant to be
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                await reader.aclose()
                await driver.close()
                await self.serves_afresh(harness, driver)

        asyncio.run(body())

    # Isolation

    def test_a_bad_tag_costs_that_tag_only(self) -> None:
        self._one_flaw(bad_tag=True)

    def test_a_wrong_type_costs_that_tag_only(self) -> None:
        self._one_flaw(wrong_type=True)

    def _one_flaw(self, *, bad_tag: bool = False, wrong_type: bool = False) -> None:
        async def body() -> None:
            async with self.server() as harness:
                for tag, value in {"t0": 5, "t2": 6}.items():
                    await harness.set("A", tag, value)
                for tag, value in {"t0": 7, "t1": 8, "t2": 9}.items():
                    await harness.set("B", tag, value)
                async with self.opened(harness, bad_tag=bad_tag, wrong_type=wrong_type) as reader:
                    a, b = reader.driver.tag_sets
                    for _ in range(3 if isinstance(reader.driver, PolledDriver) else 1):
                        picture = await reader.until(a, shows({"t0": 5, "t2": 6}))
                        flaw = picture.flaws["t1"]
                        assert flaw is not None
                        assert flaw.level is QualityLevel.BAD
                        assert flaw.reason
                        assert picture.values["t1"] is None
                        await reader.until(b, shows({"t0": 7, "t1": 8, "t2": 9}))
                    await harness.set("A", "t2", 60)
                    await reader.until(a, shows({"t0": 5, "t2": 60}))

        asyncio.run(body())

    def test_a_dead_equipment_costs_itself_only_and_comes_back(self) -> None:
        async def body() -> None:
            async with self.server() as harness, self.opened(harness) as reader:
                a, b = reader.driver.tag_sets
                await reader.collect(a)
                await reader.collect(b)
                await harness.silence("A", True)
                await reader.until_dead(a)
                for value in (41, 42):
                    await harness.set("B", "t0", value)
                    await reader.until(b, has("t0", value))
                await harness.silence("A", False)
                await harness.set("A", "t0", 43)
                await reader.until(a, lambda picture: has("t0", 43)(picture) and len(picture.good()) == 3)
                await harness.set("B", "t0", 44)
                await reader.until(b, has("t0", 44))

        asyncio.run(body())

    # Restart

    def test_after_a_restart_of_the_server_it_opens_again(self) -> None:
        async def body() -> None:
            async with self.server() as harness:
                driver = harness.driver(harness.tag_sets())
                try:
                    for _ in range(3):
                        await driver.open()
                        reader = Reader(driver)
                        for tag_set in driver.tag_sets:
                            await reader.collect(tag_set)
                        assert harness.sessions() == 1
                        await harness.stop()
                        await self._lost(reader)
                        await reader.aclose()
                        await driver.close()
                        with pytest.raises(ConnectionFailed):
                            await driver.open()
                        await driver.close()
                        await harness.start()
                        await self.serves_afresh(harness, driver)
                finally:
                    await driver.close()

        asyncio.run(body())

    async def _lost(self, reader: Reader) -> None:
        """The reader tells that the connection is gone; before that, equipment may time out."""
        async with asyncio.timeout(LIMIT):
            while True:
                try:
                    await reader.step(reader.driver.tag_sets[0])
                except ConnectionFailed:
                    return
                except DriverError:
                    continue


async def _task(awaitable: Awaitable[object]) -> None:
    """Run in a task of its own, so that a cancellation stays in there."""

    async def run() -> None:
        await awaitable

    await asyncio.create_task(run())
