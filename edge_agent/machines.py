"""What the agent knows of its machines: states, links, totals, production, whose they are, and their day."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from edge_agent.acquisition.evidence import Evidence, EvidenceHour
from edge_agent.acquisition.link import LinkTracker
from edge_agent.config.site import Site, counting, stale_after_ms
from edge_agent.contract import messages
from edge_agent.contract.topics import RecordClass
from edge_agent.driver import DriverError
from edge_agent.figures import Append
from edge_agent.indicators.accounts import Account
from edge_agent.indicators.running_day import RunningDay
from edge_agent.keeping import HistoryKeeper
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.equipment import Equipment
from edge_agent.model.link import LinkLevel
from edge_agent.model.options import ConnectionOptions, EquipmentOptions
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.sharing.recording import SessionRecorder
from edge_agent.states.columns import Columns
from edge_agent.states.counters import CounterRow, Counters, Number
from edge_agent.states.history import GATEWAY_DOWN, History
from edge_agent.states.late import Late, LateReadings, Refusal
from edge_agent.states.production import ProductionTally, SeenRow
from edge_agent.states.tracker import Interval, StateTracker

EVIDENCE_KEEP_MS = 31 * 86_400_000
"""How far back evidence is looked at: the longest month."""


class Tell(Protocol):
    """Takes an event: its kind, a text, what it is about, details."""

    def __call__(self, kind: str, message: str, subject: str = "", **detail: str | float) -> None: ...


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


@dataclass(frozen=True, slots=True)
class Kept:
    """What the history has that machines go on from."""

    evidence: Mapping[str, Evidence]
    counters: Sequence[CounterRow]
    production: Sequence[SeenRow]
    days: Mapping[str, Columns]
    """By equipment, the states of the day that it is."""

    @classmethod
    def read(cls, history: History, equipment: Iterable[str], day_ms: int, now_ms: int) -> "Kept":
        """`equipment`: those whose day is wanted, since `day_ms`. Raises sqlite3.Error."""
        return cls(
            Evidence.of(EvidenceHour(*row) for row in history.evidence(now_ms - EVIDENCE_KEEP_MS)),
            history.counters(),
            history.production_counters(),
            {name: history.columns(name, day_ms, now_ms) for name in equipment},
        )


class Machines:
    """Takes what connections report, tells changes, and keeps the history up to date.

    All methods are called from one event loop.
    """

    def __init__(self, site: Site, keeper: HistoryKeeper, append: Append, tell: Tell) -> None:
        """Go on from where the history ends. Raises sqlite3.Error."""
        self.site = site
        self._keeper = keeper
        self._append = append
        self._tell = tell
        self._said: dict[str, tuple[StateWithCause, LinkLevel]] = {}
        now = CLOCK.now_ms()
        since = keeper.history.resume(now)
        self.resumed_after_ms = max(0, now - since)
        """Time for which nobody can say what the machines did, because the agent was not running."""
        self._today = RunningDay(ZoneInfo(site.gateway.timezone), now)
        registered = list(site.register.by_id)
        kept = Kept.read(keeper.history, registered, self._today.from_ms, since)
        self._sessions = SessionRecorder(site.sharing, keeper.path, since)
        for name, columns in kept.days.items():
            self._today.count(name, columns, since)
        self._build(kept)
        for name in registered:
            self._track(name, GATEWAY_DOWN, since)
        self._keeper.note(self.tracker.open_intervals())
        for name in registered:
            self.tracker.lost([name], self._before_data(name), now)

    def _build(self, kept: Kept) -> None:
        """The trackers of the site, which know no machine's state yet."""
        site = self.site
        self._by_connection = {c.id: [e.id for e in c.equipment] for c in site.connections}
        self._options: dict[str, tuple[ConnectionOptions, EquipmentOptions]] = {
            equipment.id: (connection, equipment)
            for connection in site.connections
            for equipment in connection.equipment
        }
        self._connected = [name for name, (connection, _) in self._options.items() if connection.enabled]
        self._stale_ms = stale_after_ms(site)
        self.tracker = StateTracker(self._state_changed)
        self._late = LateReadings()
        self.links = LinkTracker(self._stale_ms, kept.evidence, EVIDENCE_KEEP_MS)
        self._counters = Counters(
            (equipment for _, equipment in self._options.values()), kept.counters, self._counter_reset
        )
        self._production = ProductionTally(counting(site), kept.production)

    def _track(self, name: str, state: StateWithCause, since_ms: int) -> None:
        """Track the state of a registered machine, which is `state` since `since_ms`."""
        if name not in self._options:
            self.tracker.add(name, (), 0, state, since_ms)
            return
        connection, equipment = self._options[name]
        stale = self._stale_ms[name]
        period = min((tag.period or connection.period for tag in equipment.tags), default=0.0)
        self.tracker.add(name, equipment.states, stale, state, since_ms)
        self._late.add(name, self.tracker.rules(name), stale, round(1000 * period))

    def _before_data(self, name: str) -> UnknownCause:
        """Why a machine's state is unknown before anything has come from it."""
        if name not in self._options:
            return UnknownCause.NOT_CONNECTED
        connection, _ = self._options[name]
        return UnknownCause.NO_DATA if connection.enabled else UnknownCause.DISABLED

    # Another configuration.

    def ended_by(self, site: Site, connections: Collection[str]) -> None:
        """These connections have been closed for another configuration, `site`: nothing more comes from their
        machines, and what they showed holds no longer."""
        now = CLOCK.now_ms()
        for name in self._served_by(connections):
            self.links.lost([name])
            self._production.lost([name])
            self.tracker.lost([name], UnknownCause.NO_DATA, now)
            self.announce(name, now)
        for current in self.tracker.open_intervals():
            if current.equipment not in site.register.by_id:
                self._keeper.note([Interval(current.equipment, current.start_ms, now, current.state)])

    async def kept_for(self, site: Site) -> Kept:
        """What `follow` needs to go over to `site`. Raises sqlite3.Error."""
        new = [name for name in site.register.by_id if name not in self.site.register.by_id]
        return await self._keeper.run(
            Kept.read, self._keeper.history, new, self._today.from_ms, CLOCK.now_ms()
        )

    def follow(self, site: Site, ended: Collection[str], kept: Kept) -> None:
        """Know the machines of `site` from now on; those of connections that were not `ended` (and those that
        have had none and get none) go on as they are.

        After `ended_by`, and after everything was saved; `kept` was read after that.
        """
        now = CLOCK.now_ms()
        asked_anew = set(self._served_by(ended))
        options, tracker, late, links = self._options, self.tracker, self._late, self.links
        counters, production = self._counters, self._production
        known = self.site.register.by_id
        sharing_differs = site.sharing != self.site.sharing
        self.site = site
        self._build(kept)
        going_on = [
            name
            for name in site.register.by_id
            if name in known and name not in asked_anew and (name in options) == (name in self._options)
        ]
        for name in going_on:
            self.tracker.take_over(name, tracker)
            self._late.take_over(name, late)
            self.links.take_over(name, links)
            self._counters.take_over(name, counters)
        self._production.take_over(going_on, production)
        if sharing_differs:
            self._sessions.close()
            self._sessions = SessionRecorder(site.sharing, self._keeper.path, now)
        for name in site.register.by_id.keys() - set(going_on):
            self._begin(name, tracker if name in known else None, kept, now)
        for name in known.keys() - site.register.by_id.keys():
            self._said.pop(name, None)

    def _begin(self, name: str, tracker: StateTracker | None, kept: Kept, now_ms: int) -> None:
        """Track a machine that is new, or was in `tracker` and is connected in another way now."""
        before_data = unknown(self._before_data(name))
        if tracker is None:
            self._today.count(name, kept.days[name], now_ms)
            self._track(name, before_data, now_ms)
            self._keeper.note([Interval(name, now_ms, None, before_data)])
            return
        current = tracker.current(name)
        self._track(name, current.state, current.since_ms)
        self.tracker.lost([name], self._before_data(name), now_ms)

    def _served_by(self, connections: Iterable[str]) -> list[str]:
        return [name for one in connections for name in self._by_connection.get(one, ())]

    # What connections report.

    def batch(self, batch: Batch) -> Batch:
        """Take a batch; returns it with the totals of its counters."""
        self.links.batch(batch)
        batch = self._counters.batch(batch)
        self._production.batch(batch)
        self.tracker.batch(batch)
        self._late.batch(batch)
        self._sessions.batch(batch)
        return batch

    @property
    def urgent(self) -> bool:
        """Something has to be saved soon."""
        return self._counters.urgent

    def opened(self, connection: str) -> None:
        self.links.opened(self._by_connection[connection])

    def lost(self, connection: str, error: DriverError) -> None:
        equipment = self._by_connection[connection]
        self.links.lost(equipment)
        self._production.lost(equipment)
        self.tracker.lost(equipment, error.cause, CLOCK.now_ms())

    def equipment_failed(self, equipment: str, error: DriverError) -> None:
        self.links.failed(equipment)
        self._production.lost([equipment])
        self.tracker.lost([equipment], error.cause, CLOCK.now_ms())

    # What becomes of it.

    def _counter_reset(self, equipment: str, tag: str, before: Number, after: Number) -> None:
        self._production.reset(equipment, tag)
        self._tell(
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
            self._tell("alarm_begun", begun.state.cause, begun.equipment)
        elif before is MachineState.ALARM:
            self._tell("alarm_ended", ended.state.cause, begun.equipment)

    def announce_all(self, connection: str) -> None:
        now = CLOCK.now_ms()
        for equipment in self._by_connection[connection]:
            self.announce(equipment, now)

    def announce_every(self) -> None:
        now = CLOCK.now_ms()
        for equipment in self.site.register.by_id:
            self.announce(equipment, now)

    def announce(self, equipment: str, now_ms: int) -> None:
        """Send state and link level of an equipment if one of them changed."""
        current = self.tracker.current(equipment)
        level = self.links.level(equipment, now_ms)
        if self._said.get(equipment) != (current.state, level):
            self._said[equipment] = (current.state, level)
            message = messages.state(equipment, current.state, current.since_ms, level, now_ms)
            self._append(RecordClass.STATES, equipment, message)

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
                    link=self.links.level(equipment.id, now),
                    age_ms=None if current.heard_ms is None else now - current.heard_ms,
                    today=self._today.account(equipment.id, current, now),
                )
            )
        return views

    # What has to be done now and then.

    def live(self) -> tuple[int, int]:
        """How many equipment are live, of how many that the configuration connects."""
        now = CLOCK.now_ms()
        levels = [self.links.level(equipment, now) for equipment in self._connected]
        return levels.count(LinkLevel.LIVE), len(levels)

    def look(self) -> None:
        """Notice who has fallen silent, and tell it."""
        now = CLOCK.now_ms()
        self.tracker.check_stale(now)
        for equipment in self._connected:
            self.announce(equipment, now)

    async def save(self) -> bool:
        """Write what has changed to the history; returns whether that went well. What did not is kept."""
        now = CLOCK.now_ms()
        if not await self._sessions.save(self._keeper):
            return False
        # Totals and what was counted of them go together, or a piece would be counted twice or not at all.
        counters, production = self._counters.take_changed(), self._production.take_changed()
        evidence = map(astuple, self.links.take_changed(now))
        saved = await self._keeper.save(evidence, counters, now, production)
        if not saved:
            self._counters.not_kept(counters)
            self._production.not_kept(production)
        return saved

    async def fill_unknown_time(self) -> None:
        """Fill it with what came late. Nothing may wait to be written: it would be written over that.

        Raises sqlite3.Error; what was not filled is tried again with the next call.
        """
        for late in self._late.due(CLOCK.now_ms()):
            await self._fill(late)

    async def _fill(self, late: Late | Refusal) -> None:
        if isinstance(late, Refusal):
            self._tell(
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
            self._tell(
                "late_data",
                "what the machine did while it was not heard is known now",
                late.equipment,
                **{
                    "from": filled[0].start_ms,
                    "to": ends[-1],
                    "ms": sum(ends) - sum(o.start_ms for o in filled),
                },
            )

    def close(self) -> None:
        """After the history's thread has ended."""
        self._sessions.close()
