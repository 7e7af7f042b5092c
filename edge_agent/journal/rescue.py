"""Saves what can be read of a damaged file into a new one, and sets the damaged one aside."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.journal.file import insert, make
from edge_agent.journal.numbers import sync_folder
from edge_agent.journal.runs import DamagedRunError, Run, unpacked

log = logging.getLogger(__name__)

_AT_ONCE = 256
"""Ids that are asked for together at first; where that fails, halves of them are."""
_DAMAGED = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,  # a table is not there any more
        sqlite3.SQLITE_CONSTRAINT,  # a number that is about to be given is there already
    }
)
_COMPANIONS = ("-wal", "-shm")
"""What SQLite has beside a file."""
_PRIMARY = 0xFF
"""The lower byte of an extended error code is the code that it belongs to."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is not what it was when it was written; a full disk is no damage."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # what Python itself cannot read, such as text that is none
        return not isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    return code & _PRIMARY in _DAMAGED


@dataclass(slots=True)
class Saved:
    """`aside` is where the damaged file is now."""

    aside: Path
    uplinks: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Last and acknowledged number by name, as far as they could be read."""
    ranges: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By uplink, first and last number of each run that was saved."""


def beside(path: Path) -> Path:
    """Where the new file grows until it takes the place of the damaged one."""
    return path.with_name(f"{path.name}.new")


def finish_interrupted(path: Path) -> None:
    """A rescue that was cut off: done if the new file was whole, which shows in the old one's being gone."""
    new = beside(path)
    if path.exists():
        new.unlink(missing_ok=True)
    elif new.exists():
        for suffix in _COMPANIONS:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        new.rename(path)


def rescue(path: Path, newest_run: int, now_ms: int) -> Saved:
    """Make a new file at `path` with the runs that can be read.

    `newest_run` is where ids end if the file itself cannot say it. Raises OSError, sqlite3.Error if the new
    file cannot be written; nothing has changed then.
    """
    new = beside(path)
    new.unlink(missing_ok=True)
    saved = Saved(_free_name(path, now_ms))
    with closing(sqlite3.connect(new, isolation_level=None)) as to:
        make(to)
        to.execute("BEGIN")
        with closing(sqlite3.connect(path, isolation_level=None)) as damaged:
            saved.uplinks = _uplinks(damaged)
            next_id = 1
            for run in _runs(damaged, newest_run):
                # What else is wrong with it, two runs cannot have one number.
                with suppress(sqlite3.IntegrityError):
                    next_id = insert(to, [run], next_id)
                    for name, first in run.numbers.items():
                        saved.ranges.setdefault(name, []).append((first, run.last(name)))
        to.execute("COMMIT")
    aside = saved.aside
    path.rename(aside)
    for suffix in _COMPANIONS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    new.rename(path)
    sync_folder(path.parent)
    log.error("journal: damaged; set aside as %s, %d runs of records saved", aside.name, next_id - 1)
    return saved


def _free_name(path: Path, now_ms: int) -> Path:
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    name, count = f"{path.name}.damaged-{stamp}", 1
    while path.with_name(name).exists():
        count += 1
        name = f"{path.name}.damaged-{stamp}-{count}"
    return path.with_name(name)


def _uplinks(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    try:
        rows = db.execute("SELECT name, last_seq, acked_seq FROM uplinks").fetchall()
    except sqlite3.DatabaseError:
        return {}
    return {name: (last, acked) for name, last, acked in rows}


def _runs(db: sqlite3.Connection, newest: int) -> Iterator[Run]:
    lowest = _id(db, "SELECT min(id) FROM runs", 1)
    highest = max(
        newest, *(_id(db, f"SELECT max({name}", 0) for name in ("id) FROM runs", "run) FROM places"))
    )
    for low in range(lowest, highest + 1, _AT_ONCE):
        for content in _contents(db, low, min(low + _AT_ONCE - 1, highest)):
            with suppress(DamagedRunError):
                yield unpacked(content)


def _id(db: sqlite3.Connection, query: str, otherwise: int) -> int:
    try:
        (found,) = db.execute(query).fetchone()
    except sqlite3.DatabaseError:
        return otherwise
    return found if isinstance(found, int) else otherwise


def _contents(db: sqlite3.Connection, low: int, high: int) -> list[bytes]:
    """What can be read of these ids: halved until what cannot stands alone."""
    try:
        rows = db.execute(
            "SELECT content FROM runs WHERE id BETWEEN ? AND ? ORDER BY id", (low, high)
        ).fetchall()
    except sqlite3.DatabaseError:
        if low == high:
            return []
        middle = (low + high) // 2
        return _contents(db, low, middle) + _contents(db, middle + 1, high)
    return [content for (content,) in rows if isinstance(content, bytes)]
