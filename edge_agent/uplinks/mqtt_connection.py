"""One MQTT connection on the event loop: paho speaks the protocol, asyncio watches its socket."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.models import ProxyOptions, TlsOptions, UplinkOptions
from edge_agent.contract.compression import CONTENT_TYPE
from edge_agent.uplinks.mqtt_failures import why_lost, why_not_open

KEEPALIVE_S = 30
ANSWER_S = 10.0
"""Limit for the broker's answer to CONNECT."""
MISC_S = 1.0
IN_FLIGHT = 100
"""Messages on their way at most, or fewer if the broker says so."""
GOODBYE_S = 2.0
_WITH_WILL = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")


class MqttError(Exception):
    """No connection, or no longer one; the message is for a technician."""


@dataclass(frozen=True, slots=True)
class Address:
    """One broker of an uplink."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def addresses_of(options: UplinkOptions) -> tuple[Address, ...]:
    """The brokers of an uplink, in the order in which they are tried."""
    others = (Address(one.host, one.port or options.port) for one in options.fallback)
    return (Address(options.host, options.port), *others)


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came."""

    topic: str
    payload: bytes
    retained: bool
    """The broker had kept it from before."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes at QoS 1 when the connection breaks; said as a farewell, too."""

    topic: str
    payload: bytes
    retain: bool = True
    sent_with_disconnect: bool = False
    """MQTT 5: the broker publishes it also after a DISCONNECT."""


