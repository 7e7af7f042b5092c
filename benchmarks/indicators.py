"""Time accounts and key figures in bulk, beside the least that could do, in the same run.

    python -m benchmarks.indicators

First a month of a whole workshop: from the history file to the account of every machine with its planned
time, its failures, its alarm Pareto and all key figures, as a message. The file is made in a temporary folder
and read by a process of its own, after the system was asked to forget it. Beside it, in a process too, numpy
alone adds up bare arrays. Both must come to the same milliseconds. Then one machine in memory: the total of a
period and each of its hours, beside the same in plain Python. Always the best of several runs.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from benchmarks.common import line_of, process
from benchmarks.month_file import MONTH, bare_file, machines, write
from edge_agent.indicators.accounts import Account, Timeline
from edge_agent.indicators.periods import HOUR_MS
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.history import DAY_MS
from edge_agent.states.tracker import Interval, totals_ms

Result = TypeVar("Result")

STATES = [StateWithCause(state, cause) for state in MachineState for cause in ("", "a", "b")]
ABOUT_MS = 43_000
"""Mean length of an interval: 2,000 changes a day."""


def made_up(count: int) -> list[Interval]:
    """The life of a machine; the same at each run."""
    chance = random.Random(134)  # noqa: S311 - a story, not a secret
    found, start = [], 0
    for _ in range(count):
        end = start + chance.randrange(1, 2 * ABOUT_MS)
        found.append(Interval("M", start, end, chance.choice(STATES)))
        start = end
    return found


def hours_in_python(intervals: Sequence[Interval], edges: Sequence[int]) -> list[dict[StateWithCause, int]]:
    """Each interval is cut at the hours, one after the other."""
    rows: list[dict[StateWithCause, int]] = [{} for _ in edges[1:]]
    for interval in intervals:
        assert interval.end_ms is not None
        start = interval.start_ms
        while start < interval.end_ms:
            hour = start // HOUR_MS
            end = min(interval.end_ms, (hour + 1) * HOUR_MS)
            rows[hour][interval.state] = rows[hour].get(interval.state, 0) + end - start
            start = end
    return rows


def timed(work: Callable[[], Result], runs: int) -> tuple[float, Result]:
    """Milliseconds of the best run, and its result."""
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return 1000 * best, result


def forget(path: Path) -> None:
    """Ask the system to read `path` from the disk the next time."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def month(count: int, changes: int, runs: int) -> Table:
    contenders = {"agent": "benchmarks.month_accounts", "numpy, totals alone": "benchmarks.bare_month"}
    best: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, count, changes)
        for _ in range(runs):
            for contender, module in contenders.items():
                for path in folder.iterdir():
                    forget(path)
                with process(sys.executable, "-m", module, name, str(count), str(changes)) as running:
                    told = json.loads(line_of(running))
                if contender not in best or told["wall"] < best[contender]["wall"]:
                    best[contender] = told
        history = (folder / "history.db").stat().st_size
        bare = sum(bare_file(folder, machine).stat().st_size for machine in machines(count))
    ours, least = best.values()
    assert ours["totals"] == least["totals"]
    intervals = count * changes * (MONTH.to_ms - MONTH.from_ms) // DAY_MS
    table = Table(title=f"{count} machines × 31 days × {changes:,} changes a day: {intervals:,} intervals")
    for heading in ("", *contenders, "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for row, key, digits in (("wall s", "wall", 2), ("CPU s", "cpu", 2), ("RSS MB, at most", "rss_mb", 0)):
        table.add_row(
            row, f"{ours[key]:.{digits}f}", f"{least[key]:.{digits}f}", f"{ours[key] / least[key]:.1f}"
        )
    table.add_row("file MB", f"{history / 1e6:.1f}", f"{bare / 1e6:.1f}", f"{history / bare:.2f}")
    table.add_row("bytes an interval", f"{history / intervals:.2f}", f"{bare / intervals:.2f}", "")
    table.add_row("messages, kB each", f"{ours['bytes'] / ours['accounts'] / 1000:.1f}", "", "")
    return table


def one_machine(count: int, runs: int) -> Table:
    life = made_up(count)
    end = life[-1].end_ms
    assert end is not None
    edges = list(range(0, end + HOUR_MS, HOUR_MS))
    columns_ms, timeline = timed(lambda: Timeline.of(life), runs)
    total_ms, total = timed(lambda: timeline.total(0, end), runs)
    hours_ms, hours = timed(lambda: timeline.between(edges), runs)
    plain_total_ms, plain_total = timed(lambda: totals_ms(life, 0, end), runs)
    plain_hours_ms, plain_hours = timed(lambda: hours_in_python(life, edges), runs)
    assert total.times == plain_total
    assert [hour.times for hour in hours[:-1]] == plain_hours[:-1]
    assert Account.pooled(hours).total_ms == edges[-1]
    table = Table(title=f"{count:,} intervals, {len(edges) - 1:,} hours; ms")
    for heading in ("", "columns", "plain Python", "times faster"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, ours, plain in (
        ("total of the period", total_ms, plain_total_ms),
        ("each of its hours", hours_ms, plain_hours_ms),
    ):
        table.add_row(name, f"{ours:.2f}", f"{plain:.1f}", f"{plain / ours:.0f}")
    table.add_row("into columns, once", f"{columns_ms:.1f}", "", "")
    return table


@click.command()
@click.option("--machines", "count", default=300, show_default=True, help="In the month.")
@click.option("--changes", default=2000, show_default=True, help="A day and machine, in the month.")
@click.option("--intervals", default=100_000, show_default=True, help="Of the one machine.")
@click.option("--runs", default=5, show_default=True)
def main(count: int, changes: int, intervals: int, runs: int) -> None:
    """Measure time accounts and key figures."""
    console = Console()
    console.print(month(count, changes, runs))
    console.print(one_machine(intervals, runs))


if __name__ == "__main__":
    main()
