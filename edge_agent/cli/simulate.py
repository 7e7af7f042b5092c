"""`edge-agent simulate`: machines to try the agent on."""

import asyncio
import logging
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from edge_agent.config.shipped import shipped
from edge_agent.model.clock import CLOCK
from edge_agent.model.options import Duration
from edge_agent.signals import stop_on_signal
from edge_agent.simulator.fleet import DEFAULT_MODBUS_PORT, DEFAULT_OPCUA_PORT, MODBUS_SERVERS
from edge_agent.simulator.life import DEFAULT_SEED
from edge_agent.simulator.story import DEFAULT_TICK_MS, Story

PAPERS = ("register.csv", "processes.csv", "profiles.yaml")
_LAST_PORT = 65535
_MODBUS_PORT = click.IntRange(1, _LAST_PORT - len(MODBUS_SERVERS) + 1)


def _tick_ms(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    try:
        seconds: float = TypeAdapter(Duration).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(str(error.errors()[0]["ctx"]["error"])) from error
    return max(1, round(seconds * 1000))


@click.command()
@click.option("--seed", default=DEFAULT_SEED, show_default=True, help="Same seed, same history.")
@click.option(
    "--since",
    type=click.IntRange(min=0),
    metavar="EPOCH_MS",
    help="When the history began. Give the one that the first start printed to go on with its history "
    "after a restart.  [default: now]",
)
@click.option(
    "--tick",
    "tick_ms",
    default=f"{DEFAULT_TICK_MS}ms",
    show_default=True,
    callback=_tick_ms,
    metavar="DURATION",
    help="How often the machines change.",
)
@click.option(
    "--modbus-port",
    type=_MODBUS_PORT,
    default=DEFAULT_MODBUS_PORT,
    show_default=True,
    help=f"The first of {len(MODBUS_SERVERS)} consecutive ports.",
)
@click.option(
    "--opcua-port", type=click.IntRange(1, _LAST_PORT), default=DEFAULT_OPCUA_PORT, show_default=True
)
@click.option(
    "--write",
    "papers",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help=f"Write what a technician has of this workshop into FOLDER, and end: {', '.join(PAPERS)}.",
)
def simulate(
    seed: int, since: int | None, tick_ms: int, modbus_port: int, opcua_port: int, papers: Path | None
) -> None:
    """Run a simulated workshop: machines behind Modbus TCP and OPC UA, on the loopback only.

    They run, wait, are set up, raise alarms and are switched off as real ones do, and one is without
    power. Stop with Ctrl-C. `edge-agent demo` reads them all; to connect them step by step:

    \b
      edge-agent simulate --write .      its register, its processes, and what its registers mean
      edge-agent simulate                in a terminal of its own
    """
    if papers is not None:
        _write(papers)
        return
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    now_ms = CLOCK.now_ms()
    if since is not None and since > now_ms:
        raise click.BadParameter(f"{since} is in the future; now is {now_ms}", param_hint="--since")
    story = Story(now_ms if since is None else since, seed, tick_ms)
    try:
        asyncio.run(_run_until_signal(story, modbus_port, opcua_port))
    except OSError as error:
        raise click.ClickException(str(error)) from error


def _write(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in PAPERS:
            with (folder / name).open("xb") as file:
                file.write(shipped("demo", name).read_bytes())
            click.echo(f"written 已写入: {folder / name}")
    except OSError as error:
        raise click.ClickException(
            f"{error.filename}: cannot be written 无法写入: {error.strerror}"
        ) from None


async def _run_until_signal(story: Story, modbus_port: int, opcua_port: int) -> None:
    # Two protocol servers: no other command should wait for their import, or keep them in memory.
    from edge_agent.simulator.workshop import run

    stop = stop_on_signal()
    await run(story, modbus_port, opcua_port, click.echo, stop)
