"""`edge-agent opcua browse`, `read` and `watch`: what a server has, and what it says."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from drivers.opcua.browsing import Browser
from drivers.opcua.commands_access import connection, opened, run, server_access
from drivers.opcua.looking import find, look, quality_text, shown, time_text
from drivers.opcua.meanings import meanings
from drivers.opcua.nodes import NodeName
from drivers.opcua.options import ServerAccess
from drivers.opcua.places import Way
from drivers.opcua.session import Session
from drivers.opcua.tag_lists import tag_lines
from drivers.opcua.trees import Branch, grow
from edge_agent.driver import ConnectionFailed, TagSet
from edge_agent.model.batch import Batch

_PLAIN_WIDTH = 200
"""Columns of a table that no terminal shows: a file, a pipe."""
_AGAIN = 3.0
"""Seconds until `watch` connects again."""
_OBJECTS = "i=85"


@click.command()
@server_access
@click.argument("node", default=_OBJECTS)
@click.option("--depth", type=click.IntRange(0, 50), help="Levels below NODE. Default: 2, with --tags 8.")
@click.option("--limit", type=click.IntRange(1), default=500, show_default=True, help="Nodes at most.")
@click.option("--values", is_flag=True, help="Read the variables, too.")
@click.option("--tags", is_flag=True, help="Write the variables as a tag list to paste.")
@click.option("--paths", is_flag=True, help="With --tags: by path below NODE, as profiles need them.")
def browse(
    access: ServerAccess, node: str, depth: int | None, limit: int, values: bool, tags: bool, paths: bool
) -> None:
    """Show what stands below NODE, by default the Objects folder. 浏览节点树。

    NODE is a NodeId or a browse path; in a path * stands for any characters and ** for any levels.

    \b
      edge-agent opcua browse URL
      edge-agent opcua browse URL "nsu=http://example.com/machine;s=Lathe" --values
      edge-agent opcua browse URL "/Objects/Machines/*/Monitoring" --depth 4
      edge-agent opcua browse URL "**/Monitoring/*/FeedOverride" --tags
    """
    levels = depth if depth is not None else (8 if tags else 2)
    run(_browse(access, node, levels, limit, values=values, tags=tags or paths, paths=paths))


@click.command()
@server_access
@click.argument("nodes", metavar="NODE...", nargs=-1, required=True)
def read(access: ServerAccess, nodes: tuple[str, ...]) -> None:
    """Read variables once. 读取当前值。

    A NODE is a NodeId or a browse path, which may lead to several variables. Exit status 1 if one of them
    is bad.

    \b
      edge-agent opcua read URL "nsu=http://example.com/machine;s=Axis.Load" ns=2;i=1001
      edge-agent opcua read URL "/Objects/Machines/*/Identification/SerialNumber"
    """
    if not run(_read(access, nodes)):
        raise SystemExit(1)


@click.command()
@server_access
@click.argument("nodes", metavar="NODE...", nargs=-1, required=True)
@click.option("--period", metavar="DURATION", default="500ms", show_default=True, help="Publishing interval.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="End after so long.")
def watch(access: ServerAccess, nodes: tuple[str, ...], period: str, seconds: float | None) -> None:
    """Show variables as they change, until Ctrl-C. 实时监视变化。

    One line a change, with the time that the controller gave it. After a loss the connection is made again.
    """
    with suppress(KeyboardInterrupt):
        run(_watch(access, nodes, period, seconds))


async def _browse(
    access: ServerAccess, text: str, depth: int, limit: int, *, values: bool, tags: bool, paths: bool
) -> None:
    async with opened(access) as session:
        branches = await grow(Browser(session), await _find(session, [text]), depth, limit)
        if tags:
            await _print_tags(session, text, branches, paths=paths)
        else:
            await _print_tree(session, branches, values=values)
        hidden = sum(branch.hidden for root in branches for branch in _all(root))
        if hidden:
            click.echo(
                f"{hidden} more nodes: --depth, --limit, or a NODE further down. 还有更多节点。", err=True
            )


async def _print_tree(session: Session, branches: Sequence[Branch], *, values: bool) -> None:
    everything = [branch for root in branches for branch in _all(root)]
    texts: dict[Branch, str] = {}
    if values:
        variables = [branch for branch in everything if branch.child.is_variable]
        looks = await look(session, [branch.child.node for branch in variables])
        for branch, one in zip(variables, looks, strict=True):
            good = one.quality == "good"
            texts[branch] = f"{one.value} {one.unit}".strip() if good else one.quality
    console = _console()
    for root in branches:
        console.print(_tree(session, root, texts), soft_wrap=True)


def _tree(session: Session, branch: Branch, texts: dict[Branch, str]) -> Tree:
    label = Text(branch.child.name, style="" if branch.child.is_variable else "bold")
    if branch in texts:
        label.append(f" = {texts[branch]}", style="green")
    node = str(NodeName.of(branch.child.node, session.namespaces))
    if node != branch.child.name:
        label.append(f"  {node}", style="dim")
    tree = Tree(label)
    for below in branch.below:
        tree.add(_tree(session, below, texts))
    if branch.hidden:
        tree.add(Text(f"… {branch.hidden} more", style="dim"))
    return tree


async def _print_tags(session: Session, text: str, branches: Sequence[Branch], *, paths: bool) -> None:
    found = [branch for root in branches for branch in root.variables()]
    looks = await look(session, [branch.child.node for branch in found])
    units = {branch: one.unit for branch, one in zip(found, looks, strict=True)}
    fields = {branch: tuple(one.fields) for branch, one in zip(found, looks, strict=True) if one.fields}
    lines = tag_lines(found, session.namespaces, units, fields, by_path=paths)
    if paths:
        click.echo(f"# paths below {text}: write it as the equipment's base")
    click.echo("tags:")
    for line in lines:
        click.echo(f"  {line}")


async def _read(access: ServerAccess, texts: Sequence[str]) -> bool:
    async with opened(access) as session:
        looks = await look(session, [way[-1].node for way in await _find(session, texts)])
        console = _console()
        table = _table(
            "节点 node",
            "值 value",
            "单位 unit",
            "质量 quality",
            "类型 type",
            "源时间 source time (UTC)",
            "服务器时间 server time",
        )
        for one in looks:
            times = time_text(one.source_ms), time_text(one.server_ms)
            _row(table, one.name, one.value, one.unit, one.quality, one.type, *times)
            for field, value in one.fields.items():
                _row(table, f"  field: {field}", value)
        console.print(table)
        return not any(one.quality.startswith("bad") for one in looks)


async def _watch(access: ServerAccess, texts: Sequence[str], period: str, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async with opened(access) as session:
                nodes = [way[-1].node for way in await _find(session, texts)]
                names = [str(NodeName.of(node, session.namespaces)) for node in nodes]
                stated = await meanings(session, nodes)
            ids = {f"t{number}": number for number in range(len(nodes))}
            tags: list[dict[str, object]] = [
                {"id": made, "node": names[number]} for made, number in ids.items()
            ]
            options = connection(access, tags, period=period)
            equipment = options.equipment[0]

            def show(batch: Batch) -> None:
                for index, tag in enumerate(batch.tags):
                    name, meaning = names[ids[tag]], stated[ids[tag]]
                    source = batch.source_ms[index] if batch.source_ms is not None else None
                    flaw = batch.flaws.get(index)
                    cells = [
                        time_text(source or batch.received_ms),
                        name,
                        f"{shown(batch.values[index], meaning.texts)} {meaning.unit}".strip(),
                    ]
                    click.echo("  ".join([*cells, quality_text(flaw)] if flaw is not None else cells))

            from drivers.opcua.driver import OpcuaDriver  # which imports the commands

            driver = OpcuaDriver(options, [TagSet(equipment, equipment.tags, options.period)])
            while True:
                try:
                    await driver.open()
                    async for batch in driver.stream():
                        show(batch)
                except ConnectionFailed as error:
                    click.echo(f"{time.strftime('%H:%M:%S')}  {error}. 正在重连 connecting again", err=True)
                finally:
                    await driver.close()
                await asyncio.sleep(_AGAIN)


async def _find(session: Session, texts: Sequence[str]) -> list[Way]:
    try:
        return [found for text in texts for found in await find(session, text)]
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _all(branch: Branch) -> list[Branch]:
    return [branch, *(one for below in branch.below for one in _all(below))]


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for index, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", min_width=60 if index == 0 else None)
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(cell) for cell in cells))
