"""Puts the parts together, starts and stops them: the only module that knows them all."""

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict
from zoneinfo import ZoneInfo

from edge_agent import __version__
from edge_agent.acquisition.diagnostics import Crossing
from edge_agent.acquisition.supervisor import ConnectionSupervisor, phases
from edge_agent.config.difference import Difference
from edge_agent.config.models import (
    AnyUplinkOptions,
    InfluxdbUplinkOptions,
    JournalOptions,
    MqttUplinkOptions,
    SparkplugUplinkOptions,
    UplinkOptions,
)
from edge_agent.config.site import Site, shadow_of, tag_sets
from edge_agent.console.watch import Watch
from edge_agent.contract import messages
from edge_agent.contract.messages import Status
from edge_agent.contract.topics import RecordClass
from edge_agent.driver import DriverError, load_driver
from edge_agent.figures import Figures
from edge_agent.indicators.connected import ConnectedVersions
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.journal.cipher import cipher_of
from edge_agent.journal.digests import Digested
from edge_agent.journal.file import check_format
from edge_agent.journal.journal import Journal
from edge_agent.journal.limits import Limits
from edge_agent.journal.lock import DataDirLock
from edge_agent.journal.store import Record
from edge_agent.keeping import HistoryKeeper
from edge_agent.machines import EquipmentView, Machines
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.options import ConnectionOptions
from edge_agent.model.progress import Progress
from edge_agent.parts import Parts
from edge_agent.recording import Recorder, connected
from edge_agent.reloading import NotWhileRunningError, Reloader
from edge_agent.sharing.publishing import publish_capacity
from edge_agent.statements.keys import signing_key
from edge_agent.uplinks.broker import Renewing
from edge_agent.uplinks.disclosure import told_to
from edge_agent.uplinks.influx.health import ConnectionHealth, Health, UplinkHealth
from edge_agent.uplinks.influx.points import where_of
from edge_agent.uplinks.influx.uplink import InfluxUplink
from edge_agent.uplinks.mqtt import MqttUplink
from edge_agent.uplinks.uplink import Uplink

log = logging.getLogger(__name__)

HOUSEKEEPING_S = 1.0
HOUSE_LIMIT_S = 600.0
"""No round of the housekeeping takes that long, be it that hundreds of machines deliver late data at once."""
ALIVE_EVERY_S = 5.0
"""How often the agent notes that it is alive; what a kill leaves open is accounted for from there."""
CLOCK_STEP_MS = 1000
DRAIN_S = 2.0


