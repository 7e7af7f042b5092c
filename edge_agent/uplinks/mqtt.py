"""MQTT JSON uplink: what the journal holds, published at QoS 1, in order, until the broker has it."""

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import paho.mqtt.client as paho
from msgspec.structs import replace
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.models import MqttUplinkOptions, TlsOptions
from edge_agent.contract.messages import Status, encode, number
from edge_agent.contract.topics import RETAINED, Topics
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Entry
from edge_agent.model.clock import CLOCK
from edge_agent.uplinks.window import Window

log = logging.getLogger(__name__)

IN_FLIGHT = 100
KEEPALIVE_S = 30
RECONNECT_FIRST_S, RECONNECT_LIMIT_S = 1, 60
STATUS_EVERY_S = 60.0
REFUSED_PAUSE_S = 60.0
"""Pause after the broker refused a message; what it refuses now it will refuse in a second, too."""
GOODBYE_S = 2.0


class UplinkState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"


@dataclass(slots=True)
class MqttStatistics:
    """Counts since the start of the agent."""

    connects: int = 0
    published: int = 0
    """Messages handed to the broker, repeats included."""
    acknowledged: int = 0
    """Messages that the broker confirmed."""
    readings_published: int = 0
    readings_acknowledged: int = 0


class _Refused(Exception):
    """The broker did not take a message: its topic and the broker's reason."""


