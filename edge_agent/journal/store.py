"""The journal's SQLite file: what is on disk, and nothing about threads or event loops."""

import logging
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.contract.topics import RecordClass

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    id       INTEGER PRIMARY KEY,
    class    TEXT NOT NULL,
    subject  TEXT NOT NULL,
    readings INTEGER NOT NULL,
    body     BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS uplinks (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    last_seq     INTEGER NOT NULL DEFAULT 0,
    acked_seq    INTEGER NOT NULL DEFAULT 0,
    reserved_seq INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS boot (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outbox (
    uplink INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (uplink, seq)
) WITHOUT ROWID;
"""
_FORMAT = 1
RESERVE = 1000
"""Numbers are reserved on the medium in blocks of this size, before the first of them is given."""


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
    reserved_seq: int
    """No number above this one has been given out, whatever a power cut took."""


def boot_id() -> str:
    """Names this run of the operating system; where it has no name, every start counts as a new one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(uuid.uuid4())


class Store:
    """One open journal file, used from one thread at a time.

    Numbers are given when a record is written, in the same transaction: whatever happens afterwards, a
    record keeps the number it has for an uplink. A record goes when no uplink waits for it any more.

    A power cut can take records of which some were already sent. Their numbers are never given again: the
    block that was reserved for them is skipped, and `lost_numbers` says so.
    """

    def __init__(
        self, path: Path, uplinks: Mapping[str, frozenset[RecordClass]], boot: str | None = None
    ) -> None:
        """Open or create `path` for `uplinks` (name to the classes that it carries).

        `boot` names the run of the operating system; default: this one.

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
        self.lost_numbers: dict[str, tuple[int, int]] = {}
        """By uplink, the first and last number that a power cut may have taken."""
        self.cursors = self._register_uplinks(boot or boot_id())
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

    def _register_uplinks(self, boot: str) -> dict[str, Cursor]:
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("BEGIN")
        same_boot = self._db.execute("SELECT id FROM boot").fetchone() == (boot,)
        for name in self.carries:
            self._db.execute("INSERT OR IGNORE INTO uplinks (name) VALUES (?)", (name,))
        cursors: dict[str, Cursor] = {}
        for name, *numbers in self._db.execute(
            "SELECT name, id, last_seq, acked_seq, reserved_seq FROM uplinks"
        ).fetchall():
            cursor = Cursor(*numbers)
            if not same_boot and cursor.reserved_seq > cursor.last_seq:
                if name in self.carries:
                    self.lost_numbers[name] = cursor.last_seq + 1, cursor.reserved_seq
                cursor.last_seq = cursor.reserved_seq
            if name in self.carries:
                cursors[name] = cursor
            else:
                self._db.execute("DELETE FROM outbox WHERE uplink = ?", (cursor.id,))
                cursor.acked_seq = cursor.last_seq
            self._save(cursor)
        self._db.execute("INSERT OR REPLACE INTO boot VALUES (1, ?)", (boot,))
        self._db.execute("COMMIT")
        return cursors

    def _save(self, cursor: Cursor) -> None:
        self._db.execute(
            "UPDATE uplinks SET last_seq = ?, acked_seq = ?, reserved_seq = ? WHERE id = ?",
            (cursor.last_seq, cursor.acked_seq, cursor.reserved_seq, cursor.id),
        )

    def commit(
        self, records: Sequence[Record], acked: Mapping[str, int], *, sync: bool
    ) -> dict[str, list[Entry]]:
        """Write records and cursor positions in one transaction; with `sync`, down to the medium.

        Returns the records with their numbers, by uplink.

        Without `sync` they survive a kill of the process, but not a power cut. Raises sqlite3.Error, and
        has then changed nothing.
        """
        moved = {name: replace(cursor) for name, cursor in self.cursors.items()}
        rows: list[tuple[int, str, str, int, bytes]] = []
        numbers: list[tuple[int, int, int]] = []
        entries: dict[str, list[Entry]] = {name: [] for name in moved}
        next_record = self._next_record
        for record in records:
            takers = [name for name, classes in self.carries.items() if record.record_class in classes]
            if not takers:
                continue
            rows.append(
                (next_record, record.record_class.value, record.subject, record.readings, record.body)
            )
            for name in takers:
                cursor = moved[name]
                cursor.last_seq += 1
                numbers.append((cursor.id, cursor.last_seq, next_record))
                entries[name].append(Entry(cursor.last_seq, record))
            next_record += 1
        for name, cursor in moved.items():
            cursor.acked_seq = max(cursor.acked_seq, acked.get(name, 0))
            if cursor.last_seq > cursor.reserved_seq:
                cursor.reserved_seq = cursor.last_seq + RESERVE
                sync = True

        self._db.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
            self._db.executemany("INSERT INTO outbox VALUES (?, ?, ?)", numbers)
            for cursor in moved.values():
                self._save(cursor)
            if acked:
                self._forget(acked)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._next_record = next_record
        self.cursors = moved
        return entries

    def _forget(self, acked: Mapping[str, int]) -> None:
        for name, seq in acked.items():
            self._db.execute("DELETE FROM outbox WHERE uplink = ? AND seq <= ?", (self.cursors[name].id, seq))
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
        """Give reserved numbers back, so that a stop in good order leaves no hole, and close the file."""
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("UPDATE uplinks SET reserved_seq = last_seq")
        except sqlite3.Error:
            log.warning("journal: numbers that were reserved cannot be given back", exc_info=True)
        finally:
            self._db.close()
