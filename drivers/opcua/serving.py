"""All subscriptions of a connection: begun, or taken over from the connection before it."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaStatusCodeError

from drivers.opcua.feed import OpcuaTagSet
from drivers.opcua.options import OpcuaConnection
from drivers.opcua.publishing import Published
from drivers.opcua.session import Session, Ticket
from drivers.opcua.subscription import Subscription
from drivers.opcua.upkeep import Room
from drivers.opcua.watch import QUIET
from edge_agent.driver import ConnectionFailed, Detail
from edge_agent.model.batch import Batch
from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause

LOST_WITH_THE_CONNECTION = {UnknownCause.UNREACHABLE, UnknownCause.TIMEOUT}
"""Causes after which session and subscriptions may still be there."""
NO_DATA = 1
"""Service level up to which a redundant server has no data: OPC 10000-4, 6.6.2.4.2."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Left:
    """What a lost connection leaves to the next one."""

    endpoint: str
    ticket: Ticket | None
    subscriptions: list[Subscription | None]
    room: Room


class Served:
    """`begin` once, then `accept` and `attend`; `left` when the connection is lost."""

    def __init__(
        self,
        session: Session,
        options: OpcuaConnection,
        periods: Sequence[tuple[float, Sequence[OpcuaTagSet]]],
        left: Left | None,
    ) -> None:
        """`periods` are the same each time, so that what was left of each finds its place."""
        self._session = session
        self._options = options
        self._periods = periods
        self._room = left.room if left is not None else Room(session.limits.items or float("inf"))
        self._kept: list[Subscription | None] = (
            left.subscriptions if left is not None else [None] * len(periods)
        )
        self._level_due = time.monotonic() + QUIET

    async def begin(self, *, after_gap: bool) -> None:
        """`after_gap`: there were readings before; whatever cannot be taken over is told to begin anew."""
        await self._claim()
        for place, (period, tag_sets) in enumerate(self._periods):
            subscription = self._kept[place]
            if subscription is not None:
                if await subscription.resume(self._session):
                    continue
                self._kept[place] = None
                self._room.left += subscription.monitored
                await self._delete(subscription.id)
            subscription = Subscription(self._session, period, self._options.bridge, tag_sets, self._room)
            await subscription.create(poll=self._options.poll, after_gap=after_gap)
            self._kept[place] = subscription

    @property
    def publish_requests(self) -> int:
        """How many publish requests to keep waiting at the server."""
        subscribed = sum(bool(subscription.id) for subscription in self._all())
        return subscribed + 1 if subscribed else 0

    @property
    def due(self) -> float:
        """Monotonic time at which the next tags are to be polled; infinite if none are."""
        return min((subscription.due for subscription in self._all()), default=float("inf"))

    async def accept(self, published: Published) -> list[Batch]:
        for subscription in self._all():
            if subscription.id == published.subscription:
                return await subscription.accept(published.message, published.received_ms)
        # Of a connection that was lost while it was made.
        await self._delete(published.subscription)
        return []

    async def attend(self) -> list[Batch]:
        """What has to be done without a word from the server."""
        if self._options.redundant and time.monotonic() >= self._level_due:
            self._level_due = time.monotonic() + QUIET
            await check_service_level(self._session)
        return [batch for subscription in self._all() for batch in await subscription.attend()]

    def fetched(self) -> Iterator[tuple[int, int]]:
        """Subscription and number of each message that was fetched since the last call."""
        for subscription in self._all():
            for number in subscription.take_fetched():
                yield subscription.id, number

    def granted(self) -> list[Detail]:
        """What the server granted to each tag set, in their order; nothing yet of those still to come."""
        return [
            granted
            for (_, tag_sets), subscription in zip(self._periods, self._kept, strict=True)
            for granted in (subscription.granted() if subscription is not None else [{} for _ in tag_sets])
        ]

    def left(self) -> Left:
        return Left(self._session.endpoint, self._session.ticket(), self._kept, self._room)

    def _all(self) -> list[Subscription]:
        return [subscription for subscription in self._kept if subscription is not None]

    async def _claim(self) -> None:
        """Have subscriptions of a session that is gone transferred to this one."""
        ids: list[Any] = [subscription.id for subscription in self._all() if subscription.id]
        if self._session.resumed or not ids:
            return
        request = ua.TransferSubscriptionsRequest()
        request.Parameters.SubscriptionIds = ids
        try:
            answer = await self._session.call(request, ua.TransferSubscriptionsResponse)
            refused = [result.StatusCode.is_bad() for result in answer.Parameters.Results]
        except UaStatusCodeError as error:
            _log.info("%s: subscriptions are not transferred: %s", self._session.endpoint, error)
            refused = [True] * len(ids)
        for place, subscription in enumerate(self._kept):
            if subscription is not None and subscription.id and (refused.pop(0) if refused else True):
                self._kept[place] = None
                self._room.left += subscription.monitored

    async def _delete(self, subscription: int) -> None:
        if not subscription:
            return
        request = ua.DeleteSubscriptionsRequest()
        identity: Any = subscription  # the library asks for an int type of its own, and needs none
        request.Parameters.SubscriptionIds = [identity]
        try:
            await self._session.call(request, ua.DeleteSubscriptionsResponse)
        except UaStatusCodeError as error:
            _log.debug("%s: deleting subscription %d: %s", self._session.endpoint, subscription, error)


async def check_service_level(session: Session) -> None:
    """Raises ConnectionFailed when a redundant server says that another one should be asked."""
    (level,) = await session.read_values([ObjectIds.Server_ServiceLevel])
    if isinstance(level, int) and level <= NO_DATA:
        raise ConnectionFailed(
            UnknownCause.UNREACHABLE,
            f"{session.endpoint} says that it has no data now (service level {level})",
            "it is redundant: the other server is asked",
            FailureKind.STOPPED,
        )
