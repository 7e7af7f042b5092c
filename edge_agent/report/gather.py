"""Brings what a report on a month needs out of a data folder: read only, also beside the agent."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

from edge_agent.config.definitions import known_definitions
from edge_agent.config.policies import known_policies
from edge_agent.config.site import Site, counting, planned_calendars
from edge_agent.contract.messages import Account, StatementOfRecord, decode
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import Period, PeriodKind, local_day, midnight_ms, period_at
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.indicators.targets import Judgement, Point, judge
from edge_agent.looking import NoHistoryError, history_file, stated_points
from edge_agent.model.equipment import Equipment, Register
from edge_agent.statements.record import SCHEMA
from edge_agent.statements.store import Kept, StatementArchive
from edge_agent.states.reading import HistoryReader

TREND_MONTHS = 12
"""How many months a trend shows, the one of the report as the last."""


class NoReportError(Exception):
    """There is nothing to report on; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement of record, as it is kept and as it is read."""

    kept: Kept
    message: StatementOfRecord


@dataclass(frozen=True)
class Month:
    """What is on record of a month of a site."""

    site: Site
    period: Period
    stated: Sequence[Stated]
    """What holds of each definition, in the order of the configuration; then others that were stated."""
    unstated: Sequence[Definition]
    """Definitions of the configuration of which there is no statement of the month."""
    register: Register
    """The one that the newest of the statements was counted on."""
    accounts: Mapping[str, Account]
    """By equipment that was in service on a day of the month."""
    points: Mapping[str, Sequence[Point]]
    """By definition, the enterprise's figures of this month and of those before it, in order."""
    judgements: Sequence[Judgement]
    """How far the enterprise was from policy targets when the month ended."""

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.site.gateway.timezone)

    @cached_property
    def first(self) -> date:
        return local_day(self.period.from_ms, self.zone)

    @cached_property
    def last(self) -> date:
        return local_day(self.period.to_ms - 1, self.zone)

    @cached_property
    def months(self) -> Sequence[date]:
        """The last days of the months of a trend, up to this one, in order."""
        found = [self.last]
        while len(found) < TREND_MONTHS:
            found.append(date.fromordinal(found[-1].replace(day=1).toordinal() - 1))
        return found[::-1]

    def rate_before(self, definition: str) -> float | None:
        """The enterprise's rate of the month before; None if there is none."""
        of_then = [one.rate for one in self.points.get(definition, ()) if one.day == self.months[-2]]
        return float(of_then[0]) if of_then and of_then[0] is not None else None


def gather(site: Site, first: date) -> Month:
    """The month that begins with `first`. Raises NoReportError, and NoHistoryError if nothing can be read."""
    zone = ZoneInfo(site.gateway.timezone)
    period = period_at(PeriodKind.MONTH, midnight_ms(first, zone), zone)
    path = history_file(site)
    with _readable(site):
        stated = _stated(site, period)
        with closing(HistoryReader.look(path)) as history:
            if not stated:
                raise NoReportError(_why_none(first, period, history.alive_ms()))
            register = _register(site, stated)
            accounts = _accounts(site, register, period, history)
    last = local_day(period.to_ms - 1, zone)
    definitions = known_definitions(site.indicators.definitions_dir)
    points = {
        name: [one for one in some if one.day <= last]
        for name, some in stated_points(site, definitions.values()).items()
    }
    policies = known_policies(definitions, site.indicators.policies_dir).values()
    names = {one.message.definition.id for one in stated}
    return Month(
        site=site,
        period=period,
        stated=stated,
        unstated=[one for one in site.definitions if one.id not in names],
        register=register,
        accounts=accounts,
        points=points,
        judgements=judge(policies, definitions, points, site.indicators.baselines, last),
    )


@contextmanager
def _readable(site: Site) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise NoHistoryError(
            f"{site.data_dir}: no statements can be read: {error}; has the agent run yet? 尚无运行记录"
        ) from error


def _stated(site: Site, period: Period) -> list[Stated]:
    """What holds of each definition; nothing if no statement has ever been made."""
    order = {one.id: place for place, one in enumerate(site.definitions)}
    with closing(StatementArchive(history_file(site))) as archive:
        kept = list(archive.in_force(SCHEMA, PeriodKind.MONTH, period.from_ms, period.to_ms))
    kept.sort(key=lambda one: (order.get(one.subject, len(order)), one.subject))
    return [Stated(one, _message(one)) for one in kept]


def _message(kept: Kept) -> StatementOfRecord:
    message = decode(kept.message)
    assert isinstance(message, StatementOfRecord)  # noqa: S101 - its schema says so
    return message


def _why_none(first: date, period: Period, alive_ms: int | None) -> str:
    month = f"{first:%Y-%m}"
    if alive_ms is None or alive_ms < period.to_ms:
        return (
            f"{month} is not over yet, as far as is on record. A report is made of the statements of the"
            f" month, which come when it is over. {month} 尚未结束（或运行记录未到月末），没有可用的月度声明"
        )
    following = date.fromordinal(first.toordinal() + 31).replace(day=1)
    return (
        f"there is no statement of {month}. If the agent was running in it, make them:"
        f" edge-agent recompute CONFIG --from {first} --to {following}"
        f" 没有 {month} 的月度声明；若当月有运行记录，可用上面的命令补出"
    )


def _register(site: Site, stated: Sequence[Stated]) -> Register:
    newest = max(stated, key=lambda one: one.kept.number).message
    with closing(RegisterVersions(history_file(site), read_only=True)) as versions:
        return versions.of(newest.register_version) or site.register


def _accounts(site: Site, register: Register, period: Period, history: HistoryReader) -> dict[str, Account]:
    zone = ZoneInfo(site.gateway.timezone)
    time = MachineTime(history, zone, planned_calendars(site, register), counting(site))
    first, last = local_day(period.from_ms, zone), local_day(period.to_ms - 1, zone)
    return {
        one.id: time.account(one.id, period, (), period.to_ms)
        for one in sorted(register.equipment, key=lambda one: (one.workshop, one.line, one.id))
        if _served(one, first, last)
    }


def _served(equipment: Equipment, first: date, last: date) -> bool:
    """Whether it was in service on a day from `first` to `last`."""
    return (equipment.commissioned is None or equipment.commissioned <= last) and (
        equipment.retired is None or equipment.retired > first
    )
