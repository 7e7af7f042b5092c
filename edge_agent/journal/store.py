"""The journal's SQLite file: what is on disk, and nothing about threads or event loops."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.contract.topics import RecordClass

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    id       INTEGER PRIMARY KEY,
    class    TEXT NOT NULL,
    subject  TEXT NOT NULL,
    readings INTEGER NOT NULL,
    body     BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS uplinks (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    last_seq  INTEGER NOT NULL DEFAULT 0,
    acked_seq INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS outbox (
    uplink INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (uplink, seq)
) WITHOUT ROWID;
"""
_FORMAT = 1


class JournalFormatError(Exception):
    """The file was written by another version of the agent, or is no journal at all."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is queued: an encoded message without its number, and how many readings it holds."""

    record_class: RecordClass
    subject: str
    body: bytes
    readings: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with the number that it has for one uplink, for good."""

    seq: int
    record: Record


@dataclass(slots=True)
class Cursor:
    """`last_seq` is the newest number given out; everything up to `acked_seq` is acknowledged."""

    id: int
    last_seq: int
    acked_seq: int


class Store:
    """One open journal file, used from one thread at a time.

    Numbers are given when a record is written, in the same transaction: whatever happens afterwards, a
    record keeps the number it has for an uplink. A record goes when no uplink waits for it any more.
    """

    def __init__(self, path: Path, uplinks: Mapping[str, frozenset[RecordClass]]) -> None:
        """Open or create `path` for `uplinks` (name to the classes that it carries).

        An uplink that the file knows and the configuration does not loses its queue and keeps its
        counter. Raises JournalFormatError, sqlite3.Error.
        """
        # The journal calls from a worker thread of its own, but always one call at a time.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(path)
        except BaseException:
            self._db.close()
            raise
        self.carries = dict(uplinks)
        self.cursors = self._register_uplinks()
        self._next_record: int = self._db.execute(
            "SELECT 1 + max((SELECT coalesce(max(id), 0) FROM records),"
            " (SELECT coalesce(max(record), 0) FROM outbox))"
        ).fetchone()[0]

    def _prepare(self, path: Path) -> None:
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            (found,) = self._db.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise JournalFormatError(f"{path}: cannot be read as a journal ({error})") from error
        if found not in (0, _FORMAT):
            raise JournalFormatError(
                f"{path}: journal format {found}, this agent knows format {_FORMAT}. "
                "Run the version that wrote it until it is drained, or move the file away."
            )
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version = {_FORMAT}")

    def _register_uplinks(self) -> dict[str, Cursor]:
        self._db.execute("BEGIN")
        for name in self.carries:
            self._db.execute("INSERT OR IGNORE INTO uplinks (name) VALUES (?)", (name,))
        cursors: dict[str, Cursor] = {}
        for uplink, name, last, acked in self._db.execute(
            "SELECT id, name, last_seq, acked_seq FROM uplinks"
        ).fetchall():
            if name in self.carries:
                cursors[name] = Cursor(uplink, last, acked)
            else:
                self._db.execute("DELETE FROM outbox WHERE uplink = ?", (uplink,))
                self._db.execute("UPDATE uplinks SET acked_seq = last_seq WHERE id = ?", (uplink,))
        self._db.execute("COMMIT")
        return cursors

    def commit(
        self, records: Sequence[Record], acked: Mapping[str, int], *, sync: bool
    ) -> dict[str, list[Entry]]:
        """Write records and cursor positions in one transaction; with `sync`, down to the medium.

        Returns the records with their numbers, by uplink.

        Without `sync` they survive a kill of the process, but not a power cut. Raises sqlite3.Error, and
        has then changed nothing.
        """
        last = {name: cursor.last_seq for name, cursor in self.cursors.items()}
        rows: list[tuple[int, str, str, int, bytes]] = []
        numbers: list[tuple[int, int, int]] = []
        entries: dict[str, list[Entry]] = {name: [] for name in self.cursors}
        next_record = self._next_record
        for record in records:
            takers = [name for name, classes in self.carries.items() if record.record_class in classes]
            if not takers:
                continue
            rows.append(
                (next_record, record.record_class.value, record.subject, record.readings, record.body)
            )
            for name in takers:
                last[name] += 1
                numbers.append((self.cursors[name].id, last[name], next_record))
                entries[name].append(Entry(last[name], record))
            next_record += 1

        self._db.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
            self._db.executemany("INSERT INTO outbox VALUES (?, ?, ?)", numbers)
            self._db.executemany(
                "UPDATE uplinks SET last_seq = ? WHERE id = ?",
                [(last[name], cursor.id) for name, cursor in self.cursors.items()],
            )
            if acked:
                self._forget(acked)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._next_record = next_record
        for name, cursor in self.cursors.items():
            cursor.last_seq = last[name]
            cursor.acked_seq = max(cursor.acked_seq, acked.get(name, 0))
        return entries

    def _forget(self, acked: Mapping[str, int]) -> None:
        for name, seq in acked.items():
            uplink = self.cursors[name].id
            self._db.execute("UPDATE uplinks SET acked_seq = ? WHERE id = ?", (seq, uplink))
            self._db.execute("DELETE FROM outbox WHERE uplink = ? AND seq <= ?", (uplink, seq))
        # Numbers and records grow together, so the oldest record that an uplink waits for is the one of
        # its lowest number; nothing before the oldest of those is needed.
        waiting = [
            row[0]
            for cursor in self.cursors.values()
            for row in self._db.execute(
                "SELECT record FROM outbox WHERE uplink = ? ORDER BY seq LIMIT 1", (cursor.id,)
            )
        ]
        if waiting:
            self._db.execute("DELETE FROM records WHERE id < ?", (min(waiting),))
        else:
            self._db.execute("DELETE FROM records")

    def read(self, uplink: str, after_seq: int, limit: int) -> list[Entry]:
        """Up to `limit` entries of `uplink` with numbers above `after_seq`, in order, without holes."""
        rows = self._db.execute(
            "SELECT o.seq, r.class, r.subject, r.body, r.readings"
            " FROM outbox o JOIN records r ON r.id = o.record"
            " WHERE o.uplink = ? AND o.seq > ? ORDER BY o.seq LIMIT ?",
            (self.cursors[uplink].id, after_seq, limit),
        )
        return [Entry(seq, Record(RecordClass(name), *rest)) for seq, name, *rest in rows]

    def close(self) -> None:
        self._db.close()
