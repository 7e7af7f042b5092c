"""`edge-agent indicators`: which definitions (口径) there are, and how a figure comes about."""

import sqlite3
import sys
from datetime import datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_agent.cli.words import CLAIMS, counts_text, rate_text, reason_text
from edge_agent.config.definitions import known_definitions
from edge_agent.config.errors import ConfigError, did_you_mean
from edge_agent.config.site import Site, load_site, planned_calendars, stale_after_ms
from edge_agent.contract.messages import EquipmentEvidence, Statements
from edge_agent.indicators.calculate import Calculator, Line
from edge_agent.indicators.claims import Claim, claims_of_connection, claims_of_register, claims_of_tags
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.kept import KeptEvidence
from edge_agent.model.state import MachineState

EXIT_FAILED = 1
EXIT_CONFIG = 2
_PLAIN_WIDTH = 200

_config = click.option(
    "--config",
    type=click.Path(exists=True, path_type=Path),
    help="A configuration: its own definitions count, too.",
)


@click.group()
def indicators() -> None:
    """Definitions (口径) of the indicators, and the figures they give."""


@indicators.command("list")
@_config
def list_(config: Path | None) -> None:
    """List the definitions: id, version, title and standing."""
    table = _table("口径 id", "版本 version", "名称 title", "", "依据 standing")
    for one in _known(config)[0].values():
        table.add_row(one.id, str(one.version), one.title["zh"], one.title["en"], one.standing)
    _console().print(table)


@indicators.command()
@click.argument("id")
@_config
def explain(id: str, config: Path | None) -> None:
    """Say how the indicator ID is counted, and on what ground.

    With --config also: what the register and the data folder give now, machine by machine. Both are only
    read, also while the agent runs.

    Exit status: 0, 1 no such definition or no history, 2 wrong configuration.
    """
    known, site = _known(config)
    if id not in known:
        hint = did_you_mean(id, known)
        _fail(f"{id}: there is no such definition{'; ' + hint if hint else ''}")
    _rule(known[id])
    if site is not None:
        _figures(known[id], site)


def _known(config: Path | None) -> tuple[dict[str, Definition], Site | None]:
    if config is None:
        return known_definitions(None), None
    try:
        site = load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    return known_definitions(site.indicators.definitions_dir), site


def _rule(definition: Definition) -> None:
    click.echo(f"{definition.title['zh']}  {definition.title['en']}")
    facts = {
        "口径 id": f"{definition.id}, 版本 version {definition.version}",
        "依据 standing": definition.standing,
        "来源 source": definition.source.document,
        "原文 quote": definition.source.quote,
        "无原文 no quote": definition.source.without_quote,
        "有效期 effective": _effective(definition),
        "统计对象 counts": definition.counts,
        "权重 weight": definition.weight,
        "单位 unit": definition.unit,
        "汇总 aggregation": f"{definition.aggregation}, over enterprises 企业间",
        "分母 denominator": definition.denominator,
        "分子 numerator": definition.numerator,
        "联网 connected": _connected(definition),
        "摘要 digest": definition.digest,
    }
    for name, text in facts.items():
        if text:
            click.echo(f"  {name}: {text}")


def _effective(definition: Definition) -> str:
    days = (definition.effective.from_, definition.effective.until)
    return " … ".join("" if day is None else day.isoformat() for day in days).strip() if any(days) else ""


def _connected(definition: Definition) -> str:
    rule = definition.connected
    if rule is None:
        return ""
    if rule.window is None:
        return f"{rule.level}, at the instant 当时"
    hours = rule.window / 3600
    text = f"{rule.level}: {rule.good_readings} good readings 有效读数 within {hours:g} h 小时内"
    if rule.planned_share is not None:
        text += f", in {float(rule.planned_share):.0%} of planned time 计划时间"
    return text


