"""All tag sets of one period: subscribed, polled where that cannot be, watched, and made again when lost."""

import logging
import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import (
    BadNotImplemented,
    BadServiceUnsupported,
    BadTooManySubscriptions,
    UaStatusCodeError,
)

from drivers.opcua import watch
from drivers.opcua.feed import Feed, OpcuaTagSet
from drivers.opcua.items import Item, items_of
from drivers.opcua.model_changes import ModelChanges
from drivers.opcua.notifications import Changes, Message, message_of
from drivers.opcua.places import Route
from drivers.opcua.polling import read_items
from drivers.opcua.session import Session
from drivers.opcua.upkeep import SERVER_STATE, Room, Upkeep
from drivers.opcua.values import STRUCTURE_UNKNOWN, Reading, status_code, status_name
from edge_agent.driver import ConnectionFailed, Detail
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.failure import FailureKind
from edge_agent.model.quality import bad
from edge_agent.model.state import UnknownCause

KEEP_ALIVE = 10.0
"""Seconds after which the server says by itself that the subscription stands; one period if longer."""
LIFETIME = 60.0
"""Seconds at least after which the server deletes a subscription that nobody asks for."""
PUBLISHED_AT_ONCE = 1_000
"""Values per message at most, so that decoding one takes milliseconds; the others follow right after."""
FETCHED_AT_MOST = 1_000
"""Messages that are asked for again after a gap in their numbers; a larger gap is one for good."""
STUCK = "stuck"
"""Why a monitored item is made anew that was silent about a change."""

_NODE_GONE = {"BadNodeIdUnknown", "BadNodeIdInvalid"}
_LOOK_AGAIN = _NODE_GONE | {STRUCTURE_UNKNOWN.reason}
"""Reasons to look for a node anew, and to ask what its values look like."""
_NUMBERS = 1 << 32

_log = logging.getLogger(__name__)


