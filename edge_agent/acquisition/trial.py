"""Trying connections once, for commissioning: open, read everything, ask who is there, close."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import cast

from edge_agent.acquisition.failures import driver_fault, incomplete_within, not_open_within
from edge_agent.config.site import tag_sets
from edge_agent.driver import (
    AnyDriver,
    Diagnostic,
    DriverError,
    EquipmentFailed,
    PolledDriver,
    ProbeResult,
    StreamingDriver,
    load_driver,
)
from edge_agent.model.batch import Batch, Value
from edge_agent.model.failure import FailureKind
from edge_agent.model.options import ConnectionOptions, EquipmentOptions, TagOptions
from edge_agent.model.quality import Quality, QualityLevel
from edge_agent.model.state import UnknownCause

AT_ONCE = 16
"""So many connections are tried at the same time."""
CLOSE_LIMIT_S = 5.0

AnyPolled = PolledDriver[ConnectionOptions, EquipmentOptions, TagOptions]
AnyStreaming = StreamingDriver[ConnectionOptions, EquipmentOptions, TagOptions]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one tag answered. `flaw` is None if the reading is good."""

    value: Value
    flaw: Quality | None
    source_ms: int | None
    received_ms: int

    @property
    def usable(self) -> bool:
        return self.flaw is None or self.flaw.level is not QualityLevel.BAD


@dataclass(slots=True)
class Trial:
    """What came of one connection."""

    connection: ConnectionOptions
    opened: bool = False
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """By equipment and tag."""
    failures: list[tuple[str, DriverError]] = field(default_factory=list)
    """What failed: the id of the connection or of an equipment, and why."""
    probe: ProbeResult | None = None
    diagnostics: Sequence[Diagnostic] = ()

    @property
    def everything_answered(self) -> bool:
        """Whether there is a usable reading of every tag that is not optional, and nothing failed."""
        wanted = {
            (one.id, tag.id) for one in self.connection.equipment for tag in one.tags if not tag.optional
        }
        usable = {key for key, answer in self.answers.items() if answer.usable}
        return not self.failures and wanted <= usable

    def take(self, batch: Batch) -> None:
        """Note the readings of a batch; a later one of the same tag replaces the earlier."""
        for index, tag in enumerate(batch.tags):
            source_ms = batch.source_ms[index] if batch.source_ms is not None else None
            self.answers[batch.equipment, tag] = Answer(
                batch.values[index], batch.flaws.get(index), source_ms, batch.received_ms
            )

    def knows_all_of(self, equipment: EquipmentOptions) -> bool:
        return all((equipment.id, tag.id) in self.answers for tag in equipment.tags)


async def try_connections(connections: Sequence[ConnectionOptions]) -> list[Trial]:
    """Try each connection once, several at a time; the results are in the order of `connections`."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def in_turn(connection: ConnectionOptions) -> Trial:
        async with turn:
            return await try_connection(connection)

    return await asyncio.gather(*(in_turn(connection) for connection in connections))


async def try_connection(connection: ConnectionOptions) -> Trial:
    """Open, read every tag set once, probe, close. What fails is in the result; nothing is raised."""
    trial = Trial(connection)
    driver = load_driver(connection.driver)(connection, tag_sets(connection))
    try:
        try:
            await _ask_everything(driver, trial)
        finally:
            trial.diagnostics = driver.diagnostics()
    except DriverError as error:
        trial.failures.append((connection.id, error))
    except Exception as error:
        trial.failures.append((connection.id, driver_fault(error)))
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await driver.close()
    return trial


async def _ask_everything(driver: AnyDriver, trial: Trial) -> None:
    await _open(driver)
    trial.opened = True
    if isinstance(driver, PolledDriver):
        await _read(cast(AnyPolled, driver), trial)
    else:
        await _listen(cast(AnyStreaming, driver), trial)
    trial.probe = await _probe(driver)


async def _open(driver: AnyDriver) -> None:
    limit = 2 * driver.options.timeout
    try:
        async with asyncio.timeout(limit):
            await driver.open()
    except TimeoutError:
        raise not_open_within(limit) from None


async def _read(driver: AnyPolled, trial: Trial) -> None:
    requests = [request.equipment for request in driver.plan()]
    for tag_set in driver.tag_sets:
        equipment = tag_set.equipment.id
        limit = driver.options.timeout * (1 + requests.count(equipment))
        try:
            async with asyncio.timeout(limit):
                trial.take(await driver.read(tag_set))
        except EquipmentFailed as error:
            trial.failures.append((equipment, error))
        except TimeoutError:
            raise incomplete_within(equipment, limit) from None


async def _listen(driver: AnyStreaming, trial: Trial) -> None:
    """Take batches until every tag has been heard of once."""
    equipment = driver.options.equipment
    limit = max(tag_set.period for tag_set in driver.tag_sets) + 3 * driver.options.timeout
    try:
        async with asyncio.timeout(limit), aclosing(driver.stream()) as batches:
            async for batch in batches:
                trial.take(batch)
                if all(trial.knows_all_of(one) for one in equipment):
                    return
    except TimeoutError:
        for one in equipment:
            if not trial.knows_all_of(one):
                error = EquipmentFailed(
                    UnknownCause.TIMEOUT,
                    f"not all tags were heard of within {limit:g} s",
                    kind=FailureKind.TOO_SLOW,
                )
                trial.failures.append((one.id, error))


async def _probe(driver: AnyDriver) -> ProbeResult | None:
    """Who is there; None from an endpoint that does not say, which is no mistake of the configuration."""
    limit = driver.options.timeout * (1 + len(driver.options.equipment))
    try:
        async with asyncio.timeout(limit):
            return await driver.probe()
    except (DriverError, TimeoutError):
        return None
