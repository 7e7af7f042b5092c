"""What a gateway needs: time to the first reading, memory, processor and what is written to its card.

    python -m benchmarks.gateway --runs 3 --minutes 5

The agent as a process with a mosquitto on the loopback, for each of: no machine at all without a page and
with one, one machine, and `--devices` of them with `--registers` tags each, read every second. Starts are
taken from the start of the process to the first reading at the broker, and repeated; the files of the agent
are in the system's cache, and compiled as those of an installed agent are. Memory and processor are taken at
the end of `--minutes` with all machines, and bytes written are what the process gave to the disk
(`write_bytes` of /proc/<pid>/io), worked out for a day: put the temporary folder on a real disk with TMPDIR.
"""

import compileall
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table

from benchmarks.common import TELEMETRY, Memory, cpu_seconds, line_of, memory_mb, process
from benchmarks.modbus import Load, configure
from tests.field.mosquitto import Mosquitto
from tests.ports import free_port

FIRST_LIMIT_S = 60.0
WARM_S = 20.0
DAY_S = 86_400
STATUS = "fta/v1/+/+/+/status"


class Watcher:
    """Knows when the first message came to a topic."""

    def __init__(self, port: int, topic: str) -> None:
        self.first = threading.Event()
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda *_: self.first.set()
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe(topic)
        assert self._ready.wait(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass(frozen=True)
class Run:
    """Of one process; rates are a second's, over the time after the start."""

    start_s: float
    start_cpu_s: float
    memory: Memory
    cpu: float
    written: float
    values: float


def written(pid: int) -> int:
    """Bytes that it gave to the disk, or will have to."""
    rows = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(rows["write_bytes"]) - int(rows["cancelled_write_bytes"])


def run(folder: Path, load: Load, modbus_port: int, seconds: float, *, page: bool = False) -> Run:
    """Start the agent in an empty folder, and measure it for `seconds` once it is warm."""
    folder.mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker", "max_inflight_messages 1000"))
        file = configure(folder, load, modbus_port, broker.port)
        text = file.read_text()
        if not load.devices:
            (folder / "register.csv").write_text("id,name,workshop\nD0,D0,A\n")
            text = text.replace("connections:\n\n", "")
        if page:
            text += f"console: {{listen: '127.0.0.1:{free_port()}'}}\n"
        file.write_text(text)
        watcher = Watcher(broker.port, TELEMETRY if load.devices else STATUS)
        stack.callback(watcher.close)
        began = time.monotonic()
        agent = stack.enter_context(
            process(sys.executable, "-m", "edge_agent", "run", "--log-level", "warning", str(file))
        )
        if not watcher.first.wait(FIRST_LIMIT_S):
            raise click.ClickException(f"nothing came within {FIRST_LIMIT_S} s")
        start_s, start_cpu_s = time.monotonic() - began, cpu_seconds(agent.pid)
        time.sleep(WARM_S if seconds else 0.0)
        before, cpu, wall = written(agent.pid), cpu_seconds(agent.pid), time.monotonic()
        time.sleep(seconds)
        wall = max(time.monotonic() - wall, 1e-9)
        return Run(
            start_s,
            start_cpu_s,
            memory_mb(agent.pid),
            (cpu_seconds(agent.pid) - cpu) / wall,
            (written(agent.pid) - before) / wall,
            load.values_per_second,
        )


def rows(one: Run, starts: list[float]) -> list[str]:
    m = one.memory
    return [
        f"{statistics.median(starts):.2f} ({min(starts):.2f} – {max(starts):.2f})",
        f"{one.start_cpu_s:.2f}",
        f"{m.rss:.1f} / {m.pss:.1f} / {m.uss:.1f}",
        f"{100 * one.cpu:.1f}",
        f"{one.values / one.cpu:,.0f}" if one.values and one.cpu else "-",
        f"{one.written * DAY_S / 1e9:.2f}",
    ]


@click.command()
@click.option("--devices", default=100, show_default=True)
@click.option("--registers", default=50, show_default=True)
@click.option("--runs", default=3, show_default=True, help="How many starts of each.")
@click.option("--minutes", default=5.0, show_default=True, help="How long to measure with all machines.")
def main(devices: int, registers: int, runs: int, minutes: float) -> None:
    """Measure what a gateway needs."""
    table = Table(title=f"{minutes:g} min with {devices} machines of {registers} tags every second")
    table.add_column("")
    for heading in (
        "first s, median (least – most)",
        "CPU s until then",
        "RSS / PSS / USS MB",
        "% of a core",
        "values a CPU s",
        "GB a day to the disk",
    ):
        table.add_column(heading, justify="right")
    for package in ("edge_agent", "drivers"):
        compileall.compile_dir(Path(__file__).parents[1] / package, quiet=1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(process(sys.executable, "-m", "benchmarks.modbus_load_server"))
        port = int(line_of(server))
        minute = 60.0 * min(minutes, 1.0)
        for name, load, seconds, page in (
            ("no machine, no page", Load(0, registers, 1.0), minute, False),
            ("no machine, a page", Load(0, registers, 1.0), minute, True),
            ("one machine", Load(1, registers, 1.0), minute, False),
            (f"{devices} machines", Load(devices, registers, 1.0), 60 * minutes, False),
            (f"{devices} machines, a page", Load(devices, registers, 1.0), minute, True),
        ):
            number = len(table.rows)
            short = [
                run(folder / f"{number}-{n}", load, port, 0.0, page=page).start_s for n in range(runs - 1)
            ]
            one = run(folder / f"{number}", load, port, seconds, page=page)
            table.add_row(name, *rows(one, [*short, one.start_s]))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
