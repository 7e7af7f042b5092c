"""The OPC UA driver: one session, one subscription a period, batches as the server publishes."""

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import ClassVar

import click
from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.errors import explained
from drivers.opcua.feed import OpcuaTagSet
from drivers.opcua.options import OpcuaConnection, OpcuaEquipment, OpcuaTag
from drivers.opcua.pki import Pki
from drivers.opcua.publishing import Publisher
from drivers.opcua.serving import LOST_WITH_THE_CONNECTION, Left, Served, check_service_level
from drivers.opcua.session import Session
from drivers.opcua.statistics import ServiceStatistics
from drivers.opcua.unit_check import unit_remarks
from drivers.opcua.verification import used
from edge_agent.driver import (
    ConnectionFailed,
    Diagnostic,
    PlannedRequest,
    ProbeResult,
    Responses,
    StreamingDriver,
    UsedCertificate,
)
from edge_agent.model.batch import Batch
from edge_agent.model.found import Recogniser
from edge_agent.model.state import UnknownCause

ATTENTION = 0.5
"""Seconds between two looks at what has to be done without a word from the server."""

_IDENTITY = {
    "product": ObjectIds.Server_ServerStatus_BuildInfo_ProductName,
    "manufacturer": ObjectIds.Server_ServerStatus_BuildInfo_ManufacturerName,
    "software version": ObjectIds.Server_ServerStatus_BuildInfo_SoftwareVersion,
    "build": ObjectIds.Server_ServerStatus_BuildInfo_BuildNumber,
    "started": ObjectIds.Server_ServerStatus_StartTime,
    "server time": ObjectIds.Server_ServerStatus_CurrentTime,
}
_LIMITS = {
    "nodes per read": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    "monitored items per call": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    "sessions": ObjectIds.Server_ServerCapabilities_MaxSessions,
    "subscriptions per session": ObjectIds.Server_ServerCapabilities_MaxSubscriptionsPerSession,
    "monitored items per subscription": (
        ObjectIds.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription
    ),
    "queue size": ObjectIds.Server_ServerCapabilities_MaxMonitoredItemsQueueSize,
    "fastest sampling (ms)": ObjectIds.Server_ServerCapabilities_MinSupportedSampleRate,
}


