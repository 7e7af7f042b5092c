"""`edge-agent sharing`: who used which shared machine (共享智造), what that costs, and what is free."""

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.text import Text

from edge_agent.cli.sharing_tables import (
    amounts_table,
    capacity_table,
    lines_table,
    sums_table,
    unassigned_table,
)
from edge_agent.cli.terminal import console
from edge_agent.config.errors import ConfigError, did_you_mean
from edge_agent.config.sharing import SharingOptions, TenantOptions
from edge_agent.config.site import Site, load_site, planned_calendars
from edge_agent.indicators.periods import Period, PeriodKind, midnight_ms, period_at
from edge_agent.model.clock import CLOCK
from edge_agent.sharing.capacity import capacity as idle_capacity
from edge_agent.sharing.export import SUFFIXES, write_tenant
from edge_agent.sharing.ledger import Ledger, make_ledger
from edge_agent.sharing.production import production_of
from edge_agent.sharing.reading import KeptRecords
from edge_agent.sharing.settlement import tenant_content

EXIT_FAILED = 1
EXIT_CONFIG = 2

_config = click.argument("config", type=click.Path(exists=True, path_type=Path))
_month = click.option("--month", required=True, metavar="YYYY-MM", help="By the site's clocks: 2026-10.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON document in place of tables.")


@click.group()
def sharing() -> None:
    """Shared machines (共享智造): the ledger of what tenants used, and idle capacity.

    The configuration and the data folder are only read, also while the agent runs.
    """


@dataclass(frozen=True, slots=True)
class _Month:
    """The ledger of a month, as far as it is over."""

    site: Site
    sharing: SharingOptions
    zone: ZoneInfo
    month: Period
    ledger: Ledger
    records: KeptRecords


@sharing.command("ledger")
@_config
@_month
@click.option("--tenant", metavar="T", help="Id or name of one tenant; default: all.")
@_json
def ledger_(config: Path, month: str, tenant: str | None, as_json: bool) -> None:
    """Show the ledger of a month: sessions, sums of each tenant, and what is unassigned.

    With --tenant: only what is of this tenant, and each amount of it. Of a month that is not over: up to the
    agent's last sign of life.

    Exit status: 0, 1 no records or no such tenant, 2 wrong configuration.
    """
    with _opened(config, month) as found:
        tenants = [_tenant(found, tenant)] if tenant is not None else list(found.sharing.tenants)
        if as_json:
            click.echo(json.dumps(_document(found, tenants, alone=tenant is not None), ensure_ascii=False))
        else:
            _show(found, tenants, alone=tenant is not None)


@sharing.command()
@_config
@_month
@click.option("--tenant", metavar="T", required=True, help="Id or name of the tenant.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(config: Path, month: str, tenant: str, file: Path) -> None:
    """Write one tenant's lines as FILE, .csv, .xlsx or .json, and nothing about anybody else.

    Nothing is overwritten.

    Exit status: 0 written, 1 cannot be written, no records or no such tenant, 2 wrong configuration.
    """
    if file.suffix.lower() not in SUFFIXES:
        _fail(f"{file}: expected one of: {', '.join(SUFFIXES)}")
    with _opened(config, month) as found:
        one = _tenant(found, tenant)
        try:
            write_tenant(file, found.ledger, one, found.records, found.zone)
        except OSError as error:
            _fail(f"{file}: cannot be written: {error.strerror}")
    click.echo(f"written 已写入: {file}")


@sharing.command()
@_config
@_json
def capacity(config: Path, as_json: bool) -> None:
    """Show how many shared machines of each class are free in the next 7 days: what would be published.

    Exit status: 0, 1 nothing is shared, 2 wrong configuration.
    """
    site, options = _site(config)
    zone = ZoneInfo(site.gateway.timezone)
    message = idle_capacity(options, site.register, planned_calendars(site), zone, CLOCK.now_ms())
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(message), ensure_ascii=False))
        return
    published = "是 yes" if options.publish_capacity else "否 no (publish_capacity: false)"
    click.echo(f"{_clock(message.from_, zone)} … {_clock(message.to, zone)}, 发布 published: {published}")
    console().print(capacity_table(message, zone))


