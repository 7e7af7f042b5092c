"""What a receiver has of what gateways say in their digests: counted as messages come, compared when a day is
complete. It lives in the ledger's file.

What came is counted in the order of its numbers, as far as nothing is missing, in segments: a new one begins
where a gateway may begin to count anew. So a digest, whose first number is not known before it comes, is the
sum of whole segments. What comes after it was given up is added to the segment that it belongs to.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from edge_agent.contract.digests import added, counted, without
from edge_agent.contract.messages import ClassDigest, Digest

Range = tuple[int, int]
"""First and last number, both included."""

HASHES_KEPT = 10_000
"""Of each gateway: so far back a number that comes with other content is told from a repeat, and what a power
cut took from the gateway can be taken back here."""
DIFFERING_KEPT = 31
"""Days of each gateway that may still come to agree."""
GIVEN_UP_KEPT = 1000
"""Ranges of each gateway that may come late."""

SCHEMA = """
-- What came: `class` is empty where it does not count. `starts`: the gateway may begin to count with it.
CREATE TABLE IF NOT EXISTS hashes (
    gateway TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    class   TEXT NOT NULL,
    hash    BLOB NOT NULL,
    starts  INTEGER NOT NULL,
    PRIMARY KEY (gateway, seq)
) WITHOUT ROWID;
-- Up to which number everything that came is counted.
CREATE TABLE IF NOT EXISTS counted (
    gateway TEXT PRIMARY KEY,
    last    INTEGER NOT NULL
) WITHOUT ROWID;
-- Up to which number there are digests.
CREATE TABLE IF NOT EXISTS claimed (
    gateway TEXT PRIMARY KEY,
    last    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
    gateway TEXT NOT NULL,
    first   INTEGER NOT NULL,
    class   TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (gateway, first, class)
) WITHOUT ROWID;
-- Digests that came and were not found to agree. `look`: they are to be compared; `told`: they differ.
CREATE TABLE IF NOT EXISTS claims (
    gateway TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    content TEXT NOT NULL,
    look    INTEGER NOT NULL DEFAULT 1,
    told    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (gateway, first)
) WITHOUT ROWID;
-- Numbers that were passed over. `ask`: their gateway has not said that they do not come.
CREATE TABLE IF NOT EXISTS given_up (
    gateway TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    ask     INTEGER NOT NULL,
    PRIMARY KEY (gateway, first)
) WITHOUT ROWID;
"""


class Proof(StrEnum):
    AGREES = "digest_agrees"
    DIFFERS = "digest_differs"
    UNPROVEN = "digest_unproven"
    """The beginning was not seen, or no digest came."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of comparing the numbers from `first` to `last`, or one class of them."""

    proof: Proof
    first: int
    last: int
    day: str = ""
    record_class: str = ""
    expected: ClassDigest | None = None
    found: ClassDigest | None = None
    missing: int = 0
    """How many numbers of the day have been given up, of whatever class."""


