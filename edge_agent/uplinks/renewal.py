"""A certificate that the region has given is renewed in time, over the connection that is made with it."""

import asyncio
import contextlib
import logging
from datetime import timedelta
from typing import Protocol

from cryptography import x509

from edge_agent.contract.enrolment import EnrolmentError, now_utc
from edge_agent.contract.messages import encode
from edge_agent.contract.topics import ENROL_REQUEST, ENROL_RESPONSE
from edge_agent.uplinks.identity import Identity, due, ends_ms
from edge_agent.uplinks.mqtt_connection import MqttConnection, MqttError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
ASK_EVERY = timedelta(days=1)
LIFE_PARTS = 30
"""A certificate that lives for less than as many days is asked for as many times in its life."""
TOLD_AT_DAYS = (14, 7, 3, 1, 0)
"""So long before the end it is told that no new one has come."""


class Tell(Protocol):
    """Makes an event of what happened."""

    def __call__(self, kind: str, message: str, subject: str = "", **detail: str | float) -> None: ...


class Renewal:
    """The certificate of one uplink. What fails is told and tried again; the present one stays until then."""

    def __init__(self, identity: Identity, uplink: str, tell: Tell) -> None:
        self.response_topic = f"{identity.root}/{ENROL_RESPONSE}"
        self._request_topic = f"{identity.root}/{ENROL_REQUEST}"
        self._identity = identity
        self._uplink = uplink
        self._tell = tell
        self._asked_at: float | None = None
        self._told_at_days: int | None = None
        self._answer: bytes | None = None
        self._woken = asyncio.Event()

    def answered(self, payload: bytes) -> None:
        """Something came on `response_topic`."""
        self._answer = payload
        self._woken.set()

    def look(self) -> None:
        """Tell when the certificate ends, if its renewal is late. Raises nothing."""
        try:
            present = self._identity.present()
        except (EnrolmentError, OSError) as error:
            log.warning("uplink %s: its certificate cannot be read: %s", self._uplink, error)
            return
        if present is None or not due(present, _every(present)):
            self._told_at_days = None  # there may be an answer yet
            return
        left = present.not_valid_after_utc - now_utc()
        reached = [days for days in TOLD_AT_DAYS if left <= timedelta(days=days)]
        if not reached or reached[-1] == self._told_at_days:
            return
        self._told_at_days = reached[-1]
        ends = f"{present.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        text = f"the certificate ends on {ends} and the region has not renewed it 证书将到期，尚未更新"
        if left <= timedelta(0):
            text = f"the certificate ended on {ends}; run edge-agent enrol mqtt 证书已过期，请重新申请"
        log.warning("uplink %s: %s", self._uplink, text)
        self._tell("certificate_ends", text, self._uplink, ends=ends_ms(present))

    async def over(self, connection: MqttConnection) -> None:
        """Ask over `connection` when it is time, until a new certificate is installed.

        Raises MqttError.
        """
        try:
            await connection.subscribe(self.response_topic)
        except MqttError as error:
            # What is to be delivered must not suffer; `look` tells when it gets urgent.
            log.warning("uplink %s: cannot hear of a new certificate: %s", self._uplink, error)
        while True:
            self.look()
            try:
                await self._ask_if_due(connection)
                if await self._taken():
                    return
            except (EnrolmentError, OSError) as error:
                log.warning("uplink %s: its certificate is not renewed: %s", self._uplink, error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()

    async def _ask_if_due(self, connection: MqttConnection) -> None:
        present = await asyncio.to_thread(self._identity.present)
        if present is None or not due(present):
            return
        now = asyncio.get_running_loop().time()
        if self._asked_at is not None and now - self._asked_at < _every(present).total_seconds():
            return
        request = await asyncio.to_thread(self._identity.request)
        # At QoS 0, outside of the window of what is on its way: what gets lost is asked again.
        connection.publish(self._request_topic, encode(request), retain=False, qos=0)
        self._asked_at = now
        log.info("uplink %s: asks for a new certificate", self._uplink)

    async def _taken(self) -> bool:
        """Whether an answer has come and is installed. Raises EnrolmentError, OSError."""
        self._woken.clear()
        answer, self._answer = self._answer, None
        if answer is None:
            return False
        certificate = await asyncio.to_thread(self._identity.take, answer)
        if certificate is None:
            return False
        self._asked_at = self._told_at_days = None
        text = f"valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        log.info("uplink %s: a new certificate is installed, %s", self._uplink, text)
        self._tell("certificate_renewed", text, self._uplink, ends=ends_ms(certificate))
        return True


def _every(certificate: x509.Certificate) -> timedelta:
    """How often a certificate is asked for."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return min(ASK_EVERY, life / LIFE_PARTS)
