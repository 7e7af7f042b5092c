"""From the parts of a running agent to what the page shows of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from edge_agent import __version__
from edge_agent.acquisition.supervisor import ConnectionStatistics, ConnectionSupervisor
from edge_agent.config.site import Site, tag_sets
from edge_agent.console.views import (
    ConnectionDetail,
    ConnectionView,
    CountedView,
    DiagnosticView,
    EventView,
    GatewayView,
    IndicatorDetail,
    IndicatorView,
    JournalView,
    MachineDetail,
    MachineView,
    Overview,
    RegisterView,
    RequestView,
    ResponseView,
    TagView,
    TroubleView,
    UplinkView,
)
from edge_agent.console.watch import EVENTS_KEPT, Reading, Trouble, Watch
from edge_agent.contract.messages import Event, Statements
from edge_agent.driver import AnyDriver, PlannedRequest, Responses, load_driver
from edge_agent.figures import Figures
from edge_agent.indicators.accounts import Account
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.definitions import ConnectedRule, Definition
from edge_agent.indicators.periods import local_day
from edge_agent.journal.journal import Journal
from edge_agent.model.clock import CLOCK
from edge_agent.model.equipment import Equipment
from edge_agent.model.link import LinkLevel
from edge_agent.model.options import ConnectionOptions, EquipmentOptions, TagOptions, total_id
from edge_agent.model.quality import QualityLevel
from edge_agent.model.response_times import BUCKETS_S
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.reloading import Reloader
from edge_agent.words.events import SAID_IN_FULL, event_of
from edge_agent.words.failures import failure_of

EVENTS_SHOWN = 12


class EquipmentNow(Protocol):
    """What the agent knows of one equipment now."""

    @property
    def equipment(self) -> Equipment: ...
    @property
    def state(self) -> StateWithCause: ...
    @property
    def since_ms(self) -> int: ...
    @property
    def link(self) -> LinkLevel: ...
    @property
    def age_ms(self) -> int | None: ...
    @property
    def today(self) -> Account: ...


class Uplink(Protocol):
    """`statistics` is a data class of counts since the start."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def last_error(self) -> str: ...
    @property
    def statistics(self) -> Any: ...


class Running(Protocol):
    """A running agent, as far as its page looks at it."""

    @property
    def site(self) -> Site: ...
    @property
    def started_ms(self) -> int: ...
    @property
    def resumed_after_ms(self) -> int: ...
    @property
    def readings(self) -> int: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def figures(self) -> Figures: ...
    @property
    def supervisors(self) -> Sequence[ConnectionSupervisor]: ...
    @property
    def uplinks(self) -> Sequence[Uplink]: ...
    @property
    def reloader(self) -> Reloader: ...
    def view(self) -> Sequence[EquipmentNow]: ...


