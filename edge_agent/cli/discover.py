"""`edge-agent discover`: what speaks on the network?"""

import asyncio
import ipaddress
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from edge_agent.cli.terminal import console as table_console
from edge_agent.cli.terminal import table
from edge_agent.discovery.addresses import USUAL_MOST, addresses
from edge_agent.discovery.file import Discovery, write
from edge_agent.discovery.mdns import PROTOCOL, Announced, announced
from edge_agent.discovery.protocols import recognisers
from edge_agent.discovery.snippets import Line, placeholder_ids, snippet
from edge_agent.discovery.survey import (
    CONNECTIONS_PER_S,
    HOST_LIMIT_S,
    HOSTS_AT_ONCE,
    Results,
    Survey,
    Surveyor,
    visits,
)
from edge_agent.model.found import Found, Recogniser, SerialPlace
from edge_agent.model.options import Duration
from edge_agent.signals import stop_on_signal

EXIT_NOTHING, EXIT_REFUSED, EXIT_STOPPED = 1, 2, 130
_MOST_SHOWN = 30
_PORTS = re.compile(r"(?P<protocol>[a-z0-9-]+)=(?P<ports>\d+(-\d+)?(,\d+(-\d+)?)*)")
_LAST_PORT = 65535
_BAUDRATES = ("1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200")


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--serial", multiple=True, metavar="DEVICE", help="A serial port, too: /dev/ttyUSB0.")
@click.option(
    "--baudrate", type=click.Choice(_BAUDRATES), multiple=True, default=("9600",), show_default=True,
    metavar="N", help="Of serial ports. May be given several times.",
)  # fmt: skip
@click.option(
    "--parity", type=click.Choice(["N", "E", "O"]), multiple=True, default=("E", "N"), show_default=True,
    help="Of serial ports, one after the other until somebody answers.",
)  # fmt: skip
@click.option(
    "--only", multiple=True, metavar="PROTOCOL", help="Look for this protocol only. May be repeated."
)
@click.option(
    "--port", "ports", multiple=True, metavar="PROTOCOL=PORTS",
    help="Look for a protocol there instead of where it is by custom: modbus=502,1502-1510.",
)  # fmt: skip
@click.option("--mdns", is_flag=True, help="Also ask the local network who announces OPC UA: one packet.")
@click.option("--timeout", default="1s", show_default=True, metavar="DURATION", help="Limit for one answer.")
@click.option("--large", is_flag=True, help=f"Allow more than {USUAL_MOST} addresses.")
@click.option("--yes", is_flag=True, help="Begin without the question, as scripts need it.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write what was found for `edge-agent match`; replaces the file.")  # fmt: skip
@click.option("--snippet", "show_snippet", is_flag=True, help="Also print connections to paste.")
def discover(
    targets: tuple[str, ...],
    serial: tuple[str, ...],
    baudrate: tuple[str, ...],
    parity: tuple[str, ...],
    only: tuple[str, ...],
    ports: tuple[str, ...],
    mdns: bool,
    timeout: str,
    large: bool,
    yes: bool,
    json_file: Path | None,
    show_snippet: bool,
) -> None:
    """Find out what speaks on TARGETs and serial ports. 发现设备。

    A TARGET is an address, a range, a network or a host name; nothing else is touched. Before anything is
    sent, a list shows what will be asked where, and a question waits for your yes. Only look around where
    you may: ask who is responsible for the network. Ctrl-C shows what was found until then.

    \b
      edge-agent discover 192.168.0.20                       one machine
      edge-agent discover 192.168.0.0/24 --json found.json   a network, for `edge-agent match`
      edge-agent discover 192.168.0.20-40 --only opcua       one protocol only
      edge-agent discover --serial /dev/ttyUSB0 --baudrate 19200
      edge-agent discover 192.168.0.7 --port modbus=1502     a port that is not the usual one

    Machines are read and never written to. While the agent runs it keeps its serial ports to itself.

    Exit status: 0 something was found, 1 nothing was, 2 refused or wrong, 130 stopped by Ctrl-C.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise click.UsageError(f"--json {json_file}: there is no such folder")
    plan = _plan(targets, serial, baudrate, parity, only, ports, timeout, large, mdns)
    say = Console(stderr=True, highlight=False)
    _show_plan(say, plan, mdns)
    if not yes:
        _ask()
    began = datetime.now(UTC)
    looked = asyncio.run(_look(plan, mdns, say))
    _show(looked, show_snippet)
    if json_file is not None:
        _write(_discovery(looked, plan, targets, serial, began), json_file)
        click.echo(f"written 已写入: {json_file}; 下一步 next: edge-agent match <CONFIG> {json_file}")
    if not looked.complete:
        sys.exit(EXIT_STOPPED)
    if not looked.results.found:
        sys.exit(EXIT_NOTHING)


@dataclass(frozen=True, slots=True)
class _Looked:
    results: Results
    announced: Sequence[Announced]
    complete: bool


def _plan(
    targets: Sequence[str],
    serial: Sequence[str],
    baudrates: Sequence[str],
    parities: Sequence[str],
    only: Sequence[str],
    ports: Sequence[str],
    timeout: str,
    large: bool,
    mdns: bool,
) -> Survey:
    """What the options ask for. Raises click.UsageError."""
    if not targets and not serial and not mdns:
        raise click.UsageError(
            "请给出要查找的地址或串口 name what to look at: addresses, --serial DEVICE or --mdns"
        )
    known = recognisers()
    names = [one.protocol for one in known]
    by_protocol = dict(map(_ports, ports))
    for name in (*only, *by_protocol):
        if name not in names:
            raise click.UsageError(
                f"{name!r} is no protocol that is known; expected one of: {', '.join(names)}"
            )
    wanted = [one for one in known if not only or one.protocol in only]
    try:
        hosts = addresses(targets)
        seconds = TypeAdapter(Duration).validate_python(timeout)
    except ValidationError as error:
        raise click.UsageError(f"--timeout: {error.errors()[0]['ctx']['error']}") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if len(hosts) > USUAL_MOST and not large:
        raise click.UsageError(
            f"地址过多 {len(hosts)} addresses are more than {USUAL_MOST}: name less, or add --large"
        )
    lines = tuple(
        SerialPlace(device, int(rate), parity)
        for device in dict.fromkeys(serial)
        for rate in baudrates
        for parity in parities
    )
    on_serial = tuple(one for one in wanted if one.serial)
    return Survey(tuple(hosts), visits(wanted, by_protocol), lines, on_serial, seconds)


def _ports(text: str) -> tuple[str, list[int]]:
    match = _PORTS.fullmatch(text)
    if match is None:
        raise click.UsageError(f"--port {text}: expected PROTOCOL=PORTS, such as modbus=502,1502-1510")
    ports: list[int] = []
    for part in match["ports"].split(","):
        first, _, last = part.partition("-")
        if not 1 <= int(first) <= int(last or first) <= _LAST_PORT:
            raise click.UsageError(f"--port {text}: ports are 1 to {_LAST_PORT}, the lower one first")
        ports += range(int(first), int(last or first) + 1)
    return match["protocol"], ports


def _show_plan(say: Console, plan: Survey, mdns: bool) -> None:
    say.print("将要访问 What will be touched:", style="bold")
    if plan.hosts:
        say.print(
            f"  地址 {len(plan.hosts)} address{'es' if len(plan.hosts) > 1 else ''}: {_runs(plan.hosts)}"
        )
        say.print("  端口 ports of each:")
        for recogniser, ports in _by_recogniser(plan):
            shown = _port_runs(ports)
            say.print(Text(f"    {shown:<12} {recogniser.protocol:<12} {recogniser.asks}"), soft_wrap=True)
        minutes = plan.seconds_if_nobody_answers() / 60
        say.print(
            f"  同一主机同时只有一个连接 one connection to a host at a time, {HOSTS_AT_ONCE} hosts at once, "
            f"{CONNECTIONS_PER_S} connections a second in all, at most {HOST_LIMIT_S:g} s a host; "
            f"无人应答时约 if nobody answers, about {max(minutes, 0.1):.1f} min",
            soft_wrap=True,
        )
    for place in plan.serial:
        names = ", ".join(one.protocol for one in plan.serial_recognisers)
        say.print(f"  串口 serial port {place}: {names}", soft_wrap=True)
    if mdns:
        say.print(
            "  本地网络 local network: one multicast question for _opcua-tcp._tcp (mDNS); "
            "who announces himself at a named address is asked there, too",
            soft_wrap=True,
        )


def _by_recogniser(plan: Survey) -> list[tuple[Recogniser, list[int]]]:
    found: dict[str, tuple[Recogniser, list[int]]] = {}
    for visit in plan.visits:
        for recogniser in visit.recognisers:
            found.setdefault(recogniser.protocol, (recogniser, []))[1].append(visit.port)
    return list(found.values())


def _port_runs(ports: Sequence[int]) -> str:
    """Ports as `502, 1502-1510`."""
    runs: list[list[int]] = []
    for port in sorted(ports):
        if runs and runs[-1][1] == port - 1:
            runs[-1][1] = port
        else:
            runs.append([port, port])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _runs(hosts: Sequence[str]) -> str:
    """Hosts as `192.168.0.20-192.168.0.40, 192.168.0.50`: nobody reads 254 lines, and none is left out."""
    numbered = [ipaddress.ip_address(host) for host in hosts]
    parts: list[str] = []
    start = end = numbered[0]
    for address in [*numbered[1:], None]:
        if address is not None and address.version == end.version and int(address) == int(end) + 1:
            end = address
            continue
        parts.append(str(start) if start == end else f"{start}-{end}")
        if address is not None:
            start = end = address
    return ", ".join(parts)


def _ask() -> None:
    if not sys.stdin.isatty():
        click.echo("没有终端可以确认 there is no terminal to ask on: add --yes", err=True)
        sys.exit(EXIT_REFUSED)
    if not click.confirm("开始查找吗 Begin?", default=False, err=True):
        click.echo("未访问任何设备 nothing was touched", err=True)
        sys.exit(EXIT_REFUSED)


async def _look(plan: Survey, mdns: bool, say: Console) -> _Looked:
    """Look until the end or until Ctrl-C."""
    stop = stop_on_signal()
    results = Results()
    heard: list[Announced] = []

    async def everything() -> None:
        if mdns:
            try:
                heard.extend(await announced())
            except OSError as error:
                say.print(f"mDNS: {error}", style="yellow")
        further = _further(plan, heard)
        places = plan.places + sum(one.places for one in further)
        with _progress(say, places) as (told, step):
            for survey in (plan, *further):
                await Surveyor(survey, results, told, step).look()

    work = asyncio.create_task(everything())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    complete = work.done()
    for task in (work, stopped):
        task.cancel()
    outcomes = await asyncio.gather(work, stopped, return_exceptions=True)
    if complete and isinstance(outcomes[0], BaseException):
        raise outcomes[0]
    return _Looked(results, heard, complete)


def _further(plan: Survey, heard: Sequence[Announced]) -> list[Survey]:
    """Visits to servers that announce themselves at an address that was named, on a port that was not."""
    recogniser = [one for visit in plan.visits for one in visit.recognisers if one.protocol == PROTOCOL]
    ports = {visit.port for visit in plan.visits}
    places = {(one.host, one.port) for one in heard if one.host in plan.hosts and one.port not in ports}
    return [
        replace(plan, hosts=(host,), visits=visits(recogniser[:1], {PROTOCOL: [port]}), serial=())
        for host, port in sorted(places)
        if recogniser
    ]


@contextmanager
def _progress(say: Console, total: int) -> Iterator[tuple[Callable[[Found], None], Callable[[int], None]]]:
    """A bar and what is found above it, if there is a terminal; else what is found alone."""
    columns = (TextColumn("查找 looking"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=say, transient=True, disable=not say.is_terminal) as progress:
        task = progress.add_task("", total=total)

        def told(found: Found) -> None:
            progress.console.print(
                Text(f"  + {_where(found)}  {found.protocol}  {_who(found)}"), soft_wrap=True
            )

        yield told, lambda count: progress.advance(task, count)


def _where(found: Found) -> str:
    return f"{found.where} {found.part}".rstrip()


def _who(found: Found) -> str:
    return " ".join(filter(None, (found.maker, found.model, found.name)))


def _write(discovery: Discovery, file: Path) -> None:
    try:
        write(discovery, file)
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be written: {error.strerror}") from None


def _discovery(
    looked: _Looked, plan: Survey, targets: Sequence[str], serial: Sequence[str], began: datetime
) -> Discovery:
    return Discovery(
        began=began.isoformat(timespec="seconds"),
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        complete=looked.complete,
        asked=(*targets, *serial),
        ports=tuple(visit.port for visit in plan.visits) if plan.hosts else (),
        hosts=len(plan.hosts),
        answered=tuple(sorted(looked.results.answered)),
        found=tuple(looked.results.found),
        troubles=tuple(looked.results.troubles),
        announced=tuple(looked.announced),
    )


def _show(looked: _Looked, show_snippet: bool) -> None:
    results = looked.results
    console = table_console()
    if not looked.complete:
        console.print("已停止 Stopped; found until then:", style="bold yellow")
    if results.found:
        console.print(_table(results.found))
    for one in looked.announced:
        console.print(
            Text(f"自行宣告 announces itself (mDNS): {one.name}  opc.tcp://{one.host}:{one.port}"),
            soft_wrap=True,
        )
    for trouble in results.troubles[:_MOST_SHOWN]:
        about = f"{trouble.where} {trouble.protocol}".rstrip()
        console.print(Text(f"未识别 not recognised: {about}: {trouble.why}", style="yellow"), soft_wrap=True)
    if len(results.troubles) > _MOST_SHOWN:
        console.print(f"… {len(results.troubles) - _MOST_SHOWN} more 更多: --json FILE")
    hosts = {one.host for one in results.found}
    console.print(
        f"发现 found: {len(results.found)}，主机 on {len(hosts)} hosts; "
        f"有应答的主机 hosts that answer at all: {len(results.answered)}",
        style="bold",
    )
    readable = [one for one in results.found if one.driver]
    if show_snippet and readable:
        lines = [
            Line(one, made, comment="编号须与设备台账一致 the id has to be the register's")
            for one, made in zip(readable, placeholder_ids(readable), strict=True)
        ]
        console.print(Text(snippet(lines)), soft_wrap=True)


def _table(found: Sequence[Found]) -> Table:
    headings = (
        "地址 where",
        "协议 protocol",
        "厂商 maker",
        "型号 model",
        "固件 firmware",
        "模板 profile",
        "说明 note",
    )
    return table(headings, map(_row, found))


def _row(one: Found) -> Sequence[str]:
    said = one.name if one.name and one.name != one.model else ""
    serial = f"s/n {one.serial_number}" if one.serial_number else ""
    readable = "" if one.driver else "仅识别 recognised only"
    notes = "; ".join(filter(None, (said, serial, one.note, readable)))
    return _where(one), one.protocol, one.maker, one.model, one.firmware, one.profile or "-", notes
