"""Monitored items at the server: made, checked and deleted, in requests as large as it takes."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes as S
from asyncua.ua.uaerrors import (
    BadEncodingLimitsExceeded,
    BadRequestTooLarge,
    BadTooManyOperations,
    UaError,
    UaStatusCodeError,
)

from drivers.opcua.items import Item
from drivers.opcua.session import Session
from drivers.opcua.values import status_name

ITEMS_AT_ONCE, ITEMS_UNSTATED = 500, 100
"""Monitored items per request at most; where the server states no limit, as small controllers take."""

NO_ROOM = {"BadTooManyMonitoredItems", "BadResourceUnavailable"}
"""Reasons of a server that has no monitored item left."""
_NO_FILTER = {
    S.BadMonitoredItemFilterUnsupported,
    S.BadMonitoredItemFilterInvalid,
    S.BadFilterNotAllowed,
    S.BadDeadbandFilterInvalid,
}

_log = logging.getLogger(__name__)

A = TypeVar("A")
B = TypeVar("B")


class Monitor:
    """The monitored items of one subscription."""

    def __init__(self, session: Session, subscription: int) -> None:
        self._session = session
        self._subscription = subscription

    async def create(self, items: Sequence[Item]) -> list[tuple[Item, str]]:
        """Have `items` monitored, whose nodes are known; returns those that the server refuses, with the
        reason of each. A dead-band that it refuses is left out, so that more is sent than was asked for."""
        refused: list[tuple[Item, str]] = []
        unfiltered: list[Item] = []
        for item, result in zip(items, await self._in_chunks(items, self._create), strict=True):
            code = int(result.StatusCode.value)
            if not result.StatusCode.is_bad():
                item.monitored = result.MonitoredItemId
                item.granted_sampling = float(result.RevisedSamplingInterval) / 1000
                item.granted_queue = int(result.RevisedQueueSize)
                item.bridged = max(item.granted_queue, 1) * max(item.granted_sampling, item.sampling)
            elif code in _NO_FILTER and item.filtered and _has_deadband(item):
                item.filtered = False
                unfiltered.append(item)
            else:
                refused.append((item, status_name(code)))
        if unfiltered:
            _log.warning(
                "%s: no dead-band for %s: the server sends every change",
                self._session.endpoint,
                ", ".join(item.name for item in unfiltered),
            )
            refused += await self.create(unfiltered)
        return refused

    async def verify(self, items: Sequence[Item]) -> list[Item]:
        """Those of `items` whose monitored item the server no longer has.

        Asks for the mode that they are in, which changes nothing and names each that is unknown.
        """
        results = await self._in_chunks(items, self._set_reporting)
        return [item for item, status in zip(items, results, strict=True) if status.is_bad()]

    async def delete(self, monitored: Sequence[int]) -> None:
        async def delete(chunk: Sequence[int]) -> list[ua.StatusCode]:
            request = ua.DeleteMonitoredItemsRequest()
            request.Parameters.SubscriptionId = self._id()
            request.Parameters.MonitoredItemIds = list(chunk)
            return (await self._session.call(request, ua.DeleteMonitoredItemsResponse)).Results

        try:
            await self._in_chunks(monitored, delete)
        except UaStatusCodeError as error:  # a server may stumble over items whose node it deleted
            _log.debug("%s: deleting monitored items: %s", self._session.endpoint, error)

    async def _create(self, items: Sequence[Item]) -> list[ua.MonitoredItemCreateResult]:
        request = ua.CreateMonitoredItemsRequest()
        parameters = request.Parameters
        parameters.SubscriptionId = self._id()
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
        for item in items:
            sampling = item.tag.sampling
            parameters.ItemsToCreate.append(
                ua.MonitoredItemCreateRequest(
                    ItemToMonitor=ua.ReadValueId(NodeId=item.node, AttributeId=AttributeIds.Value),
                    MonitoringMode=ua.MonitoringMode.Reporting,
                    RequestedParameters=ua.MonitoringParameters(
                        ClientHandle=item.handle,
                        SamplingInterval=-1 if sampling is None else sampling * 1000,
                        Filter=_filter(item),
                        QueueSize=item.queue,
                        DiscardOldest=True,
                    ),
                )
            )
        return (await self._session.call(request, ua.CreateMonitoredItemsResponse)).Results

    async def _set_reporting(self, items: Sequence[Item]) -> list[ua.StatusCode]:
        request = ua.SetMonitoringModeRequest()
        request.Parameters.SubscriptionId = self._id()
        request.Parameters.MonitoringMode = ua.MonitoringMode.Reporting
        request.Parameters.MonitoredItemIds = [item.monitored for item in items]
        answer = await self._session.call(request, ua.SetMonitoringModeResponse)
        results: list[ua.StatusCode] = answer.Parameters.Results
        return results

    async def _in_chunks(
        self, things: Sequence[A], call: Callable[[Sequence[A]], Awaitable[list[B]]]
    ) -> list[B]:
        """Results of `call` for all of `things`, in requests that the server accepts."""
        at_once = min(self._session.limits.items_per_call or ITEMS_UNSTATED, ITEMS_AT_ONCE)
        results: list[B] = []
        while len(results) < len(things):
            chunk = things[len(results) : len(results) + at_once]
            try:
                answers = await call(chunk)
            except (BadTooManyOperations, BadEncodingLimitsExceeded, BadRequestTooLarge):
                if at_once == 1:
                    raise
                at_once = max(1, at_once // 2)
                continue
            if len(answers) != len(chunk):
                raise UaError(f"{len(answers)} results for {len(chunk)} monitored items")
            results += answers
        return results

    def _id(self) -> Any:  # the library asks for an int type of its own, and needs none
        return self._subscription


def _has_deadband(item: Item) -> bool:
    return item.tag.deadband is not None or item.tag.deadband_percent is not None


def _filter(item: Item) -> ua.DataChangeFilter | None:
    """The dead-band, in the server's units."""
    if not item.filtered or not _has_deadband(item):
        return None
    kind, band = ua.DeadbandType.Percent, item.tag.deadband_percent
    if band is None:
        kind, band = ua.DeadbandType.Absolute, (item.tag.deadband or 0.0) / abs(item.tag.scale)
    value: Any = band  # as above
    return ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, kind.value, value)