def _site(config: Path) -> tuple[Site, SharingOptions]:
    try:
        site = load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    if site.sharing is None:
        _fail(f"{config}: no machine is shared: there is no section sharing 未配置共享设备")
    return site, site.sharing


@contextmanager
def _opened(config: Path, month: str) -> Iterator[_Month]:
    site, options = _site(config)
    zone = ZoneInfo(site.gateway.timezone)
    period = _period(month, zone)
    path = site.data_dir / "history.db"
    try:
        records = KeptRecords(path)
    except sqlite3.Error as error:
        _fail(f"{site.data_dir}: no history can be read: {error}; has the agent run yet? 尚无运行记录")
    try:
        known_ms = min(period.to_ms, records.as_of_ms or 0)
        if known_ms <= period.from_ms:
            _fail(f"{month}: nothing is on record of it, nor of any later time 尚无记录")
        made = make_ledger(options, records, production_of(site), zone, period.from_ms, known_ms)
        yield _Month(site, options, zone, period, made, records)
    except sqlite3.Error as error:
        _fail(f"{site.data_dir}: the history cannot be read: {error}")
    finally:
        records.close()


def _period(month: str, zone: ZoneInfo) -> Period:
    given = re.fullmatch(r"(\d{4})-(\d\d)", month)
    try:
        first = date(int(given[1]), int(given[2]), 1) if given else None
    except ValueError:
        first = None
    if first is None:
        raise click.BadParameter("expected a month, such as 2026-10", param_hint="--month")
    return period_at(PeriodKind.MONTH, midnight_ms(first, zone), zone)


def _tenant(found: _Month, text: str) -> TenantOptions:
    name = found.sharing.tenant_named(text)
    if not name:
        known = [word for one in found.sharing.tenants for word in (one.id, one.name)]
        hint = did_you_mean(text, known)
        _fail(
            f"{text}: there is no such tenant{'; ' + hint if hint else ''}; 租户 tenants: {', '.join(known)}"
        )
    return next(one for one in found.sharing.tenants if one.id == name)


def _document(found: _Month, tenants: list[TenantOptions], *, alone: bool) -> dict[str, object]:
    ledger = found.ledger
    document: dict[str, object] = {
        "from": ledger.from_ms,
        "to": ledger.to_ms,
        "complete": ledger.to_ms == found.month.to_ms,
        "timezone": found.zone.key,
        "tenants": [tenant_content(ledger, one) for one in tenants],
    }
    if not alone:
        document["unassigned"] = [
            {
                "equipment": equipment,
                "from": hold.start_ms,
                "to": hold.end_ms,
                "reason": hold.reason,
                "detail": hold.detail,
            }
            for equipment, hold in ledger.unassigned
        ]
    return document


def _show(found: _Month, tenants: list[TenantOptions], *, alone: bool) -> None:
    ledger, zone = found.ledger, found.zone
    click.echo(f"{_clock(ledger.from_ms, zone)} … {_clock(ledger.to_ms, zone)} {zone.key}")
    if ledger.to_ms < found.month.to_ms:
        click.echo("本月未结束或运行记录到此为止 the month is not over, or nothing later is on record")
    tables = {
        "使用台账 Sessions": lines_table(ledger, tenants, zone),
        "租户合计 Sums of tenants": sums_table(ledger, tenants),
    }
    if alone:
        tables["金额 Amounts"] = amounts_table(ledger, tenants, zone)
    else:
        tables["未分配 Unassigned"] = unassigned_table(ledger)
    out = console()
    for title, table in tables.items():
        if table.row_count:
            out.print(Text(f"\n{title}", style="bold"))
            out.print(table)


def _clock(time_ms: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, zone):%Y-%m-%d %H:%M:%S}"


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)