class Proofs:
    """All methods may raise sqlite3.Error, and are called within a transaction of the ledger."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def hash_of(self, gateway: str, seq: int) -> bytes | None:
        """Of the payload that came with a number; None if that is too long ago."""
        row = self._db.execute(
            "SELECT hash FROM hashes WHERE gateway = ? AND seq = ?", (gateway, seq)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def came(self, gateway: str, seq: int, record_class: str, hashed: bytes, *, starts: bool) -> None:
        """A message with a new number. `starts`: the gateway may begin to count with it."""
        row = (seq, record_class, hashed, starts)
        self._db.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", (gateway, *row))
        upto = self._counted(gateway)
        if seq <= upto:
            self._count(gateway, [row])
            self._db.execute(
                "UPDATE claims SET look = 1 WHERE gateway = ?1 AND first <= ?2 AND last >= ?2", (gateway, seq)
            )
        self._db.execute(
            "DELETE FROM hashes WHERE gateway = ? AND seq <= ?", (gateway, min(seq - HASHES_KEPT, upto))
        )

    def claimed(self, gateway: str, digest: Digest) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO claims (gateway, first, last, content) VALUES (?, ?, ?, ?)",
            (gateway, digest.first, digest.last, msgspec.json.encode(digest).decode()),
        )
        self._db.execute(
            "INSERT INTO claimed VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last = max(last, ?2)",
            (gateway, digest.last),
        )

    def give_up(self, gateway: str, ranges: Iterable[Range], *, ask: bool) -> None:
        """These are passed over. Without `ask` the gateway itself says that they do not come."""
        rows = [(gateway, first, last, ask) for first, last in ranges]
        self._db.executemany("INSERT OR IGNORE INTO given_up VALUES (?, ?, ?, ?)", rows)
        if rows:
            self._db.execute(
                "DELETE FROM given_up WHERE gateway = ?1 AND first <= (SELECT first FROM given_up"
                " WHERE gateway = ?1 ORDER BY first DESC LIMIT 1 OFFSET ?2)",
                (gateway, GIVEN_UP_KEPT),
            )

    def does_not_come(self, gateway: str, first: int, last: int) -> None:
        """What of these was given up need not be asked for any more."""
        self._db.execute(
            "UPDATE given_up SET ask = 0 WHERE gateway = ? AND first >= ? AND last <= ?",
            (gateway, first, last),
        )

    def comes_late(self, gateway: str, seq: int) -> bool:
        """Whether a number had been given up; it is no longer."""
        row = self._db.execute(
            "SELECT first, last, ask FROM given_up WHERE gateway = ? AND first <= ?"
            " ORDER BY first DESC LIMIT 1",
            (gateway, seq),
        ).fetchone()
        if row is None or row[1] < seq:
            return False
        first, last, ask = row
        self._db.execute("DELETE FROM given_up WHERE gateway = ? AND first = ?", (gateway, first))
        left = [one for one in ((first, seq - 1), (seq + 1, last)) if one[0] <= one[1]]
        self.give_up(gateway, left, ask=bool(ask))
        return True

    def take_back(self, gateway: str, first: int, last: int) -> None:
        """The gateway does not know any more what it gave these numbers to, and counts nothing of them, but
        for what it has told in a digest."""
        upto = self._counted(gateway)
        first = max(first, self._claimed(gateway) + 1)
        rows = self._db.execute(
            "SELECT seq, class, hash FROM hashes WHERE gateway = ? AND seq BETWEEN ? AND ? AND class != ''",
            (gateway, first, last),
        ).fetchall()
        for seq, record_class, hashed in rows:
            start = self._segment_of(gateway, seq)
            if seq <= upto and start is not None:
                before = self._segment(gateway, start, record_class)
                if before is not None:
                    self._save(gateway, start, without(before, hashed))
        self._db.execute(
            "UPDATE hashes SET class = '' WHERE gateway = ? AND seq BETWEEN ? AND ?", (gateway, first, last)
        )

    def to_ask(self, gateway: str) -> list[Range]:
        """What was given up, and would make a digest agree."""
        return self._db.execute(
            "SELECT DISTINCT g.first, g.last FROM given_up g JOIN claims c ON c.gateway = g.gateway"
            " AND c.told AND g.first <= c.last AND g.last >= c.first WHERE g.gateway = ? AND g.ask"
            " ORDER BY g.first",
            (gateway,),
        ).fetchall()

    def settle(self, gateway: str, upto: int) -> Iterator[Finding]:
        """Count what came up to a number, below which nothing is missing but what was given up, and compare
        the digests of that."""
        rows = self._db.execute(
            "SELECT seq, class, hash, starts FROM hashes WHERE gateway = ? AND seq > ? AND seq <= ?"
            " ORDER BY seq",
            (gateway, self._counted(gateway), upto),
        ).fetchall()
        if rows:
            self._count(gateway, rows)
            self._db.execute(
                "INSERT INTO counted VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last = max(last, ?2)",
                (gateway, upto),
            )
        claims = self._db.execute(
            "SELECT content, told FROM claims WHERE gateway = ? AND look AND last <= ? ORDER BY first",
            (gateway, upto),
        ).fetchall()
        for content, told in claims:
            yield from self._compare(gateway, msgspec.json.decode(content, type=Digest), told=bool(told))

    def _compare(self, gateway: str, digest: Digest, *, told: bool) -> Iterator[Finding]:
        first, last = digest.first, digest.last
        yield from self._without_digest(gateway, first)
        if not self._begins(gateway, first):
            self._forget(gateway, first, last)
            yield Finding(Proof.UNPROVEN, first, last, digest.day)
            return
        expected = {one.class_: one for one in digest.classes}
        found = self._found(gateway, first, last)
        names = sorted(
            name for name in expected.keys() | found.keys() if not _same(expected.get(name), found.get(name))
        )
        if not names:
            self._forget(gateway, first, last)
            yield Finding(Proof.AGREES, first, last, digest.day)
            return
        self._db.execute(
            "UPDATE claims SET look = 0, told = 1 WHERE gateway = ? AND first = ?", (gateway, first)
        )
        if told:
            return
        missing = self._given_up_within(gateway, first, last)
        for name in names:
            yield Finding(
                Proof.DIFFERS, first, last, digest.day, name, expected.get(name), found.get(name), missing
            )
        self._forget_oldest(gateway)

    def _without_digest(self, gateway: str, before: int) -> Iterator[Finding]:
        """What lies before a digest and is in none that can be compared."""
        (start,) = self._db.execute(
            "SELECT min(first) FROM segments s WHERE gateway = ?1 AND first < ?2 AND NOT EXISTS (SELECT 1"
            " FROM claims c WHERE c.gateway = ?1 AND s.first BETWEEN c.first AND c.last)",
            (gateway, before),
        ).fetchone()
        if start is not None:
            self._db.execute(
                "DELETE FROM segments AS s WHERE gateway = ?1 AND first < ?2 AND NOT EXISTS (SELECT 1 FROM"
                " claims c WHERE c.gateway = ?1 AND s.first BETWEEN c.first AND c.last)",
                (gateway, before),
            )
            yield Finding(Proof.UNPROVEN, start, before - 1)

    def _begins(self, gateway: str, first: int) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM segments WHERE gateway = ? AND first = ? LIMIT 1", (gateway, first)
        ).fetchone()
        return row is not None

    def _found(self, gateway: str, first: int, last: int) -> dict[str, ClassDigest]:
        found: dict[str, ClassDigest] = {}
        for (content,) in self._db.execute(
            "SELECT content FROM segments WHERE gateway = ? AND first BETWEEN ? AND ?", (gateway, first, last)
        ):
            one = msgspec.json.decode(content, type=ClassDigest)
            if one.count:
                before = found.get(one.class_)
                found[one.class_] = one if before is None else added(before, one)
        return found

    def _given_up_within(self, gateway: str, first: int, last: int) -> int:
        (count,) = self._db.execute(
            "SELECT coalesce(sum(min(last, ?3) - max(first, ?2) + 1), 0) FROM given_up"
            " WHERE gateway = ?1 AND first <= ?3 AND last >= ?2",
            (gateway, first, last),
        ).fetchone()
        return int(count)

    def _forget_oldest(self, gateway: str) -> None:
        rows = self._db.execute(
            "SELECT first, last FROM claims WHERE gateway = ? AND told ORDER BY first DESC LIMIT -1 OFFSET ?",
            (gateway, DIFFERING_KEPT),
        ).fetchall()
        for first, last in rows:
            self._forget(gateway, first, last)

    def _forget(self, gateway: str, first: int, last: int) -> None:
        within = (gateway, first, last)
        self._db.execute("DELETE FROM claims WHERE gateway = ? AND first BETWEEN ? AND ?", within)
        self._db.execute("DELETE FROM segments WHERE gateway = ? AND first BETWEEN ? AND ?", within)
        self._db.execute("DELETE FROM given_up WHERE gateway = ? AND first >= ? AND last <= ?", within)

    # Segments.

    def _counted(self, gateway: str) -> int:
        row = self._db.execute("SELECT last FROM counted WHERE gateway = ?", (gateway,)).fetchone()
        return 0 if row is None else int(row[0])

    def _claimed(self, gateway: str) -> int:
        row = self._db.execute("SELECT last FROM claimed WHERE gateway = ?", (gateway,)).fetchone()
        return 0 if row is None else int(row[0])

    def _segment_of(self, gateway: str, seq: int) -> int | None:
        (first,) = self._db.execute(
            "SELECT max(first) FROM segments WHERE gateway = ? AND first <= ?", (gateway, seq)
        ).fetchone()
        return None if first is None else int(first)

    def _segment(self, gateway: str, start: int, name: str) -> ClassDigest | None:
        row = self._db.execute(
            "SELECT content FROM segments WHERE gateway = ? AND first = ? AND class = ?",
            (gateway, start, name),
        ).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=ClassDigest)

    def _save(self, gateway: str, start: int, content: ClassDigest) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?)",
            (gateway, start, content.class_, msgspec.json.encode(content).decode()),
        )

    def _count(self, gateway: str, rows: Iterable[tuple[int, str, bytes, bool]]) -> None:
        """Rows in the order of their numbers: what is of one class and segment goes in together."""
        groups: dict[tuple[int, str], list[tuple[int, bytes]]] = {}
        start: int | None = None
        for seq, record_class, hashed, starts in rows:
            if start is None:
                start = self._segment_of(gateway, seq)
            if start is None or starts:
                start = seq
            if record_class:
                groups.setdefault((start, record_class), []).append((seq, hashed))
        for (first, name), members in groups.items():
            numbers = [seq for seq, _ in members]
            more = counted(name, min(numbers), max(numbers), [hashed for _, hashed in members])
            before = self._segment(gateway, first, name)
            self._save(gateway, first, more if before is None else added(before, more))


def _same(one: ClassDigest | None, other: ClassDigest | None) -> bool:
    """Numbers are in the payloads, so first and last need no look."""
    return one is not None and other is not None and (one.count, one.sum) == (other.count, other.sum)
