"""The supervisor over drivers that do as they are told, in the time of the loop; real servers are in
tests/drivers and tests/field."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any

import pytest

from edge_agent.acquisition import supervisor as module
from edge_agent.acquisition.asking import Outcome
from edge_agent.acquisition.diagnostics import Crossing
from edge_agent.acquisition.supervisor import ConnectionSupervisor
from edge_agent.driver import (
    ANSWERS,
    REQUESTS,
    AnyTagSet,
    ConnectionFailed,
    Diagnostic,
    DriverError,
    EquipmentFailed,
    PlannedRequest,
    PolledDriver,
    ProbeResult,
    StreamingDriver,
    TagSet,
)
from edge_agent.model import progress
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.options import ConnectionOptions, EquipmentOptions, TagOptions
from edge_agent.model.state import UnknownCause
from tests import loop_time

Act = Callable[[AnyTagSet], Coroutine[Any, Any, None]]


class Scripted(PolledDriver[ConnectionOptions, EquipmentOptions, TagOptions]):
    """Answers at once, unless `act` or `on_open` says otherwise."""

    def __init__(self, tag_sets: Sequence[AnyTagSet], timeout: float = 0.2) -> None:
        options = ConnectionOptions.model_construct(
            id="c", driver="scripted", timeout=timeout, equipment=tuple(t.equipment for t in tag_sets)
        )
        super().__init__(options, tag_sets)
        self.act: Act | None = None
        self.on_open: DriverError | None = None
        self.log: list[str] = []

    async def open(self) -> None:
        self.log.append("open")
        if self.on_open is not None:
            raise self.on_open

    async def close(self) -> None:
        self.log.append("close")

    def plan(self) -> Sequence[PlannedRequest]:
        return [PlannedRequest(t.equipment.id, t.period, "all", t.names) for t in self.tag_sets]

    async def probe(self) -> ProbeResult:
        return ProbeResult()

    async def read(self, tag_set: AnyTagSet) -> Batch:
        self.log.append(tag_set.equipment.id)
        if self.act is not None:
            await self.act(tag_set)
        return Batch(tag_set.equipment.id, CLOCK.now_ms(), ("t",), (1,))


class Told:
    def __init__(self) -> None:
        self.batches: list[tuple[float, str]] = []
        self.news: list[str] = []

    def batch(self, batch: Batch) -> None:
        self.batches.append((asyncio.get_running_loop().time(), batch.equipment))

    def opened(self, connection: str) -> None:
        self.news.append(f"opened {connection}")

    def lost(self, connection: str, error: DriverError) -> None:
        self.news.append(f"lost {connection} {error.cause} {error}")

    def equipment_failed(self, connection: str, equipment: str, error: DriverError) -> None:
        self.news.append(f"failed {connection} {equipment} {error.cause}")

    def limit_crossed(self, connection: str, crossing: Crossing) -> None:
        self.news.append(f"limit {connection} {crossing}")

    def count(self, equipment: str) -> int:
        return sum(name == equipment for _, name in self.batches)


def tag_set(name: str, period: float) -> AnyTagSet:
    return TagSet(EquipmentOptions(id=name), (TagOptions(id="t"),), period)


async def until(condition: Callable[[], bool], limit: float = 5.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


def supervised(
    driver: Any, work: Callable[[ConnectionSupervisor, Told], Coroutine[Any, Any, None]], phase: float = 0.0
) -> Told:
    told = Told()

    async def main() -> None:
        supervisor = ConnectionSupervisor(driver, told, phase)
        task = asyncio.create_task(supervisor.run())
        try:
            await work(supervisor, told)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()

    loop_time.run(main())
    assert driver.log[-1] == "close", "a supervisor that ends has closed its connection"
    return told


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "time", loop_time.CLOCK)
    monkeypatch.setattr(module, "RECONNECT_FIRST_S", 0.02)
    monkeypatch.setattr(module, "PARK_FIRST_S", 0.3)
    monkeypatch.setattr(module, "PARK_LIMIT_S", 0.3)


def test_an_equipment_that_fails_costs_only_itself_and_is_parked() -> None:
    driver = Scripted([tag_set("A", 0.05), tag_set("B", 0.05)])

    async def act(which: AnyTagSet) -> None:
        if which.equipment.id == "A":
            raise EquipmentFailed(UnknownCause.TIMEOUT, "A: no answer")

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        driver.act = act
        await until(lambda: told.count("B") >= 12)
        assert driver.log.count("A") <= 6, "a dead equipment is asked only now and then"
        driver.act = None
        await until(lambda: told.count("A") >= 3)

    told = supervised(driver, work)
    assert told.news == ["opened c", "failed c A timeout"], "told once, not at every try"


def test_a_lost_connection_is_opened_again_and_told_once() -> None:
    driver = Scripted([tag_set("A", 0.02)])
    driver.on_open = ConnectionFailed(UnknownCause.UNREACHABLE, "refused")

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: driver.log.count("open") >= 4)
        driver.on_open = None
        await until(lambda: told.count("A") >= 3)

        async def act(which: AnyTagSet) -> None:
            driver.act = None
            raise ConnectionFailed(UnknownCause.PROTOCOL_ERROR, "garbage")

        driver.act = act
        opened = driver.log.count("open")
        await until(lambda: driver.log.count("open") > opened and told.count("A") >= 6)

    told = supervised(driver, work)
    assert told.news == [
        "lost c unreachable refused",
        "opened c",
        "lost c protocol_error garbage",
        "opened c",
    ]
    assert "open open" not in " ".join(driver.log), "closed before it is opened again"


def test_a_driver_that_hangs_is_cut_off() -> None:
    driver = Scripted([tag_set("A", 0.02)], timeout=0.05)

    async def hang(which: AnyTagSet) -> None:
        await asyncio.sleep(3600)

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        driver.act = hang
        await until(lambda: bool(told.news) and told.news[-1].startswith("lost"))

    told = supervised(driver, work)
    assert told.news[1].startswith("lost c timeout A: no complete answer within 0.1 s")


def test_a_fault_in_a_driver_does_not_end_the_agent() -> None:
    driver = Scripted([tag_set("A", 0.02)])

    async def act(which: AnyTagSet) -> None:
        driver.act = None
        raise KeyError("a mistake in the driver")

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        driver.act = act
        await until(lambda: told.count("A") >= 3)

    told = supervised(driver, work)
    assert told.news[1].startswith("lost c protocol_error fault in the driver")


def test_a_slow_read_misses_ticks_and_counts_them() -> None:
    driver = Scripted([tag_set("A", 0.05)], timeout=1.0)

    async def act(which: AnyTagSet) -> None:
        driver.act = None
        await asyncio.sleep(0.22)

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: told.count("A") >= 2)
        driver.act = act
        before = told.count("A")
        await until(lambda: told.count("A") >= before + 6)
        assert supervisor.statistics.missed_ticks == 3
        times = [t for t, _ in told.batches[before + 1 :]]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert gaps == pytest.approx([0.03, 0.05, 0.05, 0.05]), "not made up for in a bunch"

    supervised(driver, work)


class Counting(Scripted):
    """Tells what it counts, after it failed to do so once."""

    def __init__(self, tag_sets: Sequence[AnyTagSet]) -> None:
        super().__init__(tag_sets)
        self.failed = 0
        self.faults = 1

    def diagnostics(self) -> Sequence[Diagnostic]:
        if self.faults:
            self.faults -= 1
            raise KeyError("a mistake in the driver")
        asked = self.log.count("A") + self.failed
        return [Diagnostic("unit 1", REQUESTS, asked), Diagnostic("unit 1", ANSWERS, asked - self.failed)]


def test_limits_are_watched_while_the_connection_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.1)
    driver = Counting([tag_set("A", 0.02)])

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: driver.faults == 0)
        assert supervisor.open
        driver.faults = 1
        assert list(supervisor.diagnostics()) == []
        driver.failed = 1000
        await until(lambda: len(told.news) >= 2)
        await until(lambda: len(told.news) >= 3)

    told = supervised(driver, work)
    assert told.news[0] == "opened c"
    assert told.news[1].startswith("limit c unit 1: failed_share is 0.9")
    assert told.news[2:] == ["limit c unit 1: failed_share is 0, back within 0.1"]


class Stream(StreamingDriver[ConnectionOptions, EquipmentOptions, TagOptions]):
    """Tells two batches, then says that the connection is gone."""

    def __init__(self, tag_sets: Sequence[AnyTagSet]) -> None:
        options = ConnectionOptions.model_construct(id="s", driver="stream", timeout=1.0)
        super().__init__(options, tag_sets)
        self.log: list[str] = []

    async def open(self) -> None:
        self.log.append("open")

    async def close(self) -> None:
        self.log.append("close")

    def plan(self) -> Sequence[PlannedRequest]:
        return []

    async def probe(self) -> ProbeResult:
        return ProbeResult()

    async def stream(self) -> AsyncGenerator[Batch, None]:
        try:
            for _ in range(2):
                yield Batch("A", CLOCK.now_ms(), ("t",), (1,))
            raise ConnectionFailed(UnknownCause.TIMEOUT, "silence")
        finally:
            self.log.append("stream ended")


def test_a_stream_is_followed_and_made_again() -> None:
    driver = Stream([tag_set("A", 0.1)])

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: told.count("A") >= 6)

    told = supervised(driver, work)
    assert driver.log[:6] == ["open", "stream ended", "close", "open", "stream ended", "close"]
    assert told.news[:3] == ["opened s", "lost s timeout silence", "opened s"]


class Silent(Stream):
    """Tells nothing: its machine changes nothing."""

    async def stream(self) -> AsyncGenerator[Batch, None]:
        self.log.append("stream")
        await asyncio.sleep(3600)
        yield Batch("A", CLOCK.now_ms(), ("t",), (1,))


async def latest(supervisor: ConnectionSupervisor, seconds: float) -> float:
    """For how long the supervisor was late at most, while one looked."""
    loop = asyncio.get_running_loop()
    worst, end = -1.0, loop.time() + seconds
    while loop.time() < end:
        worst = max(worst, supervisor.progress.late_s())
        await asyncio.sleep(0.005)
    return worst


def test_a_supervisor_whose_driver_lets_no_limit_end_it_is_late() -> None:
    driver, released = Scripted([tag_set("A", 0.05)], timeout=0.05), asyncio.Event()

    async def swallow(_: AnyTagSet) -> None:
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: told.count("A") > 1)
        driver.act = swallow
        await until(lambda: supervisor.progress.late_s() > 0.3)
        driver.act = None
        released.set()
        await until(lambda: supervisor.progress.late_s() < 0)

    supervised(driver, work)


def test_a_supervisor_that_fails_and_tries_again_is_not_late() -> None:
    driver = Scripted([tag_set("A", 0.05), tag_set("B", 0.05)], timeout=0.02)

    async def hang(which: AnyTagSet) -> None:
        if which.equipment.id == "B":
            await asyncio.sleep(3600)

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        driver.act = hang
        assert await latest(supervisor, 0.3) < 0.2
        driver.on_open = ConnectionFailed(UnknownCause.REFUSED, "no")
        assert await latest(supervisor, 0.2) < 0.2
        assert supervisor.statistics.failures > 3

    supervised(driver, work)


def test_a_stream_in_which_nothing_comes_is_not_late() -> None:
    driver = Silent([tag_set("A", 1.0)])

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: "stream" in driver.log)
        assert supervisor.progress.late_s() == 0.0

    supervised(driver, work)


class Asked(Scripted):
    """Fails when it is told to, and says who it is."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.opening = 0

    async def open(self) -> None:
        self.opening += 1
        assert self.opening == 1, "a second connection beside the first"
        await super().open()

    async def close(self) -> None:
        self.opening = 0
        await super().close()


