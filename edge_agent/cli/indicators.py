"""`edge-agent indicators`: which definitions (口径) there are, and how a figure comes about."""

import sys
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import click
from rich.text import Text

from edge_agent.cli.evidence import claims_table, lines_tables, rates_table, table
from edge_agent.cli.terminal import console
from edge_agent.config.definitions import known_definitions
from edge_agent.config.errors import ConfigError, did_you_mean
from edge_agent.config.site import Site, load_site
from edge_agent.contract.counting import Line
from edge_agent.indicators.definitions import Definition
from edge_agent.looking import NoHistoryError, day_text, look

EXIT_FAILED = 1
EXIT_CONFIG = 2

_config = click.option(
    "--config",
    type=click.Path(exists=True, path_type=Path),
    help="A configuration: its own definitions count, too.",
)


@click.group()
def indicators() -> None:
    """Definitions (口径) of the indicators, and the figures they give.

    \b
      edge-agent indicators list                                        which there are
      edge-agent indicators explain networked-rate/live                 how it is counted, and by whose text
      edge-agent indicators explain networked-rate/live --config site   which machines count, and why
    """


@indicators.command("list")
@_config
def list_(config: Path | None) -> None:
    """List the definitions: id, version, title and standing."""
    rows = table("口径 id", "版本 version", "名称 title", "", "依据 standing")
    for one in _known(config)[0].values():
        rows.add_row(one.id, str(one.version), one.title["zh"], one.title["en"], one.standing)
    console().print(rows)


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
    zone = ZoneInfo(site.gateway.timezone)
    try:
        now = look(site, [definition])
    except NoHistoryError as error:
        _fail(str(error))
    click.echo(f"\n截至 as of {day_text(now.as_of_ms, zone)}, register {site.register.version[:12]}")
    (statements,) = now.statements([definition])
    out = console()
    out.print(rates_table(statements.definition, statements.figures))
    lines: list[Line] = [*statements.equipment, *statements.processes]
    for title, rows in lines_tables(lines, zone, windowed=statements.from_ < statements.to):
        out.print(Text(f"\n{title}", style="bold"))
        out.print(rows)
    claims = now.claims()
    if claims:
        out.print(Text("\n无证据或不一致 Claims without evidence, and contradictions", style="bold"))
        out.print(claims_table(claims))


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)