class Snapshots:
    """Makes the views of one agent. All methods return at once; nothing waits for a disk or a machine."""

    def __init__(self, agent: Running, watch: Watch) -> None:
        self._agent = agent
        self._watch = watch
        self._zone = ZoneInfo(agent.site.gateway.timezone)
        self._looked_up: Site | None = None
        """For which configuration `_served` was looked up."""
        self._served: dict[str, tuple[ConnectionOptions, EquipmentOptions]] = {}
        self._switched_off: dict[str, tuple[ConnectionOptions, AnyDriver]] = {}
        """Drivers that only say what they would ask for, with the options that they were made of."""

    @property
    def site(self) -> Site:
        return self._agent.site

    def _serving(self, equipment: str) -> tuple[ConnectionOptions, EquipmentOptions] | None:
        """How an equipment is connected; None if it is not."""
        if self._looked_up is not self.site:
            self._looked_up = self.site
            self._served = {
                equipment.id: (connection, equipment)
                for connection in self.site.connections
                for equipment in connection.equipment
            }
        return self._served.get(equipment)

    @property
    def watch(self) -> Watch:
        return self._watch

    @property
    def readings(self) -> int:
        """Taken since the start."""
        return self._agent.readings

    def overview(self) -> Overview:
        machines = self.machines()
        return Overview(
            time_ms=CLOCK.now_ms(),
            gateway=self.gateway(),
            states=_counts((one.state for one in machines), [state.value for state in MachineState]),
            links=_counts((one.link for one in machines), [level.label for level in LinkLevel]),
            machines=machines,
            indicators=[self._indicator(one, lines=False) for one in self.site.definitions],
            connections=self.connections(diagnostics=False),
            uplinks=self.uplinks(),
            journal=self.journal(),
            readings=self.readings,
            events=[_event(one) for one in self._watch.newest_events(EVENTS_SHOWN)],
        )

    def gateway(self) -> GatewayView:
        site = self.site
        return GatewayView(
            id=site.gateway.id,
            name=site.gateway.name,
            region=site.gateway.region,
            enterprise=site.gateway.enterprise,
            timezone=site.gateway.timezone,
            version=__version__,
            configuration=site.digest,
            since_ms=self._agent.started_ms,
            down_ms=self._agent.resumed_after_ms,
            clock_offset_ms=CLOCK.offset_ms(),
        )

    def machines(self) -> list[MachineView]:
        """All of the register, in its order."""
        day = local_day(CLOCK.now_ms(), self._zone)
        return [self._machine(view, day) for view in self._agent.view()]

    def _machine(self, view: EquipmentNow, day: date) -> MachineView:
        equipment = view.equipment
        served = self._serving(equipment.id)
        return MachineView(
            id=equipment.id,
            name=equipment.name,
            workshop=equipment.workshop,
            line=equipment.line,
            kind=equipment.kind,
            in_service=equipment.in_service(day),
            connection=served[0].id if served is not None else "",
            state=view.state.state.value,
            cause=view.state.cause,
            since_ms=view.since_ms,
            link=view.link.label,
            age_ms=view.age_ms,
            failure=self._failure(equipment.id, served[0].id) if served is not None else "",
            today=_by_state(view.today),
        )

    def _failure(self, equipment: str, connection: str) -> str:
        found = (self._watch.trouble_of_connection(connection), self._watch.trouble_of_equipment(equipment))
        return next((one.kind or one.cause for one in found if one is not None and one.over_ms is None), "")

    def machine(self, equipment: str) -> MachineDetail | None:
        """None if there is no such equipment in the register."""
        registered = self.site.register.by_id.get(equipment)
        if registered is None:
            return None
        view = next(one for one in self._agent.view() if one.equipment.id == equipment)
        connection, options = self._serving(equipment) or (None, None)
        now_ms = CLOCK.now_ms()
        return MachineDetail(
            time_ms=now_ms,
            machine=self._machine(view, local_day(now_ms, self._zone)),
            register=registered,
            driver=connection.driver if connection is not None else "",
            period_s=connection.period if connection is not None else None,
            tags=_tags(options, self._watch.readings(equipment)) if options is not None else (),
            trouble=_trouble(self._watch.trouble_of_equipment(equipment)),
            connection_trouble=(
                _trouble(self._watch.trouble_of_connection(connection.id)) if connection else None
            ),
            counted=self._counted(equipment),
        )

    def _counted(self, equipment: str) -> list[CountedView]:
        return [
            CountedView(statements.definition, line)
            for statements in self._agent.figures.statements.values()
            for line in statements.equipment
            if line.equipment == equipment
        ]

    def connections(self, *, diagnostics: bool = True) -> list[ConnectionView]:
        """With `diagnostics`, a driver may take some milliseconds to work its figures out."""
        return [self._connection(one, diagnostics) for one in self.site.connections]

    def _connection(self, options: ConnectionOptions, diagnostics: bool) -> ConnectionView:
        supervisor = self.supervisor_of(options.id)
        statistics = supervisor.statistics if supervisor is not None else ConnectionStatistics()
        told = supervisor is not None and diagnostics
        figures = supervisor.diagnostics() if supervisor is not None and told else ()
        responses = supervisor.driver.response_times() if supervisor is not None and told else ()
        return ConnectionView(
            id=options.id,
            driver=options.driver,
            enabled=options.enabled,
            open=self._watch.is_open(options.id),
            period_s=options.period,
            timeout_s=options.timeout,
            equipment=[one.id for one in options.equipment],
            opened=statistics.opened,
            failures=statistics.failures,
            reads=statistics.reads,
            missed_ticks=statistics.missed_ticks,
            trouble=_trouble(self._watch.trouble_of_connection(options.id)),
            diagnostics=[DiagnosticView(one.subject, one.name, one.value, one.unit) for one in figures],
            responses=[_response(one) for one in responses],
        )

    def connection(self, name: str) -> ConnectionDetail | None:
        """None if there is no such connection in the configuration."""
        options = self.options_of(name)
        if options is None:
            return None
        supervisor = self.supervisor_of(name)
        driver = supervisor.driver if supervisor is not None else self._driver_of(options)
        return ConnectionDetail(
            connection=self._connection(options, diagnostics=True),
            requests=[_request(one) for one in driver.requests()],
            bounds_s=BUCKETS_S,
        )

    def options_of(self, connection: str) -> ConnectionOptions | None:
        return next((one for one in self.site.connections if one.id == connection), None)

    def supervisor_of(self, connection: str) -> ConnectionSupervisor | None:
        """None of a connection that is switched off."""
        return next((one for one in self._agent.supervisors if one.id == connection), None)

    def _driver_of(self, options: ConnectionOptions) -> AnyDriver:
        """One that only says what it would ask for."""
        made_of, driver = self._switched_off.get(options.id, (None, None))
        if driver is None or made_of is not options:
            driver = load_driver(options.driver)(options, tag_sets(options))
            self._switched_off[options.id] = (options, driver)
        return driver

    def uplinks(self) -> list[UplinkView]:
        journal = self._agent.journal
        options = {one.id: one for one in self.site.uplinks}
        return [
            UplinkView(
                id=one.id,
                type=options[one.id].type,
                state=str(one.state),
                last_error=one.last_error,
                carries=list(options[one.id].carries),
                depth=journal.depth(one.id),
                acknowledged=journal.acknowledged(one.id),
                last=journal.last(one.id),
                statistics=asdict(one.statistics),
            )
            for one in self._agent.uplinks
        ]

    def journal(self) -> JournalView:
        journal = self._agent.journal
        return JournalView(
            appended=journal.appended,
            recorded=journal.recorded,
            dropped=journal.dropped,
            over_limit=journal.over_limit,
            failure=journal.failure,
            size_bytes=_size(self.site.data_dir / "journal.db"),
            depth={one.id: journal.depth(one.id) for one in self._agent.uplinks},
        )

    def indicators(self) -> list[IndicatorView]:
        return [self._indicator(one) for one in self.site.definitions]

    def indicator(self, definition: str) -> IndicatorDetail | None:
        """None if no such definition is worked out here, or not yet."""
        statements = self._statements(definition)
        known = next((one for one in self.site.definitions if one.id == definition), None)
        if known is None or statements is None:
            return None
        return IndicatorDetail(
            indicator=self._indicator(known),
            equipment=statements.equipment,
            processes=statements.processes,
            register_version=statements.register_version,
            key=statements.key,
            signature=statements.signature,
        )

    def _statements(self, definition: str) -> Statements | None:
        return self._agent.figures.statements.get(definition)

    def _indicator(self, definition: Definition, *, lines: bool = True) -> IndicatorView:
        """Without `lines`, figures of production lines are left out."""
        statements = self._statements(definition.id)
        figures = statements.figures if statements is not None else ()
        return IndicatorView(
            definition=(
                statements.definition
                if statements is not None
                else Calculator(definition, self.site.gateway.enterprise, self.site.register).reference
            ),
            standing=definition.standing,
            document=definition.source.document,
            quote=definition.source.quote,
            without_quote=definition.source.without_quote,
            denominator=definition.denominator,
            numerator=definition.numerator,
            connected=_connected(definition.connected),
            from_ms=statements.from_ if statements is not None else None,
            time_ms=statements.to if statements is not None else None,
            figures=[one for one in figures if lines or one.scope.level != "line"],
        )

    def events(self) -> list[EventView]:
        """The newest first."""
        return [_event(one) for one in self._watch.newest_events(EVENTS_KEPT)]

    def register(self) -> RegisterView:
        register = self.site.register
        return RegisterView(
            version=register.version,
            digest=register.digest,
            headcount=register.headcount,
            equipment=register.equipment,
            processes=register.processes,
        )


