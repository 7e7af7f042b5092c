"""MQTT JSON uplink: what the journal holds, published at QoS 1 until the broker has it.

Readings go in the order of their numbers, and everything else, in that order too, overtakes them."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from msgspec.structs import replace
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.models import MqttUplinkOptions
from edge_agent.contract.messages import Status, encode, number
from edge_agent.contract.topics import REPLAY_REQUEST, REPLAY_RESPONSE, RETAINED, RecordClass, Topics
from edge_agent.journal.journal import Journal
from edge_agent.journal.lanes import Lane, lane_of
from edge_agent.journal.store import Entry
from edge_agent.model.clock import CLOCK
from edge_agent.uplinks.broker import BrokerUplink, RefusedError
from edge_agent.uplinks.disclosure import told_to
from edge_agent.uplinks.mqtt_connection import MqttConnection, MqttError, Received, Will
from edge_agent.uplinks.replay import Replays
from edge_agent.uplinks.turns import Turns
from edge_agent.uplinks.window import Windows

log = logging.getLogger(__name__)

STATUS_EVERY_S = 60.0


class MqttUplink(BrokerUplink):
    """The cursor moves only on a PUBACK whose reason code says success."""

    def __init__(
        self,
        options: MqttUplinkOptions,
        journal: Journal,
        status: Callable[[], Status],
        told: Callable[[str, str, str], None],
    ) -> None:
        """`status` makes the gateway's part of the status message; `told` as for BrokerUplink."""
        super().__init__(options, journal, told)
        self.options = options
        self._status: Callable[[], Status] = lambda: replace(status(), audience=options.audience)
        self._disclosed = told_to(options.audience)
        self._topics = Topics(options.root)
        self._expiry_s = {RecordClass(name): round(limit) for name, limit in options.expiry.items()}
        self._by_mid: dict[int, Entry] = {}
        self._windows = Windows(journal.acknowledged(self.id))
        self._turns = Turns(lambda: False)
        self._replays = Replays(self.id, journal, self._disclosed)
        self._refused: asyncio.Future[None] | None = None
        self._refused_seq = 0
        """The message that the broker refused last."""

    def _will(self) -> Will:
        return Will(self._topics.status, self._farewell())

    def _farewell(self) -> bytes:
        now = CLOCK.now_ms()
        return encode(replace(self._status(), online=False, time=now, since=now))

    def _tasks(self, connection: MqttConnection) -> Sequence[Coroutine[Any, Any, None]]:
        self._up()
        # A refusal is over when the message is taken, not when the connection stands.
        if self.last_error and self._refused_seq <= self._journal.acknowledged(self.id):
            self._over("connected again")
        self._by_mid.clear()
        self._windows = Windows(self._journal.acknowledged(self.id))
        self._turns = Turns(lambda: len(self._windows) < connection.window, self.options.rate)
        return (
            self._keep_status(connection),
            *(self._deliver(connection, lane) for lane in Lane),
            self._until_refused(),
            *((self._answer(connection),) if self.options.replay else ()),
        )

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

    async def _deliver(self, connection: MqttConnection, lane: Lane) -> None:
        """Send everything of `lane` after the cursor, for ever."""
        window = self._windows[lane]
        while True:
            entries, looked = await self._journal.read_lane(self.id, lane, window.sent, connection.window)
            for entry in entries:
                await self._turns.wait(lane, len(entry.record.body))
                self._publish(connection, entry)
            window.skip(looked)
            self._move_cursor()

    async def _answer(self, connection: MqttConnection) -> None:
        """Send again what is asked for, one request after the other, for ever."""
        try:
            await connection.subscribe(f"{self.options.root}/{REPLAY_REQUEST}")
        except MqttError as error:
            # A broker that does not allow it has a platform that asks for nothing.
            log.info("uplink %s: nobody can ask it for missing numbers: %s", self.id, error)
            return
        topic = f"{self.options.root}/{REPLAY_RESPONSE}"
        while True:
            for answer in await self._replays.answers():
                # Outside of the window: what gets lost is asked for again.
                connection.publish(topic, answer, retain=False, qos=0)

    def _received(self, message: Received) -> None:
        self._replays.ask(message.payload)

    def _publish(self, connection: MqttConnection, entry: Entry) -> None:
        record = entry.record
        mid = connection.publish(
            self._topics.of(record.record_class, record.subject),
            number(self._disclosed(record), entry.seq),
            retain=record.record_class in RETAINED,
            expiry_s=self._expiry_s.get(record.record_class),
        )
        self._by_mid[mid] = entry
        self._windows[lane_of(record)].send(entry.seq)
        self.statistics.published += 1
        self.statistics.readings_published += record.readings

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
            refusal = RefusedError(f"the broker refuses message {entry.seq} to {topic}: {reason}")
            if self._refused is not None and not self._refused.done():
                self._refused.set_exception(refusal)
            return
        self._windows[lane_of(entry.record)].confirm(entry.seq)
        self._move_cursor()
        self.statistics.acknowledged += 1
        self.statistics.readings_acknowledged += entry.record.readings
        self._turns.changed()
        taken = entry.seq == self._refused_seq or self._windows.acknowledged >= self._refused_seq
        if self.last_error and taken:
            self._refused_seq = 0
            self._over("the broker takes what it refused")

    def _move_cursor(self) -> None:
        self._journal.acknowledge(self.id, self._windows.acknowledged)
