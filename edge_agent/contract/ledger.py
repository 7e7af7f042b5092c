"""What a receiver has of each gateway: every number once, the holes, and the messages not handed over yet.

One SQLite file, which several workers may share. Numbers are those that the gateway gives (`seq`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, pairwise
from pathlib import Path

from edge_agent.contract import proofs
from edge_agent.contract.digests import hash_of
from edge_agent.contract.messages import Digest
from edge_agent.contract.proofs import Finding, Proofs, Range
from edge_agent.transaction import all_or_nothing

READY_LIMIT = 1000
"""Messages handed over from one look at the file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS numbers (
    gateway TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    PRIMARY KEY (gateway, first)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
    gateway TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    payload BLOB NOT NULL,
    worker  TEXT NOT NULL,
    class   TEXT NOT NULL,
    after   INTEGER NOT NULL, -- number of the message of its class before it; 0: nobody knows, or none
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
-- While there is a backlog: readings numbered above `after` overtake it, and the newest of them that came.
CREATE TABLE IF NOT EXISTS live (
    gateway TEXT PRIMARY KEY,
    after   INTEGER NOT NULL,
    reached INTEGER NOT NULL
) WITHOUT ROWID;
"""

_VIEWS = """
-- Gateways with a backlog: between which numbers nothing is missing, up to which nothing is on its way, and
-- up to which nothing is missing of what is live.
CREATE TEMP VIEW behind AS
SELECT gateway, max(acknowledged, reached) AS reached,
    (SELECT first FROM numbers n WHERE n.gateway = b.gateway ORDER BY first LIMIT 1) AS complete_from,
    (SELECT last FROM numbers n WHERE n.gateway = b.gateway ORDER BY first LIMIT 1) AS complete_to,
    (SELECT n.last FROM live l JOIN numbers n ON n.gateway = l.gateway AND n.first <= l.after + 1
     AND n.last > l.after WHERE l.gateway = b.gateway) AS live_to
FROM backlogs b WHERE max(acknowledged, reached) < last;
-- What is held and has overtaken readings that are on their way, with nothing else missing before them; and
-- whether the message of its class before it came, does not come, or is from before the account began.
CREATE TEMP VIEW overtaking AS
SELECT inbox.*, after < complete_from OR coalesce(
    (SELECT n.last FROM numbers n WHERE n.gateway = inbox.gateway AND n.first <= after
     ORDER BY n.first DESC LIMIT 1) >= after, 0) AS after_is_there
FROM behind CROSS JOIN inbox ON inbox.gateway = behind.gateway
WHERE reached <= complete_to AND seq > complete_to AND (class != 'readings' OR seq <= live_to);
"""

FORMAT = 1
"""In `user_version` of the file. 0 is one without a number; it becomes this one when it is opened."""
_NO_END = 2**62
"""A gateway that is away may have any numbers to deliver."""


class LedgerFormatError(sqlite3.DatabaseError):
    """The file was written by a newer version."""


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
    record_class: str = ""
    after: int = 0
    """The number of the message of its class before it; 0 if nobody knows, or it is the first."""
    starts: bool = False
    """Whether its gateway may begin to count anew with it, for its next digest."""


class Ledger:
    """All methods may raise sqlite3.Error. Used from one thread at a time."""

    def __init__(self, path: Path | None = None, worker: str = "") -> None:
        """`path` is a file; without it all is forgotten at the end. Workers who share it need names: what one
        has taken, it hands over, also after a restart under the same name.

        Raises LedgerFormatError, before anything of the file is changed.
        """
        self._worker = worker
        self._db = sqlite3.connect(
            ":memory:" if path is None else path, isolation_level=None, check_same_thread=False, timeout=30
        )
        try:
            self._open(path)
        except BaseException:
            self._db.close()
            raise
        self._proofs = Proofs(self._db)

    def _open(self, path: Path | None) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > FORMAT:
            raise LedgerFormatError(
                f"{path}: ledger format {found}, this version knows formats up to {FORMAT}. It was written"
                " by a newer version: run that one, or name another file 账本由更新的版本写成，请使用新版本"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA + proofs.SCHEMA)
        if found == 0:
            self._take_over()
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
        self._db.executescript(_VIEWS)

    def _take_over(self) -> None:
        """A file from before there were digests becomes one of now."""
        if not any(row[1] == "after" for row in self._db.execute("PRAGMA table_info(inbox)")):
            with self.together():
                self._db.execute("ALTER TABLE inbox ADD COLUMN class TEXT NOT NULL DEFAULT ''")
                self._db.execute("ALTER TABLE inbox ADD COLUMN after INTEGER NOT NULL DEFAULT 0")
                self._db.execute("UPDATE inbox SET class = 'readings' WHERE topic LIKE 'telemetry/%'")
                self._db.execute("DROP TABLE digests")

    def together(self) -> AbstractContextManager[None]:
        """What is done within is on disk afterwards, all of it or nothing."""
        return all_or_nothing(self._db)

    def take(self, message: Held) -> Verdict:
        """Account for a message and keep it until it is handed over, if its number is new, or was given up.

        The first number of a gateway is where its account begins.
        """
        gateway, seq = message.gateway, message.seq
        hashed = hash_of(message.payload)
        if not self._add(gateway, seq, seq) and not self._proofs.comes_late(gateway, seq):
            before = self._proofs.hash_of(gateway, seq)
            return Verdict.REPEAT if before in (None, hashed) else Verdict.CONFLICT
        self._proofs.came(gateway, seq, message.record_class, hashed, starts=message.starts)
        self._db.execute(
            "INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?, ?)",
            (gateway, seq, message.topic, message.payload, self._worker, message.record_class, message.after),
        )
        return Verdict.NEW

    def excuse(self, gateway: str, first: int, last: int, *, ask: bool = False) -> None:
        """Nobody waits any more for what of these numbers has not come. If it comes, it is taken.

        `ask`: if a digest shows that it is missed, it can be asked for once more.
        """
        missing = self._missing_within(gateway, first, last)
        if self._add(gateway, first, last):
            self._proofs.give_up(gateway, missing, ask=ask)
        if not ask:
            self._proofs.does_not_come(gateway, first, last)

    def never_given(self, gateway: str, first: int, last: int) -> None:
        """After a power cut the gateway does not know what it gave these numbers to, if to anything: nobody
        waits for them, and what came of them is in no digest."""
        self._proofs.take_back(gateway, first, last)
        self._add(gateway, first, last)

    def claimed(self, gateway: str, digest: Digest) -> None:
        """What the gateway says that it numbered on a day."""
        self._proofs.claimed(gateway, digest)

    def settle(self, gateway: str) -> Iterator[Finding]:
        """Compare what came with the digests of the days that are complete."""
        row = self._db.execute(
            "SELECT last FROM numbers WHERE gateway = ? ORDER BY first LIMIT 1", (gateway,)
        ).fetchone()
        return iter(()) if row is None else self._proofs.settle(gateway, int(row[0]))

    def to_ask_again(self, gateway: str) -> list[Range]:
        """What was given up and would make a digest agree."""
        return self._proofs.to_ask(gateway)

    def _missing_within(self, gateway: str, first: int, last: int) -> list[Range]:
        rows: list[Range] = self._db.execute(
            "SELECT first, last FROM numbers WHERE gateway = ? AND first <= ? AND last >= ? ORDER BY first",
            (gateway, last, first),
        ).fetchall()
        edges = [first - 1, *(edge for row in rows for edge in row), last + 1]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return [(low + 1, high - 1) for low, high in pairs if low + 1 <= high - 1]

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

    def report(self, gateway: str, acknowledged: int, last: int, live_after: int = 0) -> None:
        """A gateway that is there has acknowledged everything up to the one number, and given the other.
        Readings above `live_after` overtake those up to it; 0: none does."""
        self._db.execute(
            "INSERT INTO backlogs (gateway, acknowledged, last) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE"
            " SET acknowledged = ?2, last = ?3",
            (gateway, acknowledged, last),
        )
        after, reached = self._live(gateway)
        if after == live_after:
            return
        self._db.execute("DELETE FROM live WHERE gateway = ?", (gateway,))
        if live_after:
            self._db.execute("INSERT INTO live VALUES (?, ?, ?)", (gateway, live_after, live_after))
        else:
            self.reach(gateway, reached)

    def _live(self, gateway: str) -> tuple[int, int]:
        """Above which number readings overtake others, and up to which they came; zeros if none does."""
        row = self._db.execute("SELECT after, reached FROM live WHERE gateway = ?", (gateway,)).fetchone()
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def away(self, gateway: str) -> None:
        """Until it reports, everything above what is known of it may still come."""
        self._db.execute(
            "INSERT INTO backlogs (gateway, last) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last = ?2",
            (gateway, _NO_END),
        )

    def reach(self, gateway: str, seq: int, *, overtakes: bool = False) -> None:
        """A reading came, or what must not come before those that were numbered before it: what of them is
        missing is no longer on its way. `overtakes`: it may be one that overtakes a backlog."""
        after, _ = self._live(gateway)
        if after and seq > after:
            self._db.execute("UPDATE live SET reached = max(reached, ?2) WHERE gateway = ?1", (gateway, seq))
            if overtakes:
                return
            seq = after
        self._db.execute(
            "INSERT INTO backlogs (gateway, reached) VALUES (?1, ?2) ON CONFLICT DO UPDATE"
            " SET reached = max(reached, ?2)",
            (gateway, seq),
        )

    def on_its_way(self, gateway: str) -> list[Range]:
        """Where missing numbers may still come by themselves; nowhere if there is no backlog."""
        row = self._db.execute(
            "SELECT max(acknowledged, reached) FROM backlogs WHERE gateway = ?"
            " AND max(acknowledged, reached) < last",
            (gateway,),
        ).fetchone()
        if row is None:
            return []
        after, reached = self._live(gateway)
        if row[0] >= after:
            return [(max(row[0], reached) + 1, _NO_END)]
        return [(row[0] + 1, after), (reached + 1, _NO_END)]

    def gateways(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT DISTINCT gateway FROM numbers ORDER BY gateway")]

    def ready(self, *, in_order: bool) -> list[Held]:
        """What can be handed over: with `in_order` nothing that lies behind a hole, but for what has
        overtaken readings that are on their way, and that not before what is of its class, nor a reading
        before the live ones in front of it."""
        rows = self._db.execute(
            "SELECT gateway, seq, topic, payload FROM inbox WHERE worker = ?1 AND (NOT ?2 OR seq <="
            " (SELECT last FROM numbers WHERE numbers.gateway = inbox.gateway ORDER BY first LIMIT 1))"
            " ORDER BY gateway, seq LIMIT ?3",
            (self._worker, in_order, READY_LIMIT),
        )
        found = [Held(*row) for row in rows]
        if in_order and len(found) < READY_LIMIT:
            found += islice(self._overtaking(), READY_LIMIT - len(found))
        return found

    def _overtaking(self) -> Iterator[Held]:
        waiting: set[tuple[str, int]] = set()
        rows = self._db.execute(
            "SELECT gateway, seq, topic, payload, after, after_is_there FROM overtaking WHERE worker = ?"
            " ORDER BY gateway, seq",
            (self._worker,),
        )
        for gateway, seq, topic, payload, after, is_there in rows:
            if is_there and (gateway, after) not in waiting:
                yield Held(gateway, seq, topic, payload)
            else:
                waiting.add((gateway, seq))

    def waited_for(self, gateway: str) -> list[tuple[int, str]]:
        """Numbers, with their classes, that should have come before what has overtaken readings."""
        return self._db.execute(
            "SELECT DISTINCT after, class FROM overtaking WHERE gateway = ? AND NOT after_is_there"
            " ORDER BY after",
            (gateway,),
        ).fetchall()

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
