"""`edge-agent modbus scan units` and `scan addresses`: what is there, for who has no manual at hand."""

import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from drivers.modbus.commands_access import (
    Access,
    console,
    device_access,
    failure,
    row,
    run_to_interrupt,
    table,
)
from drivers.modbus.options import BIT_TABLES, MAX_REGISTERS, ModbusConnection, Table
from drivers.modbus.scanning import (
    CHUNK,
    LATE,
    AddressScan,
    AddressScanner,
    FoundUnit,
    UnitScan,
    asking,
    scan_units,
)
from edge_agent.driver import DriverError

EXIT_STOPPED = 130
"""As shells say of what Ctrl-C has ended."""
_SUSPICIOUSLY_MANY = 32
"""A serial line carries so many units; where more answer, they are not units of a line."""
_FIRST_UNIT, _LAST_UNIT = 1, 247


@click.command()
@device_access(timeout="500ms", pause="100ms")
@click.option("--first", type=click.IntRange(0, 255), default=_FIRST_UNIT, show_default=True)
@click.option("--last", type=click.IntRange(0, 255), default=_LAST_UNIT, show_default=True)
def units(access: Access, first: int, last: int) -> None:
    """Find the units on a line or behind a gateway. 扫描站号。

    Asks each unit for one register. Whoever answers is there, also with a refusal. Where nobody is
    it takes --timeout, so all 247 take two minutes. Exit status 1 if none was found.

    \b
      edge-agent modbus scan units --serial /dev/ttyUSB0 --baudrate 19200 --parity N
      edge-agent modbus scan units 192.168.0.30 --last 32
    """
    _in_order(first, last)
    options = access.connection(max(first, 1), [])
    found = UnitScan()
    _finish(_scan_units(options, first, last, found), lambda: _show_units(found, first, last))
    if not found.found:
        sys.exit(1)


@click.command()
@device_access(timeout="500ms", pause="100ms")
@click.option("--unit", type=click.IntRange(0, 255), default=1, show_default=True, help="Unit id.")
@click.option(
    "--table",
    "tables",
    type=click.Choice(get_args(Table)),
    multiple=True,
    default=("holding",),
    show_default=True,
    help="May be given several times.",
)
@click.option("--first", type=click.IntRange(0, 65535), default=0, show_default=True)
@click.option("--last", type=click.IntRange(0, 65535), default=999, show_default=True)
@click.option(
    "--at-once",
    type=click.IntRange(1, MAX_REGISTERS),
    default=CHUNK,
    show_default=True,
    help="Addresses of one request. A power of two keeps values of several registers whole.",
)
def addresses(
    access: Access, unit: int, tables: Sequence[Table], first: int, last: int, at_once: int
) -> None:
    """Find the addresses that a unit has, and print them as a tag list. 扫描地址，生成点位表。

    A range that the unit refuses is halved until each address is settled. Many requests where little is
    there: a thousand addresses take seconds if the unit has them, minutes if it has none. The list goes to
    the standard output, to be pasted below an equipment; which type the values are, it cannot know.

    \b
      edge-agent modbus scan addresses 192.168.0.20 --unit 1 --last 199
      edge-agent modbus scan addresses 192.168.0.20 --table input --table coil > tags.yaml
    """
    _in_order(first, last)
    options = access.connection(unit, [])
    scans = [AddressScan(name) for name in dict.fromkeys(tables)]
    _finish(
        _scan_addresses(options, unit, scans, first, last, at_once),
        lambda: _show_addresses(options, unit, scans, first, last),
    )
    if not any(scan.found for scan in scans):
        sys.exit(1)


async def _scan_units(options: ModbusConnection, first: int, last: int, found: UnitScan) -> None:
    with _progress("站号 units", last + 1 - first) as step:
        async with asking(options) as asker:
            await scan_units(asker, first, last, found, lambda: step(1))


async def _scan_addresses(
    options: ModbusConnection, unit: int, scans: list[AddressScan], first: int, last: int, chunk: int
) -> None:
    for scan in scans:
        with _progress(f"地址 {scan.table}", last + 1 - first) as step:
            async with asking(options) as asker:
                await AddressScanner(asker, unit, step).scan(scan, first, last, chunk)


def _finish(work: Coroutine[Any, Any, None], show: Callable[[], None]) -> None:
    """Run a scan and show what it found, also when Ctrl-C or the device ended it."""
    try:
        run_to_interrupt(work)
    except KeyboardInterrupt:
        click.echo("已停止 Stopped; found until then:", err=True)
        show()
        sys.exit(EXIT_STOPPED)
    except DriverError as error:
        show()
        raise failure(error) from None
    show()


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the standard error, if that is a terminal."""
    to = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=to, transient=True, disable=not to.is_terminal) as progress:
        task = progress.add_task(what, total=total)

        def step(count: int) -> None:
            progress.advance(task, count)

        yield step


def _show_units(scan: UnitScan, first: int, last: int) -> None:
    asked = f"{first}-{last}" if scan.asked == last else f"{first}-{scan.asked or first} of {first}-{last}"
    found = scan.found
    if not found:
        click.echo(
            f"没有设备应答 No unit answered (asked: {asked}). Check wiring (A and B exchanged?), baudrate and"
            " parity, or the gateway's settings.",
            err=True,
        )
        return
    to = console()
    made = table("站号 unit", "holding 0", "设备标识 identification")
    for (answer, identity), group in groupby(found, lambda one: (one.answer, one.identity)):
        for run in _runs(list(group)):
            row(made, run, answer if answer != LATE else "too late", identity)
    to.print(made)
    to.print(f"{len(found)} 个站 units answer (asked: {asked})")
    if any(one.answer == LATE for one in found):
        click.echo("Some answer too late: scan again with a longer --timeout. 请加长 --timeout。", err=True)
    if len(found) > _SUSPICIOUSLY_MANY:
        click.echo(
            "So many are no units of one line: most devices on TCP answer whatever the unit id is."
            " 多数 TCP 设备不检查站号。",
            err=True,
        )


def _runs(units: Sequence[FoundUnit]) -> Iterator[str]:
    """Units that follow one another, as `3` or `1-247`."""
    for _, group in groupby(enumerate(units), lambda at: at[1].unit - at[0]):
        run = [one.unit for _, one in group]
        yield str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"


def _show_addresses(
    options: ModbusConnection, unit: int, scans: Sequence[AddressScan], first: int, last: int
) -> None:
    click.echo(f"# unit {unit} at {options.endpoint}")
    for scan in scans:
        asked = (
            f"{scan.settled} of {first}-{last} asked" if scan.settled <= last - first else f"{first}-{last}"
        )
        runs = ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in scan.ranges())
        click.echo(f"# {scan.table}, {asked}: {scan.refusal or runs or 'none'}")
    if not any(scan.found for scan in scans):
        return
    click.echo("tags:")
    for scan in scans:
        for address, value in sorted(scan.found.items()):
            shown = str(value) if scan.table in BIT_TABLES else f"{value} 0x{value:04X}"
            tag = f"{{id: {scan.table}_{address}, table: {scan.table}, address: {address}}}"
            click.echo(f"  - {tag}  # {shown}")


def _in_order(first: int, last: int) -> None:
    if last < first:
        raise click.UsageError(f"--last {last} is before --first {first}")
