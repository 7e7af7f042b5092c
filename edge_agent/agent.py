"""Puts the parts together, starts and stops them: the only module that knows them all."""

import asyncio
import logging
import sqlite3
from collections.abc import Coroutine
from contextlib import closing, suppress
from dataclasses import astuple, dataclass
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent import __version__
from edge_agent.acquisition.diagnostics import Crossing
from edge_agent.acquisition.link import EvidenceHour, LinkTracker
from edge_agent.acquisition.supervisor import ConnectionSupervisor, phases
from edge_agent.config.models import (
    AnyUplinkOptions,
    InfluxdbUplinkOptions,
    JournalOptions,
    SparkplugUplinkOptions,
)
from edge_agent.config.site import Site, counting, stale_after_ms, tag_sets
from edge_agent.console.watch import Watch
from edge_agent.contract import messages
from edge_agent.contract.messages import Status
from edge_agent.contract.topics import RecordClass
from edge_agent.driver import DriverError, load_driver
from edge_agent.figures import Figures
from edge_agent.indicators.accounts import Account
from edge_agent.indicators.connected import ConnectedVersions
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.indicators.running_day import RunningDay
from edge_agent.journal.journal import Journal
from edge_agent.journal.limits import Limits
from edge_agent.journal.lock import DataDirLock
from edge_agent.journal.store import Record
from edge_agent.keeping import HistoryKeeper
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.equipment import Equipment
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause
from edge_agent.recording import Recorder, connected
from edge_agent.sharing.publishing import publish_capacity
from edge_agent.sharing.recording import SessionRecorder
from edge_agent.statements.keys import signing_key
from edge_agent.states.counters import Counters, Number
from edge_agent.states.history import GATEWAY_DOWN
from edge_agent.states.late import Late, LateReadings, Refusal
from edge_agent.states.production import ProductionTally
from edge_agent.states.tracker import Interval, StateTracker
from edge_agent.uplinks.influx.points import where_of
from edge_agent.uplinks.influx.uplink import InfluxUplink
from edge_agent.uplinks.mqtt import MqttUplink
from edge_agent.uplinks.uplink import Uplink

log = logging.getLogger(__name__)

EVIDENCE_KEEP_MS = 31 * 86_400_000
"""How far back evidence is looked at: the longest month."""
HOUSEKEEPING_S = 1.0
ALIVE_EVERY_S = 5.0
"""How often the agent notes that it is alive; what a kill leaves open is accounted for from there."""
CLOCK_STEP_MS = 1000
DRAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class EquipmentView:
    """What the agent knows of one equipment now."""

    equipment: Equipment
    state: StateWithCause
    since_ms: int
    link: LinkLevel
    age_ms: int | None
    """Since its newest batch; None before the first."""
    today: Account
    """Where its time went since midnight by the site's clocks."""


