"""One subscription: its monitored items, each verified when made, watched and made again when lost."""

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import (
    BadEncodingLimitsExceeded,
    BadRequestTooLarge,
    BadTooManyOperations,
    UaStatusCodeError,
)

from drivers.opcua.feed import Feed, OpcuaTagSet
from drivers.opcua.nodes import NodeName, node_id
from drivers.opcua.options import OpcuaTag
from drivers.opcua.session import Session
from drivers.opcua.values import UNSCALED, Reading, Scaling, reading, status_code, status_name
from edge_agent.driver import ConnectionFailed
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.quality import bad
from edge_agent.model.state import UnknownCause

QUIET = 4.0
"""Seconds without a reading after which an equipment's nodes are checked, and it gets a sign of life."""
KEEP_ALIVE = 10.0
"""Seconds after which the server says by itself that the subscription stands; one period if longer."""
LIFETIME = 60.0
"""Seconds after which the server deletes a subscription that nobody asks for."""
FIRST_RETRY, LAST_RETRY = 1.0, 30.0
"""Seconds between attempts for nodes that are not there: doubled from the first to the last."""
ITEMS_AT_ONCE, ITEMS_UNSTATED = 500, 100
"""Monitored items per request at most; where the server states no limit, as small controllers take."""
PUBLISHED_AT_ONCE = 1_000
"""Values per message at most, so that decoding one takes milliseconds; the others follow right after."""

NAMESPACE_UNKNOWN = "namespace_unknown"
"""Reason of a tag whose namespace URI the server does not have."""

_NODE_GONE = {"BadNodeIdUnknown", "BadNodeIdInvalid"}
_SERVER_STATE = node_id(ObjectIds.Server_ServerStatus_State)

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Item:
    """One tag, and its monitored item at the server once there is one."""

    tag: OpcuaTag
    feed: Feed
    handle: int
    name: NodeName
    scaling: Scaling
    node: ua.NodeId | None = None
    monitored: int | None = None
    """The server's id of the monitored item; None while there is none."""
    reason: str = ""
    """Why there is none, as last told in a reading."""


@dataclass(slots=True)
class _Retry:
    """When to try again what is lost."""

    wait: float = FIRST_RETRY
    at: float = field(default_factory=lambda: time.monotonic() + FIRST_RETRY)

    def later(self) -> "_Retry":
        wait = min(2 * self.wait, LAST_RETRY)
        return _Retry(wait, time.monotonic() + wait)


