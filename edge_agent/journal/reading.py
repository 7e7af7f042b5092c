"""Finds runs in the file and reads them; what is still in the tail is not its business."""

import sqlite3
from collections.abc import Iterator
from heapq import merge

import msgspec

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.cipher import Cipher
from edge_agent.journal.cursors import NewestOf
from edge_agent.journal.file import DamagedFileError, whole
from edge_agent.journal.gaps import NOT_KEPT
from edge_agent.journal.lanes import URGENT_CLASSES, Lane
from edge_agent.journal.runs import DamagedRunError, Run, unpacked

RUNS_LOOKED_AT = 100
"""Of each class, for the newest number of each uplink; only one that was away for long is not in them."""


class Reader:
    """All methods may raise sqlite3.Error, DamagedFileError among them."""

    def __init__(self, db: sqlite3.Connection, cipher: Cipher) -> None:
        self._db = db
        self._cipher = cipher
        self._decoded: dict[tuple[str, Lane | None], tuple[int, Run]] = {}
        """By uplink and lane, the run that was read last: the next read mostly begins in it."""

    def forget(self) -> None:
        """Of runs that were read before, some may be there no longer."""
        self._decoded.clear()

    def runs(self, uplink: str, after_seq: int) -> Iterator[Run]:
        """Those with numbers above `after_seq`, in order."""
        for first, run_id in self._places(uplink, after_seq):
            yield self._run(uplink, first, run_id)

    def runs_of(self, lane: Lane, uplink: str, after_seq: int) -> Iterator[Run]:
        """Those of them that may have something of `lane`."""
        places = self._places(uplink, after_seq)
        if lane is Lane.URGENT:
            places = self._urgent_places(uplink, places)
        for first, run_id in places:
            yield self._run(uplink, first, run_id, lane)

    def check(self) -> None:
        """Read everything. Raises DamagedFileError if something cannot be read."""
        for run_id, content in self._db.execute("SELECT id, content FROM runs"):
            self._unpacked(run_id, content)

    def next_run(self) -> int:
        """The id that no run has yet."""
        row = self._db.execute("SELECT 1 + coalesce(max(id), 0) FROM runs").fetchone()
        return whole(*row)[0]

    def newest(self, uplink: str) -> int:
        """The greatest number of an uplink; 0: the file has nothing for it."""
        row = self._db.execute(
            "SELECT last FROM places WHERE uplink = ? ORDER BY first DESC LIMIT 1", (uplink,)
        ).fetchone()
        return 0 if row is None else whole(*row)[0]

    def newest_of_classes(self) -> NewestOf:
        """By uplink and class of what may overtake readings, the newest number of which a repeat may come."""
        newest: NewestOf = {}
        for one in URGENT_CLASSES:
            rows = self._db.execute(
                "SELECT id, numbers, count FROM runs WHERE class = ? AND only = '' ORDER BY id DESC LIMIT ?",
                (one.value, RUNS_LOOKED_AT),
            )
            for run_id, numbers, count in rows:
                for name, first in _given(run_id, numbers).items():
                    newest.setdefault((name, one), first + whole(count)[0] - 1)
        return newest

    def reason(self, uplink: str, seq: int) -> str:
        """Why a number that was given does not come."""
        row = self._db.execute(
            "SELECT kind FROM gaps WHERE uplink = ? AND first <= ? AND last >= ? ORDER BY id LIMIT 1",
            (uplink, seq, seq),
        ).fetchone()
        return NOT_KEPT if row is None else str(row[0])

    def _places(self, uplink: str, after_seq: int) -> Iterator[tuple[int, int]]:
        """First number and id of each run with numbers above `after_seq`, in order."""
        yield from self._db.execute(
            "SELECT first, run FROM places WHERE uplink = ?1 AND last > ?2 AND first >="
            " coalesce((SELECT max(first) FROM places WHERE uplink = ?1 AND first <= ?2 + 1), 0)"
            " ORDER BY first",
            (uplink, after_seq),
        )

    def _urgent_places(self, uplink: str, places: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """From the first of `places` on, those of what is urgent: a week of readings is not touched."""
        _, from_run = next(places, (0, None))
        if from_run is None:
            return
        of_classes = (self._numbers_of(one, from_run) for one in URGENT_CLASSES)
        for run_id, numbers in merge(*of_classes):
            first = _given(run_id, numbers).get(uplink)
            if first is not None:
                yield first, run_id

    def _numbers_of(self, record_class: RecordClass, from_run: int) -> Iterator[tuple[int, str]]:
        return self._db.execute(
            "SELECT id, numbers FROM runs WHERE class = ? AND id >= ? ORDER BY id",
            (record_class.value, from_run),
        )

    def _run(self, uplink: str, first: int, run_id: int, lane: Lane | None = None) -> Run:
        known, run = self._decoded.get((uplink, lane), (0, None))
        if run is None or known != run_id:
            row = self._db.execute("SELECT content FROM runs WHERE id = ?", (run_id,)).fetchone()
            if row is None:
                raise DamagedFileError(f"run {run_id}: it is not there")
            run = self._unpacked(run_id, row[0])
            if run.numbers.get(uplink) != first:
                raise DamagedFileError(f"run {run_id}: it is not what should be there")
            self._decoded[uplink, lane] = run_id, run
        return run

    def _unpacked(self, run_id: int, content: object) -> Run:
        if not isinstance(content, bytes):
            raise DamagedFileError(f"run {run_id}: no bytes")
        try:
            return unpacked(self._cipher.open(content))
        except DamagedRunError as error:
            raise DamagedFileError(f"run {run_id}: {error}") from error


def _given(run_id: int, numbers: str) -> dict[str, int]:
    """The first numbers of a run, as they stand in the file. Raises DamagedFileError."""
    try:
        return msgspec.json.decode(numbers, type=dict[str, int])
    except (msgspec.MsgspecError, TypeError) as error:
        raise DamagedFileError(f"numbers of run {run_id}: {error}") from error
