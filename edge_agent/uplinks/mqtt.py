"""MQTT JSON uplink: what the journal holds, published at QoS 1, in order, until the broker has it."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from msgspec.structs import replace
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.models import MqttUplinkOptions, TlsOptions
from edge_agent.contract.messages import Status, encode, number
from edge_agent.contract.topics import REPLAY_REQUEST, REPLAY_RESPONSE, RETAINED, RecordClass, Topics
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Entry
from edge_agent.model.backoff import Backoff
from edge_agent.model.clock import CLOCK
from edge_agent.uplinks.mqtt_connection import Address, MqttConnection, MqttError
from edge_agent.uplinks.replay import Replays
from edge_agent.uplinks.window import Window

log = logging.getLogger(__name__)

RECONNECT_FIRST_S, RECONNECT_LIMIT_S = 1.0, 60.0
STATUS_EVERY_S = 60.0
TLS_FILES_EVERY_S = 30.0
"""How often to look whether the files of certificates are other ones."""
REFUSED_PAUSE_S = 60.0
"""Pause after the broker refused a message; what it refuses now it will refuse in a second, too."""


class UplinkState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"
    """The broker does not take a message; it is kept, and tried again after a pause."""


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


class _OtherFilesError(Exception):
    """Certificates or keys on the disk are no longer those that the connection was made with."""


class _RefusedError(Exception):
    """The broker did not take a message: which, and the broker's reason."""


