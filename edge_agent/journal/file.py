"""The journal's SQLite file: what is in it, which version, and how an older one is taken over."""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from edge_agent.contract.topics import RecordClass
from edge_agent.journal import digests
from edge_agent.journal.cipher import Cipher, check_key
from edge_agent.journal.gaps import Gap
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
ENCRYPTED_FORMAT = 3
"""The same with the content of runs encrypted, with the key whose id is in `application_id`."""
CACHE_KB = 512
"""Of 2,000 that SQLite would fill as the file grows: what is written and read at once has room."""
PAGE_BYTES = 1024
"""A transaction writes whole pages, and most touch few bytes of each: small ones are less for the card."""
GAPS_KEPT = 1000
"""Of the oldest gaps nobody asks for the reason any more."""


class DamagedFileError(sqlite3.DatabaseError):
    """SQLite can read the file, but it does not say what was written."""


class JournalFormatError(Exception):
    """The file was written by a newer version of the agent."""


def open_file(path: Path, now_ms: int, cipher: Cipher) -> sqlite3.Connection:
    """Open or make a journal's file; what is committed is on the medium.

    Raises JournalFormatError and JournalKeyError, before anything of the file is touched, and sqlite3.Error.
    """
    check_format(path)
    # The journal calls from a worker thread of its own, but always one call at a time.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        found = _checked(db, path, cipher)
        db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file; one that is there keeps its own
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if found == 0:
            make(db, cipher)
        elif found == 1:
            _take_over(db, now_ms, cipher)
        db.execute(digests.SCHEMA)  # files of this format from before there were digests have none
    except BaseException:
        db.close()
        raise
    return db


def check_format(path: Path) -> None:
    """Raise JournalFormatError if a newer version has written the file. Nothing of it is touched, what a kill
    has left beside it neither; whether it is damaged is for others to find out."""
    if not path.exists():
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if not path.with_name(f"{path.name}-wal").exists():
        uri += "&immutable=1"  # without this, looking would leave files beside it
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as db:
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found > ENCRYPTED_FORMAT:
            raise JournalFormatError(
                f"{path}: journal format {found}, this agent knows formats up to {ENCRYPTED_FORMAT}. It was"
                " written by a newer version: run that one, or move the file away."
            )


def check_file(path: Path, cipher: Cipher) -> None:
    """Raises JournalFormatError, JournalKeyError if the file, should it be there, is not for this agent with
    this key; sqlite3.Error."""
    check_format(path)
    if path.exists():
        with closing(sqlite3.connect(path)) as db:
            _checked(db, path, cipher)


def _checked(db: sqlite3.Connection, path: Path, cipher: Cipher) -> int:
    """The format of the file."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found != 0:
        check_key(cipher, _key_id(db), path)
    return int(found)


def key_id_of(path: Path) -> int:
    """With which key the file is encrypted; 0: it is not. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path)) as db:
        return _key_id(db)


def _key_id(db: sqlite3.Connection) -> int:
    (found,) = db.execute("PRAGMA application_id").fetchone()
    return int(found)


def make(db: sqlite3.Connection, cipher: Cipher) -> None:
    """An empty journal in an empty file."""
    number = ENCRYPTED_FORMAT if cipher.key_id else FORMAT
    versions = f"PRAGMA user_version = {number}; PRAGMA application_id = {cipher.key_id}"
    db.executescript(f"BEGIN; {SCHEMA} {versions}; COMMIT")


def insert(db: sqlite3.Connection, runs: Iterable[Run], next_id: int, cipher: Cipher) -> int:
    """Add runs with ids from `next_id` on; returns the next one."""
    for run in runs:
        numbers = msgspec.json.encode(run.numbers).decode()
        content = cipher.seal(packed(run))
        columns = (run.record_class.value, run.only, run.from_ms, run.to_ms, len(run), numbers, content)
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


def save_gap(db: sqlite3.Connection, uplink: str, gap: Gap) -> None:
    db.execute(
        "INSERT INTO gaps (uplink, kind, first, last, count) VALUES (?, ?, ?, ?, ?)",
        (uplink, gap.kind, gap.first, gap.last, gap.count),
    )
    db.execute("DELETE FROM gaps WHERE id <= (SELECT max(id) FROM gaps) - ?", (GAPS_KEPT,))


def read_gaps(db: sqlite3.Connection) -> Iterator[tuple[str, Gap]]:
    """Each with its uplink. Raises DamagedFileError, sqlite3.Error."""
    for name, kind, *numbers in db.execute("SELECT uplink, kind, first, last, count FROM gaps"):
        yield name, Gap(kind, *whole(*numbers))


def save_boot(db: sqlite3.Connection, boot: str) -> None:
    db.execute("INSERT OR REPLACE INTO boot VALUES (1, ?)", (boot,))


def is_of_boot(db: sqlite3.Connection, boot: str) -> bool:
    """Whether the file was opened last in this run of the operating system. Raises sqlite3.Error."""
    return bool(db.execute("SELECT id FROM boot").fetchone() == (boot,))


def whole(*values: object) -> list[int]:
    """The values, which are whole numbers if the file is as it was written. Raises DamagedFileError."""
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) != len(values):
        raise DamagedFileError(f"numbers expected, and {values} found")
    return numbers


def _checksum(row: Sequence[object]) -> int:
    return zlib.crc32(repr(tuple(row)).encode())


def _take_over(db: sqlite3.Connection, now_ms: int, cipher: Cipher) -> None:
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
        insert(db, joined(_old_records(db, now_ms)), 1, cipher)
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