class OpcuaDriver(StreamingDriver[OpcuaConnection, OpcuaEquipment, OpcuaTag]):
    """Reads and subscribes; it has no way to write and calls no methods.

    What is lost is not repaired behind the supervisor's back: `stream` raises, and whoever opened the first
    connection opens the next. That one goes on with the session and the subscriptions of the last, as far as
    the server still has them, and fetches what was kept there meanwhile.
    """

    Connection: ClassVar[type[OpcuaConnection]] = OpcuaConnection
    Tag: ClassVar[type[OpcuaTag]] = OpcuaTag

    _session: Session | None = None
    _publisher: Publisher | None = None
    _served: Served | None = None
    _left: Left | None = None
    _turn = 0
    """Which of the redundant servers is asked now."""
    _lived = False
    """Whether there were readings before."""

    def __init__(self, options: OpcuaConnection, tag_sets: Sequence[OpcuaTagSet]) -> None:
        super().__init__(options, tag_sets)
        self.statistics = ServiceStatistics()

    def certificates(self) -> Sequence[UsedCertificate]:
        if self.options.security == "none" and self.options.password is None:
            return ()
        return used(Pki(self.options.pki), (self.options.endpoint, *self.options.redundant))

    async def open(self) -> None:
        await self.close()
        endpoints = [self.options.endpoint, *self.options.redundant]
        endpoint = endpoints[self._turn]
        left = self._left if self._left is not None and self._left.endpoint == endpoint else None
        session = self._session = Session(
            self.options.model_copy(update={"endpoint": endpoint}), self.statistics
        )
        try:
            await session.open(left.ticket if left is not None else None)
            if len(endpoints) > 1:
                await check_service_level(session)
        except ConnectionFailed:
            self._turn = (self._turn + 1) % len(endpoints)
            raise
        finally:
            if left is not None:
                left.ticket = session.ticket() or left.ticket

    async def close(self) -> None:
        self._served = None
        try:
            if self._publisher is not None:
                await self._publisher.stop()
                self._publisher = None
        finally:
            if self._session is not None:
                await self._session.close(keep=self._left is not None)
                self._session = None

    @classmethod
    def commands(cls) -> click.Group:
        # Imported when they are asked for: an agent that runs does not pay for them.
        from drivers.opcua.commands import opcua

        return opcua

    @classmethod
    def recogniser(cls) -> Recogniser:
        from drivers.opcua.recognition import OpcuaRecogniser  # as above

        return OpcuaRecogniser()

    def plan(self) -> Sequence[PlannedRequest]:
        return [
            PlannedRequest(
                tag_set.equipment.id,
                period,
                f"read every {period * 1000:g} ms: {len(tag_set.tags)} of {count} nodes"
                if self.options.poll
                else f"subscription {number}, published every {period * 1000:g} ms: "
                f"{len(tag_set.tags)} of {count} monitored items",
                tag_set.names,
                {
                    "items": len(tag_set.tags),
                    **({} if self.options.poll else {"subscription": number, "publishing_s": period}),
                },
            )
            for number, (period, tag_sets) in enumerate(self._by_period(), start=1)
            for count in (sum(len(each.tags) for each in tag_sets),)
            for tag_set in tag_sets
        ]

    def requests(self) -> Sequence[PlannedRequest]:
        served = self._served
        if served is None:
            return self.plan()
        return [
            replace(one, granted=granted) for one, granted in zip(self.plan(), served.granted(), strict=True)
        ]

    def diagnostics(self) -> Sequence[Diagnostic]:
        return list(self.statistics.diagnostics(polled=self.options.poll))

    def response_times(self) -> Sequence[Responses]:
        return self.statistics.responses()

    async def probe(self) -> ProbeResult:
        session = self._opened()
        with explained(session.endpoint):
            values = await session.read_values([*_IDENTITY.values(), *_LIMITS.values()])
        told = {
            name: str(value)
            for name, value in zip([*_IDENTITY, *_LIMITS], values, strict=True)
            if value is not None
        }
        identity = {name: told[name] for name in _IDENTITY if name in told}
        identity["namespaces"] = ", ".join(session.namespaces)
        with explained(session.endpoint):
            identity |= await unit_remarks(session, self.tag_sets)
        return ProbeResult(identity, {name: told[name] for name in _LIMITS if name in told})

    async def stream(self) -> AsyncGenerator[Batch, None]:
        """To be asked for once after each `open`."""
        session = self._opened()
        left, self._left = self._left, None
        if left is not None and left.endpoint != session.endpoint:
            left = None
        served = self._served = Served(session, self.options, self._by_period(), left)
        try:
            with explained(session.endpoint):
                await served.begin(after_gap=self._lived)
                self._lived = True
                publisher = self._publisher = Publisher(session, served.publish_requests)
                attend_at = time.monotonic()
                while True:
                    wake = min(attend_at, served.due)
                    published = await publisher.next(wake - time.monotonic())
                    if published is not None:
                        for batch in await served.accept(published):
                            yield batch
                    if time.monotonic() >= wake:
                        for batch in await served.attend():
                            yield batch
                        await session.renew_if_due()
                        attend_at = time.monotonic() + ATTENTION
                    for subscription, number in served.fetched():
                        publisher.acknowledge(subscription, number)
        except ConnectionFailed as failure:
            if failure.cause in LOST_WITH_THE_CONNECTION:
                self._left = served.left()
            raise

    def _opened(self) -> Session:
        if self._session is None:
            raise ConnectionFailed(UnknownCause.UNREACHABLE, f"{self.options.endpoint} is not connected")
        return self._session

    def _by_period(self) -> list[tuple[float, list[OpcuaTagSet]]]:
        ordered = sorted(self.tag_sets, key=lambda tag_set: tag_set.period)
        return [(period, list(group)) for period, group in groupby(ordered, lambda tag_set: tag_set.period)]