class MqttUplink:
    """One broker. The cursor moves only on a PUBACK whose reason code says success."""

    def __init__(
        self,
        options: MqttUplinkOptions,
        journal: Journal,
        status: Callable[[], Status],
        told: Callable[[str, str, str], None],
    ) -> None:
        """`status` makes the gateway's part of the status message; `told` is called with a fixed word, a
        text and this uplink's id when it goes down, comes back or is refused.
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
        self._backoff = Backoff(RECONNECT_FIRST_S, RECONNECT_LIMIT_S)
        self._addresses = (
            Address(options.host, options.port),
            *(Address(one.host, one.port or options.port) for one in options.fallback),
        )
        self._expiry_s = {RecordClass(name): round(limit) for name, limit in options.expiry.items()}
        self._by_mid: dict[int, Entry] = {}
        self._window = Window(journal.acknowledged(self.id))
        self._replays = Replays(self.id, journal)
        self._news = asyncio.Event()
        self._refused: asyncio.Future[None] | None = None
        self._refused_seq = 0
        """The message that the broker refused last."""

    async def run(self) -> None:
        """Connect, deliver, and again, until cancelled; says goodbye to the broker then."""
        while True:
            pause = None
            try:
                await self._session()
            except* MqttError as errors:
                self._down(UplinkState.CONNECTING, "uplink_down", str(errors.exceptions[0]))
            except* _RefusedError as errors:
                self._down(UplinkState.REFUSED, "uplink_refused", str(errors.exceptions[0]))
                pause = REFUSED_PAUSE_S
            except* _OtherFilesError:
                log.info("uplink %s: certificates have changed; connecting anew", self.id)
                pause = 0.0
            except* (OSError, ssl.SSLError) as errors:
                text = f"a TLS file cannot be used: {errors.exceptions[0]}"
                self._down(UplinkState.CONNECTING, "uplink_down", text)
            await asyncio.sleep(self._backoff.next() if pause is None else pause)

    async def _session(self) -> None:
        """One connection, from open to lost. Raises (in groups) MqttError, _RefusedError, OSError."""
        files = _changed_at(self.options.tls)
        connection = await self._connected()
        farewell = None
        try:
            self._up()
            farewell = self._topics.status, encode(self._offline())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(connection.lost())
                tasks.create_task(self._keep_status(connection))
                tasks.create_task(self._deliver(connection))
                tasks.create_task(self._until_refused())
                tasks.create_task(self._answer(connection))
                tasks.create_task(self._until_other_files(files))
        finally:
            await connection.close(farewell)

    async def _connected(self) -> MqttConnection:
        """A connection to the first broker that can be had. Raises MqttError of all of them, OSError."""
        failures = []
        for address in self._addresses:
            offline = self._topics.status, encode(self._offline())
            asked = (
                (f"{self.options.root}/{REPLAY_REQUEST}", self._replays.ask) if self.options.replay else None
            )
            connection = MqttConnection(self.options, address, offline, self._acknowledged, asked)
            try:
                await connection.open()
            except MqttError as error:
                failures.append(str(error))
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        raise MqttError("; ".join(failures))

    def _up(self) -> None:
        self.statistics.connects += 1
        self.state = UplinkState.CONNECTED
        self._backoff.reset()
        # A refusal is over when the message is taken, not when the connection stands.
        if self.last_error and self._refused_seq <= self._journal.acknowledged(self.id):
            self._over("connected again")

    def _over(self, message: str) -> None:
        self.last_error = ""
        log.warning("uplink %s: %s", self.id, message)
        self._told("uplink_up", message, self.id)

    def _down(self, state: UplinkState, kind: str, message: str) -> None:
        self.state = state
        if message != self.last_error:
            log.warning("uplink %s: %s; the journal keeps what is to be sent", self.id, message)
            self._told(kind, message, self.id)
        self.last_error = message

    def _offline(self) -> Status:
        now = CLOCK.now_ms()
        return replace(self._status(), online=False, time=now, since=now)

    async def _keep_status(self, connection: MqttConnection) -> None:
        since = CLOCK.now_ms()
        while True:
            status = replace(
                self._status(),
                online=True,
                since=since,
                last_seq=self._journal.last(self.id),
                acknowledged_seq=self._journal.acknowledged(self.id),
            )
            connection.publish(self._topics.status, encode(status), retain=True)
            await asyncio.sleep(STATUS_EVERY_S)

    async def _deliver(self, connection: MqttConnection) -> None:
        """Send everything after the cursor, for ever."""
        self._by_mid.clear()
        self._window = Window(self._journal.acknowledged(self.id))
        while True:
            room = connection.window - len(self._window)
            if room <= 0:
                self._news.clear()
                await self._news.wait()
                continue
            for entry in await self._journal.read(self.id, self._window.sent, room):
                self._publish(connection, entry)

    async def _answer(self, connection: MqttConnection) -> None:
        """Send again what is asked for, one request after the other, for ever."""
        topic = f"{self.options.root}/{REPLAY_RESPONSE}"
        while True:
            for answer in await self._replays.answers():
                connection.answer(topic, answer)

    def _publish(self, connection: MqttConnection, entry: Entry) -> None:
        record = entry.record
        mid = connection.publish(
            self._topics.of(record.record_class, record.subject),
            number(record.body, entry.seq),
            retain=record.record_class in RETAINED,
            expiry_s=self._expiry_s.get(record.record_class),
        )
        self._by_mid[mid] = entry
        self._window.send(entry.seq)
        self.statistics.published += 1
        self.statistics.readings_published += record.readings

    async def _until_other_files(self, before: Mapping[Path, int]) -> None:
        """A certificate is renewed before the old one ends; a connection that stands would not notice."""
        while True:
            await asyncio.sleep(TLS_FILES_EVERY_S)
            if _changed_at(self.options.tls) != before:
                raise _OtherFilesError

    async def _until_refused(self) -> None:
        self._refused = asyncio.get_running_loop().create_future()
        await self._refused

    def _acknowledged(self, mid: int, reason: ReasonCode) -> None:
        entry = self._by_mid.pop(mid, None)
        if entry is None:
            return  # a status message
        if reason.is_failure:
            topic = self._topics.of(entry.record.record_class, entry.record.subject)
            self._refused_seq = entry.seq
            refusal = _RefusedError(f"the broker refuses message {entry.seq} to {topic}: {reason}")
            if self._refused is not None and not self._refused.done():
                self._refused.set_exception(refusal)
            return
        self._window.confirm(entry.seq)
        self._journal.acknowledge(self.id, self._window.acknowledged)
        self.statistics.acknowledged += 1
        self.statistics.readings_acknowledged += entry.record.readings
        self._news.set()
        if self.last_error and self._window.acknowledged >= self._refused_seq:
            self._over("the broker takes what it refused")


def _changed_at(tls: TlsOptions | None) -> dict[Path, int]:
    """When each file of certificates and keys was changed last. Raises OSError."""
    files = (tls.ca, tls.certificate, tls.key) if tls is not None else ()
    return {file: file.stat().st_mtime_ns for file in files if file is not None}
