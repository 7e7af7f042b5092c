"""The agent end to end over Modbus: load server → agent (journal, states, MQTT uplink) → mosquitto.

    python -m benchmarks.modbus --devices 100 --registers 200 --period 1s --seconds 20

Prints values per second delivered at the broker, CPU of the agent, memory, and how old and how regular the
batches are, beside a bare loop of the same reads by the libraries alone, in the same run. Everything runs
on the loopback and ends by itself.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edge_agent.config.identity import credit_code
from tests.field.mosquitto import Mosquitto

ENTERPRISE = credit_code("91330300MA00DEM06A")
SETTLE_S = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    devices: int
    registers: int
    period: float

    @property
    def values_per_second(self) -> float:
        return self.devices * self.registers / self.period


@dataclass(frozen=True)
class Figures:
    """Of one contender, over the measured time."""

    name: str
    values_per_second: float
    cpu: float
    rss_mb: float
    latency_ms: list[float]
    gap_ms: list[float]
    torn: int
    devices: int


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()


def line_of(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(
    name: str, load: Load, contender: subprocess.Popen[str], receiver: subprocess.Popen[str], seconds: float
) -> Figures:
    """Wait until all devices deliver, then measure for `seconds`."""
    deadline = time.monotonic() + 120
    while taken(receiver)["devices"] < load.devices:
        if time.monotonic() > deadline or contender.poll() is not None:
            raise click.ClickException(f"{name} did not deliver all devices")
        time.sleep(2 * load.period + 0.5)
    time.sleep(SETTLE_S)
    taken(receiver)
    start, cpu = time.monotonic(), cpu_seconds(contender.pid)
    time.sleep(seconds)
    result = taken(receiver)
    elapsed, cpu = time.monotonic() - start, cpu_seconds(contender.pid) - cpu
    return Figures(
        name=name,
        values_per_second=result["values"] / elapsed,
        cpu=cpu / elapsed,
        rss_mb=rss_mb(contender.pid),
        latency_ms=result["latency_ms"],
        gap_ms=result["gap_ms"],
        torn=result["torn"],
        devices=result["devices"],
    )


def taken(receiver: subprocess.Popen[str]) -> dict[str, Any]:
    assert receiver.stdin is not None
    receiver.stdin.write("count\n")
    receiver.stdin.flush()
    answer: dict[str, Any] = json.loads(line_of(receiver))
    return answer


def configure(folder: Path, load: Load, modbus_port: int, mqtt_port: int) -> Path:
    """A configuration with one connection a device; returns its file."""
    names = [f"D{i}" for i in range(load.devices)]
    rows = "\n".join(f"{name},{name},A" for name in names)
    (folder / "register.csv").write_text(f"id,name,workshop\n{rows}\n")
    tags = "\n".join(
        f"      - {{id: r{a}, table: holding, address: {a}, type: uint16}}" for a in range(load.registers)
    )
    connections = "\n".join(
        f"  - {{id: c-{name}, driver: modbus, host: 127.0.0.1, port: {modbus_port},"
        f" period: {load.period}s, equipment: [{{id: {name}, unit: 1, profile: device}}]}}"
        for name in names
    )
    file = folder / "agent.yaml"
    file.write_text(
        f"""
gateway: {{id: bench, region: "330300", enterprise: {ENTERPRISE}}}
register: register.csv
profiles:
  device:
    driver: modbus
    tags:
{tags}
    states:
      - {{when: "r0 % 2 == 0", state: running}}
      - {{when: "r1 >= 0", state: running}}
connections:
{connections}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt_port}}}
"""
    )
    return file


def agent_figures(load: Load, modbus_port: int, broker: Mosquitto, folder: Path, seconds: float) -> Figures:
    file = configure(folder, load, modbus_port, broker.port)
    with (
        process(
            sys.executable, "-m", "benchmarks.receiver", str(broker.port), "fta/v1/+/+/+/telemetry/#"
        ) as r,
        process(sys.executable, "-m", "edge_agent", "run", "--log-level", "warning", str(file)) as agent,
    ):
        line_of(r)
        return measure("edge agent", load, agent, r, seconds)


def bare_figures(load: Load, modbus_port: int, broker: Mosquitto, seconds: float) -> Figures:
    arguments = [load.devices, load.registers, load.period, modbus_port, broker.port]
    with (
        process(sys.executable, "-m", "benchmarks.receiver", str(broker.port), "bare/#") as r,
        process(sys.executable, "-m", "benchmarks.bare_modbus", *map(str, arguments)) as bare,
    ):
        line_of(r)
        return measure("bare pymodbus + paho", load, bare, r, seconds)


def report(load: Load, contenders: list[Figures]) -> Table:
    title = f"{load.devices} devices × {load.registers} registers every {load.period:g} s"
    table = Table(title=f"{title}: {load.values_per_second:,.0f} values/s")
    table.add_column("")
    for figures in contenders:
        table.add_column(figures.name, justify="right")
    rows = {
        "values/s at the broker": [f"{f.values_per_second:,.0f}" for f in contenders],
        "share of what was due": [f"{f.values_per_second / load.values_per_second:.1%}" for f in contenders],
        "CPU s/s": [f"{f.cpu:.3f}" for f in contenders],
        "CPU ms per 1,000 values": [f"{1e6 * f.cpu / f.values_per_second:.2f}" for f in contenders],
        "RSS MB": [f"{f.rss_mb:.0f}" for f in contenders],
        "answer → broker ms, p50 / p99 / max": [
            " / ".join(f"{v:g}" for v in f.latency_ms) for f in contenders
        ],
        "gap between batches ms, p1 / p50 / p99": [
            " / ".join(f"{v:g}" for v in f.gap_ms[1:4]) for f in contenders
        ],
        "batches whose values do not belong together": [str(f.torn) for f in contenders],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


@click.command()
@click.option("--devices", default=100, show_default=True)
@click.option("--registers", default=200, show_default=True)
@click.option("--period", default=1.0, show_default=True, help="Seconds.")
@click.option("--seconds", default=20.0, show_default=True, help="How long to measure each contender.")
@click.option("--bare/--no-bare", default=True, show_default=True, help="Also measure the bare loop.")
def main(devices: int, registers: int, period: float, seconds: float, bare: bool) -> None:
    """Measure the agent over Modbus, end to end."""
    load = Load(devices, registers, period)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Mosquitto(folder / "broker", "max_inflight_messages 1000\nset_tcp_nodelay true"))
        server = stack.enter_context(process(sys.executable, "-m", "benchmarks.modbus_load_server"))
        port = int(line_of(server))
        contenders = [agent_figures(load, port, broker, folder, seconds)]
        if bare:
            contenders.append(bare_figures(load, port, broker, seconds))
        Console().print(report(load, contenders))


if __name__ == "__main__":
    main()
