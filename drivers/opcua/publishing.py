"""Publish requests kept waiting at the server, and their answers in the order in which they came."""

import asyncio
from collections import deque
from typing import NamedTuple

from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import BadRequestTimeout, BadTimeout, BadTooManyPublishRequests

from drivers.opcua.session import Session
from edge_agent.model.clock import CLOCK


class Published(NamedTuple):
    """One answer: a whole notification message, with the time at which it arrived."""

    received_ms: int
    subscription: int
    notifications: list[object]
    """DataChangeNotification, StatusChangeNotification; empty in a keep-alive message."""


class Publisher:
    """The library's own publish loop hands out one value at a time, and drops what it cannot decode.

    Here an answer is not asked for before there is somebody to take it: with a slow taker the values wait
    in the server's queues, and the server marks what it had to drop. So nothing is dropped in between.
    """

    def __init__(self, session: Session, waiting: int) -> None:
        self._session = session
        self._acknowledged: list[ua.SubscriptionAcknowledgement] = []
        self._waiting: deque[asyncio.Task[Published]] = deque()
        for _ in range(waiting):
            self._ask()

    async def next(self, limit: float) -> Published | None:
        """The next answer, or None after `limit` seconds. Servers answer in the order of the requests."""
        oldest = self._waiting[0]
        if not oldest.done():
            await asyncio.wait({oldest}, timeout=max(limit, 0))
            if not oldest.done():
                return None
        self._waiting.popleft()
        try:
            published = oldest.result()
        except BadTooManyPublishRequests:
            if not self._waiting:
                raise
            return None  # one fewer from now on
        except (BadTimeout, BadRequestTimeout):
            self._ask()  # a server may tire of a request that waits
            return None
        self._ask()
        return published

    async def stop(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._waiting.clear()

    def _ask(self) -> None:
        self._waiting.append(asyncio.create_task(self._publish()))

    async def _publish(self) -> Published:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements, self._acknowledged = self._acknowledged, []
        body = await self._session.send(request, limit=0)
        received_ms = CLOCK.now_ms()
        response = struct_from_binary(ua.PublishResponse, body)
        response.ResponseHeader.ServiceResult.check()
        result = response.Parameters
        message = result.NotificationMessage
        if message.NotificationData:
            self._acknowledged.append(
                ua.SubscriptionAcknowledgement(
                    SubscriptionId=result.SubscriptionId, SequenceNumber=message.SequenceNumber
                )
            )
        return Published(received_ms, result.SubscriptionId, message.NotificationData or [])
