"""`edge-agent register`: the asset register (设备台账) as a file."""

import sqlite3
import sys
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import click

from edge_agent.config.errors import ConfigError
from edge_agent.config.register import read_register
from edge_agent.config.register_files import EXAMPLE, write_register
from edge_agent.config.site import load_site
from edge_agent.indicators.claims import WINDOW_MS, Claim, claims_of_connection, claims_of_register
from edge_agent.indicators.kept import KeptHistory
from edge_agent.model.equipment import Register
from edge_agent.words import CLAIMS, Language

EXIT_FAILED = 1
EXIT_MISTAKES = 2

_File = click.Path(exists=True, dir_okay=False, path_type=Path)
_NewFile = click.Path(dir_okay=False, path_type=Path)
_processes = click.option(
    "--processes", type=_File, help="The processes, if they are in a file of their own."
)
_language = click.option(
    "--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="Of the headings."
)


@click.group()
def register() -> None:
    """The asset register (设备台账): a template, a check, and other formats.

    A FILE is CSV, XLSX or YAML, by its suffix. Nothing is overwritten.
    """


@register.command()
@click.argument("file", type=_NewFile)
@_language
def template(file: Path, language: Language) -> None:
    """Write a register to start from: headings and example rows.

    With CSV the processes get a file of their own beside it.
    """
    _write(EXAMPLE, file, language)


@register.command()
@click.argument("file", type=_File)
@_processes
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="An agent's data folder; it is only read. What it does not support is listed.",
)
def check(file: Path, processes: Path | None, data: Path | None) -> None:
    """Check a register; every mistake is shown with its cell.

    Then: what it claims, and neither it nor the data folder supports.

    Exit status: 0 no mistake, 1 the data folder cannot be read, 2 mistakes.
    """
    found = read_or_exit(file, processes)
    workshops = len(found.workshops)
    click.echo(f"{len(found.equipment)} equipment in {workshops} workshops, {len(found.processes)} processes")
    click.echo(f"digest {found.digest}")
    _show_claims(claims_of_register(found, date.today()))
    if data is None:
        return
    try:
        history = KeptHistory(data / "history.db")
        as_of_ms = history.alive_ms()
        if as_of_ms is None:
            click.echo(f"{data}: no agent has run here yet 尚无运行记录")
            return
        kept = history.evidence(found.by_id, as_of_ms - WINDOW_MS, as_of_ms, {})
        history.close()
    except sqlite3.Error as error:
        click.echo(f"{data}: no history can be read: {error}", err=True)
        sys.exit(EXIT_FAILED)
    as_of = datetime.fromtimestamp(as_of_ms / 1000).astimezone()
    click.echo(f"evidence as of 证据截至 {as_of:%Y-%m-%d %H:%M:%S %z}")
    _show_claims(claims_of_connection(found, as_of.date(), kept, as_of_ms))


@register.command("import")
@click.argument("source", type=_File)
@click.argument("file", type=_NewFile)
@_processes
@_language
def import_(source: Path, file: Path, processes: Path | None, language: Language) -> None:
    """Read SOURCE, in any format, encoding and order of columns, and write it anew as FILE.

    Exit status: 0 written, 1 cannot be written, 2 mistakes in SOURCE.
    """
    _write(read_or_exit(source, processes), file, language)


@register.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.argument("file", type=_NewFile)
@_language
def export(config: Path, file: Path, language: Language) -> None:
    """Write the register that CONFIG uses as FILE.

    Exit status: 0 written, 1 cannot be written, 2 wrong configuration.
    """
    try:
        site = load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_MISTAKES)
    _write(site.register, file, language)


def read_or_exit(file: Path, processes: Path | None) -> Register:
    """The register in the file, or every mistake on standard error and exit status 2."""
    found, problems = read_register(
        file, str(file), None if processes is None else (processes, str(processes))
    )
    if problems or found is None:
        for problem in ConfigError(problems).problems:
            click.echo(str(problem), err=True)
        sys.exit(EXIT_MISTAKES)
    return found


def _write(found: Register, file: Path, language: Language) -> None:
    try:
        written = write_register(found, file, language)
    except OSError as error:
        click.echo(f"{error.filename}: cannot be written: {error.strerror}", err=True)
        sys.exit(EXIT_FAILED)
    for path in written:
        click.echo(f"written 已写入: {path}")


def _show_claims(claims: Iterable[Claim]) -> None:
    for claim in claims:
        detail = f" ({claim.detail})" if claim.detail else ""
        click.echo(f"{claim.subject}: {CLAIMS[claim.kind].both}{detail}")
