"""The agent end to end over OPC UA: server → agent (journal, states, MQTT uplink) → mosquitto.

    python -m benchmarks.opcua                   5,000 changes/s from a real server, asyncua's
    python -m benchmarks.opcua --player          50,000 changes/s, played

Prints changes per second delivered at the broker, CPU of the agent, memory, and how old the values are,
beside a bare loop of the same subscriptions by the libraries alone, in the same run. Everything runs on the
loopback, without message security, and ends by itself.

Real servers at hand saturate a core at about 5,000 changes per second. What comes beyond that is played by a
process that is no server and sends prepared publish responses (`opcua_player`): the figures are the agent's,
and say nothing of any server. Only there it is known how many changes were sent, and so whether any was lost.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.common import (
    ENTERPRISE,
    TELEMETRY,
    Figures,
    common_rows,
    line_of,
    measure,
    process,
    slashed,
    table,
    taken,
)
from tests.field.mosquitto import Mosquitto

DRAIN_S = 3.0


@dataclass(frozen=True)
class Load:
    devices: int
    tags: int
    period: float
    played: bool

    @property
    def values_per_second(self) -> float:
        return self.devices * self.tags / self.period


@dataclass(frozen=True)
class Source:
    """Whatever serves the changes. Device `i` is at `i % len(ports)`, numbered there in their order."""

    ports: list[int]
    processes: list[subprocess.Popen[str]]


@contextmanager
def source(load: Load, servers: int) -> Iterator[Source]:
    with ExitStack() as stack:
        if load.played:
            commands = [["benchmarks.opcua_player", str(load.tags)]]
        else:
            commands = [
                [
                    "benchmarks.opcua_load_server",
                    *map(str, (_share(load, servers, n), load.tags, load.period)),
                ]
                for n in range(servers)
            ]
        running = [stack.enter_context(process(sys.executable, "-m", *command)) for command in commands]
        yield Source([int(line_of(each)) for each in running], running)


def _share(load: Load, servers: int, number: int) -> int:
    return len(range(number, load.devices, servers))


def configure(folder: Path, load: Load, ports: list[int], mqtt_port: int) -> Path:
    """A configuration with one connection a server; returns its file."""
    rows = "\n".join(f"D{i},D{i},A" for i in range(load.devices))
    (folder / "register.csv").write_text(f"id,name,workshop\n{rows}\n")
    connections = []
    for number, port in enumerate(ports):
        connections.append(
            f"  - {{id: c{number}, driver: opcua, endpoint: 'opc.tcp://127.0.0.1:{port}', security: none,"
            f" period: {load.period * 1000:g}ms, equipment: ["
            + ",\n".join(_equipment(load, ports, number))
            + "]}"
        )
    file = folder / "agent.yaml"
    file.write_text(
        f"""
