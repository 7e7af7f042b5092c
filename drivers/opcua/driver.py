"""The OPC UA driver: one session, one subscription a period, batches as the server publishes."""

import time
from collections.abc import AsyncGenerator, Sequence
from itertools import groupby
from typing import ClassVar

from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.errors import explained
from drivers.opcua.feed import OpcuaTagSet
from drivers.opcua.options import OpcuaConnection, OpcuaEquipment, OpcuaTag
from drivers.opcua.publishing import Publisher
from drivers.opcua.session import Session
from drivers.opcua.subscription import Subscription
from edge_agent.driver import ConnectionFailed, PlannedRequest, ProbeResult, StreamingDriver
from edge_agent.model.batch import Batch
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

    What is lost is not repaired behind the supervisor's back: `stream` raises, and a new session with new
    subscriptions is opened by whoever opened the first.
    """

    Connection: ClassVar[type[OpcuaConnection]] = OpcuaConnection
    Tag: ClassVar[type[OpcuaTag]] = OpcuaTag

    _session: Session | None = None
    _publisher: Publisher | None = None

    async def open(self) -> None:
        await self.close()
        self._session = Session(self.options)
        await self._session.open()

    async def close(self) -> None:
        try:
            if self._publisher is not None:
                await self._publisher.stop()
                self._publisher = None
        finally:
            if self._session is not None:
                await self._session.close()
                self._session = None

    def plan(self) -> Sequence[PlannedRequest]:
        return [
            PlannedRequest(
                tag_set.equipment.id,
                period,
                f"subscription {number}, published every {period * 1000:g} ms: "
                f"{len(tag_set.tags)} of {sum(len(each.tags) for each in tag_sets)} monitored items",
                tag_set.names,
            )
            for number, (period, tag_sets) in enumerate(self._by_period(), start=1)
            for tag_set in tag_sets
        ]

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
        return ProbeResult(identity, {name: told[name] for name in _LIMITS if name in told})

    async def stream(self) -> AsyncGenerator[Batch, None]:
        """To be asked for once after each `open`."""
        session = self._opened()
        with explained(session.endpoint):
            subscriptions: dict[int, Subscription] = {}
            for period, tag_sets in self._by_period():
                subscription = Subscription(session, period, tag_sets)
                await subscription.create()
                subscriptions[subscription.id] = subscription
            publisher = self._publisher = Publisher(session, waiting=len(subscriptions) + 1)
            attend_at = time.monotonic()
            while True:
                published = await publisher.next(attend_at - time.monotonic())
                if published is not None and published.subscription in subscriptions:
                    subscription = subscriptions[published.subscription]
                    for batch in subscription.take(published.notifications, published.received_ms):
                        yield batch
                if time.monotonic() >= attend_at:
                    for subscription in subscriptions.values():
                        for batch in await subscription.attend():
                            yield batch
                    await session.renew_if_due()
                    attend_at = time.monotonic() + ATTENTION

    def _opened(self) -> Session:
        if self._session is None:
            raise ConnectionFailed(UnknownCause.UNREACHABLE, f"{self.options.endpoint} is not connected")
        return self._session

    def _by_period(self) -> list[tuple[float, list[OpcuaTagSet]]]:
        ordered = sorted(self.tag_sets, key=lambda tag_set: tag_set.period)
        return [(period, list(group)) for period, group in groupby(ordered, lambda tag_set: tag_set.period)]
