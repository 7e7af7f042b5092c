"""What the agent's page costs, and how fast it is, on an agent that reads many machines.

    python -m benchmarks.console --devices 300 --registers 50 --period 1s --browsers 10 --seconds 20

Runs the same load without a page, with one that nobody looks at, and with one that `--browsers` follow: CPU
and memory of the agent. Then how long the first page takes (all its files and the first news, over one
connection), and in Chromium with `--chromium` until the machines stand there; how old news are when they
arrive; what the page weighs.
Everything runs on the loopback and ends by itself.
"""

import asyncio
import contextlib
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
from rich.console import Console

from benchmarks.common import (
    TELEMETRY,
    Figures,
    common_rows,
    line_of,
    measure,
    process,
    slashed,
    table,
)
from benchmarks.modbus import Load, configure
from tests.field.mosquitto import Mosquitto
from tests.ports import free_port

FIRST_PAGES = 10
FOLLOW_LIMIT_S = 120.0


@dataclass
class Seen:
    """What those who look at the page saw."""

    first_page_ms: list[float] = field(default_factory=list)
    weight_kb: float = 0.0
    overview_kb: float = 0.0
    age_ms: list[float] = field(default_factory=list)
    gap_ms: list[float] = field(default_factory=list)
    chromium: str = "-"


def first_page(url: str) -> tuple[float, float, float]:
    """Milliseconds until all of the page and the first news are there, and kB of the page and of the news."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        begin = time.perf_counter()
        page = client.get("/")
        files = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
        bodies = [page.content, *(client.get(f"/{name}").content for name in (*files, "static/zh.json"))]
        news = client.get("/api/v1/overview").content
        took = 1000 * (time.perf_counter() - begin)
    return took, sum(map(len, bodies)) / 1000, len(news) / 1000


async def follow(url: str, seen: Seen) -> None:
    """Read the news until cancelled, as a browser does."""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=None) as client,  # noqa: S113 - news come for ever
        client.stream("GET", f"{url}/api/v1/live") as stream,
    ):
        before = None
        async for line in stream.aiter_lines():
            if not line.startswith("data: "):
                continue
            now = time.time()
            made_ms = re.search(r'"time_ms":(\d+)', line)
            assert made_ms is not None
            seen.age_ms.append(1000 * now - int(made_ms[1]))
            if before is not None:
                seen.gap_ms.append(1000 * (now - before))
            before = now


def follow_for_ever(url: str, browsers: int) -> None:
    """In a process of its own: what was seen, as JSON, when a line comes in."""

    async def work() -> Seen:
        seen = Seen()
        tasks = [asyncio.create_task(follow(url, seen)) for _ in range(browsers)]
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return seen

    seen = asyncio.run(work())
    print(json.dumps({"age_ms": seen.age_ms, "gap_ms": seen.gap_ms}), flush=True)


def in_chromium(url: str, machines: int) -> str:
    """Milliseconds from asking for the page until every machine stands there, by the clock and of its CPU."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            page = browser.new_page(bypass_csp=True)  # the page lets nobody look on
            page.goto("about:blank")
            inside = page.context.new_cdp_session(page)
            inside.send("Performance.enable", {"timeDomain": "threadTicks"})
            begin = time.perf_counter()
            page.goto(f"{url}/#/overview", wait_until="commit")
            page.wait_for_function(
                f"document.querySelectorAll('a[href^=\"#/machine/\"]').length >= {machines}", polling=10
            )
            took = time.perf_counter() - begin
            spent = {one["name"]: one["value"] for one in inside.send("Performance.getMetrics")["metrics"]}
            return slashed([round(1000 * took), round(1000 * spent["TaskDuration"])])
        finally:
            browser.close()


@contextlib.contextmanager
def looked_at(url: str, browsers: int, seen: Seen) -> Iterator[None]:
    """While this lasts, `browsers` follow."""
    command = [sys.executable, "-m", "benchmarks.console", "--follow", url, "--browsers", str(browsers)]
    with process(*command) as running:
        yield
        assert running.stdin is not None
        running.stdin.write("\n")
        running.stdin.flush()
        found = json.loads(line_of(running))
        seen.age_ms, seen.gap_ms = found["age_ms"], found["gap_ms"]


