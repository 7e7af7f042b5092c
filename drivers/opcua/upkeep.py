"""Every tag monitored at the server or polled, and tried again while it is lost."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.conversions import conversions
from drivers.opcua.items import Item
from drivers.opcua.monitoring import NO_ROOM, Monitor
from drivers.opcua.nodes import node_id
from drivers.opcua.places import Route, locate
from drivers.opcua.polling import Poller
from drivers.opcua.session import Session
from drivers.opcua.structures import Structures
from drivers.opcua.values import Reading
from edge_agent.model.quality import bad

FIRST_RETRY, LAST_RETRY = 1.0, 30.0
"""Seconds between attempts for nodes that are not there: doubled from the first to the last."""
STUCK_AT_MOST = 2
"""How often a monitored item may be silent about a change before its tag is polled."""


MOVED = "moved"
"""Why a monitored item is made anew whose path leads to another node now."""

SERVER_STATE = node_id(ObjectIds.Server_ServerStatus_State)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Retry:
    """When to try again what is lost."""

    wait: float = FIRST_RETRY
    at: float = field(default_factory=lambda: time.monotonic() + FIRST_RETRY)

    def later(self) -> "_Retry":
        wait = min(2 * self.wait, LAST_RETRY)
        return _Retry(wait, time.monotonic() + wait)


@dataclass(slots=True)
class Room:
    """How many monitored items may still be made, all subscriptions of a session together."""

    left: float = math.inf


class Upkeep:
    """The items of one subscription, over one session. What it learns of them is in the items themselves."""

    def __init__(self, session: Session, subscription: int, period: float, room: Room) -> None:
        """`subscription` is 0 where there is none: then everything is polled."""
        self.poller = Poller(session, period)
        self.monitor = Monitor(session, subscription)
        self._session = session
        self._structures = Structures(session)
        self._can_monitor = subscription != 0
        self._room = room
        self._lost: dict[Item, None] = {}
        self._orphans: list[int] = []
        self._retry = _Retry()

    def take_over(self, items: Sequence[Item]) -> None:
        """Go on with what another connection has left."""
        for item in items:
            if item.polled:
                self.poller.add(item)
            elif item.monitored is None:
                self._lost[item] = None

    async def attend(self) -> None:
        """Try again what is lost, when its time has come."""
        if self._lost and time.monotonic() >= self._retry.at:
            await self._try_again()

    async def serve(self, items: Sequence[Item]) -> None:
        """Have `items` monitored or polled; those that the server refuses become bad readings and lost."""
        present: list[Item] = []
        located = await locate(self._session, [item.place for item in items])
        for item, found in zip(items, located, strict=True):
            if isinstance(found, str):
                item.node = None
                self._refused(item, found)
            else:
                item.node = found
                present.append(item)
        wanted = [(item.node or SERVER_STATE, item.tag) for item in present]
        made = await conversions(self._session, self._structures, wanted)
        for item, conversion in zip(present, made, strict=True):
            item.conversion = conversion
        monitored = [item for item in present if self._can_monitor and item.revived < STUCK_AT_MOST]
        monitored = monitored[: int(min(self._room.left, len(monitored)))]
        refused = dict(await self.monitor.create(monitored))
        polled = dict.fromkeys(present)
        for item in monitored:
            reason = refused.get(item)
            if reason in NO_ROOM:
                continue
            del polled[item]
            if reason is None:
                self._room.left -= 1
                self._lost.pop(item, None)
                item.reason = ""
            else:
                self._refused(item, reason)
        self._poll(list(polled))

    async def find_anew(self, items: Sequence[Item]) -> None:
        """The server's model has changed: paths may lead elsewhere, and what was missing may be there."""
        items = [item for item in items if isinstance(item.place, Route) and item.node is not None]
        located = await locate(self._session, [item.place for item in items])
        for item, found in zip(items, located, strict=True):
            if found != item.node:
                self.give_up(item, MOVED)
        self._retry = _Retry(at=time.monotonic())

    def give_up(self, item: Item, reason: str) -> None:
        """The node is gone, or its monitored item is of no use: have it deleted, and make a new one."""
        if item.monitored is not None:
            self._orphans.append(item.monitored)
            self._room.left += 1
        if item.polled:
            self.poller.remove(item)
        item.monitored = None
        item.reason = reason
        self._lost[item] = None
        self._retry = _Retry()

    async def _try_again(self) -> None:
        if self._orphans:
            orphans, self._orphans = self._orphans, []
            await self.monitor.delete(orphans)
        lost = list(self._lost)
        if any(item.node is None for item in lost):
            await self._session.read_namespaces()
        await self.serve(lost)
        self._retry = self._retry.later()

    def _poll(self, items: Sequence[Item]) -> None:
        if items and self._can_monitor:
            _log.warning(
                "%s: %d tags are polled: no monitored items for them", self._session.endpoint, len(items)
            )
        for item in items:
            self._lost.pop(item, None)
            self.poller.add(item)

    def _refused(self, item: Item, reason: str) -> None:
        """Told once per reason: a tag that is still missing for the same reason is no news."""
        self._lost[item] = None
        if item.reason != reason:
            item.reason = reason
            item.feed.add(item.name, Reading(None, bad(reason), None))
            _log.info("%s: %s: %s", self._session.endpoint, item.place, reason)
