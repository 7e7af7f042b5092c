"""From register, definition and evidence to figures: pure functions, nothing is looked up elsewhere."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Protocol, TypeAlias

from edge_agent.contract.messages import (
    DefinitionReference,
    EquipmentEvidence,
    Figure,
    ProcessEvidence,
    Scope,
    Statements,
    encode,
)
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.definitions import (
    HEADCOUNT,
    ConnectedRule,
    Definition,
    equipment_columns,
    process_columns,
)
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


Line: TypeAlias = EquipmentEvidence | ProcessEvidence


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
        self._zone = zone
        self._calendars = calendars or {}
        self._per_head = definition.denominator == HEADCOUNT
        self._denominator = None if self._per_head else Expression(definition.denominator)
        self._numerator = Expression(definition.numerator)
        self._reference = DefinitionReference(
            id=definition.id,
            version=definition.version,
            digest=definition.digest,
            title={str(language): text for language, text in definition.title.items()},
            counts=definition.counts,
            weight=definition.weight,
            unit=definition.unit,
            aggregation=definition.aggregation,
        )

    def statements(self, evidence: Evidence, states: Mapping[str, MachineState], now_ms: int) -> Statements:
        """Figures for the enterprise and each workshop at `now_ms`; `states` of all registered equipment."""
        # Dates in the register are those of the plant's calendar.
        day = datetime.fromtimestamp(now_ms / 1000, self._zone).date()
        equipment: list[EquipmentEvidence] = []
        processes: list[ProcessEvidence] = []
        lines: Sequence[Line]
        if self.definition.counts == "process":
            lines = processes = [self._judge_process(one, day) for one in self._register.processes]
        else:
            planned = self._planned_window(now_ms)
            lines = equipment = [
                self._judge(one, evidence, states[one.id], day, now_ms, planned)
                for one in self._register.equipment
            ]
        figures = [self._figure(Scope("enterprise", self._enterprise), lines, day)]
        figures += [
            self._figure(Scope("workshop", name), [line for line in lines if line.workshop == name], day)
            for name in self._register.workshops
        ]
        return Statements(
            time=now_ms,
            definition=self._reference,
            from_=now_ms - self._window_ms(),
            to=now_ms,
            register_digest=self._register.digest,
            register_version=self._register.version,
            figures=figures,
            equipment=equipment,
            processes=processes or (),
        )

    def _window_ms(self) -> int:
        rule = self.definition.connected
        return round(rule.window * 1000) if rule is not None and rule.window is not None else 0

    def _planned_window(self, now_ms: int) -> PlannedWindow | None:
        rule = self.definition.connected
        if rule is None or rule.planned_share is None:
            return None
        return PlannedWindow(self._calendars, self._window_ms(), now_ms)

    def _judge(
        self,
        equipment: Equipment,
        evidence: Evidence,
        state: MachineState,
        day: date,
        now_ms: int,
        planned: PlannedWindow | None,
    ) -> EquipmentEvidence:
        rule, window_ms = self.definition.connected, self._window_ms()
        good = evidence.good_readings(equipment.id, now_ms - window_ms) if window_ms else 0
        level = evidence.level(equipment.id, now_ms)
        share = planned.share(equipment.id, evidence) if planned is not None else PlannedShare()
        columns = equipment_columns(equipment)
        in_denominator = in_numerator = False
        if not equipment.in_service(day):
            reason = "not_in_service"
        elif self._denominator is not None and not self._denominator.holds(columns):
            reason = "outside_denominator"
        else:
            in_denominator = not self._per_head
            if not self._numerator.holds(columns):
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

    def _judge_process(self, process: Process, day: date) -> ProcessEvidence:
        serving = [
            one for one in self._register.equipment if process.id in one.processes and one.in_service(day)
        ]
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

    def _figure(self, scope: Scope, lines: Sequence[Line], day: date) -> Figure:
        numerator = sum(_weight(line) for line in lines if line.in_numerator)
        denominator = sum(_weight(line) for line in lines if line.in_denominator)
        headcount = self._register.headcount if scope.level == "enterprise" else None
        if self._per_head:
            denominator = headcount or 0
        if self._per_head and headcount is None:
            reason = "headcount_missing"
        elif any(line.reason == "asset_value_missing" for line in lines):
            reason = "asset_value_missing"
        elif not self.definition.effective.on(day):
            reason = "definition_not_in_effect"
        else:
            reason = "" if denominator else "denominator_zero"
        return Figure(
            scope=scope,
            numerator=numerator,
            denominator=denominator,
            rate=None if reason else numerator / denominator,
            unknown=sum(line.in_denominator and _unknown(line) for line in lines),
            evidence=hashlib.sha256(encode(lines)).hexdigest(),
            reason=reason,
        )


def _weight(line: Line) -> int:
    return line.weight if isinstance(line, EquipmentEvidence) else 1


def _unknown(line: Line) -> bool:
    return isinstance(line, EquipmentEvidence) and line.state == MachineState.UNKNOWN


def _not_connected(rule: ConnectedRule, level: LinkLevel, good_readings: int, share: PlannedShare) -> str:
    """Why the rule is not fulfilled; empty if it is."""
    proved = level >= rule.link_level if rule.window is None else good_readings >= rule.good_readings
    if not proved:
        return f"link_below_{rule.level}"
    return share.shortfall(rule.planned_share) if rule.planned_share is not None else ""
