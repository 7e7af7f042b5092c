"""`edge-agent statements`: the statements of record that a data folder keeps."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.text import Text

from edge_agent.cli.evidence import claims_table, lines_tables, rates_table, table
from edge_agent.cli.terminal import console
from edge_agent.cli.words import counts_text, rate_text
from edge_agent.config.errors import ConfigError
from edge_agent.config.site import Site, load_site
from edge_agent.contract.messages import DefinitionReference, Figure, StatementOfRecord, decode
from edge_agent.indicators.claims import Claim, ClaimKind
from edge_agent.model.clock import CLOCK
from edge_agent.statements.export import evidence_file
from edge_agent.statements.keys import KEY_FILE, KeyFileError, signing_key
from edge_agent.statements.record import SCHEMA
from edge_agent.statements.store import Kept, StatementArchive

EXIT_FAILED = 1
EXIT_CONFIG = 2

_Config = click.argument("config", type=click.Path(exists=True, path_type=Path))
_day = click.DateTime(["%Y-%m-%d"])
_from = click.option("--from", "from_", type=_day, help="Periods that begin on this day or later.")
_to = click.option("--to", type=_day, help="Periods that are over when this day begins.")
_definition = click.option("--definition", help="Only those of this definition.")


@click.group()
def statements() -> None:
    """Statements of record (指标声明): what each day and month came to, signed and kept.

    \b
      edge-agent statements list site                       number, period, counts and rate of each
      edge-agent statements show site 12                    which machines count in number 12, and why
      edge-agent statements key site                        the public key, for the platform

    CONFIG is the agent's configuration; its data folder is only read, also while the agent runs.
    """


@statements.command("list")
@_Config
@_from
@_to
@_definition
def list_(config: Path, from_: datetime | None, to: datetime | None, definition: str | None) -> None:
    """List the statements: number, period, counts and rate of the enterprise, and what is superseded.

    Exit status: 0, 1 nothing is kept or it cannot be read, 2 wrong configuration.
    """
    site = _site(config)
    with _archive(site) as archive:
        chosen = _chosen(archive, site, from_, to, definition)
        rows = table(
            "号 no.", "期间 period", "口径 definition", "分子/分母 n/d", "比率 rate", "替代 superseded"
        )
        for kept in chosen:
            reference, figure = _enterprise(kept)
            rows.add_row(
                str(kept.number),
                period_text(kept.kind, kept.from_ms, ZoneInfo(site.gateway.timezone)),
                kept.subject,
                counts_text(reference, figure),
                rate_text(reference, figure),
                "" if kept.superseded_by is None else f"by 被 {kept.superseded_by}",
            )
    console().print(rows)


@statements.command()
@_Config
@click.argument("number", type=int)
def show(config: Path, number: int) -> None:
    """Show statement NUMBER: its figures, and every machine with the reason why it counts or not.

    Exit status: 0, 1 there is no such statement, 2 wrong configuration.
    """
    site = _site(config)
    with _archive(site) as archive:
        kept = archive.of_number(number)
    if kept is None or kept.schema != SCHEMA:
        _fail(f"there is no statement of record with number {number} 没有此编号的声明")
    message = decode(kept.message)
    assert isinstance(message, StatementOfRecord)  # noqa: S101 - its schema says so
    zone = ZoneInfo(message.timezone)
    out = console()
    title = message.definition.title
    click.echo(f"{title['zh']}  {title['en']}")
    facts = {
        "编号 number": str(message.number),
        "口径 definition": f"{message.definition.id}, 版本 version {message.definition.version}",
        "期间 period": period_text(message.period, message.from_, zone),
        "证据截至 evidence as of": _time(message.evidence_to, zone),
        "台账 register": message.register_version,
        "制作 made": f"{_time(message.time, zone)}, agent {message.agent}",
        "摘要 digest": kept.digest,
        "公钥 key": message.key,
        "替代 supersedes": "" if message.supersedes is None else str(message.supersedes.number),
        "被替代 superseded by": "" if kept.superseded_by is None else str(kept.superseded_by),
    }
    for name, text in facts.items():
        if text:
            click.echo(f"  {name}: {text}")
    out.print(rates_table(message.definition, message.figures))
    evidence = message.evidence
    windowed = message.evidence_from < message.evidence_to
    for heading, rows in lines_tables([*evidence.equipment, *evidence.processes], zone, windowed=windowed):
        out.print(Text(f"\n{heading}", style="bold"))
        out.print(rows)
    if message.claims:
        out.print(Text("\n无证据或不一致 Claims without evidence, and contradictions", style="bold"))
        out.print(
            claims_table([Claim(ClaimKind(one.kind), one.subject, one.detail) for one in message.claims])
        )


@statements.command()
@_Config
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_from
@_to
@_definition
@click.option(
    "--number", "numbers", type=int, multiple=True, help="Only this one; may be given several times."
)
def export(
    config: Path,
    file: Path,
    from_: datetime | None,
    to: datetime | None,
    definition: str | None,
    numbers: tuple[int, ...],
) -> None:
    """Write statements with all their evidence as FILE, for somebody else to check with `verify`.

    With them goes the rest of the chain, without evidence, so that nothing is left out unseen.

    Exit status: 0 written, 1 nothing to write or cannot be written, 2 wrong configuration.
    """
    site = _site(config)
    with _archive(site) as archive:
        chosen = {
            kept.number
            for kept in _chosen(archive, site, from_, to, definition)
            if not numbers or kept.number in numbers
        }
    if not chosen:
        _fail("there is no such statement 没有符合条件的声明")
    try:
        content = evidence_file(_history(site), signing_key(site.data_dir), chosen, CLOCK.now_ms())
        with file.open("xb") as target:
            target.write(content)
    except FileExistsError:
        _fail(f"{file}: is there already 文件已存在")
    except (OSError, KeyFileError, sqlite3.Error) as error:
        _fail(f"{file}: cannot be written: {error}")
    click.echo(f"written 已写入: {file}, {len(chosen)} statements 条声明, {len(content):,} bytes")


@statements.command()
@_Config
def key(config: Path) -> None:
    """Print the public key of the gateway's signatures, for those who check them.

    Exit status: 0, 1 there is no key, 2 wrong configuration.
    """
    site = _site(config)
    if not (site.data_dir / KEY_FILE).exists():
        _fail(f"{site.data_dir}: no agent has run here yet 尚无运行记录")
    try:
        click.echo(signing_key(site.data_dir).public)
    except (OSError, KeyFileError) as error:
        _fail(str(error))


def period_text(kind: str, from_ms: int, zone: ZoneInfo) -> str:
    """`2026-03-31`, or `2026-03` for a month."""
    begin = datetime.fromtimestamp(from_ms / 1000, zone)
    return f"{begin:%Y-%m}" if kind == "month" else f"{begin:%Y-%m-%d}"


def _time(time_ms: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, zone):%Y-%m-%d %H:%M:%S %z}"


def _enterprise(kept: Kept) -> tuple[DefinitionReference, Figure]:
    content: dict[str, Any] = kept.content
    return (
        msgspec.convert(content["definition"], DefinitionReference),
        msgspec.convert(content["figures"][0], Figure),
    )


def _chosen(
    archive: StatementArchive,
    site: Site,
    from_: datetime | None,
    to: datetime | None,
    definition: str | None,
) -> list[Kept]:
    zone = ZoneInfo(site.gateway.timezone)
    begin, end = (
        None if day is None else round(day.replace(tzinfo=zone).timestamp() * 1000) for day in (from_, to)
    )
    return [
        kept
        for kept in archive.all_of(SCHEMA, definition)
        if (begin is None or kept.from_ms >= begin) and (end is None or kept.to_ms <= end)
    ]


def _history(site: Site) -> Path:
    return site.data_dir / "history.db"


def _site(config: Path) -> Site:
    try:
        return load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)


@contextmanager
def _archive(site: Site) -> Iterator[StatementArchive]:
    """The statements; what cannot be read ends the command."""
    try:
        with closing(StatementArchive(_history(site))) as archive:
            if not archive.last_number():
                _fail(f"{site.data_dir}: no statement has been made yet 尚无声明")
            yield archive
    except sqlite3.Error as error:
        _fail(f"{site.data_dir}: no statements can be read: {error}; has the agent run yet? 尚无运行记录")


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)