class Agent:
    """One running agent. `start`, then `stop`; `failed` ends if a part that must not end does."""

    def __init__(self, site: Site) -> None:
        """Put everything together and take the data folder. Does not connect anywhere.

        Raises DataDirBusyError, JournalFormatError, KeyFileError, sqlite3.Error, OSError (a file of the
        configuration that has gone since it was checked).
        """
        self.site = site
        self._lock = DataDirLock(site.data_dir)
        try:
            self._key = signing_key(site.data_dir)
            self._keeper = HistoryKeeper(site.data_dir / "history.db")
            self._keep_configuration()
            self.journal = Journal(
                site.data_dir / "journal.db",
                {u.id: carried(u) for u in site.uplinks},
                journal_limits(site.journal),
            )
            self.recorder = Recorder(site, self._key, self.journal)
            self.uplinks = [self._uplink(options) for options in site.uplinks]
        except BaseException:
            self._lock.release()
            raise
        self.readings = 0
        """Readings taken since the start, derived totals among them."""
        self.started_ms = CLOCK.now_ms()
        self._watch = Watch() if site.console is not None else None
        """What the page shows and nobody else keeps."""
        self.tracker = StateTracker(self._state_changed)
        self._late = LateReadings()
        self._save_soon = asyncio.Event()
        self._said: dict[str, tuple[StateWithCause, LinkLevel]] = {}
        self._by_connection = {c.id: [e.id for e in c.equipment] for c in site.connections}
        enabled = [c for c in site.connections if c.enabled]
        self._connected = [e for c in enabled for e in self._by_connection[c.id]]
        self._start_tracking()
        self.figures = Figures(site, self._keeper, self._links, self.tracker, self._append, self._key)
        self.supervisors = [
            ConnectionSupervisor(load_driver(c.driver)(c, tag_sets(c)), self, phase)
            for c, phase in zip(enabled, phases(len(enabled)), strict=True)
        ]
        self._journal_failed = False
        self._acquisition: list[asyncio.Task[None]] = []
        self._services: list[asyncio.Task[None]] = []

    def _uplink(self, options: AnyUplinkOptions) -> Uplink:
        if isinstance(options, InfluxdbUplinkOptions):
            where, folder = where_of(self.site), self.site.data_dir
            return InfluxUplink(options, where, folder, self.journal, self._status, self._event)
        if isinstance(options, SparkplugUplinkOptions):
            # protobuf takes 4 MB, which only who has such an uplink pays.
            from edge_agent.uplinks.sparkplug.plant import plant_of
            from edge_agent.uplinks.sparkplug.uplink import SparkplugUplink

            plant = plant_of(self.site, __version__)
            return SparkplugUplink(options, plant, self.site.data_dir, self.journal, self._event)
        return MqttUplink(options, self.journal, self._status, self._event)

    def _keep_configuration(self) -> None:
        """What figures of this time will be counted on, whenever that is done."""
        path, now = self.site.data_dir / "history.db", CLOCK.now_ms()
        with closing(RegisterVersions(path)) as registers:
            registers.keep(self.site.register, now)
        with closing(ConnectedVersions(path)) as versions:
            versions.keep(connected(self.site), now)

    def _start_tracking(self) -> None:
        now = CLOCK.now_ms()
        history = self._keeper.history
        since = history.resume(now)
        self.resumed_after_ms = max(0, now - since)
        """Time for which nobody can say what the machines did, because the agent was not running."""
        self._sessions = SessionRecorder(self.site.sharing, self.site.data_dir / "history.db", since)
        self._today = RunningDay(ZoneInfo(self.site.gateway.timezone), now)
        for item in self.site.register.equipment:
            self._today.count(item.id, history.columns(item.id, self._today.from_ms, since), since)
        stale_ms = stale_after_ms(self.site)
        for connection in self.site.connections:
            for equipment in connection.equipment:
                stale, name = stale_ms[equipment.id], equipment.id
                self.tracker.add(name, equipment.states, stale, GATEWAY_DOWN, since)
                period = min((t.period or connection.period for t in equipment.tags), default=0.0)
                self._late.add(name, self.tracker.rules(name), stale, round(1000 * period))
        for item in self.site.register.equipment:
            if item.id not in stale_ms:
                self.tracker.add(item.id, (), 0, GATEWAY_DOWN, since)
        self._links = LinkTracker(
            stale_ms,
            [EvidenceHour(*row) for row in history.evidence(now - EVIDENCE_KEEP_MS)],
            EVIDENCE_KEEP_MS,
        )
        self._counters = Counters(
            [e for c in self.site.connections for e in c.equipment],
            history.counters(),
            self._counter_reset,
        )
        self._production = ProductionTally(counting(self.site), history.production_counters())
        self._keeper.note(self.tracker.open_intervals())
        configured = {name for names in self._by_connection.values() for name in names}
        registered = [e.id for e in self.site.register.equipment]
        disabled = configured.difference(self._connected)
        self.tracker.lost(self._connected, UnknownCause.NO_DATA, now)
        self.tracker.lost(disabled, UnknownCause.DISABLED, now)
        self.tracker.lost([e for e in registered if e not in configured], UnknownCause.NOT_CONNECTED, now)

    async def start(self) -> None:
        """Start acquisition, uplinks and housekeeping; returns at once."""
        self.journal.start()
        now = CLOCK.now_ms()
        self._event(
            "agent_started",
            f"version {__version__}",
            configuration=self.site.digest,
            down_ms=self.resumed_after_ms,
        )
        if self.recorder.key_before is not None:
            self._event(
                "key_changed",
                "statements are signed with another key from now on",
                before=self.recorder.key_before,
                after=self._key.public,
            )
        self._append(RecordClass.REGISTER, "", messages.register(self.site.register, now))
        for equipment in self.site.register.equipment:
            self._announce(equipment.id, now)
        self._services = [
            *(_named(f"uplink {u.id}", u.run()) for u in self.uplinks),
            _named("housekeeping", self._keep_house()),
            _named("statements", self.recorder.run()),
            _named("history", self._keeper.tend()),
            *(_named(name, work) for name, work in self.figures.services().items()),
            *self._capacity(),
            *self._console(),
        ]
        self._acquisition = [_named(f"connection {s.id}", s.run()) for s in self.supervisors]

    def _capacity(self) -> list[asyncio.Task[None]]:
        """What publishes idle capacity: nothing, unless the configuration asks for it."""
        sharing = self.site.sharing
        if sharing is None or not sharing.publish_capacity:
            return []
        return [_named("capacity", publish_capacity(self.site, sharing, self._append))]

    def _console(self) -> list[asyncio.Task[None]]:
        """What serves the page: nothing, and nothing is loaded, unless the configuration asks for it."""
        if self.site.console is None or self._watch is None:
            return []
        from edge_agent.console.server import serve

        return [_named("console", serve(self, self.site.console, self._watch))]

    async def failed(self) -> None:
        """Wait until a part ends that must not; raises what ended it."""
        tasks = [*self._services, *self._acquisition]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self, drain_s: float = DRAIN_S) -> None:
        """Stop acquisition, give uplinks up to `drain_s` to deliver, and close everything."""
        await _end(self._acquisition)
        self._event("agent_stopped", f"version {__version__}")
        await self._drain(drain_s)
        await _end(self._services)
        self.recorder.close()
        await self.journal.close()
        await self._save_history()
        self._keeper.close()
        self._sessions.close()
        self._lock.release()

    async def _drain(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self.journal.flush()
                await self.journal.delivered()
        except TimeoutError:
            left = {u.id: self.journal.depth(u.id) for u in self.uplinks}
            log.info("left in the journal for the next start: %s", left)

    def view(self) -> list[EquipmentView]:
        """Every registered equipment as it is now, in the register's order."""
        now = CLOCK.now_ms()
        views = []
        for equipment in self.site.register.equipment:
            current = self.tracker.current(equipment.id)
            views.append(
                EquipmentView(
                    equipment=equipment,
                    state=current.state,
                    since_ms=current.since_ms,
                    link=self._links.level(equipment.id, now),
                    age_ms=None if current.heard_ms is None else now - current.heard_ms,
                    today=self._today.account(equipment.id, current, now),
                )
            )
        return views

    # What connections report (acquisition.supervisor.Sink).

    def batch(self, batch: Batch) -> None:
        self._links.batch(batch)
        batch = self._counters.batch(batch)
        self.readings += len(batch.tags)
        if self._counters.urgent:
            self._save_soon.set()
        self._production.batch(batch)
        self.tracker.batch(batch)
        self._late.batch(batch)
        self._sessions.batch(batch)
        if self._watch is not None:
            self._watch.batch(batch)
        if batch.tags:
            body = messages.encode(messages.telemetry(batch))
            self.journal.append(Record(RecordClass.READINGS, batch.equipment, body, len(batch.tags)))
        self._announce(batch.equipment, batch.received_ms)

    def opened(self, connection: str) -> None:
        if self._watch is not None:
            self._watch.opened(connection, CLOCK.now_ms())
        self._links.opened(self._by_connection[connection])
        self._event("connection_open", "the endpoint accepts the connection", connection)
        self._announce_all(connection)

    def lost(self, connection: str, error: DriverError) -> None:
        if self._watch is not None:
            self._watch.lost(connection, error, CLOCK.now_ms())
        equipment = self._by_connection[connection]
        self._links.lost(equipment)
        self._production.lost(equipment)
        self.tracker.lost(equipment, error.cause, CLOCK.now_ms())
        self._event("connection_lost", str(error), connection, cause=error.cause.value)
        self._announce_all(connection)

    def equipment_failed(self, connection: str, equipment: str, error: DriverError) -> None:
        if self._watch is not None:
            self._watch.equipment_failed(connection, equipment, error, CLOCK.now_ms())
        self._links.failed(equipment)
        self._production.lost([equipment])
        self.tracker.lost([equipment], error.cause, CLOCK.now_ms())
        self._event("equipment_lost", str(error), equipment, cause=error.cause.value, connection=connection)
        self._announce(equipment, CLOCK.now_ms())

    def limit_crossed(self, connection: str, crossing: Crossing) -> None:
        detail: dict[str, str | float] = {
            "unit": crossing.subject,
            "name": crossing.name,
            "value": crossing.value,
            "limit": crossing.limit,
        }
        if crossing.over:
            self._event("diagnostics_limit", str(crossing), connection, **detail)
        else:
            self._event("diagnostics_normal", str(crossing), connection, **detail)

    # What becomes of it.

    def _counter_reset(self, equipment: str, tag: str, before: Number, after: Number) -> None:
        self._production.reset(equipment, tag)
        self._event(
            "counter_reset",
            f"{tag} was {before} and is now {after}",
            equipment,
            tag=tag,
            before=before,
            after=after,
        )

    def _state_changed(self, ended: Interval, begun: Interval) -> None:
        self._keeper.note((ended, begun))
        self._today.ended(ended)
        self._late.ended(ended)
        self._sessions.state_changed(begun)
        before, now = ended.state.state, begun.state.state
        if now is MachineState.ALARM:
            self._event("alarm_begun", begun.state.cause, begun.equipment)
        elif before is MachineState.ALARM:
            self._event("alarm_ended", ended.state.cause, begun.equipment)

    def _announce_all(self, connection: str) -> None:
        now = CLOCK.now_ms()
        for equipment in self._by_connection[connection]:
            self._announce(equipment, now)

    def _announce(self, equipment: str, now_ms: int) -> None:
        """Send state and link level of an equipment if one of them changed."""
        current = self.tracker.current(equipment)
        level = self._links.level(equipment, now_ms)
        if self._said.get(equipment) != (current.state, level):
            self._said[equipment] = (current.state, level)
            message = messages.state(equipment, current.state, current.since_ms, level, now_ms)
            self._append(RecordClass.STATES, equipment, message)

    def _event(self, kind: str, message: str, subject: str = "", **detail: str | float) -> None:
        event = messages.Event(
            time=CLOCK.now_ms(), kind=kind, subject=subject, message=message, detail=detail
        )
        if self._watch is not None:
            self._watch.events.append(event)
        self._append(RecordClass.EVENTS, "", event)

    def _append(self, record_class: RecordClass, subject: str, message: messages.Numbered) -> None:
        self.journal.append(Record(record_class, subject, messages.encode(message)))

    def _status(self) -> Status:
        now = CLOCK.now_ms()
        return Status(
            online=True,
            time=now,
            since=now,
            version=__version__,
            configuration=self.site.digest,
            clock_offset_ms=CLOCK.offset_ms(),
            key=self._key.public,
        )

    # What has to be done now and then.

    async def _keep_house(self) -> None:
        saved_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HOUSEKEEPING_S):
                    await self._save_soon.wait()
            self._follow_clock()
            now = CLOCK.now_ms()
            self.tracker.check_stale(now)
            for equipment in self._connected:
                self._announce(equipment, now)
            self._tell_of_journal()
            if self._keeper.unsaved or self._save_soon.is_set() or loop.time() - saved_at > ALIVE_EVERY_S:
                self._save_soon.clear()
                await self._save_history()
                saved_at = loop.time()
            if not self._keeper.unsaved:
                await self._fill_unknown_time()

    def _tell_of_journal(self) -> None:
        """Say once that the disk takes nothing, and once that it does again."""
        failure = self.journal.failure
        if failure is not None and not self._journal_failed:
            self._event("journal_failed", failure)
        elif failure is None and self._journal_failed:
            self._event("journal_recovered", "the disk takes records again", dropped=self.journal.dropped)
        self._journal_failed = failure is not None

    def _follow_clock(self) -> None:
        if abs(CLOCK.offset_ms()) < CLOCK_STEP_MS:
            return
        before = CLOCK.now_ms()
        step = CLOCK.follow_forward()
        if step:
            log.warning("the system clock was set forward by %.1f s", step / 1000)
            self.tracker.clock_stepped(before, CLOCK.now_ms())
            self._event("clock_step", "the system clock was set forward", step_ms=step)

    async def _save_history(self) -> None:
        now = CLOCK.now_ms()
        if not await self._sessions.save(self._keeper):
            return
        # Totals and what was counted of them go together, or a piece would be counted twice or not at all.
        counters, production = self._counters.take_changed(), self._production.take_changed()
        evidence = map(astuple, self._links.take_changed())
        if not await self._keeper.save(evidence, counters, now, production):
            self._counters.not_kept(counters)
            self._production.not_kept(production)

    async def _fill_unknown_time(self) -> None:
        """Fill it with what came late. Nothing may wait to be written: it would be written over that."""
        for late in self._late.due(CLOCK.now_ms()):
            try:
                await self._fill(late)
            except sqlite3.Error as error:
                log.error("history: cannot write late data (%s); tried again", error)

    async def _fill(self, late: Late | Refusal) -> None:
        if isinstance(late, Refusal):
            self._event(
                "late_data_refused",
                f"readings that came late are not used: the controller's clock is off by {late.offset_ms} ms",
                late.equipment,
                offset_ms=late.offset_ms,
            )
            return
        history, name = self._keeper.history, late.equipment
        filled = await self._keeper.run(late.fill, history)
        self._late.done(late)
        if filled:
            before, closed_ms = self._today.closed(name), self.tracker.current(name).since_ms
            unsaved = self._keeper.unsaved
            columns = await self._keeper.run(history.columns, name, self._today.from_ms, closed_ms, unsaved)
            self._today.recount(name, before, columns, closed_ms)
            ends = [one.end_ms for one in filled if one.end_ms is not None]
            self._event(
                "late_data",
                "what the machine did while it was not heard is known now",
                late.equipment,
                **{
                    "from": filled[0].start_ms,
                    "to": ends[-1],
                    "ms": sum(ends) - sum(o.start_ms for o in filled),
                },
            )


def carried(uplink: AnyUplinkOptions) -> frozenset[RecordClass]:
    """The classes that the journal keeps for an uplink."""
    classes = frozenset(RecordClass(name) for name in uplink.carries)
    if isinstance(uplink, SparkplugUplinkOptions) and RecordClass.STATEMENTS in classes:
        return classes | {RecordClass.ASSETS}  # it has a metric for each figure, whatever it is weighted by
    return classes


def journal_limits(options: JournalOptions) -> Limits:
    return Limits(
        options.max_size,
        {RecordClass(name): round(1000 * seconds) for name, seconds in options.keep.model_dump().items()},
        round(1000 * options.keep_delivered),
    )


def _named(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work, name=name)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
