"""`edge-agent recompute`: statements of record anew, after a register or a definition was corrected."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
import msgspec

from edge_agent.cli.register import read_or_exit
from edge_agent.cli.statements import period_text
from edge_agent.cli.words import counts_text, reason_text
from edge_agent.config.errors import ConfigError, did_you_mean
from edge_agent.config.site import Site, load_site, planned_calendars
from edge_agent.contract.canonical import canonical_object
from edge_agent.contract.counting import Line
from edge_agent.contract.messages import DefinitionReference, EquipmentEvidence, Figure, RecordEvidence
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.clock import CLOCK
from edge_agent.model.equipment import Register
from edge_agent.statements.keys import KeyFileError, signing_key
from edge_agent.statements.recompute import Correction, Outcome, work_out
from edge_agent.statements.record import RecordMaker
from edge_agent.statements.store import StatementArchive, StatementStore

EXIT_FAILED = 1
EXIT_MISTAKES = 2

_File = click.Path(exists=True, dir_okay=False, path_type=Path)
_Day = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option("--from", "from_", type=_Day, required=True, help="The first day, such as 2026-03-01.")
@click.option("--to", type=_Day, required=True, help="The day after the last one, such as 2026-04-01.")
@click.option("--register", type=_File, help="The register that was right in that time.")
@click.option("--processes", type=_File, help="Its processes, if they are in a file of their own.")
@click.option("--definition", help="Only the statements of this definition.")
@click.option("--show", is_flag=True, help="Show what would change, and change nothing.")
def recompute(
    config: Path,
    from_: datetime,
    to: datetime,
    register: Path | None,
    processes: Path | None,
    definition: str | None,
    show: bool,
) -> None:
    """Work out anew what the days and months that end in a time came to, from what is kept.

    With --register that register is noted as the right one of that time. A statement that comes out
    different is made again and supersedes the old one, which stays; all others are left as they are. The
    running agent sends the new ones within seconds; one that is not running, after its next start.

    Exit status: 0 done, 1 it cannot be done, 2 wrong configuration or register.
    """
    if from_ >= to:
        _fail("--from has to be before --to 起始日须早于截止日")
    if processes is not None and register is None:
        _fail("--processes belongs to a --register 须同时给出 --register")
    site = _site(config, definition)
    zone = ZoneInfo(site.gateway.timezone)
    begin_ms, end_ms = (round(day.replace(tzinfo=zone).timestamp() * 1000) for day in (from_, to))
    path = site.data_dir / "history.db"
    try:
        with closing(StatementArchive(path)) as archive:
            archive.last_number()  # an agent has run here
        correction = None
        if register is not None:
            right = _corrected(path, site, register, processes, end_ms - 1)
            correction = Correction(right, begin_ms, end_ms)
        with closing(_opened(path, site, show=show)) as opened:
            if correction is not None and not show:
                with closing(RegisterVersions(path)) as versions:
                    versions.correct(correction.register, begin_ms, end_ms, str(register), CLOCK.now_ms())
            gateway = site.gateway
            maker = RecordMaker(
                path,
                gateway.id,
                gateway.enterprise,
                zone,
                site.definitions,
                partial(planned_calendars, site),
            )
            with closing(maker), closing(RegisterVersions(path, read_only=True)) as versions:
                _tell(
                    work_out(opened, maker, versions, (begin_ms, end_ms), zone, correction), zone, show=show
                )
    except (sqlite3.Error, OSError, KeyFileError) as error:
        _fail(f"{site.data_dir}: {error}; has the agent run yet? 尚无运行记录")


def _site(config: Path, definition: str | None) -> Site:
    try:
        site = load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_MISTAKES)
    if definition is None:
        return site
    known = {one.id: one for one in site.definitions}
    if definition not in known:
        hint = did_you_mean(definition, known)
        _fail(f"{definition}: there is no such definition 没有此口径{'; ' + hint if hint else ''}")
    return replace(site, definitions=(known[definition],))


def _corrected(path: Path, site: Site, register: Path, processes: Path | None, time_ms: int) -> Register:
    """The register in the file; the headcount, which it does not tell, is that in force at that time."""
    found = read_or_exit(register, processes)
    with closing(RegisterVersions(path)) as versions:
        known = versions.at(time_ms) or site.register
    return replace(found, headcount=known.headcount)


def _opened(path: Path, site: Site, *, show: bool) -> StatementArchive:
    return StatementArchive(path) if show else StatementStore(path, signing_key(site.data_dir))


def _tell(outcomes: Iterator[Outcome], zone: ZoneInfo, *, show: bool) -> None:
    new = changed = same = 0
    for one in outcomes:
        if one.same:
            same += 1
            continue
        new, changed = new + (one.before is None), changed + (one.before is not None)
        for line in _change(one, zone):
            click.echo(line)
    made = "would be made 将生成" if show else "made 已生成"
    click.echo(f"{made}: {new} new 新增, {changed} superseding 替代; {same} as before 不变")


def _change(one: Outcome, zone: ZoneInfo) -> Iterator[str]:
    """A statement's counts before and now, and every line that is judged otherwise."""
    draft = one.draft
    title = f"{period_text(draft.period.kind, draft.period.from_ms, zone)} {draft.definition}"
    number = "" if one.after is None else f"  no. 号 {one.after.number}"
    if one.before is None:
        yield f"{title}: {_counts(draft.content)}{number}"
        return
    yield (
        f"{title}: {_counts(one.before.content)} → {_counts(draft.content)}{number}"
        f"  instead of 替代 {one.before.number}"
    )
    before, now = _lines(one.before.evidence or b'{"rule":""}'), _lines(canonical_object(draft.evidence))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield f"  {name}: {_difference(before.get(name), now.get(name))}"


def _counts(content: dict[str, Any]) -> str:
    figure = msgspec.convert(content["figures"][0], Figure)
    return counts_text(msgspec.convert(content["definition"], DefinitionReference), figure)


def _lines(evidence: bytes) -> dict[str, Line]:
    decoded = msgspec.json.decode(evidence, type=RecordEvidence)
    lines: list[Line] = [*decoded.equipment, *decoded.processes]
    return {one.equipment if isinstance(one, EquipmentEvidence) else one.process: one for one in lines}


def _difference(before: Line | None, now: Line | None) -> str:
    """How it was judged and is now; where that is the same, what else is another."""
    if before is not None and now is not None and before.reason == now.reason:
        was, found = msgspec.structs.asdict(before), msgspec.structs.asdict(now)
        changed = [f"{name} {was[name]} → {found.get(name)}" for name in was if was[name] != found.get(name)]
        return f"{reason_text(now.reason)}, {', '.join(changed)}"
    return " → ".join("-" if line is None else reason_text(line.reason) for line in (before, now))


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)
