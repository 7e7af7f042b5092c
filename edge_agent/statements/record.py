"""Statements of record: every definition's figures as of the end of a day or month, out of what is kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.contract import messages
from edge_agent.contract.canonical import canonical
from edge_agent.indicators.calculate import Calculator, Evidence
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.claims import (
    WINDOW_MS,
    ClaimKind,
    claims_of_connection,
    claims_of_register,
    claims_of_tags,
)
from edge_agent.indicators.connected import ConnectedVersions
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.kept import KeptHistory
from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind, local_day, period_at, periods
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.equipment import Register
from edge_agent.statements.store import Kept, StatementStore

SCHEMA = "fta.statement/1"

MADE_UP_MS: Mapping[PeriodKind, int] = {
    PeriodKind.DAY: 62 * 24 * HOUR_MS,
    PeriodKind.MONTH: 366 * 24 * HOUR_MS,
}
"""The kinds of period that statements of record are made of, and how far back after an outage."""

Calendars: TypeAlias = Callable[[Register], Mapping[str, Calendar]]
"""The planned calendar of each equipment of a register that has one."""

SETTLE_MS = 2000
"""After the end of a period, so that what happened in it has been noted."""

_OF_CONNECTION = {
    ClaimKind.NO_EVIDENCE,
    ClaimKind.CONNECTED_ALL_THE_SAME,
    ClaimKind.EXCLUDED_WITHOUT_REASON,
}
_OF_CONTROL = {ClaimKind.NC_WITHOUT_GROUND, ClaimKind.NC_NOT_REGISTERED, ClaimKind.PROCESS_WITHOUT_NC}
_CONTROL_COLUMNS = {"nc", "nc_equipment", "control"}


@dataclass(frozen=True, slots=True)
class Draft:
    """What a statement of record will say."""

    definition: str
    period: Period
    content: dict[str, Any]
    basis: dict[str, Any]
    """What it was counted on; another one that gives the same content is no other statement."""
    evidence: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class _Moment:
    """What holds for all definitions at the end of a period."""

    period: Period
    day: date
    """The last day of the period."""
    as_of_ms: int
    register: Register
    evidence: Evidence
    states: Mapping[str, Any]
    tags: Mapping[str, Set[str]]


class RecordMaker:
    """Drafts statements of record. Reads only; used from one thread at a time.

    All methods may raise sqlite3.Error.
    """

    def __init__(
        self,
        path: Path,
        gateway: str,
        enterprise: str,
        zone: ZoneInfo,
        definitions: Sequence[Definition],
        calendars: Calendars,
    ) -> None:
        """`path` is the history file, which somebody has open; `enterprise` the credit code."""
        self.definitions = definitions
        self._gateway = gateway
        self._enterprise = enterprise
        self._zone = zone
        self._calendars = calendars
        self._calculators: dict[tuple[str, str], Calculator] = {}
        """By definition and version of the register: what filters say of it is worked out once."""
        self._history = KeptHistory(path)
        self._registers = RegisterVersions(path, read_only=True)
        self._connected = ConnectedVersions(path, read_only=True)
        windows = (one.connected.window for one in definitions if one.connected is not None)
        self._window_ms = max(WINDOW_MS, *(round(window * 1000) for window in windows if window), 0)

    def settled_ms(self) -> int | None:
        """Up to when everything that happened is on record; None before an agent has run."""
        alive_ms = self._history.alive_ms()
        return None if alive_ms is None else alive_ms - SETTLE_MS

    def due(self, kind: PeriodKind, stated_ms: int | None) -> tuple[int | None, list[Period]]:
        """From when on statements have to be made, and of which periods that are over, in order; they were
        made up to `stated_ms` (None: never, and before an agent has run)."""
        settled_ms = self.settled_ms()
        if settled_ms is None:
            return stated_ms, []
        if stated_ms is None or stated_ms > settled_ms:
            # The first start, or a clock that was set back since: begin with the period that it is now.
            return period_at(kind, settled_ms, self._zone).from_ms, []
        begin_ms = max(stated_ms, settled_ms - MADE_UP_MS[kind])
        return begin_ms, list(periods(kind, begin_ms, settled_ms, self._zone))

    def drafts(
        self, period: Period, register_at: Callable[[int], Register | None] | None = None
    ) -> Iterator[Draft]:
        """One for each definition; none if no register was in force when the period ended.

        Counted are the register in force in the last millisecond (`register_at` in place of what is kept),
        the machine states at the end, and the evidence of the clock hours (UTC) that were over by then.
        """
        moment = self._moment(period, register_at or self._registers.at)
        if moment is not None:
            for definition in self.definitions:
                yield self._draft(definition, moment)

    def _moment(self, period: Period, register_at: Callable[[int], Register | None]) -> _Moment | None:
        last_ms = period.to_ms - 1
        register = register_at(last_ms)
        if register is None:
            return None
        # An hour that is not over yet could hold readings of after the period.
        as_of_ms = period.to_ms // HOUR_MS * HOUR_MS
        connected = self._connected.at(last_ms)
        stale_after_ms = {name: one.stale_after_ms for name, one in connected.items()}
        members = register.by_id
        return _Moment(
            period=period,
            day=local_day(last_ms, self._zone),
            as_of_ms=as_of_ms,
            register=register,
            evidence=self._history.evidence(members, as_of_ms - self._window_ms, as_of_ms, stale_after_ms),
            states=self._history.states(members, period.to_ms),
            tags={name: frozenset(one.tags) for name, one in connected.items()},
        )

    def _draft(self, definition: Definition, moment: _Moment) -> Draft:
        calculator = self._calculator(definition, moment.register)
        count = calculator.count(moment.evidence, moment.states, moment.as_of_ms, moment.day)
        content = {
            "gateway": self._gateway,
            "timezone": self._zone.key,
            "definition": _plain(calculator.reference),
            "evidence_from": moment.as_of_ms - calculator.window_ms,
            "evidence_to": moment.as_of_ms,
            "figures": _plain(sorted(count.figures, key=_place)),
            "claims": _plain(_claims(definition, calculator.columns, moment)),
        }
        counted = "processes" if definition.counts == "process" else "equipment"
        evidence = {"rule": canonical(definition.text), counted: count.lines}
        basis = {"register_digest": moment.register.digest, "register_version": moment.register.version}
        return Draft(definition.id, moment.period, content, basis, evidence)

    def _calculator(self, definition: Definition, register: Register) -> Calculator:
        known = definition.id, register.version
        if known not in self._calculators:
            if any(version != register.version for _, version in self._calculators):
                self._calculators.clear()  # periods follow each other, and so do registers
            self._calculators[known] = Calculator(
                definition, self._enterprise, register, self._zone, self._calendars(register)
            )
        return self._calculators[known]

    def close(self) -> None:
        self._history.close()
        self._registers.close()
        self._connected.close()


def keep(store: StatementStore, draft: Draft) -> Kept | None:
    """The statement, if it is a new one."""
    period = draft.period
    return store.add(
        SCHEMA,
        draft.definition,
        period.kind,
        period.from_ms,
        period.to_ms,
        draft.content,
        draft.evidence,
        draft.basis,
    )


def _claims(definition: Definition, columns: Set[str], moment: _Moment) -> list[messages.Claim]:
    """The claims that bear on a figure: of connections if it counts them, of control if it asks for it."""
    wanted: set[ClaimKind] = set()
    if definition.connected is not None:
        wanted |= _OF_CONNECTION
    if columns & _CONTROL_COLUMNS:
        wanted |= _OF_CONTROL
    register, day = moment.register, moment.day
    found = [
        *claims_of_connection(register, day, moment.evidence, moment.as_of_ms),
        *claims_of_tags(register, day, moment.tags),
        *claims_of_register(register, day),
    ]
    told = [messages.Claim(one.kind.value, one.subject, one.detail) for one in found if one.kind in wanted]
    return sorted(told, key=lambda one: (one.subject, one.kind))


def _place(figure: messages.Figure) -> tuple[bool, str, str]:
    """The enterprise, then each workshop and its lines by name: no order of a file matters."""
    scope = figure.scope
    if scope.level == "line":
        return True, scope.workshop, scope.id
    return scope.level == "workshop", scope.id, ""


def _plain(value: object) -> Any:
    """As it stands in a message."""
    return msgspec.json.decode(msgspec.json.encode(value))
