"""Chooses what has to go, so that the journal keeps within its limits; and deletes it."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter

import msgspec

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.file import DamagedFileError, whole
from edge_agent.journal.gaps import THINNED, Gap
from edge_agent.journal.limits import Limits

THIN_PART = 20
"""Thinning goes on until this part of the limit is free, so that it happens, and is told, now and then."""
REMOVED_AT_ONCE = 1000
"""Runs of delivered records that go in one transaction."""

BELIEVED_MS = 1_704_067_200_000
"""2024-01-01. A gateway without a battery begins in a year before it: what it records then is not old."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A run of the file, without its content, of which `size` is the length in bytes."""

    id: int
    record_class: RecordClass
    from_ms: int
    to_ms: int
    count: int
    numbers: Mapping[str, int]
    size: int
    only: str

    def last(self, uplink: str) -> int:
        return self.numbers[uplink] + self.count - 1

    def is_delivered(self, acked: Mapping[str, int]) -> bool:
        """Whether no uplink waits for it; `acked` are the cursors of those that there are."""
        return all(self.last(name) <= acked[name] for name in self.numbers if name in acked)


def used_bytes(db: sqlite3.Connection) -> int:
    """Of the file, without the pages that are free."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def delivered(db: sqlite3.Connection, acked: Mapping[str, int], kept_from_ms: int, wanted: int) -> list[Kept]:
    """What every uplink has, if it is from before `kept_from_ms`, or while `wanted` bytes are wanted."""
    chosen: list[Kept] = []
    for record_class in RecordClass:
        for run in _oldest(db, record_class):
            if len(chosen) >= REMOVED_AT_ONCE or (run.to_ms >= kept_from_ms and wanted <= 0):
                break
            if run.is_delivered(acked):
                chosen.append(run)
                wanted -= run.size
            elif not run.only:  # those behind it are not delivered either
                break
    return chosen


def too_old(db: sqlite3.Connection, limits: Limits, now_ms: int) -> list[Kept]:
    """What is older than its class may get, once the oldest of it is so by a part of that."""
    chosen: list[Kept] = []
    for record_class, keep_ms in limits.keep_ms.items():
        horizon = now_ms - keep_ms
        old: list[Kept] = []
        for run in _thinnable(db, record_class):
            if run.to_ms >= horizon:
                break
            if run.to_ms >= BELIEVED_MS:
                old.append(run)
        if old and old[0].to_ms < horizon - keep_ms // THIN_PART:
            chosen += old
    return chosen


def for_room(db: sqlite3.Connection, classes: Iterable[RecordClass], wanted: int) -> list[Kept]:
    """The oldest of these classes, about so many bytes."""
    chosen: list[Kept] = []
    for run in merge(*(_thinnable(db, one) for one in classes), key=attrgetter("id")):
        if wanted <= 0:
            break
        chosen.append(run)
        wanted -= run.size
    return chosen


@dataclass(frozen=True, slots=True)
class Missed:
    """What an uplink had not acknowledged of runs that go, and from when to when it was recorded."""

    gap: Gap
    from_ms: int
    to_ms: int


def missed(runs: Sequence[Kept], uplink: str, acked_seq: int) -> Missed | None:
    """Of runs of one class, oldest first; None: it had all that it takes of them."""
    gone = [run for run in runs if uplink in run.numbers and run.last(uplink) > acked_seq]
    if not gone:
        return None
    first = max(gone[0].numbers[uplink], acked_seq + 1)
    had = first - gone[0].numbers[uplink]
    gap = Gap(THINNED, first, gone[-1].last(uplink), sum(run.count for run in gone) - had)
    return Missed(gap, gone[0].from_ms, gone[-1].to_ms)


def delete(db: sqlite3.Connection, runs: Iterable[Kept], uplinks: Iterable[str]) -> None:
    """In the transaction that is open; `uplinks` are those that there are. Raises DamagedFileError."""
    for run in runs:
        db.execute("DELETE FROM runs WHERE id = ?", (run.id,))
        for name in run.numbers.keys() & set(uplinks):
            done = db.execute(
                "DELETE FROM places WHERE uplink = ? AND first = ? AND run = ?",
                (name, run.numbers[name], run.id),
            )
            if done.rowcount != 1:
                raise DamagedFileError(f"run {run.id} is not in its place")


def _thinnable(db: sqlite3.Connection, record_class: RecordClass) -> Iterator[Kept]:
    return (run for run in _oldest(db, record_class) if not run.only)


def _oldest(db: sqlite3.Connection, record_class: RecordClass) -> Iterator[Kept]:
    """The runs of a class, oldest first. Raises DamagedFileError."""
    rows = db.execute(
        "SELECT id, from_ms, to_ms, count, numbers, length(content), only FROM runs WHERE class = ?"
        " ORDER BY id",
        (record_class.value,),
    )
    for run_id, from_ms, to_ms, count, numbers, size, only in rows:
        whole(run_id, from_ms, to_ms, count, size)
        try:
            given = msgspec.json.decode(numbers, type=dict[str, int])
        except (msgspec.MsgspecError, TypeError) as error:
            raise DamagedFileError(f"numbers of run {run_id}: {error}") from error
        yield Kept(run_id, record_class, from_ms, to_ms, count, given, size, only)