class Subscription:
    """`create` it, then `accept` what is published and `attend` now and then; `resume` it on a new
    connection. Its `id` is 0 while everything is polled."""

    def __init__(
        self, session: Session, period: float, bridge: float, tag_sets: Iterable[OpcuaTagSet], room: Room
    ) -> None:
        """`bridge` in seconds, as in the options."""
        self.id = 0
        self.ended = False
        """Whether the server ended it, or no longer serves it."""
        self._fetched: list[int] = []
        self._period = period
        self._bridge = bridge
        self._room = room
        self._feeds = [Feed(tag_set) for tag_set in tag_sets]
        self._items = items_of(self._feeds, period, bridge)
        self._items_of: dict[Feed, list[Item]] = {}
        for item in self._items:
            self._items_of.setdefault(item.feed, []).append(item)
        self._expected: int | None = None
        """Number of the next message; None before the first."""
        self._resumed = False
        self._interval = period
        self._keep_alive = 0.0
        """Seconds after which the server says by itself that the subscription stands."""
        self._silence_limit = self._silent_until = math.inf
        self._bind(session)

    def _bind(self, session: Session) -> None:
        self._session = session
        self._upkeep = Upkeep(session, self.id, self._period, self._room)
        self._model_changes = ModelChanges(session)

    @property
    def due(self) -> float:
        """Monotonic time at which `attend` has something to read; infinite if never."""
        return self._upkeep.poller.due

    @property
    def monitored(self) -> int:
        """How many monitored items it has."""
        return sum(item.monitored is not None for item in self._items)

    def granted(self) -> list[Detail]:
        """What the server made of each tag set, in their order."""
        return [self._granted_to(feed) for feed in self._feeds]

    def _granted_to(self, feed: Feed) -> Detail:
        items = self._items_of.get(feed, [])
        monitored = self._standing(feed)
        polled = sum(item.polled for item in items)
        told: dict[str, str | int | float] = {}
        if self.id:
            told |= {"publishing_s": self._interval, "keep_alive_s": self._keep_alive}
            told |= {"monitored": len(monitored)}
        if monitored:
            told["sampling_s"] = _span(item.granted_sampling or 0.0 for item in monitored)
            told["queue"] = _span(item.granted_queue for item in monitored)
        if polled:
            told["polled"] = polled
        if lost := len(items) - len(monitored) - polled:
            told["lost"] = lost
        return told

    def take_fetched(self) -> list[int]:
        """Numbers of messages that came outside the publish responses since the last call."""
        fetched, self._fetched = self._fetched, []
        return fetched

    async def create(self, *, poll: bool = False, after_gap: bool = False) -> None:
        """`poll`: without a subscription. `after_gap`: there were readings before, of another one."""
        if not poll:
            await self._subscribe()
        if after_gap:
            for item in self._items:
                item.feed.add_gap(item.name)
        await self._upkeep.serve(self._items)
        if self.id and any(isinstance(item.place, Route) for item in self._items):
            await self._model_changes.subscribe(self.id)
        self._start_watching(hold=2 * self._interval + self._session.timeout)

    async def resume(self, session: Session) -> bool:
        """Go on over a new connection, with what the server kept meanwhile; False if it has it no longer."""
        standing = [item for item in self._items if item.monitored is not None]
        if self.ended or not standing:
            return False
        self._bind(session)
        outage = time.monotonic() - self._heard
        try:
            gone = await self._upkeep.monitor.verify(standing)
        except UaStatusCodeError as error:
            _log.info("%s: subscription %d is not resumed: %s", session.endpoint, self.id, error)
            return False
        self._resumed = True
        for feed in self._feeds:
            feed.begin_again()
        for item in self._items:
            if item.monitored is None and not item.polled:
                item.feed.add(item.name, Reading(None, bad(item.reason), None))
            elif outage > item.bridged:
                item.feed.add_gap(item.name)
        for item in gone:
            item.feed.add_gap(item.name)
            item.monitored = None
            self._room.left += 1
        self._upkeep.take_over(self._items)
        if gone:
            await self._upkeep.serve(gone)
        number = self._expected or 1
        while (message := await self._fetch(number)) is not None:
            self._take(message)
            number = _after(number)
        self._start_watching(hold=2 * self._interval + 0.5)
        return True

    async def accept(self, message: Message, received_ms: int) -> list[Batch]:
        """What one notification message means, as one batch per equipment concerned."""
        self._heard = time.monotonic()
        self._silent_until = self._heard + self._silence_limit
        if self._expected is None:
            self._expected = message.sequence
        ahead = (message.sequence - self._expected) % _NUMBERS
        if ahead >= _NUMBERS // 2:
            return []  # had before
        if ahead:
            await self._fill(self._expected, ahead)
            self._expected = message.sequence
        if message.notifications:
            self._take(message)
        return _batches(self._feeds, received_ms)

    async def attend(self) -> list[Batch]:
        """What has to be done without a word from the server.

        Raises ConnectionFailed if the server no longer publishes.
        """
        now = time.monotonic()
        if now > self._silent_until:
            self.ended = True
            raise ConnectionFailed(
                UnknownCause.TIMEOUT,
                f"{self._session.endpoint} no longer publishes the subscription",
                kind=FailureKind.SUBSCRIPTION_LOST,
            )
        if await self._model_changes.happened():
            await self._upkeep.find_anew(self._items)
        await self._upkeep.attend()
        if now >= self._upkeep.poller.due:
            for item, data in await self._upkeep.poller.read():
                self._read(item, data)
        if now >= self._hold_until:
            await self._stop_waiting()
        await self._look(watch.quiet(self._feeds, now))
        return _batches(self._feeds, CLOCK.now_ms())

    async def _subscribe(self) -> None:
        request = ua.CreateSubscriptionRequest()
        parameters = request.Parameters
        parameters.RequestedPublishingInterval = self._period * 1000
        parameters.RequestedMaxKeepAliveCount = max(1, int(KEEP_ALIVE / self._period))
        parameters.RequestedLifetimeCount = max(
            3 * parameters.RequestedMaxKeepAliveCount,
            math.ceil(max(LIFETIME, 2 * self._bridge) / self._period),
        )
        parameters.MaxNotificationsPerPublish = PUBLISHED_AT_ONCE
        try:
            answer = (await self._session.call(request, ua.CreateSubscriptionResponse)).Parameters
        except (BadServiceUnsupported, BadNotImplemented, BadTooManySubscriptions) as error:
            reason = type(error).__name__
            _log.warning("%s makes no subscription (%s): tags are polled", self._session.endpoint, reason)
            return
        self.id = int(answer.SubscriptionId)
        self._bind(self._session)
        self._interval = answer.RevisedPublishingInterval / 1000
        self._keep_alive = self._interval * answer.RevisedMaxKeepAliveCount
        self._silence_limit = self._keep_alive + self._session.timeout + 1.0

    def _start_watching(self, hold: float) -> None:
        now = time.monotonic()
        self._heard = now
        self._silent_until = now + self._silence_limit
        self._hold_until = now + hold
        self._watch = watch.Watch(self._items, 2 * self._interval + self._session.timeout)

    def _take(self, message: Message) -> None:
        """Put what a message says into the feeds; the next one is then the one after it."""
        self._expected = _after(message.sequence)
        for notification in message.notifications:
            if isinstance(notification, Changes):
                self._take_changes(notification)
            elif isinstance(notification, ua.EventNotificationList):
                self._model_changes.take(notification.Events)
            elif isinstance(notification, ua.StatusChangeNotification):
                self.ended = True
                raise ConnectionFailed(
                    UnknownCause.PROTOCOL_ERROR,
                    f"{self._session.endpoint} ended the subscription "
                    f"({status_name(notification.Status.value)})",
                    kind=FailureKind.SUBSCRIPTION_LOST,
                )

    def _take_changes(self, changes: Changes) -> None:
        items = self._items
        now = self._heard
        for handle, value, source_ms in zip(changes.handles, changes.values, changes.sources, strict=True):
            item = items[handle]
            if item.monitored is None:
                continue  # a late word of an item that was given up
            item.heard = now
            if isinstance(value, ua.DataValue):
                self._tell(item, item.reading(value))
            elif item.conversion.keeps_plain:
                item.last = value
                item.feed.add_good(item.name, value, source_ms)
            else:
                self._tell(item, item.converted(value, source_ms))

    def _tell(self, item: Item, new: Reading) -> None:
        item.last = new
        item.feed.add(item.name, new)
        if new.flaw is not None and new.flaw.reason in _LOOK_AGAIN:
            self._upkeep.give_up(item, new.flaw.reason)

    def _read(self, item: Item, data: ua.DataValue) -> None:
        """Take what was read: tell it if it is news."""
        seen = item.reading(data)
        if item.name in item.feed.missing or not item.agrees(seen):
            self._tell(item, seen)
        else:
            item.feed.confirm()

    async def _fill(self, first: int, count: int) -> None:
        """Fetch `count` messages that are missing; what the server no longer has is told as a gap."""
        number, lost = first, count > FETCHED_AT_MOST
        for _ in range(0 if lost else count):
            message = await self._fetch(number)
            if message is None:
                lost = True
            else:
                self._take(message)
            number = _after(number)
        if lost:
            _log.warning(
                "%s: messages of subscription %d are lost (%d from number %d on)",
                self._session.endpoint,
                self.id,
                count,
                first,
            )
            await self._tell_gap()

    async def _fetch(self, number: int) -> Message | None:
        """Ask for a message again; None if the server no longer has it."""
        request = ua.RepublishRequest()
        wanted: Any = number  # the library asks for an int type of its own, and needs none
        identity: Any = self.id
        request.Parameters.SubscriptionId = identity
        request.Parameters.RetransmitSequenceNumber = wanted
        try:
            answer = (await self._session.call(request, ua.RepublishResponse)).NotificationMessage
        except UaStatusCodeError as error:
            _log.debug("%s: message %d: %s", self._session.endpoint, number, error)
            return None
        message = message_of(answer)
        if message.sequence != number or not message.notifications:
            return None
        self._fetched.append(number)
        return message

    async def _tell_gap(self) -> None:
        """Nobody knows which tags the lost messages were about: all of them are read anew."""
        standing = [item for item in self._items if item.monitored is not None]
        for item, data in zip(standing, await read_items(self._session, standing), strict=True):
            item.feed.add_gap(item.name)
            self._tell(item, item.reading(data))

    async def _stop_waiting(self) -> None:
        """Let first batches go. After an interruption what has not changed is read, else it is bad."""
        self._hold_until = math.inf
        if self._resumed:
            items = [
                item for item in self._items if item.name in item.feed.missing and item.monitored is not None
            ]
            for item, data in zip(items, await read_items(self._session, items), strict=True):
                seen = item.reading(data)
                if not item.agrees(seen):
                    item.feed.add_gap(item.name)
                self._tell(item, seen)
        for feed in self._feeds:
            feed.give_up_waiting()

    async def _look(self, quiet: Sequence[Feed]) -> None:
        """Ask for nodes that have been silent: of each quiet equipment one, and single ones in turn."""
        standing = {feed: self._standing(feed) for feed in quiet}
        chosen = self._watch.choose(standing.values())
        if not chosen and not quiet:
            return
        answers = await read_items(self._session, chosen)
        vanished: dict[Feed, None] = {}
        for item, data in zip(chosen, answers, strict=True):
            seen = item.reading(data)
            if status_name(status_code(data)) in _NODE_GONE:
                vanished[item.feed] = None
                continue
            if item.feed in standing:
                item.feed.confirm()
            if self._watch.is_stuck(item, seen):
                _log.warning("%s: %s: its monitored item is stuck", self._session.endpoint, item.place)
                item.revived += 1
                item.feed.add_gap(item.name)
                self._upkeep.give_up(item, STUCK)
        await self._find_vanished([item for feed in vanished for item in self._standing(feed)])
        if empty := [feed for feed, items in standing.items() if not items]:
            await self._session.read([SERVER_STATE], AttributeIds.Value)
            for feed in empty:
                feed.confirm()

    async def _find_vanished(self, suspect: Sequence[Item]) -> None:
        for item, data in zip(suspect, await read_items(self._session, suspect), strict=True):
            reason = status_name(status_code(data))
            if reason in _NODE_GONE:
                item.feed.add(item.name, Reading(None, bad(reason), None))
                self._upkeep.give_up(item, reason)

    def _standing(self, feed: Feed) -> list[Item]:
        return [item for item in self._items_of[feed] if item.monitored is not None]


def _span(values: Iterable[float]) -> str | float:
    """`0.1`, or `0.1 – 0.5` where they differ."""
    found = sorted(set(values))
    return found[0] if len(found) == 1 else f"{found[0]:g} – {found[-1]:g}"


def _after(number: int) -> int:
    """Numbers of messages begin again with 1: OPC 10000-4, 7.26."""
    return 1 if number >= _NUMBERS - 1 else number + 1


def _batches(feeds: Iterable[Feed], received_ms: int) -> list[Batch]:
    return [batch for feed in feeds if (batch := feed.take(received_ms)) is not None]
