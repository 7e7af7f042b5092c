"""Of each uplink, what was numbered since its last digest; and the digest, when the day is over.

It is of exactly the numbers that the file and its tail have: what was counted is written now and then, and
the runs that came after it are counted again where the journal is opened.
"""

import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.contract.digests import added, counted, hash_of
from edge_agent.contract.messages import ClassDigest, Digest, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.cipher import Cipher
from edge_agent.journal.runs import DamagedRunError, Record, Run, Told

log = logging.getLogger(__name__)

BEHIND = 5000
"""So many numbers of an uplink may have come since what is written was counted: 5,000 hashes take some 50 ms
at a start, and to write it with each transaction takes two pages."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS days (
    uplink  TEXT PRIMARY KEY,
    content BLOB NOT NULL -- compressed by zlib, which adds a checksum; encrypted if runs are
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Digested:
    """Which uplinks get digests, and by whose days."""

    told: Mapping[str, Told]
    """By uplink, what it tells of a record: hashes are of what is sent."""
    timezone: ZoneInfo


class Day(msgspec.Struct, frozen=True):
    """What was numbered for one uplink on the day that is not over; `last` is its newest number."""

    day: str
    first: int
    last: int = 0
    classes: dict[str, ClassDigest] = {}

    def with_class(self, more: ClassDigest) -> "Day":
        before = self.classes.get(more.class_)
        joined = more if before is None else added(before, more)
        return Day(self.day, self.first, more.last, {**self.classes, more.class_: joined})


def day_of(time_ms: int, timezone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_ms / 1000, timezone).date().isoformat()


class Days:
    """Used as the store is: from one thread at a time."""

    def __init__(self, digested: Digested | None, cipher: Cipher) -> None:
        self._cipher = cipher
        self._told: Mapping[str, Told] = digested.told if digested else {}
        self._timezone = digested.timezone if digested else ZoneInfo("UTC")
        self.now: dict[str, Day] = {}
        """By uplink; none where nothing was numbered since the last digest. Days are not changed, but
        replaced."""
        self.written: dict[str, Day] = {}
        """Of these, what the file has."""

    def count(self, runs: Iterable[Run]) -> None:
        """These have been numbered."""
        for run in runs:
            for name in run.numbers.keys() & self._told.keys():
                self._count(name, run)

    def _count(self, name: str, run: Run) -> None:
        told = self._told[name]
        hashes = [hash_of(entry.payload(told)) for entry in run.entries(name, 0, len(run))]
        more = counted(run.record_class.value, run.numbers[name], run.last(name), hashes)
        day = self.now.get(name) or Day(day_of(run.from_ms, self._timezone), more.first)
        self.now[name] = day.with_class(more)

    def due(self, now_ms: int) -> list[Record]:
        """The digests of days that are over. They are to be numbered at once, as the first of the next."""
        return [self._close(name, now_ms) for name in list(self._over(day_of(now_ms, self._timezone)))]

    def _over(self, today: str) -> Iterator[str]:
        return (name for name, day in self.now.items() if day.day != today)

    def _close(self, name: str, now_ms: int) -> Record:
        day = self.now.pop(name)
        digest = Digest(
            time=now_ms,
            day=day.day,
            timezone=self._timezone.key,
            first=day.first,
            last=day.last,
            classes=[day.classes[name] for name in sorted(day.classes)],
        )
        return Record(RecordClass.DIGESTS, "", encode(digest), only=name)

    def save(self, db: sqlite3.Connection, behind: int = 0) -> None:
        """In the transaction that is open: of each uplink, unless what is written is of the same day, and no
        more than `behind` numbers were given since. It has to be as new as this when runs are deleted.

        Raises sqlite3.Error.
        """
        for name, day in self.now.items():
            before = self.written.get(name)
            if before is None or before.first != day.first or day.last - before.last > behind:
                content = self._cipher.seal(zlib.compress(msgspec.json.encode(day), 1))
                db.execute("INSERT OR REPLACE INTO days VALUES (?, ?)", (name, content))
                self.written[name] = day

    def load(
        self,
        db: sqlite3.Connection,
        last: Mapping[str, int],
        runs: Callable[[str, int], Iterable[Run]],
    ) -> None:
        """What was saved, and what `runs` has of an uplink above a number, up to that of `last`. Where there
        is a hole in between, an agent that knows no digests has given numbers since: it begins anew.

        Raises sqlite3.Error.
        """
        self.now, self.written = {}, {}
        for name, content in db.execute("SELECT * FROM days"):
            try:
                day = msgspec.json.decode(zlib.decompress(self._cipher.open(content)), type=Day)
            except (DamagedRunError, zlib.error, msgspec.MsgspecError, TypeError):
                day = None
            if name not in self._told:
                continue
            if day is not None:
                self.now[name] = self.written[name] = day
                self._catch_up(name, runs)
            if day is None or self.now[name].last != last.get(name):
                self.now.pop(name, None)
                log.warning("journal: the digest for %s begins anew", name)

    def _catch_up(self, name: str, runs: Callable[[str, int], Iterable[Run]]) -> None:
        """Count what comes after what was counted, up to the first number that is missing."""
        for run in runs(name, self.now[name].last):
            if run.numbers[name] != self.now[name].last + 1:
                return
            self._count(name, run)
