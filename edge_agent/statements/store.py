"""Statements on disk: one chain for each data folder, to which statements are added and never changed."""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from edge_agent import __version__
from edge_agent.contract.canonical import canonical, canonical_object, members_of
from edge_agent.model.clock import CLOCK
from edge_agent.statements.keys import SigningKey
from edge_agent.states.history_file import open_beside, open_read_only
from edge_agent.transaction import all_or_nothing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS statements (
    number        INTEGER PRIMARY KEY,
    schema        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    from_ms       INTEGER NOT NULL,
    to_ms         INTEGER NOT NULL,
    digest        TEXT NOT NULL,
    said          TEXT NOT NULL,
    signature     TEXT NOT NULL,
    signed        BLOB NOT NULL,
    evidence      BLOB,
    superseded_by INTEGER
);
CREATE INDEX IF NOT EXISTS statements_of ON statements (schema, subject, kind, from_ms, to_ms, number);
CREATE TABLE IF NOT EXISTS unsent_statements (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS stated (kind TEXT PRIMARY KEY, to_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signing_keys (id INTEGER PRIMARY KEY, key TEXT NOT NULL);
"""
_COLUMNS = """
number, schema, subject, kind, from_ms, to_ms, digest, said, signature, signed, evidence, superseded_by
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One statement as it is kept."""

    number: int
    schema: str
    subject: str
    kind: str
    from_ms: int
    to_ms: int
    digest: str
    """SHA-256 (hex) of `signed`: the next one names it as `previous`, one in its place as superseded."""
    said: str
    """SHA-256 (hex) of what it says of the period, by which another one is the same or not."""
    signature: str
    signed: bytes
    """What is signed: canonical JSON."""
    evidence: bytes | None
    """What it stands on, canonical JSON; None if it was kept without."""
    superseded_by: int | None

    @property
    def content(self) -> dict[str, Any]:
        """What `signed` says."""
        content: dict[str, Any] = json.loads(self.signed)
        return content

    @property
    def bare(self) -> bytes:
        """The statement with its signature and without the evidence: canonical JSON."""
        return canonical_object(self._members())

    @property
    def message(self) -> bytes:
        """The statement as it is sent, but for its `seq`: canonical JSON."""
        evidence = {} if self.evidence is None else {"evidence": self.evidence}
        return canonical_object({**self._members(), **evidence})

    def _members(self) -> dict[str, bytes]:
        return {**members_of(self.signed), "signature": canonical(self.signature)}


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of its canonical form. Raises ValueError for what JSON cannot carry exactly."""
    return sha256(canonical(content)).hexdigest()


class StatementArchive:
    """The statements of one history file, to look at. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        """The file may be that of a running agent."""
        self._db = open_read_only(path)

    def of_number(self, number: int) -> Kept | None:
        return next(self._all("number = ?", number), None)

    def numbers(self, first: int, last: int) -> Iterator[Kept]:
        """Those numbered `first` to `last`, in order."""
        return self._all("number BETWEEN ? AND ?", first, last)

    def in_force(
        self, schema: str, kind: str, from_ms: int, to_ms: int, subject: str | None = None
    ) -> Iterator[Kept]:
        """Those that nothing supersedes, of periods that lie within [from_ms, to_ms), in order of number."""
        return self._all(
            "schema = ? AND kind = ? AND from_ms >= ? AND to_ms <= ? AND superseded_by IS NULL"
            " AND (?5 IS NULL OR subject = ?5)",
            schema, kind, from_ms, to_ms, subject,
        )  # fmt: skip

    def within(self, schema: str, from_ms: int, to_ms: int) -> Iterator[Kept]:
        """Those of periods that lie within [from_ms, to_ms), also those superseded, in order of number."""
        return self._all("schema = ? AND from_ms >= ? AND to_ms <= ?", schema, from_ms, to_ms)

    def newest(self, schema: str, subject: str, kind: str, from_ms: int, to_ms: int) -> Kept | None:
        """What holds of a subject in a period; None if nothing was stated."""
        return next(self.in_force(schema, kind, from_ms, to_ms, subject), None)

    def all_of(self, schema: str, subject: str | None = None) -> Iterator[Kept]:
        """All of a kind of statement, or of one subject, also those superseded, in order of number."""
        return self._all("schema = ?1 AND (?2 IS NULL OR subject = ?2)", schema, subject)

    def keys(self) -> list[str]:
        """The public keys that statements were signed with, the first first."""
        return [key for (key,) in self._rows("SELECT key FROM signing_keys ORDER BY id")]

    def last_number(self) -> int:
        """The number of the newest statement; 0 before the first."""
        (number,) = next(self._rows("SELECT coalesce(max(number), 0) FROM statements"), (0,))
        return int(number)

    def _all(self, condition: str, *values: str | int | None) -> Iterator[Kept]:
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM statements WHERE {condition} ORDER BY number",  # noqa: S608 - from above
            *values,
        )
        for *names, from_ms, to_ms, digest, said, signature, signed, lines, by in rows:
            number, schema, subject, kind = names
            evidence = None if lines is None else zlib.decompress(lines)
            what = zlib.decompress(signed)
            yield Kept(
                number, schema, subject, kind, from_ms, to_ms, digest, said, signature, what, evidence, by
            )

    def _rows(self, query: str, *values: str | int | None) -> Iterator[Any]:
        try:
            return self._db.execute(query, values)
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return iter(())  # no statement has been made yet

    def close(self) -> None:
        self._db.close()


class StatementStore(StatementArchive):
    """Adds to the chain. Several processes may do so at once; each instance is used by one thread at a time.

    All methods may raise sqlite3.Error.
    """

    def __init__(self, path: Path, key: SigningKey) -> None:
        """`path` is the history file; it is made if there is none."""
        self._key = key
        self._db = open_beside(path)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            # A number that has been sent must not come again after a power cut.
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except BaseException:
            self._db.close()
            raise

    def add(
        self,
        schema: str,
        subject: str,
        kind: str,
        from_ms: int,
        to_ms: int,
        content: Mapping[str, Any],
        evidence: Mapping[str, bytes] | None = None,
        basis: Mapping[str, Any] | None = None,
    ) -> Kept | None:
        """Keep a statement about `subject` in the period [from_ms, to_ms), as the next of the chain.

        If the newest one of the same schema, subject and period says the same, nothing is done and the
        answer is None. If it says something else, the new one supersedes it. `content` are the members that
        only this schema has; those that place it in the chain are added. `evidence` are canonical values by
        name, which `content` covers by digests; they are kept and sent with it. `basis` are further members:
        if another basis leads to the same content, that is no other statement.

        Raises ValueError for content that JSON cannot carry exactly.
        """
        says = digest_of(content)
        period = (schema, subject, kind, from_ms, to_ms)
        lines = canonical_object(evidence) if evidence else None
        with all_or_nothing(self._db):
            newest = self._db.execute(
                "SELECT number, digest, said FROM statements WHERE schema = ? AND subject = ?"
                " AND kind = ? AND from_ms = ? AND to_ms = ? ORDER BY number DESC LIMIT 1",
                period,
            ).fetchone()
            kept = None
            if newest is None or newest[2] != says:
                kept = self._next(period, says, {**content, **(basis or {})}, newest, lines)
                self._insert(kept)
        return kept

    def _next(
        self,
        period: tuple[str, str, str, int, int],
        says: str,
        content: Mapping[str, Any],
        superseded: tuple[int, str, str] | None,
        evidence: bytes | None,
    ) -> Kept:
        schema, subject, kind, from_ms, to_ms = period
        last = self._db.execute("SELECT number, digest FROM statements ORDER BY number DESC LIMIT 1")
        number, previous = last.fetchone() or (0, None)
        signed = canonical(
            {
                **content,
                "schema": schema,
                "subject": subject,
                "period": kind,
                "from": from_ms,
                "to": to_ms,
                "number": number + 1,
                "previous": previous,
                "supersedes": superseded and {"number": superseded[0], "digest": superseded[1]},
                "time": CLOCK.now_ms(),
                "agent": __version__,
                "key": self._key.public,
            }
        )
        digest = sha256(signed).hexdigest()
        return Kept(number + 1, *period, digest, says, self._key.sign(signed), signed, evidence, None)

    def _insert(self, kept: Kept) -> None:
        self._db.execute(
            "UPDATE statements SET superseded_by = ? WHERE schema = ? AND subject = ? AND kind = ?"
            " AND from_ms = ? AND to_ms = ? AND superseded_by IS NULL",
            (kept.number, kept.schema, kept.subject, kept.kind, kept.from_ms, kept.to_ms),
        )
        self._db.execute(
            f"INSERT INTO statements ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",  # noqa: S608 - from above
            (
                kept.number, kept.schema, kept.subject, kept.kind, kept.from_ms, kept.to_ms,
                kept.digest, kept.said, kept.signature, zlib.compress(kept.signed),
                None if kept.evidence is None else zlib.compress(kept.evidence),
            ),
        )  # fmt: skip
        self._db.execute("INSERT INTO unsent_statements VALUES (?)", (kept.number,))

    # What has to be sent.

    def unsent(self, limit: int) -> list[Kept]:
        """Up to `limit` statements that are not in the journal yet, in order."""
        return list(self._all("number IN (SELECT number FROM unsent_statements ORDER BY 1 LIMIT ?)", limit))

    def sent(self, numbers: Iterable[int]) -> None:
        """These are in the journal."""
        with all_or_nothing(self._db):
            self._db.executemany("DELETE FROM unsent_statements WHERE number = ?", [(n,) for n in numbers])

    # How far the agent has come.

    def stated(self, kind: str) -> int | None:
        """Up to when statements of this kind of period were made; None before the first."""
        row = self._db.execute("SELECT to_ms FROM stated WHERE kind = ?", (kind,)).fetchone()
        return None if row is None else int(row[0])

    def set_stated(self, kind: str, to_ms: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO stated VALUES (?, ?)", (kind, to_ms))

    def note_key(self) -> str | None:
        """Note the key that is signed with; returns the one before if it is another."""
        row = self._db.execute("SELECT key FROM signing_keys ORDER BY id DESC LIMIT 1").fetchone()
        if row is not None and row[0] == self._key.public:
            return None
        self._db.execute("INSERT INTO signing_keys (key) VALUES (?)", (self._key.public,))
        return None if row is None else str(row[0])
