"""Keeps one connection working: opens it, reads it on time, and lets nothing of it disturb the others."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol, cast

from edge_agent.acquisition.asking import Nap, Outcome, Question, of_batch
from edge_agent.acquisition.diagnostics import Crossing, LimitWatch
from edge_agent.acquisition.failures import driver_fault, incomplete_within, not_open_within
from edge_agent.acquisition.schedule import Schedule, first_turn
from edge_agent.driver import (
    AnyDriver,
    AnyTagSet,
    ConnectionFailed,
    Diagnostic,
    DriverError,
    EquipmentFailed,
    PolledDriver,
    StreamingDriver,
)
from edge_agent.model.backoff import Backoff
from edge_agent.model.batch import Batch
from edge_agent.model.failure import FailureKind
from edge_agent.model.options import ConnectionOptions, EquipmentOptions, TagOptions
from edge_agent.model.progress import Progress
from edge_agent.model.state import UnknownCause

log = logging.getLogger(__name__)

RECONNECT_FIRST_S, RECONNECT_LIMIT_S = 0.5, 30.0
PARK_FIRST_S, PARK_LIMIT_S = 2.0, 60.0
PARK_AFTER = 2
"""Failures in a row after which an equipment is only asked now and then, so that its time-outs cost its
neighbours on the same line no more than that."""
CLOSE_LIMIT_S = 5.0
LOOK_EVERY_S = 60.0
"""How often diagnostics are compared with their limits."""
ASK_LIMIT_TIMEOUTS = 8
"""So many time limits of one answer it may take to ask at somebody's wish: to open, to wait for a turn, to
be answered; and `ASK_LIMIT_S` at most."""
ASK_LIMIT_S = 30.0


AnyPolled = PolledDriver[ConnectionOptions, EquipmentOptions, TagOptions]
AnyStreaming = StreamingDriver[ConnectionOptions, EquipmentOptions, TagOptions]


class Sink(Protocol):
    """Where a supervisor puts what it learns. Calls return at once."""

    def batch(self, batch: Batch) -> None: ...

    def opened(self, connection: str) -> None:
        """The endpoint accepted the connection."""

    def lost(self, connection: str, error: DriverError) -> None:
        """The endpoint cannot be used; told once per outage, and again when the reason changes."""

    def equipment_failed(self, connection: str, equipment: str, error: DriverError) -> None:
        """One equipment did not answer; told once per outage, and again when the reason changes."""

    def limit_crossed(self, connection: str, crossing: Crossing) -> None:
        """A figure of the connection's diagnostics went over its limit, or is back."""


@dataclass(slots=True)
class ConnectionStatistics:
    """Counts since the start of the agent."""

    opened: int = 0
    failures: int = 0
    reads: int = 0
    missed_ticks: int = 0


