"""What the benchmarks share: processes, their cost, and what the receiver at the broker sees."""

import json
import os
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from edge_agent.config.identity import credit_code

ENTERPRISE = credit_code("91330300MA00DEM06A")
TELEMETRY = "fta/v1/+/+/+/telemetry/#"
SETTLE_S = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")


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
    """Batches whose values do not belong together."""
    devices: int
    source_ms: list[float]
    """From the source time of a batch's oldest value to the broker; p50, p99, max."""
    missed: int
    """Changes of the counter `t0` that did not arrive, and that arrived twice."""
    repeated: int


class Cost:
    """What this process costs from now on."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def tell(self, **more: object) -> None:
        """Print it as JSON: seconds, and the most memory that the process ever had."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"wall": wall, "cpu": cpu, "rss_mb": rss_mb} | more))


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


@dataclass(frozen=True)
class Memory:
    """Of one process, in MB: all of its pages, its share of those that others have as well, its own alone."""

    rss: float
    pss: float
    uss: float


def memory_mb(pid: int) -> Memory:
    kb: Counter[str] = Counter()
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        kb[line.split(":")[0]] = int(line.split()[1])
    return Memory(kb["Rss"] / 1024, kb["Pss"] / 1024, (kb["Private_Clean"] + kb["Private_Dirty"]) / 1024)


def measure(
    name: str,
    devices: int,
    period: float,
    contender: subprocess.Popen[str],
    receiver: subprocess.Popen[str],
    seconds: float,
) -> Figures:
    """Wait until all devices deliver every `period` seconds, then measure for `seconds`."""
    deadline = time.monotonic() + 120
    while taken(receiver)["devices"] < devices:
        if time.monotonic() > deadline or contender.poll() is not None:
            raise click.ClickException(f"{name} did not deliver all devices")
        time.sleep(2 * period + 0.5)
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
        source_ms=result["source_ms"],
        missed=result["missed"],
        repeated=result["repeated"],
    )


def taken(receiver: subprocess.Popen[str]) -> dict[str, Any]:
    assert receiver.stdin is not None
    receiver.stdin.write("count\n")
    receiver.stdin.flush()
    answer: dict[str, Any] = json.loads(line_of(receiver))
    return answer


def table(title: str, contenders: Sequence[Figures], rows: dict[str, list[str]]) -> Table:
    """Rows of cells, one cell for each contender."""
    made = Table(title=title)
    made.add_column("")
    for figures in contenders:
        made.add_column(figures.name, justify="right")
    for name, cells in rows.items():
        made.add_row(name, *cells)
    return made


def common_rows(due: float, contenders: Sequence[Figures]) -> dict[str, list[str]]:
    """The rows that every benchmark has; `due` in values per second."""
    return {
        "values/s at the broker": [f"{f.values_per_second:,.0f}" for f in contenders],
        "share of what was due": [f"{f.values_per_second / due:.1%}" for f in contenders],
        "CPU s/s": [f"{f.cpu:.3f}" for f in contenders],
        "CPU ms per 1,000 values": [f"{1e6 * f.cpu / f.values_per_second:.2f}" for f in contenders],
        "RSS MB": [f"{f.rss_mb:.0f}" for f in contenders],
        "answer → broker ms, p50 / p99 / max": [slashed(f.latency_ms) for f in contenders],
    }


def slashed(values: Sequence[float]) -> str:
    return " / ".join(f"{value:g}" for value in values)
