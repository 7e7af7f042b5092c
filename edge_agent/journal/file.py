"""The journal's SQLite file: what is in it, which version, and how an older one is taken over."""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.runs import Run, joined, packed

SCHEMA = """
-- Runs of records, see runs.py; what stands in columns stands in the content, too.
CREATE TABLE runs (
    id      INTEGER PRIMARY KEY,
    class   TEXT NOT NULL,
    only    TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms   INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    numbers TEXT NOT NULL, -- of the first record: JSON {uplink: number}
    content BLOB NOT NULL
);
CREATE INDEX runs_by_class ON runs (class);
-- Which run has which numbers of an uplink.
CREATE TABLE places (
    uplink TEXT NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    run    INTEGER NOT NULL,
    PRIMARY KEY (uplink, first)
) WITHOUT ROWID;
CREATE TABLE uplinks (
    name         TEXT PRIMARY KEY,
    last_seq     INTEGER NOT NULL DEFAULT 0,
    acked_seq    INTEGER NOT NULL DEFAULT 0,
    reserved_seq INTEGER NOT NULL DEFAULT 0,
    checksum     INTEGER NOT NULL -- a wrong cursor would give numbers twice
) WITHOUT ROWID;
CREATE TABLE boot (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL
);
-- Numbers that were given and do not come: `count` of those from first to last, and why.
CREATE TABLE gaps (
    id     INTEGER PRIMARY KEY,
    uplink TEXT NOT NULL,
    kind   TEXT NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    count  INTEGER NOT NULL
);
"""
FORMAT = 2
"""In `user_version`. 1 had a row for each record; it becomes this one when it is opened. 0 is a new file."""


class DamagedFileError(sqlite3.DatabaseError):
    """SQLite can read the file, but it does not say what was written."""


class JournalFormatError(Exception):
    """The file was written by a newer version of the agent."""


def open_file(path: Path, now_ms: int) -> sqlite3.Connection:
    """Open or make a journal's file; what is committed is on the medium.

    Raises JournalFormatError, sqlite3.Error.
    """
    # The journal calls from a worker thread of its own, but always one call at a time.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found > FORMAT:
            raise JournalFormatError(
                f"{path}: journal format {found}, this agent knows formats up to {FORMAT}. It was written by"
                " a newer version: run that one, or move the file away."
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if found == 0:
            make(db)
        elif found == 1:
            _take_over(db, now_ms)
    except BaseException:
        db.close()
        raise
    return db


def make(db: sqlite3.Connection) -> None:
    """An empty journal in an empty file."""
    db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT")


def insert(db: sqlite3.Connection, runs: Iterable[Run], next_id: int) -> int:
    """Add runs with ids from `next_id` on; returns the next one."""
    for run in runs:
        numbers = msgspec.json.encode(run.numbers).decode()
        columns = (run.record_class.value, run.only, run.from_ms, run.to_ms, len(run), numbers, packed(run))
        db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (next_id, *columns))
        db.executemany(
            "INSERT INTO places VALUES (?, ?, ?, ?)",
            [(name, first, run.last(name), next_id) for name, first in run.numbers.items()],
        )
        next_id += 1
    return next_id


def save_cursor(db: sqlite3.Connection, name: str, last: int, acked: int, reserved: int) -> None:
    row = (name, last, acked, reserved)
    db.execute("INSERT OR REPLACE INTO uplinks VALUES (?, ?, ?, ?, ?)", (*row, _checksum(row)))


def read_cursors(db: sqlite3.Connection) -> dict[str, tuple[int, int, int]]:
    """By uplink: last, acknowledged and reserved number. Raises DamagedFileError, sqlite3.Error."""
    cursors = {}
    for *row, checksum in db.execute("SELECT * FROM uplinks"):
        if _checksum(row) != checksum:
            raise DamagedFileError(f"the cursor of {row[0]} is not as it was written")
        name, last, acked, reserved = row
        cursors[name] = last, acked, reserved
    return cursors


def whole(*values: object) -> list[int]:
    """The values, which are whole numbers if the file is as it was written. Raises DamagedFileError."""
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) != len(values):
        raise DamagedFileError(f"numbers expected, and {values} found")
    return numbers


def _checksum(row: Sequence[object]) -> int:
    return zlib.crc32(repr(tuple(row)).encode())


def _take_over(db: sqlite3.Connection, now_ms: int) -> None:
    """Format 1 becomes this one: the records keep their numbers and their order."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for table in ("records", "uplinks", "outbox"):
            db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
        db.execute("DROP TABLE boot")
        for statement in SCHEMA.split(";\n"):
            db.execute(statement)
        rows = db.execute("SELECT name, last_seq, acked_seq, reserved_seq FROM old_uplinks").fetchall()
        for name, *numbers in rows:
            save_cursor(db, name, *numbers)
        insert(db, joined(_old_records(db, now_ms)), 1)
        for table in ("records", "uplinks", "outbox"):
            db.execute(f"DROP TABLE old_{table}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _old_records(db: sqlite3.Connection, now_ms: int) -> Iterator[Run]:
    """Each as a run of one; when it was recorded nobody knows."""
    rows = db.execute(
        "SELECT r.class, r.subject, r.readings, r.body, json_group_object(u.name, o.seq)"
        " FROM old_records r JOIN old_outbox o ON o.record = r.id JOIN old_uplinks u ON u.id = o.uplink"
        " GROUP BY r.id ORDER BY r.id"
    )
    for name, subject, readings, body, numbers in rows:
        given = msgspec.json.decode(numbers, type=dict[str, int])
        yield Run(RecordClass(name), "", now_ms, now_ms, given, [subject], [readings], [body])
