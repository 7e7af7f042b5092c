"""Time accounts of one machine in bulk, beside the same in plain Python, in the same run.

    python -m benchmarks.indicators --intervals 100000

Prints milliseconds (the best of several runs) for the total of a period and for its hours, and for turning
the intervals into columns once before. Both ways must give the same account, to the millisecond.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from edge_agent.indicators.accounts import Account, Timeline
from edge_agent.indicators.periods import HOUR_MS
from edge_agent.model.state import MachineState, StateWithCause
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


@click.command()
@click.option("--intervals", "count", default=100_000, show_default=True, help="Of one machine.")
@click.option("--runs", default=5, show_default=True)
def main(count: int, runs: int) -> None:
    """Measure time accounts."""
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
    Console().print(table)


if __name__ == "__main__":
    main()
