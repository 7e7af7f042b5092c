"""`edge-agent account`: where the time of one machine went, and on what evidence."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.table import Table
from rich.text import Text

from edge_agent.cli.evidence import table
from edge_agent.cli.terminal import console
from edge_agent.cli.words import duration_text, reason_text
from edge_agent.config.errors import ConfigError, did_you_mean
from edge_agent.config.site import Site, load_site
from edge_agent.contract.messages import Account, KeyFigure
from edge_agent.indicators.kpis import KPIS, Kpi, Missing
from edge_agent.indicators.periods import Period, PeriodKind, period_at
from edge_agent.looking import MachineLook, NoHistoryError, day_text, look_at_machine
from edge_agent.model.clock import CLOCK
from edge_agent.model.minutes import MINUTE_MS
from edge_agent.model.state import MachineState
from edge_agent.states.reading import EvidenceRow
from edge_agent.states.tracker import Interval
from edge_agent.words import MISSING, STATES

EXIT_FAILED = 1
EXIT_CONFIG = 2


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.argument("equipment")
@click.option("--hour", type=click.DateTime(["%Y-%m-%dT%H"]), metavar="YYYY-MM-DDTHH", help="One clock hour.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="Default: today.")
@click.option("--month", type=click.DateTime(["%Y-%m"]), metavar="YYYY-MM", help="One month.")
@click.option("--intervals", is_flag=True, help="Also each interval of a state, with its cause.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with the intervals, times in ms.")
def account(
    config: Path,
    equipment: str,
    hour: datetime | None,
    day: datetime | None,
    month: datetime | None,
    intervals: bool,
    as_json: bool,
) -> None:
    """Show where the time of EQUIPMENT went: states, key figures, alarms, connection. 设备时间账。

    By the site's clocks. The data folder is only read, also while the agent runs; a period that is not over
    is shown up to the agent's last sign of life.

    \b
      edge-agent account site.yaml CNC-01
      edge-agent account site.yaml CNC-01 --month 2026-10
      edge-agent account site.yaml CNC-01 --hour 2026-10-12T14 --intervals

    Exit status: 0, 1 no such equipment or no history, 2 wrong configuration.
    """
    asked = {PeriodKind.HOUR: hour, PeriodKind.DAY: day, PeriodKind.MONTH: month}
    given = [(kind, at) for kind, at in asked.items() if at is not None]
    if len(given) > 1:
        raise click.UsageError("--hour, --day and --month exclude each other")
    try:
        site = load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    if equipment not in site.register.by_id:
        hint = did_you_mean(equipment, site.register.by_id)
        _fail(f"{equipment}: not in the register 台账中没有{'; ' + hint if hint else ''}")
    try:
        found = look_at_machine(site, equipment, _period(given, ZoneInfo(site.gateway.timezone)))
    except NoHistoryError as error:
        _fail(str(error))
    if as_json:
        click.echo(json.dumps(_document(found), ensure_ascii=False))
    else:
        _show(site, found, intervals=intervals)


def _period(given: Sequence[tuple[PeriodKind, datetime]], zone: ZoneInfo) -> Period:
    for kind, at in given:
        return period_at(kind, round(at.replace(tzinfo=zone).timestamp() * 1000), zone)
    return period_at(PeriodKind.DAY, CLOCK.now_ms(), zone)


def _document(found: MachineLook) -> dict[str, object]:
    return {
        **msgspec.to_builtins(found.account),
        "evidence": [
            {"hour": hour_ms, "good_readings": good, "last_good": last_ms, "minutes": bits.bit_count()}
            for _, hour_ms, good, last_ms, bits in found.evidence
        ],
        "intervals": [
            {"from": one.start_ms, "to": one.end_ms, "state": one.state.state.value, "cause": one.state.cause}
            for one in found.intervals
        ],
    }


def _show(site: Site, found: MachineLook, *, intervals: bool) -> None:
    zone, account = ZoneInfo(site.gateway.timezone), found.account
    equipment = site.register.by_id[account.equipment]
    click.echo(f"{equipment.id}  {equipment.name}  {equipment.workshop}")
    click.echo(f"{day_text(account.from_, zone)} … {day_text(account.to, zone)}")
    click.echo(f"计划日历 planned calendar: {account.calendar or '无 none'}")
    parts = {
        "时间 Time": _times(account),
        "指标 Key figures": _figures(account.figures),
        "产量与电量 Pieces and energy": _made(account),
        "报警 Alarms": _alarms(account),
        "联网证据 Evidence of the connection": _evidence(found.evidence, account, zone),
    }
    if intervals:
        parts["区间 Intervals"] = _intervals(found.intervals, zone)
    out = console()
    for title, rows in parts.items():
        if rows.row_count:
            out.print(Text(f"\n{title}", style="bold"))
            out.print(rows)


def _times(account: Account) -> Table:
    planned = {(one.state, one.cause): one.ms for one in account.planned or ()}
    total_ms, planned_ms = account.to - account.from_, sum(planned.values())
    rows = table(
        "状态 state", "原因 cause", "时长 time", "占比 share", "计划内 of planned time", "占比 share"
    )
    for one in account.times:
        within_ms = planned.get((one.state, one.cause), 0)
        rows.add_row(
            STATES[MachineState(one.state)].both,
            one.cause,
            duration_text(one.ms),
            _share(one.ms, total_ms),
            *((duration_text(within_ms), _share(within_ms, planned_ms)) if planned else ()),
        )
    rows.add_row("合计 sum", "", duration_text(total_ms), "", duration_text(planned_ms) if planned else "")
    return rows


def _share(part_ms: int, whole_ms: int) -> str:
    return f"{part_ms / whole_ms:.1%}" if whole_ms else ""


def _figures(figures: Sequence[KeyFigure]) -> Table:
    known = {kpi.id: kpi for kpi in KPIS}
    rows = table("指标 figure", "", "", "值 value", "分子/分母 n/d", "说明 remarks")
    for one in figures:
        kpi = known[one.id]
        reasons = [MISSING[Missing(name)].both for name in one.missing]
        if one.reason:
            reasons.append(reason_text(one.reason))
        if one.spanning:
            reasons.append(f"或缺 may lack {one.spanning} 件 pieces")
        if one.unseen:
            reasons.append(f"计数器未见 counter not seen for {duration_text(one.unseen)}")
        counts = "" if one.missing else f"{one.numerator}/{one.denominator}"
        rows.add_row(one.id, kpi.zh, kpi.en, _value(one.value, kpi), counts, "; ".join(reasons))
    return rows


def _value(value: float | None, kpi: Kpi) -> str:
    if value is None:
        return "-"
    match kpi.unit:
        case "ms":
            return duration_text(round(value))
        case "Wh":
            return f"{value:,.1f} Wh"
        case "":
            return f"{value:.2%}"


def _made(account: Account) -> Table:
    rows = table("", "数量 quantity", "跨期 spanning")
    counted = (
        ("产量 pieces", account.parts, account.spanning_parts, ""),
        ("合格数 good pieces", account.good, account.spanning_good, ""),
        ("电量 energy", account.energy_wh, account.spanning_energy_wh, " Wh"),
    )
    for name, quantity, spanning, unit in counted:
        if quantity is not None:
            rows.add_row(name, f"{quantity:,}{unit}", f"{spanning:,}{unit}" if spanning else "")
    return rows


def _alarms(account: Account) -> Table:
    rows = table("原因 cause", "次数 count", "时长 time")
    for alarm in account.alarms:
        rows.add_row(alarm.cause, str(alarm.count), duration_text(alarm.ms))
    return rows


def _evidence(evidence: Sequence[EvidenceRow], account: Account, zone: ZoneInfo) -> Table:
    """A row an hour, or a day where there are many."""
    kind = PeriodKind.DAY if account.period == PeriodKind.MONTH else PeriodKind.HOUR
    rows = table("自 from", "有效读数 good readings", "有数据的分钟 minutes with data")
    for period, hours in groupby(evidence, lambda row: period_at(kind, row[1], zone)):
        lines = list(hours)
        begin, end = max(period.from_ms, account.from_), min(period.to_ms, account.to)
        good = sum(line[2] for line in lines)
        minutes = sum(line[4].bit_count() for line in lines)
        rows.add_row(day_text(begin, zone), str(good), f"{minutes}/{(end - begin) // MINUTE_MS}")
    return rows


def _intervals(intervals: Sequence[Interval], zone: ZoneInfo) -> Table:
    rows = table("自 from", "至 to", "时长 time", "状态 state", "原因 cause")
    for one in intervals:
        lasted = "" if one.end_ms is None else duration_text(one.end_ms - one.start_ms)
        end = "至今 still so" if one.end_ms is None else _clock(one.end_ms, zone)
        rows.add_row(_clock(one.start_ms, zone), end, lasted, STATES[one.state.state].both, one.state.cause)
    return rows


def _clock(time_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_ms / 1000, zone).isoformat(" ", "milliseconds")


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)
