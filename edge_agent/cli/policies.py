"""`edge-agent policies`: what the policies ask for, and how far this enterprise is."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.table import Table

from edge_agent.cli.policy_text import (
    asked_text,
    judgement_json,
    judgement_lines,
    target_id,
    target_json,
    target_lines,
)
from edge_agent.cli.terminal import console
from edge_agent.config.definitions import known_definitions
from edge_agent.config.errors import ConfigError
from edge_agent.config.policies import known_policies
from edge_agent.config.site import Site, load_site
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.policies import Policy
from edge_agent.indicators.targets import judge
from edge_agent.looking import NoHistoryError, day_text, look, points
from edge_agent.model.clock import CLOCK

EXIT_FAILED = 1
EXIT_CONFIG = 2
_PLAIN_WIDTH = 240

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")


@click.group()
def policies() -> None:
    """Policy targets (政策目标): what they ask for, and how far this enterprise is."""


@policies.command("list")
@click.argument("config", required=False, type=click.Path(exists=True, path_type=Path))
@_json
def list_(config: Path | None, as_json: bool) -> None:
    """List the targets: those that come with the agent, and those of CONFIG."""
    _, known = _known(None if config is None else _load(config))
    targets = [(policy, target) for policy in known.values() for target in policy.targets]
    if as_json:
        _print_json({"targets": [target_json(policy, target) for policy, target in targets]})
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in (
        "目标 id",
        "名称 title",
        "",
        "要求 asks for",
        "期限 until",
        "范围 scope",
        "口径 judged by",
    ):
        table.add_column(heading, overflow="fold")
    for policy, target in targets:
        table.add_row(
            target_id(policy, target),
            target.title["zh"],
            target.title["en"],
            ", ".join(dict.fromkeys(map(asked_text, target.readings))),
            target.deadline.isoformat(),
            target.scope,
            ", ".join(target.indicators) or "不计算 not computed",
        )
    console(_PLAIN_WIDTH).print(table)


@policies.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@_json
def progress(config: Path, as_json: bool) -> None:
    """Say of each target how far the enterprise of CONFIG is, and whether it will get there.

    The figures are those that the data folder gives now, and for the pace those of its statements of the
    months before; it is only read, also while the agent runs. Each
    definition, each reading of an ambiguous text and each baseline is judged by itself.

    Exit status: 0, 1 no history, 2 wrong configuration.
    """
    site = _load(config)
    definitions, known = _known(site)
    zone = ZoneInfo(site.gateway.timezone)
    today = datetime.fromtimestamp(CLOCK.now_ms() / 1000, zone).date()
    used = {name for policy in known.values() for target in policy.targets for name in target.indicators}
    wanted = [definitions[name] for name in sorted(used)]
    try:
        now = look(site, wanted)
        figures = points(site, wanted, now)
    except NoHistoryError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_FAILED)
    judged = judge(known.values(), definitions, figures, site.indicators.baselines, today)
    by_target = [list(some) for _, some in groupby(judged, lambda one: target_id(one.policy, one.target))]
    if as_json:
        targets = [
            {**target_json(some[0].policy, some[0].target), "lines": list(map(judgement_json, some))}
            for some in by_target
        ]
        _print_json({"as_of": now.as_of_ms, "today": today.isoformat(), "targets": targets})
        return
    click.echo(f"数据截至 figures as of {day_text(now.as_of_ms, zone)}, 今日 today {today}")
    for some in by_target:
        click.echo("")
        for line in target_lines(some[0].policy, some[0].target):
            click.echo(line)
        for one in some:
            for line in judgement_lines(one):
                click.echo(f"  {line}")


def _load(config: Path) -> Site:
    try:
        return load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)


def _known(site: Site | None) -> tuple[Mapping[str, Definition], Mapping[str, Policy]]:
    own = site.indicators if site is not None else None
    definitions = known_definitions(own.definitions_dir if own else None)
    return definitions, known_policies(definitions, own.policies_dir if own else None)


def _print_json(document: Mapping[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