class _Parking:
    """Which equipment has failed so often that it waits before its next turn."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._backoff: dict[str, Backoff] = {}
        self._until: dict[str, float] = {}

    def parked(self, equipment: str, now: float) -> bool:
        return now < self._until.get(equipment, now)

    def failed(self, equipment: str, now: float) -> None:
        self._failures[equipment] = self._failures.get(equipment, 0) + 1
        if self._failures[equipment] >= PARK_AFTER:
            backoff = self._backoff.setdefault(equipment, Backoff(PARK_FIRST_S, PARK_LIMIT_S))
            self._until[equipment] = now + backoff.next()

    def answered(self, equipment: str) -> None:
        if equipment in self._failures:
            del self._failures[equipment]
            self._backoff.pop(equipment, None)
            self._until.pop(equipment, None)


class ConnectionSupervisor:
    """Runs one driver until cancelled."""

    def __init__(self, driver: AnyDriver, sink: Sink, phase: float) -> None:
        """`phase` in [0, 1) shifts the ticks within the period, so that connections take turns."""
        self.driver = driver
        self.id = driver.options.id
        self.statistics = ConnectionStatistics()
        self.progress = Progress(f"connection {self.id}")
        self.open = False
        """Whether the endpoint accepts the connection now."""
        self._sink = sink
        self._phase = phase
        self._backoff = Backoff(RECONNECT_FIRST_S, RECONNECT_LIMIT_S)
        self._told: dict[str, tuple[UnknownCause, str]] = {}
        self._nap = Nap()
        self._question: Question | None = None
        """What somebody wants to know now, and waits for."""

    async def run(self) -> None:
        """Keep the connection working. Ends only by cancellation, and has then closed."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch_limits(), name=f"diagnostics of {self.id}")
            try:
                await self._keep_up()
            finally:
                watch.cancel()
                self._answer_question(
                    ConnectionFailed(
                        UnknownCause.DISABLED, "the connection is no longer served", kind=FailureKind.CUT
                    )
                )

    async def ask(self) -> Outcome:
        """Ask the other side once, now. Never opens a connection beside the running one.

        If it is open, one equipment is read in between (the one that failed last, if one does), or a server
        that streams is asked who it is. If it is not, it is opened at once instead of after its pause. Calls
        are never concurrent.
        """
        question = Question()
        limit = min(ASK_LIMIT_TIMEOUTS * self.driver.options.timeout, ASK_LIMIT_S)
        try:
            async with asyncio.timeout(limit):
                if not self._streams_open:
                    self._question = question
                    self._nap.wake()
                    outcome = await question.outcome
                    if outcome.error is not None or isinstance(self.driver, PolledDriver):
                        return outcome
                identity = (await self.driver.probe()).identity
                return Outcome("probe", question.took_ms, identity=identity)
        except TimeoutError:
            return Outcome("open", question.took_ms, incomplete_within(self.id, limit))
        except DriverError as error:
            return Outcome("probe", question.took_ms, error)
        except Exception as error:
            log.exception("connection %s: fault in driver %s", self.id, self.driver.options.driver)
            return Outcome("probe", question.took_ms, driver_fault(error))
        finally:
            self._question = None

    @property
    def _streams_open(self) -> bool:
        return self.open and not isinstance(self.driver, PolledDriver)

    async def _rest(self, seconds: float) -> None:
        """Sleep, unless somebody wants to know something now."""
        await self._nap.sleep(0.0 if self._question is not None else seconds)

    async def _keep_up(self) -> None:
        """Open, serve, close, wait, and again."""
        while True:
            try:
                await self._open()
                await self._serve()
            except DriverError as error:
                self._lost(error)
            except Exception as error:
                # A fault in one driver must not end the agent; it is shown as what it is.
                log.exception("connection %s: fault in driver %s", self.id, self.driver.options.driver)
                self._lost(driver_fault(error))
            finally:
                await self._close()
            delay = self._backoff.next()
            self.progress.expect(delay)
            await self._rest(delay)

    async def _open(self) -> None:
        limit = 2 * self.driver.options.timeout
        self.progress.expect(limit)
        try:
            async with asyncio.timeout(limit):
                await self.driver.open()
        except TimeoutError as error:
            raise not_open_within(limit) from error
        self.statistics.opened += 1
        self.open = True
        if "" in self._told:
            del self._told[""]
            log.warning("connection %s: open again", self.id)
        self._sink.opened(self.id)

    async def _close(self) -> None:
        self.progress.expect(CLOSE_LIMIT_S)
        self.open = False
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self.driver.close()
        except Exception:
            log.exception("connection %s: fault while closing", self.id)

    async def _serve(self) -> None:
        if isinstance(self.driver, PolledDriver):
            await self._poll(cast(AnyPolled, self.driver))
        else:
            await self._follow(cast(AnyStreaming, self.driver).stream())

    async def _follow(self, stream: AsyncGenerator[Batch, None]) -> None:
        if self._question is not None:
            self._question.answer(Outcome("open", self._question.took_ms))
        self.progress.rest()  # a machine that changes nothing says nothing; the driver watches its server
        async with aclosing(stream) as batches:
            async for batch in batches:
                self._take(batch)
        raise ConnectionFailed(
            UnknownCause.PROTOCOL_ERROR, "the stream ended", kind=FailureKind.SUBSCRIPTION_LOST
        )

    async def _poll(self, driver: AnyPolled) -> None:
        loop = asyncio.get_running_loop()
        shortest = min(tag_set.period for tag_set in driver.tag_sets)
        start = first_turn(loop.time(), self._phase, shortest)
        schedule = Schedule([(tag_set, tag_set.period) for tag_set in driver.tag_sets], start)
        limits = self._read_limits(driver)
        longest = max(limits.values())
        parking = _Parking()
        missed_before = self.statistics.missed_ticks
        while True:
            due, tag_set = schedule.next()
            self.progress.expect(due - loop.time() + longest)
            await self._rest(due - loop.time())
            if self._question is not None:
                await self._answer(self._question, driver, limits, parking)
                continue
            equipment = tag_set.equipment.id
            if not parking.parked(equipment, loop.time()):
                await self._read_in_turn(driver, tag_set, limits, parking)
            schedule.done(loop.time())
            self.statistics.missed_ticks = missed_before + schedule.missed

    async def _read_in_turn(
        self, driver: AnyPolled, tag_set: AnyTagSet, limits: Mapping[AnyTagSet, float], parking: _Parking
    ) -> Batch | EquipmentFailed:
        equipment = tag_set.equipment.id
        read = await self._read(driver, tag_set, limits[tag_set])
        if isinstance(read, EquipmentFailed):
            parking.failed(equipment, asyncio.get_running_loop().time())
        else:
            parking.answered(equipment)
        return read

    async def _answer(
        self,
        question: Question,
        driver: AnyPolled,
        limits: Mapping[AnyTagSet, float],
        parking: _Parking,
    ) -> None:
        """Read one tag set beside the schedule: of an equipment that fails, if one does."""
        failing = (one for one in driver.tag_sets if one.equipment.id in self._told)
        tag_set = next(failing, driver.tag_sets[0])
        asked = Question()
        read = await self._read_in_turn(driver, tag_set, limits, parking)
        if isinstance(read, EquipmentFailed):
            question.answer(Outcome("read", asked.took_ms, read, tag_set.equipment.id))
        else:
            question.answer(of_batch(read, asked.took_ms))
        self._question = None

    def _read_limits(self, driver: AnyPolled) -> dict[AnyTagSet, float]:
        """An outer limit for each read: the driver keeps its own per request, this one catches a driver
        that does not."""
        plan = driver.plan()
        return {
            tag_set: driver.options.timeout
            * (1 + sum(request.equipment == tag_set.equipment.id for request in plan))
            for tag_set in driver.tag_sets
        }

    async def _read(self, driver: AnyPolled, tag_set: AnyTagSet, limit: float) -> Batch | EquipmentFailed:
        equipment = tag_set.equipment.id
        try:
            async with asyncio.timeout(limit):
                batch = await driver.read(tag_set)
        except TimeoutError as error:
            raise incomplete_within(equipment, limit) from error
        except EquipmentFailed as error:
            if self._changed(equipment, error):
                log.warning("connection %s: %s: %s", self.id, equipment, _text(error))
                self._sink.equipment_failed(self.id, equipment, error)
            return error
        if equipment in self._told:
            del self._told[equipment]
            log.warning("connection %s: %s answers again", self.id, equipment)
        self._take(batch)
        return batch

    def _take(self, batch: Batch) -> None:
        self._backoff.reset()
        self.statistics.reads += 1
        self._sink.batch(batch)

    def _lost(self, error: DriverError) -> None:
        self.statistics.failures += 1
        self._answer_question(error)
        if self._changed("", error):
            log.warning("connection %s: %s", self.id, _text(error))
            self._sink.lost(self.id, error)

    def _answer_question(self, error: DriverError) -> None:
        if self._question is not None:
            self._question.answer(Outcome("open", self._question.took_ms, error))
            self._question = None

    def diagnostics(self) -> Sequence[Diagnostic]:
        """What the driver counts; nothing if it fails at that, or counts what is no number."""
        try:
            return [replace(one, value=float(one.value)) for one in self.driver.diagnostics()]
        except Exception:
            log.exception("connection %s: fault in the diagnostics of the driver", self.id)
            return ()

    async def _watch_limits(self) -> None:
        limits = LimitWatch(min(tag_set.period for tag_set in self.driver.tag_sets))
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for crossing in limits.look(self.diagnostics()):
                log.warning("connection %s: %s", self.id, crossing)
                self._sink.limit_crossed(self.id, crossing)

    def _changed(self, subject: str, error: DriverError) -> bool:
        """Whether this failure of `subject` (an equipment, "" for the connection) is news."""
        said = (error.cause, str(error))
        if self._told.get(subject) == said:
            return False
        self._told[subject] = said
        return True


def _text(error: DriverError) -> str:
    return f"{error}. {error.remedy}" if error.remedy else str(error)


def phases(count: int) -> Sequence[float]:
    """Phases that spread `count` connections evenly over a period."""
    return [index / count for index in range(count)]