def _trouble(trouble: Trouble | None) -> TroubleView | None:
    if trouble is None:
        return None
    said = failure_of(trouble.kind, trouble.cause)
    return TroubleView(
        time_ms=trouble.time_ms,
        over_ms=trouble.over_ms,
        cause=trouble.cause,
        kind=trouble.kind,
        text=said.what.by_language,
        todo=said.todo.by_language,
        message=trouble.message,
        remedy=trouble.remedy,
    )


def _event(event: Event) -> EventView:
    said = event_of(event.kind, event.detail)
    return EventView(
        time=event.time,
        kind=event.kind,
        subject=event.subject,
        message=event.message,
        more="" if event.kind in SAID_IN_FULL else event.message,
        detail=event.detail,
        text=said.what.by_language,
        todo=said.todo.by_language,
    )


def _request(one: PlannedRequest) -> RequestView:
    return RequestView(one.equipment, one.period, one.what, list(one.tags), one.detail, one.granted)


def _response(one: Responses) -> ResponseView:
    times = one.times
    return ResponseView(
        one.subject, one.request, list(times.counts), times.sum_s, times.quantile(0.5), times.quantile(0.99)
    )


def _counts(found: Iterable[str], names: Sequence[str]) -> dict[str, int]:
    """How often each of `names` is among `found`, in the order of `names`."""
    counted = Counter(found)
    return {name: counted[name] for name in names}


