"""A month of a gateway in half an hour, with everything that goes on around one: does anything grow?

    python -m benchmarks.soak --days 30 --hour 2

The agent as a process, on the demo's configuration: pymodbus' and asyncua's servers as its machines, a
mosquitto with two uplinks to it (JSON and Sparkplug), a page that is looked at. The gateway's clock is set
forward by an hour every `--hour` seconds, so that hours, days and a month end, are accounted for, stated,
packed, and grow too old; between two of these steps everything takes the time that it takes. Meanwhile lines
to machines are cut or stand still, servers end and come back, the broker is away for six hours of each day
and two days of each week, and the configuration is changed, and is wrong, by SIGHUP.

Twice a day it is noted what the agent has. By how much a figure rises is asked of all pairs of samples after
the first quarter of the time that were taken at the same hour of the day, as the same goes on then: it is the
median of what they say. So neither a single peak decides, nor whether the last samples fall into an outage.
What goes up and down with the troubles, or stays as large as it once had to be, is held to a limit instead.

The soak fails (exit status 1) if a figure rises by more than its bound or passes its limit, and if a message
did not come that no event `thinned` names. With `--troubles` only some of it goes wrong, to find what a rise
comes from.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from edge_agent.contract.messages import Event, Numbered
from edge_agent.simulator.stage import Ports, copy_configuration, workshop
from tests.field.agent_process import AgentProcess
from tests.field.line import Line
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform
from tests.ports import demo_ports

DEMO = Path(__file__).parents[1] / "configs" / "demo"
Sample = dict[str, Any]
"""Figures by name, and the most frequent kinds of objects."""
WARM_UP = 0.25
SAMPLE_EVERY_H = 12
START_S = 30.0
"""For the agent to start, on a computer that has much else to do."""
ANSWER_LIMIT_S = 60.0
TROUBLES = ("lines", "broker", "configuration", "servers")

RISES = {
    "RSS MB": 0.3,
    "RSS, anonymous MB": 0.3,
    "C heap in use MB": 0.1,
    "C heap free MB": 0.2,
    "SQLite MB": 0.05,
    "Python blocks": 2000.0,
    "objects": 200.0,
    "history.db MB": 0.3,
    "log MB": 0.3,
}
"""By how much a figure may rise a day. The page keeps the newest 2,000 lines of the log, 48 of each day here;
the history keeps what happened, and the log is rotated by the system."""
LIMITS = {
    "descriptors": 54.0,
    "threads": 12.0,
    "tasks": 52.0,
    "journal.db MB": 4.0,
    "journal.db-wal MB": 4.0,
    "journal.tail MB": 0.1,
    "journal.numbers MB": 0.001,
    "history.db-wal MB": 4.0,
}
"""How much there may be at most.