class MqttConnection:
    """Opened once and closed once; whoever wants to reconnect makes a new one.

    Everything happens on the event loop, without a thread, except opening: there, name resolution, TCP and
    TLS may take long.
    """

    def __init__(
        self,
        options: UplinkOptions,
        address: Address,
        will: Will | None,
        acknowledged: Callable[[int, ReasonCode], None],
        received: Callable[[Received], None] | None = None,
        before_connect: Callable[[], None] | None = None,
    ) -> None:
        """`acknowledged` is told message id and reason of each PUBACK, `received` each message that comes.

        `before_connect` is called by another thread when the socket stands and CONNECT is not yet sent.

        Raises OSError, ssl.SSLError for TLS files that cannot be used.
        """
        self.address = address
        self._options = options
        self._will = will
        self._subscribing: dict[int, asyncio.Future[ReasonCode]] = {}
        """By message id, who waits for a SUBACK."""
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[Properties | None] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._misc: asyncio.TimerHandle | None = None
        self._reading = -1
        """The socket's descriptor while it is watched."""
        self._writing = False
        self.window = IN_FLIGHT
        """How many messages may be on their way."""
        self._aliases: dict[str, int] = {}
        """By topic, the number that stands for it (MQTT 5)."""
        self._aliases_limit = 0
        self._properties: dict[tuple[int | None, int | None, bool], Properties | None] = {}
        self._is_5 = options.version == "5"
        version = MQTTProtocolVersion.MQTTv5 if self._is_5 else MQTTProtocolVersion.MQTTv311
        clean: dict[str, Any] = {} if self._is_5 else {"clean_session": True}
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=version,
            transport="tcp" if options.path is None else "websockets",
            reconnect_on_failure=False,
            **clean,
        )
        if options.username is not None:
            password = options.password.get_secret_value() if options.password else None
            client.username_pw_set(options.username, password)
        if options.tls is not None:
            client.tls_set_context(tls_context(options.tls))
        if options.path is not None:
            client.ws_set_options(options.path)
        if options.proxy is not None:
            client.proxy_set(**_proxy(options.proxy))
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        client.max_inflight_messages_set(0)  # no window of its own beside this one, searched at each PUBACK
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda _client, _data, mid, reason, _properties: acknowledged(mid, reason)
        client.on_subscribe = self._on_subscribe
        if received is not None:
            client.on_message = lambda _client, _data, m: received(
                Received(m.topic, bytes(m.payload), m.retain)
            )
        self._before_connect = before_connect
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = lambda *_: self._unwatch()
        self._client = client

    async def open(self) -> None:
        """Connect, and wait until the broker has accepted. Raises MqttError."""
        try:
            await asyncio.to_thread(self._client.connect, self.address.host, self.address.port, KEEPALIVE_S)
        except (OSError, paho.WebsocketConnectionError) as error:
            why = why_not_open(error, self._options)
            raise MqttError(f"no connection to {self.address}: {why}") from error
        connection = self._client.socket()
        if connection is not None:
            self._reading = connection.fileno()
            self._loop.add_reader(self._reading, self._read)
            self._keep()
            self._write_rest()
        try:
            async with asyncio.timeout(ANSWER_S):
                allowed = await self._opened
        except TimeoutError as error:
            raise MqttError("the broker does not answer to CONNECT") from error
        # paho does not heed the broker's limit; one place is kept for the status message.
        self.window = max(1, min(IN_FLIGHT, getattr(allowed, "ReceiveMaximum", 65_535) - 1))
        self._aliases_limit = getattr(allowed, "TopicAliasMaximum", 0)

    async def lost(self) -> None:
        """Wait until the connection is lost, and raise MqttError."""
        await asyncio.shield(self._lost)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool,
        expiry_s: int | None = None,
        qos: int = 1,
        compressed: bool = False,
    ) -> int:
        """Send; returns the message's id. Raises MqttError.

        MQTT 5 is told `expiry_s`, how long the broker keeps it for a receiver that is away, and whether it is
        `compressed`.
        """
        properties: Properties | None = None
        if self._is_5:
            topic, alias = self._shortened(topic)
            properties = self._properties_of(alias, expiry_s, compressed)
        info = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise MqttError(f"cannot send: {paho.error_string(info.rc)}")
        self._write_rest()
        return info.mid

    def _shortened(self, topic: str) -> tuple[str, int | None]:
        """The topic, or nothing if its number says it all; the first come keep the numbers there are."""
        alias = self._aliases.get(topic)
        if alias is not None:
            return "", alias
        if len(self._aliases) < self._aliases_limit:
            self._aliases[topic] = alias = len(self._aliases) + 1
        return topic, alias

    def _properties_of(self, alias: int | None, expiry_s: int | None, compressed: bool) -> Properties | None:
        """What MQTT 5 says of a message. The same few again and again, and paho takes long to make one."""
        key = alias, expiry_s, compressed
        if key not in self._properties:
            self._properties[key] = None if key == (None, None, False) else _properties(*key)
        return self._properties[key]

    async def subscribe(self, topic: str) -> None:
        """Ask at QoS 1 for what is published to `topic`, and wait for the answer. Raises MqttError.

        A broker takes what comes on one connection in turn: with the answer it has all that was published
        before, at QoS 0 too. To ask for the same topic again changes nothing else.
        """
        error, mid = self._client.subscribe(topic, qos=1)
        if error is not MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise MqttError(f"cannot subscribe to {topic}: {paho.error_string(error)}")
        self._write_rest()
        answer = self._subscribing[mid] = self._loop.create_future()
        try:
            reason = await answer
        finally:
            del self._subscribing[mid]
        if reason.is_failure:
            raise MqttError(f"the broker refuses the subscription to {topic}: {reason}")

    async def close(self, farewell: bytes | None = None) -> None:
        """Disconnect; with `farewell` publish that first in place of the Will. Safe twice."""
        self._client.on_disconnect = None  # from here on it is meant
        will = self._will
        if self._client.is_connected() and will is not None and farewell is not None:
            said = asyncio.Event()
            with contextlib.suppress(MqttError, TimeoutError):
                mid = self.publish(will.topic, farewell, retain=will.retain)
                self._client.on_publish = lambda _client, _data, done, *_: said.set() if done == mid else None
                await asyncio.wait_for(said.wait(), GOODBYE_S)
        with_will = will is not None and will.sent_with_disconnect
        self._client.disconnect(reasoncode=_WITH_WILL if with_will else None)
        self._unwatch()
        if self._misc is not None:
            self._misc.cancel()
        connection = self._client.socket()
        if connection is not None:
            connection.close()
        for waiting in (self._opened, self._lost):
            waiting.cancel()

    # paho asks, asyncio watches.

    def _read(self) -> None:
        self._client.loop_read()
        connection = self._client.socket()
        # What TLS has already taken from the socket wakes nobody; a WebSocket may lie around it.
        while connection is not None and hasattr(connection, "pending") and connection.pending():
            self._client.loop_read()
            connection = self._client.socket()

    def _keep(self) -> None:
        """Keep-alive, once a second."""
        self._client.loop_misc()
        self._misc = self._loop.call_later(MISC_S, self._keep)

    def _write_rest(self) -> None:
        """paho has written what the socket took; see to the rest of it."""
        if self._client.want_write() and self._reading >= 0 and not self._writing:
            self._writing = True
            self._loop.add_writer(self._reading, self._write)

    def _write(self) -> None:
        self._client.loop_write()
        if not self._client.want_write():
            self._unwatch_writing()

    def _unwatch_writing(self) -> None:
        if self._writing:
            self._loop.remove_writer(self._reading)
            self._writing = False

    def _unwatch(self) -> None:
        self._unwatch_writing()
        if self._reading >= 0:
            self._loop.remove_reader(self._reading)
            self._reading = -1

    def _on_connect(
        self,
        _client: paho.Client,
        _data: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._opened.done():
            return
        if reason.is_failure:
            self._opened.set_exception(MqttError(f"the broker refuses the connection: {reason}"))
        else:
            self._opened.set_result(properties)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        waiting = self._subscribing.get(mid)
        if waiting is not None and not waiting.done():
            waiting.set_result(reasons[0])

    def _on_socket_open(self, _client: paho.Client, _data: object, connection: "paho.SocketLike") -> None:
        _send_at_once(connection)
        if self._before_connect is not None:
            self._before_connect()

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        accepted = self._opened.done()
        error = MqttError(why_lost(reason, self._options, accepted=accepted))
        waiting = self._lost if accepted else self._opened
        if not waiting.done():
            waiting.set_exception(error)


class _Packed(Properties):
    """Properties that do not change any more."""

    def __init__(self, properties: Properties) -> None:
        super().__init__(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's own
        # Not by assignment, which paho takes for the name of a property.
        self.__dict__["_bytes"] = properties.pack()  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        packed: bytes = self.__dict__["_bytes"]
        return packed


def _properties(alias: int | None, expiry_s: int | None, compressed: bool) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's own
    if alias is not None:
        properties.TopicAlias = alias
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    if compressed:
        properties.ContentType = CONTENT_TYPE
    return _Packed(properties)


def _send_at_once(connection: "paho.SocketLike") -> None:
    """Without this a small message waits up to 40 ms for the acknowledgement of the one before it."""
    # A WebSocket lies around the socket, which paho has no way to get at.
    connection = getattr(connection, "_socket", connection)
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def tls_context(tls: TlsOptions) -> ssl.SSLContext:
    """TLS 1.2 or newer, the server verified by name and chain. Raises OSError, ssl.SSLError."""
    context = ssl.create_default_context(cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.alpn:
        context.set_alpn_protocols(list(tls.alpn))
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


def _proxy(proxy: ProxyOptions) -> dict[str, Any]:
    # Only who has a proxy pays for the library.
    import socks  # type: ignore[import-untyped]  # it has no types

    return {
        "proxy_type": socks.SOCKS5 if proxy.type == "socks5" else socks.HTTP,
        "proxy_addr": proxy.host,
        "proxy_port": proxy.port,
        "proxy_rdns": True,  # names are the proxy's to resolve
        "proxy_username": proxy.username,
        "proxy_password": proxy.password.get_secret_value() if proxy.password else None,
    }