def test_who_asks_reads_one_equipment_in_between_over_the_same_connection() -> None:
    driver = Asked([tag_set("A", 60), tag_set("B", 60)])

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: told.count("B") == 1)
        outcome = await supervisor.ask()
        assert (outcome.way, outcome.error, outcome.equipment) == ("read", None, "A")
        assert (outcome.tags, outcome.usable) == (1, 1)
        assert told.count("A") == 2, "what was read is not thrown away"

    supervised(driver, work)
    assert driver.log.count("open") == 1


def test_who_asks_hears_of_the_equipment_that_fails_and_its_neighbours_keep_their_period() -> None:
    driver = Asked([tag_set("A", 0.05), tag_set("B", 0.05)])

    async def silent(one: AnyTagSet) -> None:
        if one.equipment.id == "B":
            raise EquipmentFailed(UnknownCause.TIMEOUT, "B: no answer")

    driver.act = silent

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: "failed c B timeout" in told.news)
        before = told.count("A")
        outcome = await supervisor.ask()
        assert (outcome.equipment, str(outcome.error)) == ("B", "B: no answer")
        await until(lambda: told.count("A") >= before + 5)
        assert supervisor.statistics.missed_ticks == 0

    supervised(driver, work)
    assert driver.log.count("open") == 1


def test_who_asks_has_a_lost_connection_opened_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECONNECT_FIRST_S", 60.0)
    driver = Asked([tag_set("A", 60)])
    driver.on_open = ConnectionFailed(UnknownCause.UNREACHABLE, "refused")

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: supervisor.statistics.failures == 1)
        outcome = await supervisor.ask()
        assert (outcome.way, str(outcome.error)) == ("open", "refused")
        driver.on_open = None
        outcome = await supervisor.ask()
        assert (outcome.way, outcome.error, outcome.equipment) == ("read", None, "A")

    told = supervised(driver, work)
    assert told.news == ["lost c unreachable refused", "opened c"]


