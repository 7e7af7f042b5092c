"""The first certificate over MQTT: asked for on a connection without one, as long as it takes."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from cryptography import x509
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.models import UplinkOptions
from edge_agent.contract.enrolment import EnrolmentError
from edge_agent.contract.messages import encode
from edge_agent.contract.topics import ENROL_REQUEST, ENROL_RESPONSE
from edge_agent.model.backoff import Backoff
from edge_agent.uplinks.identity import Identity, RefusedRequestError
from edge_agent.uplinks.mqtt_connection import MqttConnection, MqttError, Received, addresses_of

ASK_AGAIN_S = 60.0
"""Whoever signs may not have been there, and forgets nothing by hearing it again."""
RETRY_FIRST_S, RETRY_LIMIT_S = 1.0, 60.0
T = TypeVar("T")


def newcomer(uplink: UplinkOptions, identity: Identity, host: str | None, port: int | None) -> UplinkOptions:
    """The way of `uplink` to its brokers, or to another door of them, without a certificate.

    `host` is the only door then; `port` alone is that of each broker. The client id is the gateway's place in
    the topics, by which a broker can keep newcomers apart.
    """
    assert uplink.tls is not None  # noqa: S101 - what is enrolled is encrypted
    tls = uplink.tls.model_copy(update={"enrolled": False, "certificate": None, "key": None})
    brokers = () if host else uplink.fallback
    door = {
        "host": host or uplink.host,
        "port": port or uplink.port,
        "fallback": tuple(one.model_copy(update={"port": port or one.port}) for one in brokers),
    }
    return uplink.model_copy(update={"tls": tls, "client_id": str(identity.gateway), **door})


async def enrol(
    options: UplinkOptions, identity: Identity, progress: Callable[[str], None]
) -> x509.Certificate:
    """Ask until there is an answer, and install it. `options` are those of a newcomer, with all brokers.

    Raises RefusedRequestError; EnrolmentError, OSError for files that cannot be used. Answers that cannot be
    used are told and passed over: they can come from anybody.
    """
    backoff = Backoff(RETRY_FIRST_S, RETRY_LIMIT_S)
    while True:
        for address in addresses_of(options):
            asking = _Asking(identity, progress)
            connection = MqttConnection(options, address, None, asking.acknowledged, asking.hear)
            try:
                progress(f"连接 connecting to {address}")
                await connection.open()
                backoff.reset()
                return await _unless_lost(connection, asking.until_answered(connection))
            except MqttError as error:
                progress(str(error))
            finally:
                await connection.close()
        pause = backoff.next()
        progress(f"{pause:.0f} 秒后重试 tried again in {pause:.0f} s")
        await asyncio.sleep(pause)


class _Asking:
    """One connection's questions and answers."""

    def __init__(self, identity: Identity, progress: Callable[[str], None]) -> None:
        self._identity = identity
        self._progress = progress
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._request_topic = f"{identity.root}/{ENROL_REQUEST}"
        self._response_topic = f"{identity.root}/{ENROL_RESPONSE}"

    def hear(self, message: Received) -> None:
        if message.topic == self._response_topic and not message.retained:
            self._answers.put_nowait(message.payload)

    def acknowledged(self, _mid: int, reason: ReasonCode) -> None:
        if reason.is_failure:
            self._progress(f"服务器拒收申请 the broker refuses {self._request_topic}: {reason}")

    async def until_answered(self, connection: MqttConnection) -> x509.Certificate:
        """Raises MqttError, RefusedRequestError, EnrolmentError, OSError."""
        await connection.subscribe(self._response_topic)
        while True:
            connection.publish(self._request_topic, encode(self._identity.request()), retain=False)
            self._progress(f"已发送申请，等待签发 asked on {self._request_topic}, waiting for the region")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_AGAIN_S):
                    return await self._answered()

    async def _answered(self) -> x509.Certificate:
        while True:
            answer = await self._answers.get()
            try:
                certificate = self._identity.take(answer)
            except RefusedRequestError:
                raise
            except EnrolmentError as error:
                self._progress(f"应答不可用 an answer that is of no use, nothing is changed: {error}")
            else:
                if certificate is not None:
                    return certificate


async def _unless_lost(connection: MqttConnection, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Raises what it raises, and MqttError if the connection is lost before."""
    done, lost = asyncio.ensure_future(work), asyncio.ensure_future(connection.lost())
    try:
        await asyncio.wait((done, lost), return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            lost.result()
        return await done
    finally:
        for task in (done, lost):
            task.cancel()
        await asyncio.gather(done, lost, return_exceptions=True)
