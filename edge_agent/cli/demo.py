"""`edge-agent demo`: a simulated workshop, a broker and the agent, to look at."""

import asyncio
import json
import logging
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from edge_agent.agent import Agent
from edge_agent.cli.run import (
    EXIT_FAILED,
    load_or_exit,
    make_or_exit,
    run_loop,
    until_stopped,
)
from edge_agent.cli.table import live_table
from edge_agent.config.models import MqttUplinkOptions
from edge_agent.config.shipped import shipped
from edge_agent.config.site import Site
from edge_agent.signals import stop_on_signal
from edge_agent.simulator.stage import (
    Ports,
    StageError,
    copy_configuration,
    embedded_broker,
    free_ports,
    workshop,
)

REFRESH_S = 0.5
DRAIN_S = 5.0


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself after this time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end, and no table.")
def demo(seconds: float | None, as_json: bool) -> None:
    """Show the agent at work on a simulated workshop of twenty machines.

    Starts the workshop (Modbus TCP and OPC UA) and a small MQTT broker as processes on the loopback, and
    the agent on configs/demo. Ctrl-C ends all of it. Nothing is left behind.
    """
    logging.basicConfig(level=logging.CRITICAL)
    say = Console(stderr=True, highlight=False)
    try:
        with ExitStack() as stage:
            folder = Path(stage.enter_context(tempfile.TemporaryDirectory(prefix="edge-agent-demo-")))
            ports = free_ports()
            say.print("starting the simulated workshop … 启动模拟车间")
            plant, broker = workshop(ports), embedded_broker(ports)
            stage.enter_context(plant)
            stage.enter_context(broker)
            broker.start()
            plant.start()
            site = load_or_exit(copy_configuration(shipped() / "demo", folder / "demo", ports))
            sys.exit(run_loop(lambda: _show(site, ports, seconds, as_json)))
    except KeyboardInterrupt:
        sys.exit(0)  # before the agent ran: nothing has to be finished
    except StageError as error:
        say.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(EXIT_FAILED)


async def _show(site: Site, ports: Ports, seconds: float | None, as_json: bool) -> int:
    stop = stop_on_signal()
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, stop.set)
    agent = make_or_exit(site)
    console = Console()
    display = None if as_json else asyncio.create_task(_live(agent, console, ports.broker, stop))
    status = await until_stopped(agent, stop, DRAIN_S)
    if display is not None:
        await display
        console.print(f"\nstopped 已停止; readings 读数: {reading_counts(agent)}", highlight=False)
    else:
        click.echo(json.dumps(summary(agent), ensure_ascii=False, indent=2))
    return status


async def _live(agent: Agent, console: Console, broker_port: int, stop: asyncio.Event) -> None:
    (root,) = (one.root for one in agent.site.uplinks if isinstance(one, MqttUplinkOptions))
    watch = f"mosquitto_sub -h 127.0.0.1 -p {broker_port} -v -t '{root}/#'"
    page = agent.site.console
    if page is not None:
        console.print(f"The agent's own page 网页: [bold]http://{page.listen}[/bold]", highlight=False)
    console.print("See the messages in another terminal 在另一终端查看消息:", highlight=False)
    console.print(f"  {watch}", style="bold", highlight=False, soft_wrap=True)
    console.print("Ctrl-C ends the demo. 按 Ctrl-C 结束演示。\n")
    with Live(live_table(agent, console.width), console=console, auto_refresh=False) as live:
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), REFRESH_S)
            live.update(live_table(agent, console.width), refresh=True)


def summary(agent: Agent) -> dict[str, Any]:
    """Machines, indicators and counts as they are now, for `--json`."""
    return {
        "machines": [
            {
                "id": view.equipment.id,
                "name": view.equipment.name,
                "workshop": view.equipment.workshop,
                "state": view.state.state.value,
                "cause": view.state.cause,
                "link": view.link.label,
                "age_ms": view.age_ms,
            }
            for view in agent.view()
        ],
        "indicators": [
            {
                "definition": name,
                "scope": {"level": figure.scope.level, "id": figure.scope.id},
                "numerator": figure.numerator,
                "denominator": figure.denominator,
                "rate": figure.rate,
                "unknown": figure.unknown,
            }
            for name, statements in agent.figures.statements.items()
            for figure in statements.figures
            if figure.scope.level != "line"
        ],
        "readings": reading_counts(agent),
    }


def reading_counts(agent: Agent) -> dict[str, int]:
    """How many readings got how far, since the start."""
    return {
        "taken": agent.readings,
        "journalled": agent.journal.readings_recorded,
        "published": sum(u.statistics.readings_published for u in agent.uplinks),
        "acknowledged": sum(u.statistics.readings_acknowledged for u in agent.uplinks),
    }
