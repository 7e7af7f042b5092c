"""How large the history becomes in five years, at the rates of the demo: the file itself, and the sums.

    python -m benchmarks.five_years

The demo's twelve live machines change their state about every 10 s (149 times within 120 s), which is far
more than real ones do. All intervals of five years are written as the agent packs them, and all of the
evidence; of the statements those of 60 days, with what they stand on, and the rest is worked out from that.
The folder is temporary.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.month_file import STATES, ZONE
from edge_agent.config.definitions import known_definitions
from edge_agent.config.identity import credit_code
from edge_agent.indicators.connected import Connected, ConnectedVersions
from edge_agent.indicators.periods import HOUR_MS, PeriodKind, periods
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.equipment import Equipment, Register
from edge_agent.statements.keys import signing_key
from edge_agent.statements.record import RecordMaker, keep
from edge_agent.statements.store import StatementStore
from edge_agent.states.columns import Columns, code_type
from edge_agent.states.history import DAY_MS, PACK_ROWS, Changes, History

BEGIN_MS = 1_767_196_800_000
"""The beginning of 2026 in Shanghai; packs are of days of UTC."""
YEARS_DAYS = 5 * 365 + 1
STATED_DAYS = 60
REGISTERED = 20
_ALL_MINUTES = (1 << 60) - 1
_WHOLE_CARD = 8 * 10**9


@click.command()
@click.option("--machines", type=click.IntRange(1, REGISTERED), default=12, show_default=True)
@click.option("--changes", default=8900, show_default=True, help="Of each machine and day.")
@click.option("--days", default=YEARS_DAYS, show_default=True)
def main(machines: int, changes: int, days: int) -> None:
    """Write the history of some years and tell how large it is."""
    names = [f"M-{number:02}" for number in range(1, machines + 1)]
    begin_ms = BEGIN_MS // DAY_MS * DAY_MS
    rows = Table("what", "how many", "bytes each", "MB")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        started = perf_counter()
        sizes = [0]

        def grown(what: str, count: int) -> None:
            sizes.append(_size(path))
            added = sizes[-1] - sizes[-2]
            rows.add_row(what, f"{count:,}", f"{added / count:.2f}", f"{added / 1e6:,.1f}")

        with closing(History(path)) as history:
            for day in track(range(days), "intervals", transient=True):
                _write_day(history, names, begin_ms + day * DAY_MS, changes)
            grown("intervals, packed", machines * days * changes)
            for day in range(days):
                hours = range(begin_ms + day * DAY_MS, begin_ms + (day + 1) * DAY_MS, HOUR_MS)
                rows_of = [(name, h, 7200, h + HOUR_MS - 500, _ALL_MINUTES) for name in names for h in hours]
                history.save(Changes(begin_ms + (day + 1) * DAY_MS, (), rows_of))
            grown("evidence, machine-hours", machines * days * 24)
        stated = _state(path, begin_ms, min(days, STATED_DAYS), names)
        sizes.append(_size(path))
        each = (sizes[-1] - sizes[-2]) / stated
        of_all = round(stated / min(days, STATED_DAYS) * days * (1 + 12 / 365))
        rows.add_row("statements, worked out", f"{of_all:,}", f"{each:.0f}", f"{each * of_all / 1e6:,.1f}")
        whole = sizes[-2] + each * of_all
        rows.add_row("all", "", "", f"{whole / 1e6:,.1f}")
        Console().print(rows)
        click.echo(f"{whole / _WHOLE_CARD:.0%} of 8 GB; written in {perf_counter() - started:.0f} s")


def _size(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def _write_day(history: History, names: list[str], day_ms: int, changes: int) -> None:
    chance = np.random.default_rng(day_ms)
    for name in names:
        starts = day_ms + np.unique(chance.integers(1, DAY_MS, changes))
        starts[0] = day_ms
        ends = np.append(starts[1:], day_ms + DAY_MS)
        codes = chance.integers(0, len(STATES), len(starts)).astype(code_type(STATES))
        for first in range(0, len(starts), PACK_ROWS):
            part = slice(first, first + PACK_ROWS)
            history.add_pack(name, Columns(starts[part], ends[part], codes[part], STATES))


def _state(path: Path, begin_ms: int, days: int, names: list[str]) -> int:
    """Make the statements of some days; returns how many."""
    spare = [f"S-{number:02}" for number in range(len(names), REGISTERED)]
    register = Register(
        tuple(
            Equipment(name, f"Machine {name}", f"Workshop {place % 3}", digital=True, nc=place % 2 == 0)
            for place, name in enumerate([*names, *spare])
        ),
        headcount=80,
    )
    with closing(RegisterVersions(path)) as registers, closing(ConnectedVersions(path)) as versions:
        registers.keep(register, begin_ms)
        versions.keep({name: Connected(3000, ("status", "parts")) for name in names}, begin_ms)
    definitions = tuple(known_definitions().values())
    enterprise = credit_code("91330300MA00DEM06A")
    with (
        closing(History(path)),
        closing(StatementStore(path, signing_key(path.parent))) as store,
        closing(RecordMaker(path, "gw-01", enterprise, ZONE, definitions, lambda _: {})) as maker,
    ):
        for period in track(
            list(periods(PeriodKind.DAY, begin_ms + DAY_MS, begin_ms + (days + 1) * DAY_MS, ZONE)),
            "statements",
            transient=True,
        ):
            for draft in maker.drafts(period):
                keep(store, draft)
        return store.last_number()


if __name__ == "__main__":
    main()
