"""MQTT JSON uplink: what the journal holds, published at QoS 1 until the broker has it.

Readings go in the order of their numbers, and everything else, in that order too, overtakes them. After an
outage readings are two streams: what is live overtakes the backlog."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from msgspec.structs import replace
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.models import MqttUplinkOptions
from edge_agent.contract.compression import is_packed
from edge_agent.contract.messages import Status, encode
from edge_agent.contract.topics import REPLAY_REQUEST, REPLAY_RESPONSE, RecordClass, Topics
from edge_agent.journal.journal import Journal
from edge_agent.journal.lanes import Lane
from edge_agent.journal.store import Entry
from edge_agent.model.clock import CLOCK
from edge_agent.uplinks.broker import BrokerUplink, RefusedError, Renewing
from edge_agent.uplinks.disclosure import told_to
from edge_agent.uplinks.mqtt_connection import MqttConnection, MqttError, Received, Will
from edge_agent.uplinks.parcels import Packer, Parcel
from edge_agent.uplinks.replay import Replays
from edge_agent.uplinks.streams import Stream
from edge_agent.uplinks.turns import Turns
from edge_agent.uplinks.window import Windows

log = logging.getLogger(__name__)

STATUS_EVERY_S = 60.0
AT_ONCE = 500
"""Records read from the journal at once, at most."""


class MqttUplink(BrokerUplink):
    """The cursor moves only on a PUBACK whose reason code says success."""

    def __init__(
        self,
        options: MqttUplinkOptions,
        journal: Journal,
        status: Callable[[], Status],
        told: Callable[[str, str, str], None],
        renewal: Renewing | None = None,
    ) -> None:
        """`status` makes the gateway's part of the status message; the others as for BrokerUplink."""
        super().__init__(options, journal, told, renewal)
        self.options = options
        self._status: Callable[[], Status] = lambda: replace(status(), audience=options.audience)
        self._disclosed = told_to(options.audience)
        self._topics = Topics(options.root)
        self._expiry_s = {RecordClass(name): round(limit) for name, limit in options.expiry.items()}
        self._packer = Packer(
            self._topics,
            self._disclosed,
            compress=options.compression == "zlib",
            together=options.gather is not None,
            rate=options.rate,
        )
        self._by_mid: dict[int, tuple[Stream, Parcel]] = {}
        """What is on its way, by the id of the message."""
        acknowledged = journal.acknowledged(self.id)
        self._windows = Windows(acknowledged, acknowledged, acknowledged)
        self._put_off: deque[Entry] = deque()
        """What is said of numbers that do not come, and must not overtake the backlog."""
        self._turns = Turns(lambda: False)
        self._replays = Replays(self.id, journal, self._disclosed)
        self._refused: asyncio.Future[None] | None = None
        self._refused_seq = 0
        """The first number of the message that the broker refused last."""

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
        self._put_off.clear()
        self._windows = self._windows.resumed(self._journal.last(self.id))
        self._turns = Turns(lambda: len(self._by_mid) < connection.window, self.options.rate)
        return (
            self._keep_status(connection),
            self._deliver_urgent(connection),
            self._deliver_live(connection),
            self._deliver_backlog(connection),
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
                live_after=self._windows.newest if self._windows.drains else 0,
            )
            connection.publish(self._topics.status, encode(status), retain=True)
            await asyncio.sleep(STATUS_EVERY_S)

    async def _deliver_urgent(self, connection: MqttConnection) -> None:
        """Send everything but readings, for ever."""
        window = self._windows[Stream.URGENT]
        while True:
            entries, looked = await self._read(Lane.URGENT, window.sent)
            await self._send(connection, Stream.URGENT, entries)
            window.skip(looked)
            self._move_cursor()

    async def _deliver_live(self, connection: MqttConnection) -> None:
        """Send the readings that are numbered from now on, for ever."""
        window = self._windows[Stream.LIVE]
        next_at = 0.0
        while True:
            entries, looked = await self._read(Lane.BULK, window.sent)
            if self.options.gather is not None and len(entries) < AT_ONCE:
                pause = next_at - time.monotonic()
                if pause > 0:
                    await asyncio.sleep(pause)
                    entries, looked = await self._read(Lane.BULK, window.sent)
                next_at = time.monotonic() + self.options.gather
            for readings, announcement in _divided(entries):
                await self._send(connection, Stream.LIVE, readings)
                if announcement is None:
                    continue
                if self._windows.drains:
                    self._put_off.append(announcement)
                else:
                    await self._send(connection, Stream.LIVE, [announcement])
            window.skip(looked)
            self._move_cursor()

    async def _deliver_backlog(self, connection: MqttConnection) -> None:
        """Send the readings from before this connection, and what must not overtake them."""
        window, newest = self._windows[Stream.BACKLOG], self._windows.newest
        while window.sent < newest:
            entries, looked = await self._read(Lane.BULK, window.sent)
            await self._send(connection, Stream.BACKLOG, [e for e in entries if self._is_due(e)])
            window.skip(min(looked, newest))
            self._move_cursor()
        while self._put_off:
            await self._send(connection, Stream.BACKLOG, [self._put_off.popleft()])
        self._windows.drained()
        self._move_cursor()

    def _is_due(self, entry: Entry) -> bool:
        """Whether the backlog has this one still to send."""
        had = _is_reading(entry) and self._windows.had(entry.seq)
        return entry.seq <= self._windows.newest and not had

    async def _read(self, lane: Lane, after: int) -> tuple[list[Entry], int]:
        return await self._journal.read_lane(self.id, lane, after, AT_ONCE)

    async def _send(self, connection: MqttConnection, stream: Stream, entries: Sequence[Entry]) -> None:
        for parcel in self._packer.parcels(entries):
            await self._turns.wait(stream, len(parcel.payload))
            self._publish(connection, stream, parcel)

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
                # At QoS 0: what gets lost is asked for again.
                payload = self._packer.packed(answer)
                await self._turns.wait(Stream.BACKLOG, len(payload))
                connection.publish(topic, payload, retain=False, qos=0, compressed=is_packed(payload))

    def _received(self, message: Received) -> None:
        self._replays.ask(message.payload)

    def _publish(self, connection: MqttConnection, stream: Stream, parcel: Parcel) -> None:
        mid = connection.publish(
            parcel.topic,
            parcel.payload,
            retain=parcel.retain,
            expiry_s=self._expiry_s.get(parcel.record_class),
            compressed=parcel.compressed,
        )
        self._by_mid[mid] = stream, parcel
        for entry in parcel.entries:
            self._windows[stream].send(entry.seq)
        self.statistics.published += len(parcel.entries)
        self.statistics.readings_published += parcel.readings

    async def _until_refused(self) -> None:
        self._refused = asyncio.get_running_loop().create_future()
        await self._refused

    def _acknowledged(self, mid: int, reason: ReasonCode) -> None:
        found = self._by_mid.pop(mid, None)
        if found is None:
            return  # a status message
        stream, parcel = found
        if reason.is_failure:
            self._refused_seq = parcel.entries[0].seq
            refusal = RefusedError(f"the broker refuses {parcel} to {parcel.topic}: {reason}")
            if self._refused is not None and not self._refused.done():
                self._refused.set_exception(refusal)
            return
        for entry in parcel.entries:
            self._windows[stream].confirm(entry.seq)
        self._move_cursor()
        self.statistics.acknowledged += len(parcel.entries)
        self.statistics.readings_acknowledged += parcel.readings
        self._turns.changed()
        if self.last_error and (
            self._windows.acknowledged >= self._refused_seq
            or any(entry.seq == self._refused_seq for entry in parcel.entries)
        ):
            self._refused_seq = 0
            self._over("the broker takes what it refused")

    def _move_cursor(self) -> None:
        self._journal.acknowledge(self.id, self._windows.acknowledged)


def _is_reading(entry: Entry) -> bool:
    return entry.record.record_class is RecordClass.READINGS


def _divided(entries: Sequence[Entry]) -> Iterator[tuple[Sequence[Entry], Entry | None]]:
    """Readings, and what is said of numbers after them that do not come, if anything is."""
    begin = 0
    for index, entry in enumerate(entries):
        if not _is_reading(entry):
            yield entries[begin:index], entry
            begin = index + 1
    yield entries[begin:], None
