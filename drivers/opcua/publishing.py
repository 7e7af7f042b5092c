"""Publish requests kept waiting at the server, and their answers in the order in which they came."""

import asyncio
import time
from collections import deque
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.ua.uaerrors import BadRequestTimeout, BadTimeout, BadTooManyPublishRequests

from drivers.opcua.notifications import Message, decode
from drivers.opcua.session import Session
from edge_agent.model.clock import CLOCK


class Published(NamedTuple):
    """One notification message, with the time at which it arrived."""

    received_ms: int
    subscription: int
    message: Message


class _Answer(NamedTuple):
    received_ms: int
    took_s: float
    body: bytes


class Publisher:
    """The library's own publish loop hands out one value at a time, and drops what it cannot decode.

    Here an answer is not asked for before there is somebody to take it: with a slow taker the values wait
    in the server's queues, and the server marks what it had to drop. So nothing is dropped in between. A
    message is acknowledged when it is taken; until then the server keeps it for a connection after this one.
    """

    def __init__(self, session: Session, waiting: int) -> None:
        self._session = session
        self._acknowledged: list[ua.SubscriptionAcknowledgement] = []
        self._waiting: deque[asyncio.Task[_Answer]] = deque()
        for _ in range(waiting):
            self._ask()

    async def next(self, limit: float) -> Published | None:
        """The next answer, or None after `limit` seconds. Servers answer in the order of the requests."""
        if not self._waiting:
            await asyncio.sleep(max(limit, 0))
            return None
        oldest = self._waiting[0]
        if not oldest.done():
            await asyncio.wait({oldest}, timeout=max(limit, 0))
            if not oldest.done():
                return None
        self._waiting.popleft()
        try:
            answer = oldest.result()
            publication = decode(answer.body)
        except BadTooManyPublishRequests:
            if not self._waiting:
                raise
            return None  # one fewer from now on
        except (BadTimeout, BadRequestTimeout):
            self._ask()  # a server may tire of a request that waits
            return None
        keep_alive = not publication.message.notifications
        self._session.statistics.published(answer.took_s, keep_alive=keep_alive)
        if not keep_alive:
            self.acknowledge(publication.subscription, publication.message.sequence)
        self._ask()
        return Published(answer.received_ms, publication.subscription, publication.message)

    def acknowledge(self, subscription: int, sequence: int) -> None:
        """Tell the server, with the next request, that it need not keep a message any longer."""
        number: Any = sequence  # the library asks for int types of its own, and needs none
        identity: Any = subscription
        self._acknowledged.append(ua.SubscriptionAcknowledgement(identity, number))

    async def stop(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._waiting.clear()

    def _ask(self) -> None:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements, self._acknowledged = self._acknowledged, []
        self._waiting.append(asyncio.create_task(self._publish(request)))

    async def _publish(self, request: ua.PublishRequest) -> _Answer:
        began = time.monotonic()
        body = await self._session.send(request, limit=0)
        return _Answer(CLOCK.now_ms(), time.monotonic() - began, bytes(body))
