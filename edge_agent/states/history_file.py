"""The history's SQLite file: what is in it, which version, and how it is opened."""

import sqlite3
from contextlib import suppress
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intervals (
    equipment TEXT NOT NULL,
    start_ms  INTEGER NOT NULL,
    end_ms    INTEGER,
    state     TEXT NOT NULL,
    cause     TEXT NOT NULL,
    PRIMARY KEY (equipment, start_ms)
) WITHOUT ROWID;
-- What was in intervals: those of one equipment that begin from from_ms up to last_ms, see packing.py. No
-- interval of it begins in between that is not in the pack.
CREATE TABLE IF NOT EXISTS packs (
    id        INTEGER PRIMARY KEY,
    equipment TEXT NOT NULL,
    from_ms   INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL,
    to_ms     INTEGER NOT NULL, -- the latest end
    known_ms  INTEGER,          -- the first start of a known state
    content   BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS packs_by_start ON packs (equipment, from_ms);
CREATE INDEX IF NOT EXISTS packs_of_known ON packs (equipment, from_ms, known_ms) WHERE known_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS evidence (
    equipment     TEXT NOT NULL,
    hour_ms       INTEGER NOT NULL,
    good_readings INTEGER NOT NULL,
    last_good_ms  INTEGER NOT NULL,
    minutes       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (equipment, hour_ms)
) WITHOUT ROWID;
-- Columns without a type keep integers as integers and floats as floats.
CREATE TABLE IF NOT EXISTS counters (
    equipment TEXT NOT NULL,
    tag       TEXT NOT NULL,
    value     NOT NULL,
    total     NOT NULL,
    PRIMARY KEY (equipment, tag)
) WITHOUT ROWID;
-- How much of a quantity came in each of the hour's 60 minutes, see production_rows.py.
CREATE TABLE IF NOT EXISTS production (
    equipment TEXT NOT NULL,
    hour_ms   INTEGER NOT NULL,
    quantity  TEXT NOT NULL,
    content   BLOB NOT NULL,
    PRIMARY KEY (equipment, hour_ms, quantity)
) WITHOUT ROWID;
-- What came at some time in which the counter was not seen.
CREATE TABLE IF NOT EXISTS production_spans (
    equipment TEXT NOT NULL,
    to_ms     INTEGER NOT NULL,
    from_ms   INTEGER NOT NULL,
    quantity  TEXT NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (equipment, to_ms, from_ms, quantity)
) WITHOUT ROWID;
-- When counters of production were seen first and last, and their totals then.
CREATE TABLE IF NOT EXISTS production_counters (
    equipment TEXT NOT NULL,
    counts    TEXT NOT NULL,
    tag       TEXT NOT NULL,
    first_ms  INTEGER NOT NULL,
    seen_ms   INTEGER NOT NULL,
    total     NOT NULL,
    PRIMARY KEY (equipment, counts, tag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounted (
    period TEXT PRIMARY KEY,
    to_ms  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alive (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    time_ms  INTEGER NOT NULL
);
-- Where unknown time was filled afterwards; numbers are not given twice.
CREATE TABLE IF NOT EXISTS amendments (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    equipment TEXT NOT NULL,
    from_ms   INTEGER NOT NULL,
    to_ms     INTEGER NOT NULL
);
-- Up to which number each reader of the amendments has taken them into account.
CREATE TABLE IF NOT EXISTS amendments_taken (
    reader TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) WITHOUT ROWID;
"""
FORMAT = 1
"""In `user_version` of the file. 0 is one without packs; it becomes this one when it is opened."""


class HistoryFormatError(sqlite3.DatabaseError):
    """The file was written by a newer version of the agent."""


BUSY_S = 30.0
"""How long to wait for another process that writes to the history."""
PAGES = "PRAGMA page_size = 1024"
"""Of a new file: every few seconds some bytes change in each of several pages, and whole ones are written."""
CACHE = "PRAGMA cache_size = -512"
"""kB of the connection that writes every second, in place of 2,000: what it changes at once has room."""
SMALL_CACHE = "PRAGMA cache_size = -64"
"""Of each other connection: an agent has some all the time, each would fill its own as the file grows, and
what they read the system has in its own cache."""


def open_history(path: Path) -> sqlite3.Connection:
    """To read and write; a file of an older format is taken over.

    Raises HistoryFormatError, before anything of the file is touched, and sqlite3.Error.
    """
    if path.exists():
        with suppress(
            sqlite3.OperationalError
        ):  # there may be traces of a crash that only a writer can remove
            open_read_only(path).close()
    # The agent calls from a worker thread of its own, but always one call at a time.
    db = sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _check_format(db, path)
        db.execute(CACHE)
        db.execute(PAGES)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if "last_good_ms" in (columns := _columns(db, "evidence")) and "minutes" not in columns:
            # Of the hours of before none is proved.
            db.execute("ALTER TABLE evidence ADD COLUMN minutes INTEGER NOT NULL DEFAULT 0")
        db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def open_beside(path: Path) -> sqlite3.Connection:
    """To read and write tables that are not of this room, beside the connection of `open_history`.

    From one thread at a time. Raises sqlite3.Error.
    """
    db = sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute(SMALL_CACHE)
    except BaseException:
        db.close()
        raise
    return db


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def open_read_only(path: Path) -> sqlite3.Connection:
    """A history file to look at, whether an agent is running on it or not, from one thread at a time.

    Raises HistoryFormatError, sqlite3.Error.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if not path.with_name(f"{path.name}-wal").exists():
        # Nobody has it open. Without this, looking would leave files beside it.
        uri += "&immutable=1"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        _check_format(db, path)
        db.execute(SMALL_CACHE)
    except BaseException:
        db.close()
        raise
    return db


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found > FORMAT:
        raise HistoryFormatError(
            f"{path}: history format {found}, this agent knows formats up to {FORMAT}. It was written by a"
            " newer version: run that one, or move the file away."
        )
