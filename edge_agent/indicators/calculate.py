"""From register, definition and evidence to figures: pure functions, nothing is looked up elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Protocol

from edge_agent.contract.canonical import canonical_line, canonical_list
from edge_agent.contract.counting import Line, figure
from edge_agent.contract.merkle import leaf
from edge_agent.contract.messages import (
    DefinitionReference,
    EquipmentEvidence,
    Figure,
    ProcessEvidence,
    Scope,
    Statements,
)
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.definitions import (
    HEADCOUNT,
    ConnectedRule,
    Definition,
    equipment_columns,
    process_columns,
)
from edge_agent.indicators.periods import local_day
from edge_agent.indicators.planned_share import PlannedShare, PlannedWindow, ProvedMinutes
from edge_agent.model.equipment import Equipment, Process, Register
from edge_agent.model.expression import Expression
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState


class Evidence(ProvedMinutes, Protocol):
    """What the machines have proved so far."""

    def level(self, equipment: str, now_ms: int) -> LinkLevel: ...

    def good_readings(self, equipment: str, from_ms: int) -> int: ...

    def last_good_ms(self, equipment: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Count:
    """What one definition gives: its figures, and the lines that they are counted from, by id."""

    figures: Sequence[Figure]
    equipment: Sequence[EquipmentEvidence]
    processes: Sequence[ProcessEvidence]
    """The one that is not counted is empty."""
    lines: bytes
    """The lines as canonical JSON."""


class Calculator:
    """One definition over one enterprise's register; expressions are compiled once."""

    def __init__(
        self,
        definition: Definition,
        enterprise: str,
        register: Register,
        zone: tzinfo | None = None,
        calendars: Mapping[str, Calendar] | None = None,
    ) -> None:
        """`enterprise` is the credit code; `zone` that of the plant, by default the computer's.

        `calendars` are the planned ones by equipment, for definitions that ask for a share of planned time.
        """
        self.definition = definition
        self._enterprise = enterprise
        self._register = register
        self._equipment = sorted(register.equipment, key=_id)
        self._zone = zone
        self._calendars = calendars or {}
        self._per_head = definition.denominator == HEADCOUNT
        self._denominator = None if self._per_head else Expression(definition.denominator)
        self._numerator = Expression(definition.numerator)
        self.columns = self._numerator.names.union(self._denominator.names if self._denominator else ())
        """The columns that its filters ask for."""
        self._passes: dict[str, tuple[bool, bool]] = {}
        self.scopes = self._all_scopes()
        self._places = {
            (one.workshop, one.id) if one.level == "line" else (one.id, ""): place
            for place, one in enumerate(self.scopes)
        }
        self.reference = DefinitionReference(
            id=definition.id,
            version=definition.version,
            digest=definition.digest,
            title={str(language): text for language, text in definition.title.items()},
            counts=definition.counts,
            weight=definition.weight,
            unit=definition.unit,
            aggregation=definition.aggregation,
        )

    def _all_scopes(self) -> list[Scope]:
        """The enterprise, its workshops, and their lines where equipment is counted: processes have none."""
        scopes = [Scope("enterprise", self._enterprise)]
        for workshop in self._register.workshops:
            scopes.append(Scope("workshop", workshop))
            if self.definition.counts == "equipment":
                members = (one.line for one in self._register.equipment if one.workshop == workshop)
                scopes += [Scope("line", name, workshop) for name in dict.fromkeys(members) if name]
        return scopes

    def _scopes_of(self, line: Line) -> set[int]:
        """The places in `scopes` of those that the line belongs to."""
        workshop = self._places.get((line.workshop, ""), 0)
        if isinstance(line, EquipmentEvidence):
            return {0, workshop, self._places.get((line.workshop, line.line), 0)}
        return {0, workshop}

    def statements(self, evidence: Evidence, states: Mapping[str, MachineState], now_ms: int) -> Statements:
        """The figures of the moment `now_ms`; `states` of all registered equipment."""
        # Dates in the register are those of the plant's calendar.
        count = self.count(evidence, states, now_ms, local_day(now_ms, self._zone))
        return Statements(
            time=now_ms,
            definition=self.reference,
            from_=now_ms - self.window_ms,
            to=now_ms,
            register_digest=self._register.digest,
            register_version=self._register.version,
            figures=count.figures,
            equipment=count.equipment,
            processes=count.processes or (),
        )

    def count(
        self, evidence: Evidence, states: Mapping[str, MachineState], as_of_ms: int, day: date
    ) -> Count:
        """Figures for the enterprise, each workshop and each line, of equipment in service on `day`, by what
        was proved as of `as_of_ms`."""
        equipment: list[EquipmentEvidence] = []
        processes: list[ProcessEvidence] = []
        lines: Sequence[Line]
        if self.definition.counts == "process":
            lines = processes = [
                self._judge_process(one, day) for one in sorted(self._register.processes, key=_id)
            ]
        else:
            planned = self._planned_window(as_of_ms)
            lines = equipment = [
                self._judge(one, evidence, states[one.id], day, as_of_ms, planned) for one in self._equipment
            ]
        texts = [canonical_line(line) for line in lines]
        members: list[list[tuple[Line, bytes]]] = [[] for _ in self.scopes]
        for place, text in enumerate(texts):
            hashed = lines[place], leaf(text)
            for scope in self._scopes_of(lines[place]):
                members[scope].append(hashed)
        figures = [
            self._figure(scope, of_scope, day) for scope, of_scope in zip(self.scopes, members, strict=True)
        ]
        return Count(figures, equipment, processes, canonical_list(texts))

    @property
    def window_ms(self) -> int:
        """How far back evidence is looked at; 0 if only the instant counts."""
        rule = self.definition.connected
        return round(rule.window * 1000) if rule is not None and rule.window is not None else 0

    def _planned_window(self, now_ms: int) -> PlannedWindow | None:
        rule = self.definition.connected
        if rule is None or rule.planned_share is None:
            return None
        return PlannedWindow(self._calendars, self.window_ms, now_ms)

    def _judge(
        self,
        equipment: Equipment,
        evidence: Evidence,
        state: MachineState,
        day: date,
        now_ms: int,
        planned: PlannedWindow | None,
    ) -> EquipmentEvidence:
        rule, window_ms = self.definition.connected, self.window_ms
        good = evidence.good_readings(equipment.id, now_ms - window_ms) if window_ms else 0
        level = evidence.level(equipment.id, now_ms)
        share = planned.share(equipment.id, evidence) if planned is not None else PlannedShare()
        in_denominator = in_numerator = False
        if not equipment.in_service(day):
            reason = "not_in_service"
        elif not self._filtered(equipment)[0]:
            reason = "outside_denominator"
        else:
            in_denominator = not self._per_head
            if not self._filtered(equipment)[1]:
                reason = "outside_numerator"
            elif rule is not None and (missing := _not_connected(rule, level, good, share)):
                reason = missing
            else:
                in_numerator = True
                reason = "counted"
        weight = 1
        if self.definition.weight == "asset_value":
            weight = equipment.asset_value or 0
            if in_denominator and equipment.asset_value is None:
                reason = "asset_value_missing"
        return EquipmentEvidence(
            equipment=equipment.id,
            workshop=equipment.workshop,
            line=equipment.line,
            in_denominator=in_denominator,
            in_numerator=in_numerator,
            reason=reason,
            state=state.value,
            link=level.label,
            good_readings=good,
            last_good=evidence.last_good_ms(equipment.id),
            weight=weight,
            planned_minutes=share.planned,
            proved_minutes=share.proved,
        )

    def _filtered(self, equipment: Equipment) -> tuple[bool, bool]:
        """Whether its line of the register passes the filters of denominator and numerator."""
        found = self._passes.get(equipment.id)
        if found is None:
            columns = equipment_columns(equipment)
            found = (
                self._denominator is None or self._denominator.holds(columns),
                self._numerator.holds(columns),
            )
            self._passes[equipment.id] = found
        return found

    def _judge_process(self, process: Process, day: date) -> ProcessEvidence:
        serving = [one for one in self._equipment if process.id in one.processes and one.in_service(day)]
        nc = [one.id for one in serving if one.nc]
        columns = process_columns(process, len(nc), len(serving))
        in_denominator = in_numerator = False
        if not serving:
            reason = "not_in_service"
        elif self._denominator is None or not self._denominator.holds(columns):
            reason = "outside_denominator"
        else:
            in_denominator = True
            in_numerator = self._numerator.holds(columns)
            reason = "counted" if in_numerator else "outside_numerator"
        return ProcessEvidence(
            process=process.id,
            workshop=process.workshop,
            in_denominator=in_denominator,
            in_numerator=in_numerator,
            reason=reason,
            equipment=[one.id for one in serving],
            nc_equipment=nc,
        )

    def _figure(self, scope: Scope, lines: Sequence[tuple[Line, bytes]], day: date) -> Figure:
        return figure(
            scope,
            lines,
            per_head=self._per_head,
            people=self._register.headcount if scope.level == "enterprise" else None,
            in_effect=self.definition.effective.on(day),
        )


def _id(one: Equipment | Process) -> str:
    return one.id


def _not_connected(rule: ConnectedRule, level: LinkLevel, good_readings: int, share: PlannedShare) -> str:
    """Why the rule is not fulfilled; empty if it is."""
    proved = level >= rule.link_level if rule.window is None else good_readings >= rule.good_readings
    if not proved:
        return f"link_below_{rule.level}"
    return share.shortfall(rule.planned_share) if rule.planned_share is not None else ""