Of descriptors, threads and tasks there are the most when all connections are open, and fewer whenever some
are not: if one stayed from one trouble of each day, the limit would be passed within a week. Files keep the
size that they once needed, for two days without the broker, or from one checkpoint to the next.
"""
FILES = ("journal.db", "journal.db-wal", "journal.tail", "journal.numbers", "history.db", "history.db-wal")


@dataclass
class Scene:
    """All that can be disturbed."""

    folder: Path
    agent: AgentProcess
    broker: Mosquitto
    lines: Mapping[str, Line]
    restart_machines: Callable[[], None]
    page: str
    troubles: Collection[str]
    done: dict[str, int] = field(default_factory=dict)
    """What was done, and how often."""

    def hour(self, hour: int) -> None:
        """Do what is due in this hour since the beginning."""
        day, of_day = divmod(hour, 24)
        if "lines" in self.troubles:
            self._lines(of_day)
        if "broker" in self.troubles:
            self._broker(day % 7, of_day)
        if "configuration" in self.troubles and of_day == 19:
            self._note("another configuration", lambda: self._reload("2s" if day % 2 else "1s"))
        if "configuration" in self.troubles and of_day == 21:
            self._note("a wrong configuration", lambda: self._reload("never"))
        if "servers" in self.troubles and of_day == 22 and day % 5 == 2:
            self._note("all machines' servers ended and begun", self.restart_machines)
        self._look()

    def _lines(self, of_day: int) -> None:
        if of_day == 3:
            self._note("a line to Modbus machines cut", self.lines["modbus"].cut)
        if of_day in (6, 8):
            self._stand_still("opcua", of_day == 6)
        if of_day == 18:
            self._note("the line to the broker cut", self.lines["mqtt"].cut)

    def _broker(self, of_week: int, of_day: int) -> None:
        if of_day == 10 and of_week != 5:
            self._note("the broker away", self.broker.stop)
        if of_day == 16 and of_week not in (4, 5):
            self.broker.start()

    def _stand_still(self, name: str, still: bool) -> None:
        self.lines[name].bytes_per_second = 0 if still else None
        if not still:
            self._note("the line to OPC UA machines stood still, and cut", self.lines[name].cut)

    def _note(self, what: str, work: Callable[[], None]) -> None:
        work()
        self.done[what] = self.done.get(what, 0) + 1

    def _reload(self, period: str) -> None:
        file = self.folder / "site" / "agent.yaml"
        head, mark, tail = file.read_text("utf-8").partition("  - id: press-2\n")
        before, _, after = tail.partition("    period: ")
        changed = f"{before}    period: {period}\n{after.partition(chr(10))[2]}"
        file.write_text(head + mark + changed, "utf-8")
        assert self.agent.process is not None
        self.agent.process.send_signal(signal.SIGHUP)

    def _look(self) -> None:
        """As a browser and Prometheus do; over connections that end."""
        with suppress(httpx.TransportError), httpx.Client(trust_env=False, timeout=5) as client:
            for path in ("/api/v1/overview", "/metrics"):
                client.get(f"{self.page}{path}")


def configure(folder: Path, ports: Ports, broker: Line, modbus: Line, opcua: Line) -> Path:
    """The demo's configuration, leading over the lines, with a second uplink and short lives."""
    site = copy_configuration(DEMO, folder / "site", ports)
    file = site / "agent.yaml"
    text = file.read_text("utf-8")
    for old, new in (
        (f"port: {ports.modbus}\n", f"port: {modbus.port}\n"),
        (f"opc.tcp://127.0.0.1:{ports.opcua}", f"opc.tcp://127.0.0.1:{opcua.port}"),
        (f"port: {ports.broker} ", f"port: {broker.port} "),
        ('version: "3.1.1"', 'version: "5"'),
        ("every: 5s", "every: 1min"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    broker_of = f"host: 127.0.0.1, port: {broker.port}"
    scada = f"{{id: scada, type: sparkplug, {broker_of}, client_id: scada, group: Hall 1}}"
    text = text.replace("\nuplinks:\n", f"\nuplinks:\n  - {scada}\n")
    file.write_text(f"{text}\njournal: {{max_size: 10MB, keep: {{readings: 1d, states: 20d}}}}\n", "utf-8")
    return site


def sample(agent: AgentProcess, folder: Path, tell: Path) -> Sample:
    """What the agent has at this moment."""
    assert agent.process is not None
    pid = agent.process.pid
    assert agent.process.poll() is None, agent.log()[-3000:]
    tell.unlink(missing_ok=True)
    agent.process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + ANSWER_LIMIT_S
    while not tell.exists():
        assert time.monotonic() < deadline, "the event loop stands still"
        time.sleep(0.02)
    inside = json.loads(tell.read_text())
    data = folder / "site" / "data"
    sizes = {f"{name} MB": size_mb(data / name) for name in FILES}
    return {
        **memory_mb(pid),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208 - names alone
        "threads": len(os.listdir(f"/proc/{pid}/task")),  # noqa: PTH208
        **inside,
        **sizes,
        "log MB": size_mb(folder / "agent.log"),
    }


def memory_mb(pid: int) -> dict[str, float]:
    """All that is in memory, and without files: how much of these is its own alone others decide, too."""
    fields = dict(line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        name: int(fields[field].split()[0]) / 1024
        for name, field in (("RSS MB", "VmRSS"), ("RSS, anonymous MB", "RssAnon"))
    }


def size_mb(file: Path) -> float:
    return file.stat().st_size / 1e6 if file.exists() else 0.0


def rise(days: Sequence[float], values: Sequence[float]) -> float:
    """By how much a figure rises a day: the median of the slopes between all samples of the same hour."""
    slopes = [
        (later - earlier) / (days[there] - days[here])
        for here, earlier in enumerate(values)
        for there, later in enumerate(values[here + 1 :], here + 1)
        if (days[there] - days[here]) % 1 == 0
    ]
    return float(np.median(slopes))


def missing(platform: Platform) -> tuple[int, int, int]:
    """How many numbered messages came, how many did not, and of these how many no event names."""
    came = platform.numbered()
    told: set[int] = set()
    for one in platform.received():
        if isinstance(one.message, Event) and one.message.kind == "thinned":
            detail = one.message.detail
            told |= set(range(int(detail["first"]), int(detail["last"]) + 1))
    absent = set(range(1, max(came) + 1)) - came.keys()
    return len(came), len(absent), len(absent - told)


DRAWN = ("RSS MB", "C heap in use MB", "descriptors", "tasks", "journal.db MB", "history.db MB")


def drawn(days: Sequence[float], samples: Sequence[Sample]) -> str:
    """What is shown over the days, as SVG."""
    width, height, left = 720, 110, 120
    rows = []
    for place, name in enumerate(DRAWN):
        values = [one[name] for one in samples]
        top = max(values) * 1.1 or 1.0
        base = height * (place + 1) - 20
        points = " ".join(
            f"{left + (width - left - 20) * day / days[-1]:.1f},{base - (height - 40) * value / top:.1f}"
            for day, value in zip(days, values, strict=True)
        )
        rows.append(
            f'<text x="8" y="{base - 30}">{name}</text><text x="8" y="{base - 12}">'
            f"{min(values):.3g} – {max(values):.3g}</text>"
            f'<line x1="{left}" y1="{base}" x2="{width - 20}" y2="{base}" stroke="#bbb"/>'
            f'<polyline fill="none" stroke="#0969da" stroke-width="1.5" points="{points}"/>'
        )
    foot = height * len(rows) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{foot + 20}"'
        ' font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>'
        f'{"".join(rows)}<text x="{left}" y="{foot}">0</text><text x="{width - 70}" y="{foot}">'
        f"{days[-1]:.0f} days</text></svg>\n"
    )


def report(days: Sequence[float], samples: Sequence[Sample]) -> tuple[Table, list[str]]:
    """A table of all figures, and the names of those that rise too much or pass their limit."""
    made = Table(title=f"{days[-1]:.0f} days")
    for name in ("", "after the first day", "after the warm-up", "at the end", "most", "rise a day", "bound"):
        made.add_column(name, justify="right" if name else "left")
    warm = round(len(days) * WARM_UP)
    failed = []
    for name in (*RISES, *LIMITS):
        values = [one[name] for one in samples]
        seen = [f"{value:,.4g}" for value in (values[1], values[warm], values[-1], max(values))]
        if name in RISES:
            rising = rise(days[warm:], values[warm:])
            made.add_row(name, *seen, f"{rising:,.3g}", f"{RISES[name]:,g} a day")
            too_much = rising > RISES[name]
        else:
            made.add_row(name, *seen, "", f"{LIMITS[name]:,g} at most")
            too_much = max(values) > LIMITS[name]
        if too_much:
            failed.append(name)
    return made, failed


def lived(
    scene: Scene, days: int, hour_s: float, began: float, tell: Path
) -> tuple[list[float], list[Sample]]:
    """Live through the days; returns when samples were taken, and these."""
    times: list[float] = []
    samples: list[Sample] = []
    with (scene.folder / "samples.jsonl").open("w") as file:
        for hour in range(1, days * 24 + 1):
            time.sleep(max(0.0, began + hour * hour_s - time.monotonic()))
            scene.hour(hour)
            if hour % SAMPLE_EVERY_H == 0:
                times.append(hour / 24)
                samples.append(sample(scene.agent, scene.folder, tell))
                file.write(json.dumps({"day": hour / 24, **samples[-1]}) + "\n")
                file.flush()
    return times, samples


@click.command()
@click.option("--days", default=30, show_default=True)
@click.option("--hour", "hour_s", default=2.0, show_default=True, help="Seconds that an hour takes.")
@click.option(
    "--troubles", default=",".join(TROUBLES), show_default=True, help="What goes wrong; may be empty."
)
@click.option("--keep", type=click.Path(path_type=Path), help="A folder for samples, log, data and picture.")
def main(days: int, hour_s: float, troubles: str, keep: Path | None) -> None:
    """Let a gateway live for a month, and see whether anything grows."""
    wanted = set(filter(None, troubles.split(",")))
    if unknown := wanted.difference(TROUBLES):
        raise click.BadParameter(f"no such trouble: {', '.join(sorted(unknown))}", param_hint="--troubles")
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        ports = demo_ports()
        machines = workshop(ports, since_ms=round(time.time() * 1000))
        stack.enter_context(machines)
        machines.start()
        broker = stack.enter_context(Mosquitto(folder / "broker", "max_inflight_messages 1000"))

        def restart_machines() -> None:
            machines.end()
            machines.start()

        lines = {
            name: stack.enter_context(Line(port))
            for name, port in (("modbus", ports.modbus), ("opcua", ports.opcua), ("mqtt", broker.port))
        }
        site = configure(folder, ports, lines["mqtt"], lines["modbus"], lines["opcua"])
        platform = stack.enter_context(Platform(broker.port))
        tell, began = folder / "tasks.json", time.monotonic() + START_S
        environment = {"SOAK_BEGAN": began, "SOAK_HOUR_S": hour_s, "SOAK_TELL": tell}
        agent = AgentProcess(site, folder, module="benchmarks.soak_agent", **environment)
        stack.enter_context(agent)
        page = f"http://127.0.0.1:{ports.page}"
        scene = Scene(folder, agent, broker, lines, restart_machines, page, wanted)
        times, samples = lived(scene, days, hour_s, began, tell)
        status = agent.stop()
        time.sleep(2)  # what is on its way to the platform
        came, absent, untold = missing(platform)
        kinds = [
            type(one.message).__name__ for one in platform.received() if isinstance(one.message, Numbered)
        ]
    table, failed = report(times, samples)
    Console(width=120).print(table)
    for what, count in sorted(scene.done.items()):
        print(f"{count:4} × {what}")
    print(f"{came:,} messages came: { {kind: kinds.count(kind) for kind in sorted(set(kinds))} }")
    print(f"{absent:,} did not, {untold:,} of them without an event that says so; exit status {status}")
    if keep is not None:
        (keep / "soak.svg").write_text(drawn(times, samples))
    if failed or untold or status:
        print(f"FAILED: {', '.join(failed)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
