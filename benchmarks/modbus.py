"""The agent end to end over Modbus: load server → agent (journal, states, MQTT uplink) → mosquitto.

    python -m benchmarks.modbus --devices 100 --registers 200 --period 1s --seconds 20

Prints values per second delivered at the broker, CPU of the agent, memory, and how old and how regular the
batches are, beside a bare loop of the same reads by the libraries alone, in the same run. Everything runs
on the loopback and ends by itself.
"""

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
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
)
from tests.field.mosquitto import Mosquitto


@dataclass(frozen=True)
class Load:
    devices: int
    registers: int
    period: float

    @property
    def values_per_second(self) -> float:
        return self.devices * self.registers / self.period


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
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt_port}, audience: plant}}
"""
    )
    return file


def agent_figures(load: Load, modbus_port: int, broker: Mosquitto, folder: Path, seconds: float) -> Figures:
    file = configure(folder, load, modbus_port, broker.port)
    with (
        process(sys.executable, "-m", "benchmarks.receiver", str(broker.port), TELEMETRY) as r,
        process(sys.executable, "-m", "edge_agent", "run", "--log-level", "warning", str(file)) as agent,
    ):
        line_of(r)
        return measure("edge agent", load.devices, load.period, agent, r, seconds)


def bare_figures(load: Load, modbus_port: int, broker: Mosquitto, seconds: float) -> Figures:
    arguments = [load.devices, load.registers, load.period, modbus_port, broker.port]
    with (
        process(sys.executable, "-m", "benchmarks.receiver", str(broker.port), "bare/#") as r,
        process(sys.executable, "-m", "benchmarks.bare_modbus", *map(str, arguments)) as bare,
    ):
        line_of(r)
        return measure("bare pymodbus + paho", load.devices, load.period, bare, r, seconds)


def report(load: Load, contenders: list[Figures]) -> Table:
    title = f"{load.devices} devices × {load.registers} registers every {load.period:g} s"
    rows = common_rows(load.values_per_second, contenders) | {
        "gap between batches ms, p1 / p50 / p99": [slashed(f.gap_ms[1:4]) for f in contenders],
        "batches whose values do not belong together": [str(f.torn) for f in contenders],
    }
    return table(f"{title}: {load.values_per_second:,.0f} values/s", contenders, rows)


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
        broker = stack.enter_context(
            Mosquitto(folder / "broker", "max_inflight_messages 1000\nset_tcp_nodelay true")
        )
        server = stack.enter_context(process(sys.executable, "-m", "benchmarks.modbus_load_server"))
        port = int(line_of(server))
        contenders = [agent_figures(load, port, broker, folder, seconds)]
        if bare:
            contenders.append(bare_figures(load, port, broker, seconds))
        Console().print(report(load, contenders))


if __name__ == "__main__":
    main()