class Subscription:
    """All tag sets of one period. `create` it, then `take` what is published and `attend` now and then."""

    def __init__(self, session: Session, period: float, tag_sets: Iterable[OpcuaTagSet]) -> None:
        self.id = 0
        self._session = session
        self._period = period
        self._feeds = [Feed(tag_set) for tag_set in tag_sets]
        self._items: list[Item] = []
        self._items_of: dict[Feed, list[Item]] = {}
        self._lost: dict[Item, None] = {}
        self._orphans: list[int] = []
        self._retry = _Retry()
        self._checked = 0
        for feed in self._feeds:
            for tag in feed.tag_set.tags:
                plain = tag.scale == 1.0 and tag.offset == 0.0
                scaling = UNSCALED if plain else Scaling(tag.scale, tag.offset)
                item = Item(tag, feed, len(self._items), NodeName.parse(tag.node), scaling)
                self._items.append(item)
                self._items_of.setdefault(feed, []).append(item)

    async def create(self) -> None:
        request = ua.CreateSubscriptionRequest()
        parameters = request.Parameters
        parameters.RequestedPublishingInterval = self._period * 1000
        parameters.RequestedMaxKeepAliveCount = max(1, int(KEEP_ALIVE / self._period))
        parameters.RequestedLifetimeCount = max(
            3 * parameters.RequestedMaxKeepAliveCount, math.ceil(LIFETIME / self._period)
        )
        parameters.MaxNotificationsPerPublish = PUBLISHED_AT_ONCE
        answer = (await self._session.call(request, ua.CreateSubscriptionResponse)).Parameters
        self.id = answer.SubscriptionId
        interval = answer.RevisedPublishingInterval / 1000
        await self._monitor(self._items)
        now = time.monotonic()
        self._silence_limit = interval * answer.RevisedMaxKeepAliveCount + self._session.timeout + 1.0
        self._silent_until = now + self._silence_limit
        self._hold_until = now + 2 * interval + self._session.timeout

    def take(self, notifications: Sequence[object], received_ms: int) -> list[Batch]:
        """What one notification message means, as one batch per equipment concerned."""
        self._silent_until = time.monotonic() + self._silence_limit
        touched: dict[Feed, None] = {}
        items = self._items
        for notification in notifications:
            if isinstance(notification, ua.DataChangeNotification):
                for change in notification.MonitoredItems:
                    item = items[change.ClientHandle]
                    if item.monitored is None:
                        continue  # a late word of an item that was given up
                    new = reading(change.Value, item.scaling)
                    item.feed.add(item.tag.id, new)
                    touched[item.feed] = None
                    if new.flaw is not None and new.flaw.reason in _NODE_GONE:
                        self._give_up(item, new.flaw.reason)
            elif isinstance(notification, ua.StatusChangeNotification):
                raise ConnectionFailed(
                    UnknownCause.PROTOCOL_ERROR,
                    f"{self._session.endpoint} ended the subscription "
                    f"({status_name(notification.Status.value)})",
                )
        return _batches(touched, received_ms)

    async def attend(self) -> list[Batch]:
        """What has to be done without a word from the server.

        Raises ConnectionFailed if the server no longer publishes.
        """
        now = time.monotonic()
        if now > self._silent_until:
            raise ConnectionFailed(
                UnknownCause.TIMEOUT, f"{self._session.endpoint} no longer publishes the subscription"
            )
        if self._lost and now >= self._retry.at:
            await self._try_again()
        if now >= self._hold_until:
            for feed in self._feeds:
                feed.give_up_waiting()
        quiet = [feed for feed in self._feeds if not feed.holding and now - feed.last_batch >= QUIET]
        if quiet:
            await self._check(quiet)
        return _batches(self._feeds, CLOCK.now_ms())

    async def _check(self, quiet: Sequence[Feed]) -> None:
        """Ask for one node of each equipment that was quiet, another one each time.

        Not every server tells when a node goes away: the monitored item then is silent for ever, and its
        last value would count as current.
        """
        self._checked += 1
        asked = [self._standing(feed) for feed in quiet]
        nodes = [items[self._checked % len(items)].node if items else _SERVER_STATE for items in asked]
        answers = await self._session.read([node or _SERVER_STATE for node in nodes], AttributeIds.NodeClass)
        suspect: list[Item] = []
        for feed, items, answer in zip(quiet, asked, answers, strict=True):
            if items and status_name(status_code(answer)) in _NODE_GONE:
                suspect += items
            else:
                feed.confirm()
        if suspect:
            answers = await self._session.read(
                [item.node or _SERVER_STATE for item in suspect], AttributeIds.NodeClass
            )
            for item, answer in zip(suspect, answers, strict=True):
                reason = status_name(status_code(answer))
                if reason in _NODE_GONE:
                    item.feed.add(item.tag.id, Reading(None, bad(reason), None))
                    self._give_up(item, reason)

    def _standing(self, feed: Feed) -> list[Item]:
        return [item for item in self._items_of[feed] if item.monitored is not None]

    def _give_up(self, item: Item, reason: str) -> None:
        """The node of a monitored item is gone: have the item deleted, and try to make a new one."""
        if item.monitored is not None:
            self._orphans.append(item.monitored)
        item.monitored = None
        item.reason = reason
        self._lost[item] = None
        self._retry = _Retry()

    async def _try_again(self) -> None:
        if self._orphans:
            request = ua.DeleteMonitoredItemsRequest()
            request.Parameters.SubscriptionId = self.id
            request.Parameters.MonitoredItemIds = self._orphans
            self._orphans = []
            try:
                await self._session.call(request, ua.DeleteMonitoredItemsResponse)
            except UaStatusCodeError as error:  # a server may stumble over items whose node it deleted
                _log.debug("%s: deleting monitored items: %s", self._session.endpoint, error)
        lost = list(self._lost)
        if any(item.reason == NAMESPACE_UNKNOWN for item in lost):
            await self._session.read_namespaces()
        await self._monitor(lost)
        self._retry = self._retry.later()

    async def _monitor(self, items: Sequence[Item]) -> None:
        """Have `items` monitored; those that the server refuses become bad readings and lost ones."""
        present: list[Item] = []
        for item in items:
            item.node = item.name.resolve(self._session.namespaces)
            if item.node is None:
                self._refused(item, NAMESPACE_UNKNOWN)
            else:
                present.append(item)
        at_once = min(self._session.limits.items_per_call or ITEMS_UNSTATED, ITEMS_AT_ONCE)
        done = 0
        while done < len(present):
            chunk = present[done : done + at_once]
            try:
                results = await self._create_items(chunk)
            except (BadTooManyOperations, BadEncodingLimitsExceeded, BadRequestTooLarge):
                if at_once == 1:
                    raise
                at_once = max(1, at_once // 2)
                continue
            done += len(chunk)
            for item, result in zip(chunk, results, strict=True):
                if result.StatusCode.is_bad():
                    self._refused(item, status_name(result.StatusCode.value))
                else:
                    item.monitored = result.MonitoredItemId
                    self._lost.pop(item, None)

    async def _create_items(self, items: Sequence[Item]) -> list[ua.MonitoredItemCreateResult]:
        request = ua.CreateMonitoredItemsRequest()
        parameters = request.Parameters
        parameters.SubscriptionId = self.id
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
                        QueueSize=item.tag.queue_size,
                        DiscardOldest=True,
                    ),
                )
            )
        return (await self._session.call(request, ua.CreateMonitoredItemsResponse)).Results

    def _refused(self, item: Item, reason: str) -> None:
        """Told once per reason: a tag that is still missing for the same reason is no news."""
        self._lost[item] = None
        if item.reason != reason:
            item.reason = reason
            item.feed.add(item.tag.id, Reading(None, bad(reason), None))
            _log.info("%s: %s: %s", self._session.endpoint, item.tag.node, reason)


def _batches(feeds: Iterable[Feed], received_ms: int) -> list[Batch]:
    return [batch for feed in feeds if (batch := feed.take(received_ms)) is not None]
