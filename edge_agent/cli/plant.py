"""`edge-agent plant`: the figures of an enterprise that several gateways report on."""

import json
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import click
import msgspec
from rich.table import Table

from edge_agent.cli.terminal import console
from edge_agent.cli.words import counts_text, rate_text
from edge_agent.contract.messages import Figure, StatementOfRecord, Statements, decode
from edge_agent.contract.plant import NotTogetherError, PlantFigures, Stated, together

EXIT_FAILED = 1

_OF = """
SELECT gateway, message FROM messages WHERE schema = ? ORDER BY seq
"""
_NEWEST = "SELECT gateway, message FROM newest WHERE topic LIKE 'indicator/%'"

Group = tuple[str, str]
"""Credit code of the enterprise, id of the definition."""


@click.command()
@click.argument("messages", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--period",
    type=click.Choice(["moment", "day", "month"]),
    default="moment",
    show_default=True,
    help="Figures of the moment, or statements of record of the newest day or month that all have stated.",
)
@click.option("--enterprise", help="Credit code; default: all that are in the file.")
@click.option("--json", "as_json", is_flag=True, help="Figures, and which gateways know each machine.")
def plant(messages: Path, period: str, enterprise: str | None, as_json: bool) -> None:
    """Put together what several gateways of one plant state: a machine that two of them see counts once.

    MESSAGES is what `edge-agent receive --sqlite MESSAGES` has written. A machine is the same if its id in
    the registers of the gateways is. Where registers say different things of one, that is told.

    \b
      edge-agent plant messages.db
      edge-agent plant messages.db --period month --json

    Exit status: 0 put together, 1 something cannot be, or the file cannot be used.
    """
    try:
        groups = _read(messages, period)
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        click.echo(f"无法读取 cannot read {messages}: {error}", err=True)
        sys.exit(EXIT_FAILED)
    found: list[tuple[PlantFigures, Mapping[str, Stated]]] = []
    status = 0
    for (code, definition), stated in sorted(groups.items()):
        if enterprise not in (None, code):
            continue
        try:
            found.append((together(stated), stated))
        except NotTogetherError as error:
            click.echo(f"{code} {definition}: 无法合并 not put together: {error}", err=True)
            status = EXIT_FAILED
    if not found and not status:
        click.echo(f"{messages}: 没有可合并的统计值 no such figures in it", err=True)
        status = EXIT_FAILED
    if as_json:
        click.echo(json.dumps([_as_json(one) for one, _ in found], ensure_ascii=False, indent=2))
    elif found:
        _print(found)
    sys.exit(status)


def _read(path: Path, period: str) -> dict[Group, dict[str, Stated]]:
    """By enterprise and definition, the newest that each gateway states. Raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        if period == "moment":
            rows = [*db.execute(_NEWEST), *db.execute(_OF, ("fta.indicator/1",))]
        else:
            rows = db.execute(_OF, ("fta.statement/1",)).fetchall()
    stated = [(gateway, decode(text.encode())) for gateway, text in rows]
    if period == "moment":
        moments = [(gateway, one) for gateway, one in stated if isinstance(one, Statements)]
        return _newest_of_each(sorted(moments, key=lambda item: item[1].time))
    records = [
        (gateway, one)
        for gateway, one in stated
        if isinstance(one, StatementOfRecord) and one.period == period
    ]
    return _of_newest_period(records)


def _newest_of_each(stated: Sequence[tuple[str, Stated]]) -> dict[Group, dict[str, Stated]]:
    """`stated` is in the order of time."""
    groups: dict[Group, dict[str, Stated]] = {}
    for gateway, one in stated:
        groups.setdefault((_enterprise(one).scope.id, one.definition.id), {})[gateway] = one
    return groups


def _of_newest_period(records: Sequence[tuple[str, StatementOfRecord]]) -> dict[Group, dict[str, Stated]]:
    """Of each enterprise and definition, the newest period that every gateway of it has stated."""
    groups: dict[Group, dict[int, dict[str, Stated]]] = {}
    for gateway, one in sorted(records, key=lambda item: item[1].number):  # a later one supersedes
        ends = groups.setdefault((_enterprise(one).scope.id, one.definition.id), {})
        ends.setdefault(one.to, {})[gateway] = one
    found = {}
    for group, ends in groups.items():
        gateways = {gateway for of_period in ends.values() for gateway in of_period}
        whole = [to for to, of_period in ends.items() if of_period.keys() == gateways]
        found[group] = ends[max(whole or ends)]
    return found


def _enterprise(one: Stated | PlantFigures) -> Figure:
    return next(figure for figure in one.figures if figure.scope.level == "enterprise")


def _as_json(one: PlantFigures) -> dict[str, object]:
    whole: dict[str, object] = msgspec.to_builtins(one)
    return whole


def _print(found: Sequence[tuple[PlantFigures, Mapping[str, Stated]]]) -> None:
    out = console()
    table = Table(title="全厂统计 The plant's figures", title_justify="left")
    for heading in ("口径 definition", "全厂 plant", "各网关 each gateway", "共有设备 seen by several"):
        table.add_column(heading, overflow="fold")
    for one, stated in found:
        whole = _enterprise(one)
        each = "\n".join(
            f"{gateway.rpartition('/')[2]}: {counts_text(one.definition, _enterprise(its))}"
            for gateway, its in sorted(stated.items())
        )
        shared = sum(len(gateways) > 1 for gateways in one.seen_by.values())
        rate = f"{rate_text(one.definition, whole)}  {counts_text(one.definition, whole)}"
        table.add_row(one.definition.id, rate, each, str(shared))
    out.print(table)
    for one, _ in found:
        for disagreement in one.disagreements:
            out.print(f"{one.definition.id}: 台账不一致 registers disagree: {disagreement}", style="yellow")
