"""`edge-agent doctor`: what is wrong, and what to do about it."""

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from edge_agent.acquisition.trial import Trial, try_connections
from edge_agent.cli.logs import quiet
from edge_agent.config.errors import ConfigError
from edge_agent.config.site import Site, load_site
from edge_agent.console.log_lines import without_secrets
from edge_agent.doctor import certificates, host, kept, network
from edge_agent.doctor.bundle import write_bundle
from edge_agent.doctor.finding import Finding, Level, good, wrong
from edge_agent.words import Words
from edge_agent.words.failures import failure_of

EXIT_WRONG = 1
CONFIGURATION = Words("配置", "configuration")
_MARKS = {Level.GOOD: ("✓", "green"), Level.NOTICE: ("!", "yellow"), Level.WRONG: ("✗", "bold red")}
_SHOWN_TAGS = 3
"""So many tags that did not answer are named."""


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option("--no-connect", is_flag=True, help="Do not try the machines' connections.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a ZIP archive for support, without any secret.",
)
def doctor(config: Path, no_connect: bool, as_json: bool, bundle: Path | None) -> None:
    """Look at everything that CONFIG's agent depends on, and say what to do about what is wrong.

    Configuration, versions, disk, permissions, clock, the files that the agent keeps, certificates and when
    they end, name resolution, brokers and databases with their certificates, and each connection to the
    machines: it is opened, and every tag is read once. Nothing is written, to no machine and to no file of
    the agent, which may run meanwhile; a machine that takes only one connection then says that it is taken.

    \b
      edge-agent doctor /etc/edge-agent
      edge-agent doctor /etc/edge-agent --bundle support.zip

    Exit status: 0 nothing is wrong, 1 something is.
    """
    console = Console(highlight=False, stderr=as_json)
    findings: list[Finding] = []
    site: Site | None = None

    def found(one: Finding) -> None:
        if site is not None:
            one = replace(one, text=without_secrets(one.text, site.hidden))
        findings.append(one)
        if not as_json:
            _show(console, one)

    try:
        site = load_site(config)
    except ConfigError as error:
        for problem in error.problems:
            found(wrong(CONFIGURATION, str(problem), Words("改正该处", "correct it")))
    else:
        count = len(site.register.equipment)
        found(good(CONFIGURATION, f"no mistake; {count} equipment, {len(site.connections)} connections"))
    for one in host.versions():
        found(one)
    for one in host.clock(datetime.now(UTC).year):
        found(one)
    if site is not None:
        for one in _of_site(site):
            found(one)
        asyncio.run(_reach(site, found, machines=not no_connect))
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in findings], ensure_ascii=False, indent=2))
    else:
        _sum_up(console, findings)
    if bundle is not None:
        try:
            write_bundle(bundle, site, [_as_json(one) for one in findings])
        except OSError as error:
            raise click.ClickException(f"{bundle}: 无法写入 cannot be written: {error.strerror}") from None
        console.print(f"支持包 support bundle: {bundle}", soft_wrap=True)
    sys.exit(EXIT_WRONG if any(one.level is Level.WRONG for one in findings) else 0)


def _of_site(site: Site) -> Iterator[Finding]:
    yield from host.disk(site)
    yield from host.permissions(site)
    yield from kept.files(site)
    yield from kept.key(site)
    yield from kept.alive(site)
    yield from certificates.configured(site)


async def _reach(site: Site, found: Callable[[Finding], None], *, machines: bool) -> None:
    async for one in network.uplinks(site):
        found(one)
    if machines:
        quiet(logging.CRITICAL)
        for trial in await try_connections([one for one in site.connections if one.enabled]):
            for one in _of_trial(trial):
                found(one)


def _of_trial(trial: Trial) -> Iterator[Finding]:
    name = trial.connection.id
    about = Words(f"连接 {name}", f"connection {name}")
    for subject, error in trial.failures:
        text = str(error) if subject in (name, "") or subject in str(error) else f"{subject}: {error}"
        yield wrong(about, text, failure_of(error.kind or "", error.cause).todo)
    missing = [
        f"{equipment.id}/{tag.id} ({flaw})"
        for equipment in trial.connection.equipment
        for tag in equipment.tags
        if not tag.optional and (flaw := _flaw(trial, equipment.id, tag.id))
    ]
    if missing and not trial.failures:
        more = f" and {len(missing) - _SHOWN_TAGS} more" if len(missing) > _SHOWN_TAGS else ""
        yield wrong(
            about,
            f"no good value of {', '.join(missing[:_SHOWN_TAGS])}{more}",
            Words(
                "用 edge-agent check --connect 逐项查看",
                "edge-agent check --connect shows every tag",
            ),
        )
    if trial.everything_answered:
        yield good(about, f"opened, all {len(trial.answers)} tags answered")


def _flaw(trial: Trial, equipment: str, tag: str) -> str:
    answer = trial.answers.get((equipment, tag))
    if answer is None:
        return "no answer"
    return "" if answer.usable or answer.flaw is None else answer.flaw.reason


def _show(console: Console, one: Finding) -> None:
    mark, style = _MARKS[one.level]
    line = Text(f"{mark} ", style)
    line.append(f"{one.about.both}: ", "bold")
    line.append(one.text)
    console.print(line, soft_wrap=True)
    if one.remedy is not None:
        console.print(Text(f"    → {one.remedy.zh}\n      {one.remedy.en}", style), soft_wrap=True)


def _sum_up(console: Console, findings: Sequence[Finding]) -> None:
    wrongs = sum(one.level is Level.WRONG for one in findings)
    notices = sum(one.level is Level.NOTICE for one in findings)
    if wrongs:
        console.print(f"\n{wrongs} 项有误 wrong, {notices} 项提醒 notices", style="bold red")
    elif notices:
        console.print(f"\n没有错误 nothing is wrong, {notices} 项提醒 notices", style="yellow")
    else:
        console.print("\n一切正常 all is well", style="green")


def _as_json(one: Finding) -> dict[str, str]:
    told = {"level": one.level.name.lower(), "about": one.about.en, "text": one.text}
    if one.remedy is not None:
        told |= {"remedy": one.remedy.en, "remedy_zh": one.remedy.zh}
    return told
