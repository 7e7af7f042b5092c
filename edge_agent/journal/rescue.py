"""Saves what can be read of a damaged file into a new one, and sets the damaged one aside."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.journal.cipher import Cipher
from edge_agent.journal.file import insert, make, read_cursors
from edge_agent.journal.runs import DamagedRunError, Run, unpacked
from edge_agent.whole import sync_folder

log = logging.getLogger(__name__)

_AT_ONCE = 256
"""Ids that are asked for together at first; where that fails, halves of them are."""
_TRIES = 20_000
"""So many failed attempts are worth halving after, a second's work or so."""
_FARTHEST = 10_000_000
"""So many ids are looked through if the file cannot say where they begin."""
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


UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What reading may raise; the second if what SQLite says of the damage is no text itself."""


def is_damage(error: Exception) -> bool:
    """Whether the file is not what it was when it was written; a full disk is no damage."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # what Python itself cannot read, such as text that is none
        return not isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    return code & _PRIMARY in _DAMAGED


@dataclass(slots=True)
class Saved:
    """`aside` is where the damaged file is now."""

    aside: Path
    uplinks: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Last, acknowledged and reserved number by name, if they could be read."""
    ranges: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By uplink, first and last number of each run that was saved."""


def beside(path: Path) -> Path:
    """Where the new file grows until it takes the place of the damaged one."""
    return path.with_name(f"{path.name}.new")


def remove_beside(path: Path) -> None:
    """What is left of a new file that was not finished."""
    new = beside(path)
    for left in (new, new.with_name(f"{new.name}-journal")):
        left.unlink(missing_ok=True)


def finish_interrupted(path: Path) -> None:
    """A rescue that was cut off: done if the new file was whole, which shows in the old one's being gone."""
    new = beside(path)
    if path.exists():
        remove_beside(path)
    elif new.exists():
        for suffix in _COMPANIONS:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        new.rename(path)


def rescue(path: Path, newest_run: int, now_ms: int, cipher: Cipher) -> Saved:
    """Make a new file at `path` with the runs that can be read.

    `newest_run` is where ids end if the file itself cannot say it. Raises OSError, sqlite3.Error if the new
    file cannot be written; nothing has changed then.
    """
    new = beside(path)
    remove_beside(path)
    saved = Saved(_free_name(path, now_ms))
    with closing(sqlite3.connect(new, isolation_level=None)) as to:
        make(to, cipher)
        to.execute("BEGIN")
        with closing(sqlite3.connect(path, isolation_level=None)) as damaged:
            saved.uplinks = _uplinks(damaged)
            next_id = 1
            for run in _runs(damaged, newest_run, cipher):
                # What else is wrong with it, two runs cannot have one number.
                with suppress(sqlite3.IntegrityError):
                    next_id = insert(to, [run], next_id, cipher)
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


def _uplinks(db: sqlite3.Connection) -> dict[str, tuple[int, int, int]]:
    try:
        return read_cursors(db)
    except UNREADABLE:
        return {}


def _runs(db: sqlite3.Connection, newest: int, cipher: Cipher) -> Iterator[Run]:
    # What the file says of its ends may be wrong, too: then it is not believed.
    highest = newest or min(_id(db, "SELECT max(id) FROM runs"), _id(db, "SELECT max(run) FROM places"))
    lowest = _id(db, "SELECT min(id) FROM runs")
    if not 0 < lowest <= highest:
        lowest = max(1, highest - _FARTHEST)
    pieces = _Pieces(db)
    for low in range(lowest, highest + 1, _AT_ONCE):
        for content in pieces.read(low, min(low + _AT_ONCE - 1, highest)):
            with suppress(DamagedRunError):
                yield unpacked(cipher.open(content))


def _id(db: sqlite3.Connection, query: str) -> int:
    """What the query gives, or 0."""
    try:
        (found,) = db.execute(query).fetchone()
    except UNREADABLE:
        return 0
    return found if isinstance(found, int) else 0


class _Pieces:
    """Reads what can be read of a range of ids: halved until what cannot stands alone."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._tries = _TRIES

    def read(self, low: int, high: int) -> list[bytes]:
        try:
            rows = self._db.execute(
                "SELECT content FROM runs WHERE id BETWEEN ? AND ? ORDER BY id", (low, high)
            ).fetchall()
        except UNREADABLE:
            self._tries -= 1
            if low == high or self._tries < 0:
                return []
            middle = (low + high) // 2
            return self.read(low, middle) + self.read(middle + 1, high)
        return [content for (content,) in rows if isinstance(content, bytes)]