def _figures(definition: Definition, site: Site) -> None:
    try:
        kept = KeptEvidence(site.data_dir / "history.db", stale_after_ms(site))
    except sqlite3.Error as error:
        _fail(f"{site.data_dir}: no history can be read: {error}; has the agent run yet? 尚无运行记录")
    if kept.as_of_ms is None:
        _fail(f"{site.data_dir}: no agent has run here yet 尚无运行记录")
    zone = ZoneInfo(site.gateway.timezone)
    as_of = datetime.fromtimestamp(kept.as_of_ms / 1000, zone)
    click.echo(f"\n截至 as of {as_of:%Y-%m-%d %H:%M:%S %z}, register {site.register.version[:12]}")
    states = {one.id: kept.states.get(one.id, MachineState.UNKNOWN) for one in site.register.equipment}
    calendars = planned_calendars(site)
    calculator = Calculator(definition, site.gateway.enterprise, site.register, zone, calendars)
    statements = calculator.statements(kept, states, kept.as_of_ms)
    console = _console()
    console.print(_rates(statements))
    for title, table in _lines(statements, zone):
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)
    day = as_of.date()
    tags = {e.id: {tag.id for tag in e.tags} for c in site.connections for e in c.equipment}
    claims = [
        *claims_of_connection(site.register, day, kept, kept.as_of_ms),
        *claims_of_tags(site.register, day, tags),
        *claims_of_register(site.register, day),
    ]
    if claims:
        console.print(Text("\n无证据或不一致 Claims without evidence, and contradictions", style="bold"))
        console.print(_claims(claims))


def _rates(statements: Statements) -> Table:
    table = _table("范围 scope", "分子/分母 n/d", "比率 rate", "原因 reason", "未知 unknown")
    for figure in statements.figures:
        table.add_row(
            "企业 enterprise" if figure.scope.level == "enterprise" else figure.scope.id,
            counts_text(statements.definition, figure),
            rate_text(statements.definition, figure),
            reason_text(figure.reason) if figure.reason else "",
            str(figure.unknown),
        )
    return table


def _lines(statements: Statements, zone: ZoneInfo) -> list[tuple[str, Table]]:
    """Counted, in the denominator alone, and in neither: a table each, if there is something for it."""
    lines: list[Line] = [*statements.equipment, *statements.processes]
    parts = {
        "计入分子 In the numerator": [one for one in lines if one.in_numerator],
        "仅计入分母 In the denominator, not in the numerator": [
            one for one in lines if one.in_denominator and not one.in_numerator
        ],
        "不计入 Not counted": [one for one in lines if not one.in_denominator and not one.in_numerator],
    }
    tables = []
    for title, members in parts.items():
        table = _table("编号 id", "车间 workshop", "原因 reason", "证据 evidence")
        for one in members:
            if isinstance(one, EquipmentEvidence):
                name, evidence = one.equipment, _evidence(one, statements, zone)
            else:
                name = one.process
                evidence = (
                    f"设备 equipment: {', '.join(one.equipment)}; 数控 NC: {', '.join(one.nc_equipment)}"
                )
            table.add_row(name, one.workshop, reason_text(one.reason), evidence)
        if members:
            tables.append((f"{title}: {len(members)}", table))
    return tables


def _evidence(line: EquipmentEvidence, statements: Statements, zone: ZoneInfo) -> str:
    parts = [line.state, line.link]
    if statements.from_ < statements.to:
        parts.append(f"{line.good_readings} good readings 有效读数")
    if line.planned_minutes:
        parts.append(f"{line.proved_minutes}/{line.planned_minutes} planned minutes 计划分钟")
    if line.last_good is not None:
        last = datetime.fromtimestamp(line.last_good / 1000, zone)
        parts.append(f"last 最近 {last:%Y-%m-%d %H:%M:%S}")
    return ", ".join(parts)


def _claims(claims: list[Claim]) -> Table:
    table = _table("编号 id", "登记与证据 claim", "")
    for claim in claims:
        table.add_row(claim.subject, CLAIMS[claim.kind], claim.detail)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)
