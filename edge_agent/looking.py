"""What a data folder gives, looked at beside the agent or without one: read only."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.config.site import Site, counting, planned_calendars, stale_after_ms
from edge_agent.contract.messages import Account, Figure, Statements
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.claims import (
    WINDOW_MS,
    Claim,
    claims_of_connection,
    claims_of_register,
    claims_of_tags,
)
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.kept import KeptEvidence, KeptHistory
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import Period, PeriodKind, local_day
from edge_agent.indicators.targets import Point, point
from edge_agent.model.state import MachineState
from edge_agent.statements.record import SCHEMA
from edge_agent.statements.store import StatementArchive
from edge_agent.states.reading import EvidenceRow, HistoryReader
from edge_agent.states.tracker import Interval


class NoHistoryError(Exception):
    """The data folder tells nothing; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the data folder of a site proves as of the moment at which its agent was last alive."""

    site: Site
    as_of_ms: int
    evidence: KeptEvidence
    states: Mapping[str, MachineState]

    @property
    def day(self) -> date:
        return local_day(self.as_of_ms, ZoneInfo(self.site.gateway.timezone))

    def statements(self, definitions: Iterable[Definition]) -> list[Statements]:
        """The figures of each definition."""
        site, zone = self.site, ZoneInfo(self.site.gateway.timezone)
        calendars = planned_calendars(site)
        return [
            Calculator(one, site.gateway.enterprise, site.register, zone, calendars).statements(
                self.evidence, self.states, self.as_of_ms
            )
            for one in definitions
        ]

    def claims(self) -> list[Claim]:
        """What the register claims and nothing supports, and what it leaves out."""
        site = self.site
        tags = {e.id: {tag.id for tag in e.tags} for c in site.connections for e in c.equipment}
        return [
            *claims_of_connection(site.register, self.day, self.evidence, self.as_of_ms),
            *claims_of_tags(site.register, self.day, tags),
            *claims_of_register(site.register, self.day),
        ]


def history_file(site: Site) -> Path:
    return site.data_dir / "history.db"


def look(site: Site, definitions: Iterable[Definition]) -> Look:
    """With the evidence that `definitions` ask for at hand. Raises NoHistoryError."""
    windows = (one.connected.window for one in definitions if one.connected is not None)
    window_ms = max(WINDOW_MS, *(round(window * 1000) for window in windows if window), 0)
    try:
        with closing(KeptHistory(history_file(site))) as history:
            as_of_ms = history.alive_ms()
            if as_of_ms is None:
                raise NoHistoryError(f"{site.data_dir}: no agent has run here yet 尚无运行记录")
            members = site.register.by_id
            evidence = history.evidence(members, as_of_ms - window_ms, as_of_ms, stale_after_ms(site))
            return Look(site, as_of_ms, evidence, history.states(members, as_of_ms + 1))
    except sqlite3.Error as error:
        raise _unreadable(site, error) from error


def _unreadable(site: Site, error: sqlite3.Error) -> NoHistoryError:
    return NoHistoryError(
        f"{site.data_dir}: no history can be read: {error}; has the agent run yet? 尚无运行记录"
    )


@dataclass(frozen=True, slots=True)
class MachineLook:
    """What the data folder tells of one machine in one period."""

    account: Account
    intervals: Sequence[Interval]
    """Those that overlap the period, whole."""
    evidence: Sequence[EvidenceRow]
    """Of the clock hours (UTC) that overlap the period; hours without a good reading are not in it."""


def look_at_machine(site: Site, equipment: str, period: Period) -> MachineLook:
    """Up to when the agent was last alive, if the period is not over. Raises NoHistoryError."""
    try:
        with closing(HistoryReader.look(history_file(site))) as history:
            alive_ms = history.alive_ms()
            if alive_ms is None or alive_ms <= period.from_ms:
                raise NoHistoryError(f"{site.data_dir}: no agent ran here then or since 该期间无运行记录")
            period = replace(period, to_ms=min(period.to_ms, alive_ms))
            zone = ZoneInfo(site.gateway.timezone)
            machine_time = MachineTime(history, zone, planned_calendars(site), counting(site))
            account = machine_time.account(equipment, period, (), alive_ms)
            intervals = [
                one
                for one in history.intervals_of(equipment, period.from_ms, period.to_ms)
                if one.end_ms is None or one.end_ms > period.from_ms
            ]
            return MachineLook(
                account, intervals, history.evidence_of(equipment, period.from_ms, period.to_ms)
            )
    except sqlite3.Error as error:
        raise _unreadable(site, error) from error


def stated_points(site: Site, definitions: Iterable[Definition]) -> dict[str, list[Point]]:
    """By definition, what the enterprise's statements of record say of each month that is over, in order.

    Raises NoHistoryError.
    """
    zone = ZoneInfo(site.gateway.timezone)
    try:
        with closing(StatementArchive(history_file(site))) as archive:
            return {
                one.id: [
                    point(_of_enterprise(kept.content), local_day(kept.to_ms - 1, zone))
                    for kept in archive.all_of(SCHEMA, one.id)
                    if kept.kind == PeriodKind.MONTH and kept.superseded_by is None
                ]
                for one in definitions
            }
    except sqlite3.OperationalError as error:
        raise NoHistoryError(f"{site.data_dir}: no history can be read: {error}") from error


def _of_enterprise(content: Mapping[str, Any]) -> Figure:
    figures: Sequence[Figure] = msgspec.convert(content["figures"], list[Figure])
    return next(figure for figure in figures if figure.scope.level == "enterprise")


def points(site: Site, definitions: Sequence[Definition], now: Look) -> dict[str, list[Point]]:
    """By definition, the enterprise's figures at the ends of months, and that of now.

    Raises NoHistoryError.
    """
    known = stated_points(site, definitions)
    for one, statements in zip(definitions, now.statements(definitions), strict=True):
        enterprise, *_ = statements.figures
        known.setdefault(one.id, []).append(point(enterprise, now.day))
    return known


def day_text(time_ms: int, zone: ZoneInfo) -> str:
    """`2026-11-24 08:00:00 +0800`"""
    return f"{datetime.fromtimestamp(time_ms / 1000, zone):%Y-%m-%d %H:%M:%S %z}"
