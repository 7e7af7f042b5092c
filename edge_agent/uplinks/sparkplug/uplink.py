"""Sparkplug B uplink: what the journal holds, as births, data and deaths of one edge node."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from edge_agent.config.models import SparkplugUplinkOptions
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Entry
from edge_agent.model.clock import CLOCK
from edge_agent.uplinks.broker import BrokerUplink, Renewing
from edge_agent.uplinks.mqtt_connection import Address, MqttConnection, MqttError, Received, Will
from edge_agent.uplinks.sparkplug import payloads
from edge_agent.uplinks.sparkplug.host import PrimaryHost
from edge_agent.uplinks.sparkplug.node import Node
from edge_agent.uplinks.sparkplug.numbers import BirthNumber
from edge_agent.uplinks.sparkplug.plant import Plant
from edge_agent.uplinks.sparkplug.session import Session
from edge_agent.uplinks.sparkplug.told import told_by
from edge_agent.uplinks.sparkplug.topics import SparkplugTopics, state_topic
from edge_agent.uplinks.uplink import UplinkState

CONFIRM_EVERY_S = 1.0
"""How often the broker is asked whether it has everything."""
WINDOW = 500
"""Messages of the journal at most that the broker has not confirmed; then it is asked at once."""
REBIRTH_PAUSE_S = 5.0
"""After births that somebody asked for, until the next: whoever asks meanwhile gets them then, together."""
HOST_WAIT_S = 5.0
"""How long the primary host may say nothing until it counts as offline."""


class SparkplugUplink(BrokerUplink):
    """The cursor moves when the broker has answered something that it was asked after the data.

    What the journal tells is taken in once and in order: without a session as the state that the next births
    will have, within one as data. What the births already cover when it is sent is history.
    """

    def __init__(
        self,
        options: SparkplugUplinkOptions,
        plant: Plant,
        data_dir: Path,
        journal: Journal,
        told: Callable[[str, str, str], None],
        renewal: Renewing | None = None,
    ) -> None:
        """`told` and `renewal` as for BrokerUplink. Raises OSError if the data folder cannot be read."""
        super().__init__(options, journal, told, renewal)
        self._version = options.version
        self._topics = SparkplugTopics(options.group, options.node or "")
        self._births = BirthNumber(data_dir / f"sparkplug-{options.id}.txt")
        self._host_topic = state_topic(options.primary_host) if options.primary_host else ""
        self._hosts = {address: PrimaryHost() for address in self._addresses}
        self._node = Node(plant)
        self._known = journal.last(self.id)
        """Up to this number the node's state is taken in."""
        self._sent = journal.acknowledged(self.id)
        self._unconfirmed: list[Entry] = []
        self._at: Address = self._addresses[0]
        """The broker of this connection."""
        self._rebirth = asyncio.Event()
        """Somebody asks for births."""
        self._between = asyncio.Event()
        """There is no session."""
        self._between.set()
        self._full, self._room = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(super().run())

    def _will(self) -> Will:
        payload = payloads.death(self._births.next, CLOCK.now_ms())
        return Will(
            self._topics.of_node("NDEATH"), payload, retain=False, sent_with_disconnect=self._version == "5"
        )

    def _farewell(self) -> bytes:
        return payloads.death(self._births.current, CLOCK.now_ms())

    def _before_connect(self) -> None:
        self._births.take()

    def _tasks(self, connection: MqttConnection) -> Sequence[Coroutine[Any, Any, None]]:
        self._at = connection.address
        self._hosts[self._at].forget()
        return (self._lead(connection),)

    def _received(self, message: Received) -> None:
        if message.topic == self._host_topic:
            self._hosts[self._at].hear(message.payload)
        elif message.topic == self._topics.of_node("NCMD") and not message.retained:
            # A command that was kept from before is none: it would come back with each subscription.
            with contextlib.suppress(ValueError):
                if payloads.asks_for_rebirth(message.payload):
                    self._rebirth.set()

    async def _follow(self) -> None:
        """Without a session, keep up with what there is now."""
        while True:
            await self._between.wait()
            entries = await self._journal.read(self.id, self._known, WINDOW)
            for entry in entries:
                if self._between.is_set() and entry.seq > self._known:
                    self._known = entry.seq
                    told = told_by(entry.record)
                    if told is not None:
                        self._node.take(told)

    async def _lead(self, connection: MqttConnection) -> None:
        """One session. Raises MqttError, in groups too."""
        await connection.subscribe(self._topics.of_node("NCMD"))
        if self._host_topic:
            await connection.subscribe(self._host_topic)
            await self._host_is_there(connection.address)
        session = Session(self._node, self._topics, self._births.current, _publisher(connection))
        self._rebirth.clear()
        self._between.clear()
        try:
            session.begin()
            self._up()
            if self.last_error:
                self._over("connected again")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._deliver(session))
                tasks.create_task(self._confirm(connection))
                tasks.create_task(self._be_born_again(session))
                if self._host_topic:
                    tasks.create_task(self._until_host_leaves(connection.address))
        finally:
            self._between.set()

    async def _be_born_again(self, session: Session) -> None:
        """Births when somebody asks for them, for ever. Raises MqttError."""
        while True:
            await self._rebirth.wait()
            self._rebirth.clear()
            session.begin()
            await asyncio.sleep(REBIRTH_PAUSE_S)

    async def _host_is_there(self, address: Address) -> None:
        """Wait for the primary host; with other brokers to turn to, not for ever. Raises MqttError."""
        host = self._hosts[address]
        waiting = [asyncio.create_task(one.wait()) for one in (host.online, host.offline)]
        try:
            await asyncio.wait(waiting, timeout=HOST_WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if host.online.is_set():
            return
        if len(self._addresses) > 1:
            self._turn_from(address)
            raise MqttError(_missing(address))
        self._down(UplinkState.WAITING, "uplink_down", _missing(address))
        await host.online.wait()

    async def _until_host_leaves(self, address: Address) -> None:
        await self._hosts[address].offline.wait()
        self._turn_from(address)
        raise MqttError(_missing(address))

    def _turn_from(self, address: Address) -> None:
        """Try the broker after this one first."""
        after = list(self._addresses).index(address) + 1
        self._addresses = (*self._addresses[after:], *self._addresses[:after])

    async def _deliver(self, session: Session) -> None:
        """Send everything after the cursor, for ever."""
        self._sent = self._journal.acknowledged(self.id)
        self._unconfirmed.clear()
        while True:
            while len(self._unconfirmed) >= WINDOW:
                self._room.clear()
                self._full.set()
                await self._room.wait()
            limit = WINDOW - len(self._unconfirmed)
            for entry in await self._journal.read(self.id, self._sent, limit):
                self._send(session, entry)
                if entry.seq >= self._known:
                    session.history_over()

    def _send(self, session: Session, entry: Entry) -> None:
        told = told_by(entry.record)
        if entry.seq <= self._known:
            if told is not None:
                session.history(told)
        else:
            self._known = entry.seq
            if told is not None:
                session.news(told)
        self._sent = entry.seq
        self._unconfirmed.append(entry)
        self.statistics.published += 1
        self.statistics.readings_published += entry.record.readings

    async def _confirm(self, connection: MqttConnection) -> None:
        """Ask the broker for an answer now and then; what was sent before, it has taken."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONFIRM_EVERY_S):
                    await self._full.wait()
            self._full.clear()
            asked = len(self._unconfirmed)
            if not asked:
                continue
            await connection.subscribe(self._topics.of_node("NCMD"))
            confirmed = self._unconfirmed[:asked]
            del self._unconfirmed[:asked]
            self._journal.acknowledge(self.id, confirmed[-1].seq)
            self.statistics.acknowledged += asked
            self.statistics.readings_acknowledged += sum(entry.record.readings for entry in confirmed)
            self._room.set()


def _missing(address: Address) -> str:
    return f"the primary host is not online at {address}"


def _publisher(connection: MqttConnection) -> Callable[[str, bytes], None]:
    """Data is published at QoS 0, as the specification demands."""

    def publish(topic: str, payload: bytes) -> None:
        connection.publish(topic, payload, retain=False, qos=0)

    return publish