class MqttUplink:
    """One broker.

    paho owns the socket and its thread, and reconnects; this class owns the cursor: it moves only on a
    PUBACK whose reason code says success. All state of this class belongs to the event loop; paho's
    callbacks only pass their news on to it.
    """

    def __init__(
        self,
        options: MqttUplinkOptions,
        journal: Journal,
        status: Callable[[], Status],
        told: Callable[[str, str], None],
    ) -> None:
        """`status` makes the gateway's part of the status message; `told` is called with a fixed word and
        a text when the uplink goes down, comes back or is refused.

        Raises OSError or ssl.SSLError for TLS files that cannot be used.
        """
        self.options = options
        self.id = options.id
        self.state = UplinkState.CONNECTING
        self.last_error = ""
        self.statistics = MqttStatistics()
        self._journal = journal
        self._status = status
        self._told = told
        self._topics = Topics(options.root)
        self._connected = asyncio.Event()
        self._news = asyncio.Event()
        self._since_ms = CLOCK.now_ms()
        self._by_mid: dict[int, Entry] = {}
        self._window = Window(journal.acknowledged(self.id))
        self._refusal: asyncio.Future[None] | None = None
        self._told_refusal = ""
        self._limit = IN_FLIGHT
        self._client = self._make_client()

    def _make_client(self) -> paho.Client:
        options = self.options
        version = MQTTProtocolVersion.MQTTv5 if options.version == "5" else MQTTProtocolVersion.MQTTv311
        clean: dict[str, Any] = {} if options.version == "5" else {"clean_session": True}
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=options.client_id, protocol=version, **clean
        )
        if options.username is not None:
            password = options.password.get_secret_value() if options.password else None
            client.username_pw_set(options.username, password)
        if options.tls is not None:
            client.tls_set_context(_tls_context(options.tls))
        client.max_inflight_messages_set(IN_FLIGHT)
        client.reconnect_delay_set(RECONNECT_FIRST_S, RECONNECT_LIMIT_S)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_pre_connect = self._on_pre_connect
        return client

    async def run(self) -> None:
        """Deliver until cancelled; then say goodbye to the broker."""
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self.options.host, self.options.port, KEEPALIVE_S)
        self._client.loop_start()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_status())
                tasks.create_task(self._deliver())
        finally:
            await self._goodbye()

    async def _goodbye(self) -> None:
        self._client.on_disconnect = None  # from here on it is meant
        if self._client.is_connected():
            info = self._client.publish(
                self._topics.status, encode(self._offline(CLOCK.now_ms())), qos=1, retain=True
            )
            await asyncio.to_thread(info.wait_for_publish, GOODBYE_S)
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _offline(self, time_ms: int) -> Status:
        return replace(self._status(), online=False, time=time_ms, since=time_ms)

    def _online(self) -> Status:
        return replace(
            self._status(),
            online=True,
            since=self._since_ms,
            last_seq=self._journal.last(self.id),
            acknowledged_seq=self._journal.acknowledged(self.id),
        )

    async def _keep_status(self) -> None:
        while True:
            await asyncio.sleep(STATUS_EVERY_S)
            if self._connected.is_set():
                self._publish_status()

    def _publish_status(self) -> None:
        self._client.publish(self._topics.status, encode(self._online()), qos=1, retain=True)

    async def _deliver(self) -> None:
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._send_from_cursor())
                    tasks.create_task(self._until_refused())
            except* _Refused as refusals:
                self._tell_refused(str(refusals.exceptions[0]))
            await asyncio.sleep(REFUSED_PAUSE_S)
            self.last_error = ""
            self.state = UplinkState.CONNECTED if self._connected.is_set() else UplinkState.CONNECTING

    def _tell_refused(self, message: str) -> None:
        self.state = UplinkState.REFUSED
        self.last_error = message
        if message != self._told_refusal:
            log.error("uplink %s: %s; kept, and tried again every %g s", self.id, message, REFUSED_PAUSE_S)
            self._told("uplink_refused", message)
        self._told_refusal = message

    async def _send_from_cursor(self) -> None:
        """Send everything after the cursor, for ever. Raises _Refused."""
        self._by_mid.clear()
        self._window = Window(self._journal.acknowledged(self.id))
        while True:
            await self._connected.wait()
            room = self._limit - len(self._window)
            if room <= 0:
                self._news.clear()
                await self._news.wait()
                continue
            for entry in await self._journal.read(self.id, self._window.sent, room):
                self._publish(entry)

    async def _until_refused(self) -> None:
        self._refusal = asyncio.get_running_loop().create_future()
        await self._refusal

    def _publish(self, entry: Entry) -> None:
        record = entry.record
        info = self._client.publish(
            self._topics.of(record.record_class, record.subject),
            number(record.body, entry.seq),
            qos=1,
            retain=record.record_class in RETAINED,
        )
        # NO_CONN is no failure: paho has queued the message and sends it after its reconnect.
        if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            raise _Refused(f"message {entry.seq} cannot be sent: {paho.error_string(info.rc)}")
        self._by_mid[info.mid] = entry
        self._window.send(entry.seq)
        self.statistics.published += 1
        self.statistics.readings_published += record.readings

    # What follows is called by paho's thread and only passes on to the event loop.

    def _pass_on(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            log.debug("uplink %s: news after the end of the event loop", self.id)

    def _on_pre_connect(self, client: paho.Client, _userdata: object) -> None:
        client.will_set(self._topics.status, encode(self._offline(CLOCK.now_ms())), qos=1, retain=True)

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._pass_on(self._down, f"the broker refuses the connection: {reason}")
        else:
            self._pass_on(self._up, getattr(properties, "ReceiveMaximum", 65_535))

    def _on_connect_fail(self, _client: paho.Client, _userdata: object) -> None:
        # paho calls from the handler of the exception and does not pass it on.
        reason = _plain(sys.exc_info()[1])
        self._pass_on(self._down, f"no connection to {self.options.host}:{self.options.port}: {reason}")

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._pass_on(self._lost, f"connection lost: {reason}")

    def _on_publish(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._pass_on(self._acknowledged, mid, reason)

    # Back in the event loop.

    def _up(self, receive_maximum: int) -> None:
        # paho does not heed the broker's limit; one place is kept for the status message.
        self._limit = max(1, min(IN_FLIGHT, receive_maximum - 1))
        self.statistics.connects += 1
        self._since_ms = CLOCK.now_ms()
        self.state = UplinkState.CONNECTED
        if self.last_error:
            log.warning("uplink %s: connected again", self.id)
            self._told("uplink_up", "connected again")
        self.last_error = ""
        self._publish_status()
        self._connected.set()

    def _lost(self, message: str) -> None:
        # paho also calls a connection lost that was refused; that has been told with its reason.
        if self._connected.is_set():
            self._down(message)

    def _down(self, message: str) -> None:
        self._connected.clear()
        self.state = UplinkState.CONNECTING
        if message != self.last_error:
            log.warning("uplink %s: %s; the journal keeps what is to be sent", self.id, message)
            self._told("uplink_down", message)
        self.last_error = message

    def _acknowledged(self, mid: int, reason: ReasonCode) -> None:
        entry = self._by_mid.pop(mid, None)
        if entry is None:
            return  # a status message, or one of a window that was given up
        if reason.is_failure:
            topic = self._topics.of(entry.record.record_class, entry.record.subject)
            refusal = _Refused(f"the broker refuses message {entry.seq} to {topic}: {reason}")
            if self._refusal is not None and not self._refusal.done():
                self._refusal.set_exception(refusal)
        else:
            self._window.confirm(entry.seq)
            self._journal.acknowledge(self.id, self._window.acknowledged)
            self.statistics.acknowledged += 1
            self.statistics.readings_acknowledged += entry.record.readings
        self._news.set()


def _tls_context(tls: TlsOptions) -> ssl.SSLContext:
    """TLS 1.2 or newer, the server verified by name and chain. Raises OSError, ssl.SSLError."""
    context = ssl.create_default_context(cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


def _plain(error: BaseException | None) -> str:
    """What went wrong with a connection, for a technician."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); check tls.ca and the host's name"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason})"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    return str(error) if error is not None else "no reason given"
