"""A line of 64 kbit/s: how fast a backlog drains, and how late live data is meanwhile.

    python -m benchmarks.narrow_line --figure docs/images/narrow-line.svg

A gateway with a backlog of readings, whose machines go on working, sends to a mosquitto behind a line of
64 kbit/s, of which a twentieth goes to TCP and IP. A subscriber of that broker sees when what arrives. Each
machine has ten values a second that all change at random, which is the worst for compression. About sixteen
minutes with the default.
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import click
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table

from benchmarks.common import line_of, process
from benchmarks.narrow_figure import figure
from benchmarks.uplink_contender import ROOT
from edge_agent.contract.compression import unpacked
from edge_agent.contract.messages import AnyMessage, Bundle, Event, State, Status, Telemetry, decode
from tests.field.line import Line
from tests.field.mosquitto import Mosquitto

LINE = 64_000 / 8 * 0.95
"""Bytes a second."""
RATE = "56kbit/s"
PLAIN: Mapping[str, object] = {"rate": RATE}
NARROW: Mapping[str, object] = {"rate": RATE, "compression": "zlib", "gather": "500ms"}
SETTLE_S = 5.0
WEEK_S = 7 * 86_400


@dataclass
class Arrivals:
    """What a subscriber at the broker saw; times are in seconds since it began.

    Live is what is numbered since the gateway's connection stands.
    """

    begin: float = field(default_factory=time.time)
    backlog: list[float] = field(default_factory=list)
    """When each message of the backlog came."""
    readings: list[tuple[float, float]] = field(default_factory=list)
    """When live telemetry came, and how old it was."""
    urgent: list[tuple[float, float]] = field(default_factory=list)
    """The same of states and events."""
    live_after: int = 0
    payload: int = 0
    values: int = 0

    def take(self, payload: bytes) -> None:
        message = decode(unpacked(payload))
        if isinstance(message, Bundle | Telemetry):
            self.payload += len(payload)
        for one in map(decode, map(bytes, message.messages)) if isinstance(message, Bundle) else (message,):
            self._take(one, time.time())

    def _take(self, message: AnyMessage, now: float) -> None:
        at = now - self.begin
        if isinstance(message, Status):
            self.live_after = self.live_after or message.live_after
        elif isinstance(message, State | Event):
            self.urgent.append((at, now - message.time / 1000))
        elif isinstance(message, Telemetry):
            self.values += len(message.values)
            assert isinstance(message.seq, int)
            if message.seq <= self.live_after:
                self.backlog.append(at)
            else:
                self.readings.append((at, now - message.received / 1000))

    def drained(self, from_s: float, to_s: float) -> float:
        """Messages of the backlog a second."""
        return sum(from_s <= at < to_s for at in self.backlog) / (to_s - from_s)


@contextmanager
def arrivals(port: int) -> Iterator[Arrivals]:
    found, ready = Arrivals(), threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: found.take(message.payload)
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(f"{ROOT}/#", qos=1)
    ready.wait(10)
    try:
        yield found
    finally:
        client.disconnect()
        client.loop_stop()


def run(machines: int, backlog: int, options: Mapping[str, object], seconds: float) -> Arrivals:
    """`seconds` of a gateway with `backlog` old messages."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Mosquitto(Path(folder) / "broker", "set_tcp_nodelay true") as broker,
        Line(broker.port) as line,
        arrivals(broker.port) as found,
    ):
        line.bytes_per_second = LINE
        command = [sys.executable, "-m", "benchmarks.narrow_gateway", str(line.port), str(machines)]
        with process(*command, str(backlog), folder, json.dumps(options)) as gateway:
            assert line_of(gateway) == "ready"
            found.begin = time.time()
            assert gateway.stdin is not None
            gateway.stdin.write("\n")
            gateway.stdin.flush()
            time.sleep(seconds)
            if gateway.poll() is not None:
                raise click.ClickException("the gateway ended")
    return found


def late(delays: Sequence[tuple[float, float]], from_s: float, to_s: float) -> str:
    """p50 / p99 / max in seconds of what came between."""
    chosen = sorted(delay for at, delay in delays if from_s <= at < to_s)
    if len(chosen) < 2:
        return "-"
    cuts = quantiles(chosen, n=100, method="inclusive")
    return f"{cuts[49]:.2f} / {cuts[98]:.2f} / {chosen[-1]:.2f}"


def column(found: Arrivals, machines: int, until: float) -> list[str]:
    rate = found.drained(SETTLE_S, until)
    return [
        f"{found.payload / found.values:.1f}",
        f"{rate:.1f}",
        f"{WEEK_S * machines / rate / 3600:,.1f}" if rate else "never",
        late(found.readings, SETTLE_S, until),
        late(found.urgent, SETTLE_S, until),
    ]


ROWS = (
    "bytes a value, in payloads",
    "messages of the backlog a second",
    "7 days of backlog, hours (worked out)",
    "live readings late, s: p50 / p99 / max",
    "states and events late, s: p50 / p99 / max",
)


@click.command()
@click.option("--machines", default="1,10,50,100", show_default=True, help="Numbers of machines to try.")
@click.option("--seconds", default=60.0, show_default=True, help="How long to measure each.")
@click.option(
    "--figure", "target", type=click.Path(path_type=Path), help="Draw how an hour of ten machines drains."
)
def main(machines: str, seconds: float, target: Path | None) -> None:
    """Measure a narrow line."""
    table = Table(title=f"64 kbit/s, rate: {RATE}, {seconds:.0f} s each")
    table.add_column("")
    columns = []
    for count in map(int, machines.split(",")):
        for name, options in (("plain", PLAIN), ("gathered", NARROW)):
            table.add_column(f"{count}\n{name}", justify="right")
            # More than drains in that time.
            found = run(count, round(400 * seconds), options, SETTLE_S + seconds)
            columns.append(column(found, count, SETTLE_S + seconds))
    for name, *cells in zip(ROWS, *columns, strict=True):
        table.add_row(name, *cells)
    Console(width=120).print(table)
    if target is not None:
        backlog, length = 36_000, 420.0
        found = run(10, backlog, NARROW, length)
        target.write_text(figure(backlog, found.backlog, found.readings, found.urgent, length))
        Console().print(f"{target}: drained after {max(found.backlog):.0f} s, {len(found.backlog)} messages")
        Console().print(f"live readings late, s: {late(found.readings, 0, length)}")
        Console().print(f"states and events late, s: {late(found.urgent, 0, length)}")


if __name__ == "__main__":
    main()