gateway: {{id: bench, region: "330300", enterprise: {ENTERPRISE}}}
register: register.csv
connections:
{chr(10).join(connections)}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt_port}, audience: plant}}
"""
    )
    return file


def _equipment(load: Load, ports: list[int], number: int) -> Iterator[str]:
    states = 'states: [{when: "t0 % 2 == 0", state: running}, {when: "t0 >= 0", state: idle}]'
    for place, device in enumerate(range(number, load.devices, len(ports))):
        tags = ", ".join(
            f'{{id: t{tag}, node: "nsu=urn:benchmark;s=D{place}.t{tag}"}}'
            if not load.played
            else f'{{id: t{tag}, node: "ns=1;s=D{place}.t{tag}"}}'
            for tag in range(load.tags)
        )
        yield f"    {{id: D{device}, {states}, tags: [{tags}]}}"


def agent_figures(
    load: Load, served: Source, broker: Mosquitto, folder: Path, seconds: float
) -> tuple[Figures, str]:
    """The figures, and in words what was lost."""
    file = configure(folder, load, served.ports, broker.port)
    with (
        process(sys.executable, "-m", "benchmarks.receiver", str(broker.port), TELEMETRY) as receiver,
        process(sys.executable, "-m", "edge_agent", "run", "--log-level", "warning", str(file)) as agent,
    ):
        line_of(receiver)
        figures = measure("edge agent", load.devices, load.period, agent, receiver, seconds)
        if not load.played:
            return figures, ""
        return figures, _balance(served.processes[0], receiver)


def _balance(player: subprocess.Popen[str], receiver: subprocess.Popen[str]) -> str:
    """Changes sent and changes arrived, from the first to the last."""
    assert player.stdin is not None
    player.stdin.write("stop\n")
    player.stdin.flush()
    time.sleep(DRAIN_S)
    player.stdin.write("count\n")
    player.stdin.flush()
    sent = json.loads(line_of(player))["sent"]
    arrived = taken(receiver)["total"]
    return f"{sent:,} changes played, {arrived:,} arrived at the broker: {sent - arrived:,} lost"


def bare_figures(load: Load, served: Source, broker: Mosquitto, seconds: float) -> Figures:
    arguments = [load.devices, load.tags, load.period, broker.port, *served.ports]
    with (
        process(sys.executable, "-m", "benchmarks.receiver", str(broker.port), "bare/#") as receiver,
        process(sys.executable, "-m", "benchmarks.bare_opcua", *map(str, arguments)) as bare,
    ):
        line_of(receiver)
        return measure("bare asyncua + paho", load.devices, load.period, bare, receiver, seconds)


def report(load: Load, contenders: list[Figures]) -> Table:
    by = "played by a process that is no server" if load.played else "from asyncua's server"
    title = f"{load.devices} devices × {load.tags} tags every {load.period:g} s, {by}"
    rows = common_rows(load.values_per_second, contenders) | {
        "source time → broker ms, p50 / p99 / max": [slashed(f.source_ms) for f in contenders],
        "changes of the counters missed / told twice": [f"{f.missed} / {f.repeated}" for f in contenders],
    }
    return table(f"{title}: {load.values_per_second:,.0f} changes/s", contenders, rows)


def median(runs: list[Figures]) -> Figures:
    """The run whose CPU time is the median, with the worst of what must not happen."""
    middle = sorted(runs, key=lambda figures: figures.cpu)[len(runs) // 2]
    return replace(middle, missed=max(run.missed for run in runs), repeated=max(run.repeated for run in runs))


@click.command()
@click.option("--devices", default=50, show_default=True)
@click.option("--tags", default=100, show_default=True, help="Of each device.")
@click.option("--period", default=1.0, show_default=True, help="Seconds; each tag changes once in it.")
@click.option("--servers", default=5, show_default=True, help="Processes that share the devices.")
@click.option("--player", is_flag=True, help="Played; --period 0.1 unless one is given: 50,000 changes/s.")
@click.option("--seconds", default=20.0, show_default=True, help="How long to measure each contender.")
@click.option("--runs", default=1, show_default=True, help="Of the agent; the median by CPU is shown.")
@click.option("--bare/--no-bare", default=True, show_default=True, help="Also measure the bare loop.")
@click.pass_context
def main(
    context: click.Context,
    devices: int,
    tags: int,
    period: float,
    servers: int,
    player: bool,
    seconds: float,
    runs: int,
    bare: bool,
) -> None:
    """Measure the agent over OPC UA, end to end."""
    if player:
        servers = 1
    if player and context.get_parameter_source("period") is click.core.ParameterSource.DEFAULT:
        period = 0.1
    load = Load(devices, tags, period, player)
    measured: list[Figures] = []
    for _ in range(runs):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            broker = stack.enter_context(
                Mosquitto(folder / "broker", "max_inflight_messages 1000\nset_tcp_nodelay true")
            )
            served = stack.enter_context(source(load, servers))
            figures, lost = agent_figures(load, served, broker, folder, seconds)
            measured.append(figures)
            if lost:
                click.echo(lost)
            if len(measured) == runs:
                contenders = [median(measured)]
                if bare and not player:
                    contenders.append(bare_figures(load, served, broker, seconds))
                Console().print(report(load, contenders))


if __name__ == "__main__":
    main()