class Agent:
    """One running agent. `start`, then `stop`; `failed` ends if a part that must not end does."""

    def __init__(self, site: Site, *, shadow: bool = False) -> None:
        """Put everything together and take the data folder. Does not connect anywhere.

        A `shadow` has no uplink and a data folder of its own.

        Raises DataDirBusyError, JournalFormatError, JournalKeyError, KeyFileError, sqlite3.Error, OSError (a
        file of the configuration that has gone since it was checked).
        """
        self._shadow = shadow
        self.site = site = shadow_of(site) if shadow else site
        self._lock = DataDirLock(site.data_dir)
        try:
            # Both files are looked at before either is touched: the history looks at its own.
            check_format(site.data_dir / "journal.db")
            cipher = cipher_of(site.journal.key_file)
            self._key = signing_key(site.data_dir)
            self._keeper = HistoryKeeper(site.data_dir / "history.db")
            self.journal = Journal(
                site.data_dir / "journal.db",
                *_kept(site),
                cipher,
            )
            self._keep_configuration()
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
        self._save_soon = asyncio.Event()
        self._journal_failed = False
        self._housekeeping = Progress("housekeeping")
        self._parts = Parts()
        self.reloader = Reloader(site.path, self.follow, self._refused)
        self._busy = asyncio.Lock()
        """Held while the history is saved, so that nothing ends amid it."""
        self.machines = Machines(site, self._keeper, self._append, self._event)
        self.figures = self._figures()
        enabled = [c for c in site.connections if c.enabled]
        self.supervisors = [
            self._supervisor(c, phase) for c, phase in zip(enabled, phases(len(enabled)), strict=True)
        ]

    def _supervisor(self, options: ConnectionOptions, phase: float) -> ConnectionSupervisor:
        return ConnectionSupervisor(load_driver(options.driver)(options, tag_sets(options)), self, phase)

    def _figures(self) -> Figures:
        machines = self.machines
        return Figures(self.site, self._keeper, machines.links, machines.tracker, self._append, self._key)

    def _uplink(self, options: AnyUplinkOptions) -> Uplink:
        if isinstance(options, InfluxdbUplinkOptions):
            where, folder = where_of(self.site), self.site.data_dir
            return InfluxUplink(options, where, folder, self.journal, self._health, self._event)
        if isinstance(options, SparkplugUplinkOptions):
            # protobuf takes 4 MB, which only who has such an uplink pays.
            from edge_agent.uplinks.sparkplug.plant import plant_of
            from edge_agent.uplinks.sparkplug.uplink import SparkplugUplink

            plant = plant_of(self.site, __version__)
            return SparkplugUplink(
                options, plant, self.site.data_dir, self.journal, self._event, self._renewal(options)
            )
        return MqttUplink(options, self.journal, self._status, self._event, self._renewal(options))

    def _renewal(self, options: UplinkOptions) -> Renewing | None:
        if options.tls is None or not options.tls.enrolled:
            return None
        # Reading and making certificates takes 1 MB, which only who is enrolled pays.
        from edge_agent.uplinks.identity import identity_of
        from edge_agent.uplinks.renewal import Renewal

        identity = identity_of(self.site.gateway, options, self._key)
        return None if identity is None else Renewal(identity, options.id, self._event)

    def _keep_configuration(self) -> None:
        """What figures of this time will be counted on, whenever that is done."""
        path, now = self.site.data_dir / "history.db", CLOCK.now_ms()
        with closing(RegisterVersions(path)) as registers:
            registers.keep(self.site.register, now)
        with closing(ConnectedVersions(path)) as versions:
            versions.keep(connected(self.site), now)

    async def start(self) -> None:
        """Start acquisition, uplinks and housekeeping; returns at once."""
        self.journal.start()
        self._event(
            "agent_started",
            f"version {__version__}",
            configuration=self.site.digest,
            down_ms=self.machines.resumed_after_ms,
        )
        if self.recorder.key_before is not None:
            self._event(
                "key_changed",
                "statements are signed with another key from now on",
                before=self.recorder.key_before,
                after=self._key.public,
            )
        self._send_register()
        self.machines.announce_every()
        for uplink in self.uplinks:
            self._parts.begin(_uplink(uplink.id), uplink.run())
        self._parts.begin("housekeeping", self._keep_house())
        self._parts.begin("history", self._keeper.tend())
        self._parts.begin("reloader", self.reloader.run(lambda: self.site.follow_files))
        self._begin_services()
        self._begin_console()
        for supervisor in self.supervisors:
            self._parts.begin(_connection(supervisor.id), supervisor.run())

    def _begin_services(self) -> None:
        """What is made anew with each configuration."""
        services = {"statements": self.recorder.run(), **self.figures.services()}
        sharing = self.site.sharing
        if sharing is not None and sharing.publish_capacity:
            services["capacity"] = publish_capacity(self.site, sharing, self._append)
        for name, work in services.items():
            self._parts.begin(name, work)
        self._services = list(services)

    async def _end_services(self) -> None:
        await self._parts.end(self._services)
        await asyncio.to_thread(self.recorder.close)

    def _begin_console(self) -> None:
        """Serve the page; nothing is loaded for it unless the configuration asks for one."""
        if self.site.console is not None and self._watch is not None:
            from edge_agent.console.server import serve

            self._parts.begin("console", serve(self, self.site.console, self._watch))

    def _send_register(self) -> None:
        self._append(RecordClass.REGISTER, "", messages.register(self.site.register, CLOCK.now_ms()))

    async def failed(self) -> None:
        """Wait until a part ends that must not; raises what ended it."""
        await self._parts.failed()

    def progress(self) -> list[Progress]:
        """Every loop of acquisition and of keeping, without which nothing more is known or kept. An uplink is
        none of them: it may wait for its broker as long as it likes."""
        loops = [self._housekeeping, self.journal.progress, self.recorder.progress]
        return [*(supervisor.progress for supervisor in self.supervisors), *loops]

    def live(self) -> tuple[int, int]:
        """How many equipment are live, of how many that the configuration connects."""
        return self.machines.live()

    async def stop(self, drain_s: float = DRAIN_S) -> None:
        """Stop acquisition, give uplinks up to `drain_s` to deliver, and close everything."""
        async with self._busy:
            await self._parts.end(_connection(one.id) for one in self.supervisors)
        self._event("agent_stopped", f"version {__version__}")
        await self._drain(drain_s)
        async with self._busy:
            await self._parts.end_all()
        self.recorder.close()
        await self.journal.close()
        await self.machines.save()
        self._keeper.close()
        self.machines.close()
        self._lock.release()

    async def _drain(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self.journal.flush()
                await self.journal.delivered()
        except TimeoutError:
            left = {u.id: self.journal.depth(u.id) for u in self.uplinks}
            log.info("left in the journal for the next start: %s", left)

    @property
    def resumed_after_ms(self) -> int:
        """Time for which nobody can say what the machines did, because the agent was not running."""
        return self.machines.resumed_after_ms

    def view(self) -> list[EquipmentView]:
        """Every registered equipment as it is now, in the register's order."""
        return self.machines.view()

    # Another configuration.

    async def follow(self, site: Site) -> Difference:
        """Go over to another configuration; returns what that has changed. Only what differs is touched: of
        connections and uplinks that stay the same, nothing is closed and no reading is lost.

        Raises NotWhileRunningError, which has changed nothing. Any other error ends the agent.
        """
        site = shadow_of(site) if self._shadow else site
        difference = Difference.between(self.site, site)
        if difference.needs_restart:
            raise NotWhileRunningError(
                f"{', '.join(difference.needs_restart)}: changed only by a restart; the running configuration"
                " stays as it is 需重启后生效"
            )
        if difference:
            async with self._busy:
                await self._change(site, difference)
        return difference

    def _refused(self, reason: str) -> None:
        self._event("configuration_refused", reason)

    async def _change(self, site: Site, difference: Difference) -> None:
        ended = difference.connections.ended
        await self._parts.end(map(_connection, ended))
        await self._end_services()
        self.machines.ended_by(site, ended)
        await self.machines.save()
        kept = await self.machines.kept_for(site)
        before, self.site = self.site, site
        await asyncio.to_thread(self._keep_configuration)
        # From here to the end of `follow` nothing is awaited, so that no batch comes between.
        self.machines.follow(site, ended, kept)
        self.figures = self._figures()
        self.recorder = Recorder(site, self._key, self.journal)
        self._begin_services()
        self._change_connections(difference)
        if "register" in difference.sections:
            self._send_register()
        self.machines.announce_every()
        await self._change_uplinks(before)
        if "console" in difference.sections:
            await self._parts.end(["console"])
            self._watch = self._watch or (Watch() if site.console is not None else None)
            self._begin_console()
        log.warning("configuration changed: %s", difference)
        self._event(
            "configuration_changed",
            str(difference),
            before=before.digest,
            after=site.digest,
            changes=str(difference),
        )

    def _change_connections(self, difference: Difference) -> None:
        begun = [c for c in self.site.connections if c.enabled and c.id in difference.connections.begun]
        new = [self._supervisor(c, phase) for c, phase in zip(begun, phases(len(begun)), strict=True)]
        by_id = {one.id: one for one in self.supervisors if one.id not in difference.connections.ended}
        by_id |= {one.id: one for one in new}
        self.supervisors = [by_id[c.id] for c in self.site.connections if c.id in by_id]
        for supervisor in new:
            self._parts.begin(_connection(supervisor.id), supervisor.run())

    async def _change_uplinks(self, before: Site) -> None:
        """End those that are no longer as they were, and begin those that are new or otherwise."""
        was = {options.id: (options, self._told_of(options, before)) for options in before.uplinks}
        now = {options.id: (options, self._told_of(options, self.site)) for options in self.site.uplinks}
        kept = {one.id: one for one in self.uplinks if now.get(one.id) == was[one.id]}
        # From here on nobody asks how those do that end, or what the journal keeps for them.
        self.uplinks = list(kept.values())
        await self._parts.end(_uplink(name) for name, one in was.items() if now.get(name) != one)
        kept_before, kept_now = _kept(before), _kept(self.site)
        if kept_before != kept_now:
            await self.journal.follow(*kept_now)
        new = {o.id: self._uplink(o) for o in self.site.uplinks if o.id not in kept}
        self.uplinks = [(kept | new)[options.id] for options in self.site.uplinks]
        for name, uplink in new.items():
            self._parts.begin(_uplink(name), uplink.run())

    def _told_of(self, options: AnyUplinkOptions, site: Site) -> object:
        """What an uplink has been told of the site when it was made."""
        if isinstance(options, InfluxdbUplinkOptions):
            return where_of(site)
        if isinstance(options, SparkplugUplinkOptions):
            from edge_agent.uplinks.sparkplug.plant import plant_of

            return plant_of(site, __version__)
        return None

    # What connections report (acquisition.supervisor.Sink).

    def batch(self, batch: Batch) -> None:
        batch = self.machines.batch(batch)
        self.readings += len(batch.tags)
        if self.machines.urgent:
            self._save_soon.set()
        if self._watch is not None:
            self._watch.batch(batch)
        if batch.tags:
            body = messages.encode(messages.telemetry(batch))
            self.journal.append(Record(RecordClass.READINGS, batch.equipment, body, len(batch.tags)))
        self.machines.announce(batch.equipment, batch.received_ms)

    def opened(self, connection: str) -> None:
        if self._watch is not None:
            self._watch.opened(connection, CLOCK.now_ms())
        self.machines.opened(connection)
        self._event("connection_open", "the endpoint accepts the connection", connection)
        self.machines.announce_all(connection)

    def lost(self, connection: str, error: DriverError) -> None:
        if self._watch is not None:
            self._watch.lost(connection, error, CLOCK.now_ms())
        self.machines.lost(connection, error)
        self._event("connection_lost", str(error), connection, **_why(error))
        self.machines.announce_all(connection)

    def equipment_failed(self, connection: str, equipment: str, error: DriverError) -> None:
        if self._watch is not None:
            self._watch.equipment_failed(connection, equipment, error, CLOCK.now_ms())
        self.machines.equipment_failed(equipment, error)
        self._event("equipment_lost", str(error), equipment, connection=connection, **_why(error))
        self.machines.announce(equipment, CLOCK.now_ms())

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

    def _health(self) -> Health:
        """How the gateway does, for a database of the plant."""
        return Health(
            self._status(),
            [
                ConnectionHealth(s.id, s.open, **asdict(s.statistics), figures=s.diagnostics())
                for s in self.supervisors
            ],
            [
                UplinkHealth(
                    u.id,
                    u.state.value,
                    self.journal.depth(u.id),
                    u.statistics.connects,
                    u.statistics.published,
                    u.statistics.acknowledged,
                )
                for u in self.uplinks
            ],
        )

    # What has to be done now and then.

    async def _keep_house(self) -> None:
        saved_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            self._housekeeping.expect(HOUSEKEEPING_S + HOUSE_LIMIT_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(HOUSEKEEPING_S):
                    await self._save_soon.wait()
            async with self._busy:
                self._follow_clock()
                self.machines.look()
                self._tell_of_journal()
                long_ago = loop.time() - saved_at > ALIVE_EVERY_S
                if self._keeper.unsaved or self._save_soon.is_set() or long_ago:
                    self._save_soon.clear()
                    await self.machines.save()
                    saved_at = loop.time()
                if not self._keeper.unsaved:
                    await self._fill_unknown_time()

    async def _fill_unknown_time(self) -> None:
        try:
            await self.machines.fill_unknown_time()
        except sqlite3.Error as error:
            log.error("history: cannot write late data (%s); tried again", error)

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
            self.machines.tracker.clock_stepped(before, CLOCK.now_ms())
            self._event("clock_step", "the system clock was set forward", step_ms=step)


def carried(uplink: AnyUplinkOptions) -> frozenset[RecordClass]:
    """The classes that the journal keeps for an uplink."""
    classes = frozenset(RecordClass(name) for name in uplink.carries)
    if isinstance(uplink, SparkplugUplinkOptions) and RecordClass.STATEMENTS in classes:
        return classes | {RecordClass.ASSETS}  # it has a metric for each figure, whatever it is weighted by
    return classes


def digested(site: Site) -> Digested:
    """Platforms that take messages by their numbers get digests, of what their uplink tells them."""
    told = {u.id: told_to(u.audience) for u in site.uplinks if isinstance(u, MqttUplinkOptions)}
    return Digested(told, ZoneInfo(site.gateway.timezone))


def journal_limits(options: JournalOptions) -> Limits:
    return Limits(
        options.max_size,
        {RecordClass(name): round(1000 * seconds) for name, seconds in options.keep.model_dump().items()},
        round(1000 * options.keep_delivered),
    )


def _why(error: DriverError) -> dict[str, str]:
    """What an event tells of it beside its text."""
    cause = {"cause": error.cause.value}
    return cause if error.kind is None else {**cause, "error": error.kind.value}


def _kept(site: Site) -> tuple[Mapping[str, frozenset[RecordClass]], Limits, Digested]:
    """What the journal keeps for which uplinks, how much of it, and who gets digests."""
    cursors = {options.id: carried(options) for options in site.uplinks}
    return cursors, journal_limits(site.journal), digested(site)


def _connection(name: str) -> str:
    return f"connection {name}"


def _uplink(name: str) -> str:
    return f"uplink {name}"
