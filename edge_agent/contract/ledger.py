"""What a receiver has of each gateway: every number once, the holes, and the messages not handed over yet.

One SQLite file, which several workers may share. Numbers are those that the gateway gives (`seq`).
"""

import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from edge_agent.contract.topics import READINGS_TOPIC
from edge_agent.transaction import all_or_nothing

DIGESTS_KEPT = 10_000
"""Of each gateway: so far back a number that comes with other content is told from a repeat."""

READY_LIMIT = 1000
"""Messages handed over from one look at the file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS numbers (
    gateway TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    PRIMARY KEY (gateway, first)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digests (
    gateway TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    PRIMARY KEY (gateway, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
    gateway TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    payload BLOB NOT NULL,
    worker  TEXT NOT NULL,
    PRIMARY KEY (gateway, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
    gateway TEXT PRIMARY KEY,
    key     TEXT NOT NULL
) WITHOUT ROWID;
-- What the gateway said last of what it has still to deliver, and the newest reading that came.
CREATE TABLE IF NOT EXISTS backlogs (
    gateway      TEXT PRIMARY KEY,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    last         INTEGER NOT NULL DEFAULT 0,
    reached      INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""

_NO_END = 2**62
"""A gateway that is away may have any numbers to deliver."""

Range = tuple[int, int]
"""First and last number, both included."""


class Verdict(StrEnum):
    NEW = "new"
    REPEAT = "repeat"
    CONFLICT = "conflict"
    """The number was there already, with other content."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits to be handed over."""

    gateway: str
    seq: int
    topic: str
    payload: bytes


class Ledger:
    """All methods may raise sqlite3.Error. Used from one thread at a time."""

    def __init__(self, path: Path | None = None, worker: str = "") -> None:
        """`path` is a file; without it all is forgotten at the end. Workers who share it need names: what one
        has taken, it hands over, also after a restart under the same name.
        """
        self._worker = worker
        self._db = sqlite3.connect(
            ":memory:" if path is None else path, isolation_level=None, check_same_thread=False, timeout=30
        )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def together(self) -> AbstractContextManager[None]:
        """What is done within is on disk afterwards, all of it or nothing."""
        return all_or_nothing(self._db)

    def take(self, message: Held) -> Verdict:
        """Account for a message and keep it until it is handed over, if its number is new.

        The first number of a gateway is where its account begins.
        """
        gateway, seq = message.gateway, message.seq
        digest = sha256(message.payload).digest()[:16]
        if not self._add(gateway, seq, seq):
            row = self._db.execute(
                "SELECT digest FROM digests WHERE gateway = ? AND seq = ?", (gateway, seq)
            ).fetchone()
            return Verdict.CONFLICT if row is not None and row[0] != digest else Verdict.REPEAT
        self._db.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", (gateway, seq, digest))
        self._db.execute("DELETE FROM digests WHERE gateway = ? AND seq <= ?", (gateway, seq - DIGESTS_KEPT))
        self._db.execute(
            "INSERT INTO inbox VALUES (?, ?, ?, ?, ?)",
            (gateway, seq, message.topic, message.payload, self._worker),
        )
        return Verdict.NEW

    def excuse(self, gateway: str, first: int, last: int) -> None:
        """Nobody waits any more for what of these numbers has not come."""
        self._add(gateway, first, last)

    def _add(self, gateway: str, first: int, last: int) -> bool:
        """Whether one of the numbers was not accounted for before."""
        rows: list[Range] = self._db.execute(
            "SELECT first, last FROM numbers WHERE gateway = ? AND first <= ? AND last >= ? ORDER BY first",
            (gateway, last + 1, first - 1),
        ).fetchall()
        if any(low <= first and last <= high for low, high in rows):
            return False
        self._db.executemany(
            "DELETE FROM numbers WHERE gateway = ? AND first = ?", [(gateway, r[0]) for r in rows]
        )
        low = min([first, *(r[0] for r in rows)])
        high = max([last, *(r[1] for r in rows)])
        self._db.execute("INSERT INTO numbers VALUES (?, ?, ?)", (gateway, low, high))
        return True

    def missing(self, gateway: str, last: int = 0) -> list[Range]:
        """The holes, in order, up to the newest number or up to `last` if that is more."""
        rows: list[Range] = self._db.execute(
            "SELECT first, last FROM numbers WHERE gateway = ? ORDER BY first", (gateway,)
        ).fetchall()
        holes = [(before[1] + 1, after[0] - 1) for before, after in pairwise(rows)]
        if rows and rows[-1][1] < last:
            holes.append((rows[-1][1] + 1, last))
        return holes

    def report(self, gateway: str, acknowledged: int, last: int) -> None:
        """A gateway that is there has acknowledged everything up to the one number, and given the other."""
        self._db.execute(
            "INSERT INTO backlogs (gateway, acknowledged, last) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE"
            " SET acknowledged = ?2, last = ?3",
            (gateway, acknowledged, last),
        )

    def away(self, gateway: str) -> None:
        """Until it reports, everything above what is known of it may still come."""
        self._db.execute(
            "INSERT INTO backlogs (gateway, last) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last = ?2",
            (gateway, _NO_END),
        )

    def reach(self, gateway: str, seq: int) -> None:
        """A message that overtakes nothing came: what was numbered before it is no longer on its way."""
        self._db.execute(
            "INSERT INTO backlogs (gateway, reached) VALUES (?1, ?2) ON CONFLICT DO UPDATE"
            " SET reached = max(reached, ?2)",
            (gateway, seq),
        )

    def on_its_way_above(self, gateway: str) -> int | None:
        """Missing numbers above this one may still come by themselves; None if there is no backlog."""
        row = self._db.execute(
            "SELECT max(acknowledged, reached) FROM backlogs WHERE gateway = ?"
            " AND max(acknowledged, reached) < last",
            (gateway,),
        ).fetchone()
        return None if row is None else int(row[0])

    def gateways(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT DISTINCT gateway FROM numbers ORDER BY gateway")]

    def ready(self, *, in_order: bool) -> list[Held]:
        """What can be handed over: with `in_order` nothing that lies behind a hole, but for what has
        overtaken readings that are on their way."""
        rows = self._db.execute(
            "SELECT gateway, seq, topic, payload FROM inbox WHERE worker = ?1 AND (NOT ?2 OR seq <="
            " (SELECT last FROM numbers WHERE numbers.gateway = inbox.gateway ORDER BY first LIMIT 1)"
            " OR topic NOT LIKE ?4 AND"
            " (SELECT last FROM numbers WHERE numbers.gateway = inbox.gateway ORDER BY first LIMIT 1) >="
            " (SELECT max(acknowledged, reached) FROM backlogs WHERE backlogs.gateway = inbox.gateway"
            " AND max(acknowledged, reached) < last))"
            " ORDER BY gateway, seq LIMIT ?3",
            (self._worker, in_order, READY_LIMIT, f"{READINGS_TOPIC}%"),
        )
        return [Held(*row) for row in rows]

    def handed_over(self, message: Held) -> None:
        """The consumer has it: it is kept no longer."""
        self._db.execute("DELETE FROM inbox WHERE gateway = ? AND seq = ?", (message.gateway, message.seq))

    def key_of(self, gateway: str) -> str | None:
        """The public key that it signed with last; None before the first signature."""
        row = self._db.execute("SELECT key FROM keys WHERE gateway = ?", (gateway,)).fetchone()
        return None if row is None else str(row[0])

    def set_key(self, gateway: str, key: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (gateway, key))

    def close(self) -> None:
        self._db.close()