def agent_figures(
    name: str,
    load: Load,
    modbus_port: int,
    broker: Mosquitto,
    folder: Path,
    seconds: float,
    *,
    page: bool,
    browsers: int,
    chromium: bool,
) -> tuple[Figures, Seen]:
    folder.mkdir()
    file = configure(folder, load, modbus_port, broker.port)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    if page:
        file.write_text(f"{file.read_text()}console: {{listen: '127.0.0.1:{port}'}}\n")
    seen = Seen()
    with (
        process(sys.executable, "-m", "benchmarks.receiver", str(broker.port), TELEMETRY) as receiver,
        process(sys.executable, "-m", "edge_agent", "run", "--log-level", "warning", str(file)) as agent,
    ):
        line_of(receiver)
        with ExitStack() as looking:
            if browsers:
                until_it_answers(url)
                looking.enter_context(looked_at(url, browsers, seen))
            figures = measure(name, load.devices, load.period, agent, receiver, seconds)
        if browsers:
            pages = [first_page(url) for _ in range(FIRST_PAGES)]
            seen.first_page_ms = [took for took, *_ in pages]
            seen.weight_kb, seen.overview_kb = pages[0][1:]
            if chromium:
                seen.chromium = in_chromium(url, load.devices)
    return figures, seen


def until_it_answers(url: str) -> None:
    deadline = time.monotonic() + FOLLOW_LIMIT_S
    while True:
        try:
            httpx.get(f"{url}/api/v1/journal", trust_env=False)
            return
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise click.ClickException("the page does not answer") from None
            time.sleep(0.1)


def told(values: list[float]) -> str:
    """p50, p99 and the most."""
    marks = statistics.quantiles(values, n=100, method="inclusive")
    return slashed([round(value, 1) for value in (marks[49], marks[98], max(values))])


@click.command()
@click.option("--devices", default=300, show_default=True)
@click.option("--registers", default=50, show_default=True)
@click.option("--period", default=1.0, show_default=True, help="Seconds.")
@click.option("--browsers", default=10, show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="How long to measure each run.")
@click.option("--chromium/--no-chromium", default=False, show_default=True)
@click.option("--follow", "follow_url", default="", hidden=True)
def main(
    devices: int,
    registers: int,
    period: float,
    browsers: int,
    seconds: float,
    chromium: bool,
    follow_url: str,
) -> None:
    """Measure what the page costs."""
    if follow_url:
        follow_for_ever(follow_url, browsers)
        return
    load = Load(devices, registers, period)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(
            Mosquitto(folder / "broker", "max_inflight_messages 1000\nset_tcp_nodelay true")
        )
        server = stack.enter_context(process(sys.executable, "-m", "benchmarks.modbus_load_server"))
        port = int(line_of(server))
        runs = [
            agent_figures(
                name,
                load,
                port,
                broker,
                folder / str(number),
                seconds,
                page=page,
                browsers=followed,
                chromium=chromium,
            )
            for number, (name, page, followed) in enumerate(
                (
                    ("no page", False, 0),
                    ("a page", True, 0),
                    (f"{browsers} browsers", True, browsers),
                )
            )
        ]
    contenders = [figures for figures, _ in runs]
    title = f"{devices} devices × {registers} registers every {period:g} s"
    Console().print(table(title, contenders, common_rows(load.values_per_second, contenders)))
    none, _, followed_ = contenders
    seen = runs[-1][1]
    rows = {
        "CPU more, % of a core": f"{100 * (followed_.cpu - none.cpu):.1f}",
        "memory more, MB": f"{followed_.rss_mb - none.rss_mb:.1f}",
        "first page ms, p50 / p99 / max": told(seen.first_page_ms),
        "in Chromium ms, by the clock / of its CPU": seen.chromium,
        "news: age when they arrive ms, p50 / p99 / max": told(seen.age_ms),
        "news: gap ms, p50 / p99 / max": told(seen.gap_ms),
        "the page weighs kB": f"{seen.weight_kb:.0f}",
        "an overview weighs kB": f"{seen.overview_kb:.0f}",
    }
    for name, value in rows.items():
        print(f"{name:50} {value}")


if __name__ == "__main__":
    main()
