"""From register, definition and evidence to figures: pure functions, nothing is looked up elsewhere."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from edge_agent.contract.messages import (
    DefinitionReference,
    EquipmentEvidence,
    Figure,
    Scope,
    Statements,
    encode,
)
from edge_agent.indicators.definitions import FILTER_COLUMNS, ConnectedRule, Definition
from edge_agent.model.equipment import Equipment, Register
from edge_agent.model.expression import Expression
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState


class Evidence(Protocol):
    """What the machines have proved so far."""

    def level(self, equipment: str, now_ms: int) -> LinkLevel: ...

    def good_readings(self, equipment: str, from_ms: int) -> int: ...

    def last_good_ms(self, equipment: str) -> int | None: ...


class Calculator:
    """One definition over one enterprise's register; expressions are compiled once."""

    def __init__(self, definition: Definition, enterprise: str, register: Register) -> None:
        """`enterprise` is the credit code."""
        self.definition = definition
        self._enterprise = enterprise
        self._register = register
        self._denominator = Expression(definition.denominator)
        self._numerator = Expression(definition.numerator)
        self._reference = DefinitionReference(
            id=definition.id,
            version=definition.version,
            digest=definition.digest,
            title={str(language): text for language, text in definition.title.items()},
        )

    def statements(self, evidence: Evidence, states: Mapping[str, MachineState], now_ms: int) -> Statements:
        """Figures for the enterprise and each workshop at `now_ms`; `states` of all registered equipment."""
        rows = [
            self._judge(equipment, evidence, states[equipment.id], now_ms)
            for equipment in self._register.equipment
        ]
        workshops = self._register.workshops
        figures = [_figure(Scope("enterprise", self._enterprise), rows)]
        figures += [
            _figure(Scope("workshop", name), [row for row in rows if row.workshop == name])
            for name in workshops
        ]
        rule = self.definition.connected
        window_ms = round(rule.window * 1000) if rule is not None and rule.window is not None else 0
        return Statements(
            time=now_ms,
            definition=self._reference,
            from_=now_ms - window_ms,
            to=now_ms,
            register_digest=self._register.digest,
            figures=figures,
            equipment=rows,
        )

    def _judge(
        self, equipment: Equipment, evidence: Evidence, state: MachineState, now_ms: int
    ) -> EquipmentEvidence:
        rule = self.definition.connected
        window_ms = round(rule.window * 1000) if rule is not None and rule.window is not None else 0
        good = evidence.good_readings(equipment.id, now_ms - window_ms) if window_ms else 0
        level = evidence.level(equipment.id, now_ms)
        columns = {name: getattr(equipment, name) for name in FILTER_COLUMNS}
        in_denominator = in_numerator = False
        # Dates in the register are those of the plant's calendar: the gateway's local time.
        if not equipment.in_service(datetime.fromtimestamp(now_ms / 1000).date()):
            reason = "not_in_service"
        elif not self._denominator.holds(columns):
            reason = "outside_denominator"
        else:
            in_denominator = True
            if not self._numerator.holds(columns):
                reason = "outside_numerator"
            elif rule is not None and not _connected(rule, level, good):
                reason = f"link_below_{rule.level}"
            else:
                in_numerator = True
                reason = "counted"
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
        )


def _connected(rule: ConnectedRule, level: LinkLevel, good_readings: int) -> bool:
    if rule.window is None:
        return level >= rule.link_level
    return good_readings >= rule.good_readings


def _figure(scope: Scope, rows: Sequence[EquipmentEvidence]) -> Figure:
    denominator = sum(row.in_denominator for row in rows)
    numerator = sum(row.in_numerator for row in rows)
    return Figure(
        scope=scope,
        numerator=numerator,
        denominator=denominator,
        rate=numerator / denominator if denominator else None,
        unknown=sum(row.in_denominator and row.state == MachineState.UNKNOWN for row in rows),
        evidence=hashlib.sha256(encode(rows)).hexdigest(),
        reason="" if denominator else "denominator_zero",
    )