def test_who_asks_is_answered_in_time_by_a_driver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_LIMIT_S", 0.1)
    driver = Asked([tag_set("A", 60)], 60.0)

    async def hang(_: AnyTagSet) -> None:
        await asyncio.Event().wait()

    driver.act = hang

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: "A" in driver.log)
        outcome = await supervisor.ask()
        assert outcome.error is not None
        assert outcome.error.cause is UnknownCause.TIMEOUT

    supervised(driver, work)


def test_who_asks_is_answered_when_the_connection_is_served_no_longer() -> None:
    driver = Asked([tag_set("A", 60)], 60.0)

    async def hang(_: AnyTagSet) -> None:
        await asyncio.Event().wait()

    driver.act = hang

    async def main() -> Outcome:
        supervisor = ConnectionSupervisor(driver, Told(), 0.0)
        task = asyncio.create_task(supervisor.run())
        await until(lambda: "A" in driver.log)
        asked = asyncio.create_task(supervisor.ask())
        await asyncio.sleep(0.01)
        task.cancel()
        async with asyncio.timeout(2):
            return await asked

    outcome = loop_time.run(main())
    assert str(outcome.error) == "the connection is no longer served"


class Streaming(StreamingDriver[ConnectionOptions, EquipmentOptions, TagOptions]):
    def __init__(self) -> None:
        one = tag_set("A", 60)
        options = ConnectionOptions.model_construct(
            id="c", driver="s", timeout=0.2, equipment=(one.equipment,)
        )
        super().__init__(options, [one])
        self.log: list[str] = []
        self.on_open: DriverError | None = None
        self.on_probe: Exception | None = None

    async def open(self) -> None:
        self.log.append("open")
        if self.on_open is not None:
            raise self.on_open

    async def close(self) -> None:
        self.log.append("close")

    def plan(self) -> Sequence[PlannedRequest]:
        return ()

    async def probe(self) -> ProbeResult:
        if self.on_probe is not None:
            raise self.on_probe
        return ProbeResult({"product": "P"})

    async def stream(self) -> AsyncGenerator[Batch, None]:
        yield Batch("A", CLOCK.now_ms(), ("t",), (1,))
        await asyncio.Event().wait()


def test_a_server_that_streams_is_asked_who_it_is_and_goes_on_streaming(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RECONNECT_FIRST_S", 60.0)
    driver = Streaming()
    driver.on_open = ConnectionFailed(UnknownCause.UNREACHABLE, "refused")

    async def work(supervisor: ConnectionSupervisor, told: Told) -> None:
        await until(lambda: supervisor.statistics.failures == 1)
        driver.on_open = None
        for _ in range(2):  # once through opening, once over what is open
            outcome = await supervisor.ask()
            assert (outcome.way, outcome.error, outcome.identity) == ("probe", None, {"product": "P"})
        for error in (ConnectionFailed(UnknownCause.REFUSED, "no"), KeyError("x")):
            driver.on_probe = error
            outcome = await supervisor.ask()
            assert outcome.error is not None
        assert driver.log.count("open") == 2, "asking costs no connection"

    supervised(driver, work)