def _by_state(account: Account) -> Mapping[str, int]:
    times: Counter[str] = Counter()
    for state, ms in account.times.items():
        times[state.state.value] += ms
    return times


def _tags(options: EquipmentOptions, readings: Mapping[str, Reading]) -> list[TagView]:
    """Those configured, each counter followed by its total."""
    views = []
    for tag in options.tags:
        views.append(_tag(tag.id, tag, readings.get(tag.id)))
        if tag.counter is not None:
            views.append(_tag(total_id(tag.id), tag, readings.get(total_id(tag.id))))
    return views


def _tag(name: str, tag: TagOptions, reading: Reading | None) -> TagView:
    flaw = reading.flaw if reading is not None else None
    return TagView(
        id=name,
        description=tag.description,
        unit=tag.unit,
        value=reading.value if reading is not None else None,
        quality=(flaw.level if flaw is not None else QualityLevel.GOOD).value if reading is not None else "",
        reason=flaw.reason if flaw is not None else "",
        source_ms=reading.source_ms if reading is not None else None,
        received_ms=reading.received_ms if reading is not None else None,
    )


def _connected(rule: ConnectedRule | None) -> str:
    """`data_valid, 1 good reading within 24 h`; empty if connection does not count."""
    if rule is None:
        return ""
    if rule.window is None:
        return rule.level
    text = f"{rule.level}: ≥ {rule.good_readings} / {rule.window / 3600:g} h"
    return text if rule.planned_share is None else f"{text}, ≥ {float(rule.planned_share):.0%} PBT"


def _size(path: Path) -> int:
    """With what has not been moved into the file yet; 0 if it is not there."""
    size = 0
    for name in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):
            size += name.stat().st_size
    return size
