"""What is on disk, and nothing about threads or event loops: one file, its tail and its numbers."""

import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from heapq import merge
from pathlib import Path
from typing import TypeVar

import msgspec

from edge_agent.contract.topics import RecordClass
from edge_agent.journal import thinning
from edge_agent.journal.file import (
    DamagedFileError,
    JournalFormatError,
    insert,
    open_file,
    read_cursors,
    save_cursor,
    whole,
)
from edge_agent.journal.gaps import DAMAGED, NOT_GIVEN, NOT_KEPT, NUMBERS_LOST, THINNED, Gap, announcement
from edge_agent.journal.lanes import URGENT_CLASSES, Lane, lane_of
from edge_agent.journal.limits import THINNED as THINNED_CLASSES
from edge_agent.journal.limits import Limits
from edge_agent.journal.numbers import Numbers, NumbersFile, Reserved
from edge_agent.journal.rescue import UNREADABLE, Saved, finish_interrupted, is_damage, rescue
from edge_agent.journal.runs import DamagedRunError, Entry, Record, Run, joined, unpacked
from edge_agent.journal.tail import Tail
from edge_agent.journal.thinning import Kept
from edge_agent.model.clock import CLOCK
from edge_agent.transaction import all_or_nothing

__all__ = ["Cursor", "Entry", "JournalFormatError", "Record", "Store"]

log = logging.getLogger(__name__)

T = TypeVar("T")

RESERVE = 1000
"""Numbers are reserved on the medium in blocks of this size, before the first of them is given."""
GAPS_KEPT = 1000
"""Of the oldest gaps nobody asks for the reason any more."""


@dataclass(slots=True)
class Cursor:
    """`last_seq` is the newest number given out; everything up to `acked_seq` is acknowledged."""

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
    """One open journal, used from one thread at a time. docs/journal.md says what it promises.

    Numbers are given when a record is written, in the same transaction. Beside the file lie its tail (what
    was written since the last sync) and the numbers that are reserved.
    """

    def __init__(
        self,
        path: Path,
        uplinks: Mapping[str, frozenset[RecordClass]],
        boot: str | None = None,
        limits: Limits | None = None,
        now_ms: Callable[[], int] = CLOCK.now_ms,
    ) -> None:
        """Open or create `path` for `uplinks` (name to the classes that it carries).

        `boot` names the run of the operating system; default: this one.

        An uplink that the file knows and the configuration does not loses its queue and keeps its counter.
        A damaged file is set aside, and what can be read of it is kept. Raises JournalFormatError,
        sqlite3.Error, OSError.
        """
        self.carries = dict(uplinks)
        self._path = path
        self._limits = limits or Limits()
        self._now_ms = now_ms
        self._takers = {c: [n for n, carried in uplinks.items() if c in carried] for c in RecordClass}
        self._numbers = NumbersFile(path.with_suffix(".numbers"))
        self._unsaved: list[Run] = []
        """What is in the tail."""
        self._decoded: dict[tuple[str, Lane | None], tuple[int, Run]] = {}
        """By uplink and lane, the run that was read last: the next read mostly begins in it."""
        self._broken = False
        """Whether the file has to be rescued before it can be used again."""
        self._noted: dict[str, int] = {}
        """What the file of numbers says is reserved."""
        self._next_run = 1
        self.cursors: dict[str, Cursor] = {}
        self.gaps: dict[str, list[Gap]] = {name: [] for name in uplinks}
        """By uplink, those above its cursor."""
        self.newest: dict[str, int] = {}
        """By uplink, the number of its newest record that is kept; what was given above it does not come."""
        self.over_limit = False
        """Whether what must not be thinned is more than the limit."""
        finish_interrupted(path)
        self._boot = boot or boot_id()
        self._tail = Tail(path.with_suffix(".tail"))
        try:
            self._open(self._boot)
        except BaseException:
            self._tail.close()
            raise

    # Opening.

    def _open(self, boot: str) -> None:
        was_there, given = self._path.exists(), self._numbers.read()
        saved: Saved | None = None
        try:
            same_boot = self._opened(boot)
        except UNREADABLE as error:
            if not (was_there and is_damage(error)):
                raise
            log.error("journal: %s cannot be read (%s)", self._path, error)
            saved = rescue(self._path, given.runs + len(given.uplinks) * RESERVE, self._now_ms())
            same_boot = False
            self._db = open_file(self._path, self._now_ms())
        try:
            self._begin(boot, given, saved, same_boot=same_boot)
        except BaseException:
            self._db.close()
            raise

    def _opened(self, boot: str) -> bool:
        """Open the file; returns whether it was written in this boot."""
        self._db = open_file(self._path, self._now_ms())
        try:
            return self._load(boot)
        except BaseException:
            self._db.close()
            raise

    def _begin(self, boot: str, given: Numbers, saved: Saved | None, *, same_boot: bool) -> None:
        """Put together where each uplink stands, and write it down before anything new is numbered."""
        if saved is not None:
            self._take_saved(saved)
        unsure = self._take_reserved(given)
        self._take_tail()
        if saved is not None or not same_boot:
            unsure = set(self.cursors)
        lost = self._skip_reserved(unsure)
        with self._transaction():
            self._write_unsaved()
            if saved is not None:
                self._announce_damage(saved)
            else:
                for name, gap in lost.items():
                    self._announce(name, gap)
            self._save_cursors()
            self._drop_absent()
            self._db.execute("INSERT OR REPLACE INTO boot VALUES (1, ?)", (boot,))
        self._written()
        self._find_newest()

    def _load(self, boot: str) -> bool:
        self.cursors = {name: Cursor(*numbers) for name, numbers in read_cursors(self._db).items()}
        for name, cursor in self.cursors.items():
            if self._newest(name) > cursor.last_seq:
                raise DamagedFileError(f"{name} has numbers that were not given")
        self._find_next_run()
        for name, kind, *gap in self._db.execute("SELECT uplink, kind, first, last, count FROM gaps"):
            first, last, count = whole(*gap)
            if name in self.gaps and name in self.cursors and last > self.cursors[name].acked_seq:
                self.gaps[name].append(Gap(kind, first, last, count))
        return bool(self._db.execute("SELECT id FROM boot").fetchone() == (boot,))

    def _find_next_run(self) -> None:
        row = self._db.execute("SELECT 1 + coalesce(max(id), 0) FROM runs").fetchone()
        (self._next_run,) = whole(*row)

    def _take_saved(self, saved: Saved) -> None:
        """What could be read of a damaged file, for the new one says nothing yet."""
        self._find_next_run()
        self.cursors = {}
        self.gaps = {name: [] for name in self.carries}
        for name, numbers in saved.uplinks.items():
            self.cursors[name] = Cursor(*numbers)
        for name, ranges in saved.ranges.items():
            cursor = self.cursors.setdefault(name, Cursor(0, 0, 0))
            cursor.last_seq = max(cursor.last_seq, *(last for _, last in ranges))
            cursor.reserved_seq = max(cursor.reserved_seq, cursor.last_seq)

    def _take_reserved(self, given: Numbers) -> set[str]:
        """The uplinks of which numbers were reserved that the file does not know of: it is another one."""
        unsure = set()
        for name, reserved in given.uplinks.items():
            arrived = reserved.acknowledged
            cursor = self.cursors.setdefault(name, Cursor(arrived, arrived, arrived))
            if reserved.last > cursor.reserved_seq:
                cursor.reserved_seq = reserved.last
                unsure.add(name)
        for name in self.carries:
            self.cursors.setdefault(name, Cursor(0, 0, 0))
        return unsure

    def _take_tail(self) -> None:
        """What was written after the file. What the file has already is passed over."""
        for run in self._tail.read():
            known = [name for name in run.numbers if name in self.cursors]
            if all(run.numbers[name] > self.cursors[name].last_seq for name in known):
                self._unsaved.append(run)
                for name in known:
                    self.cursors[name].last_seq = run.last(name)

    def _skip_reserved(self, uplinks: Iterable[str]) -> dict[str, Gap]:
        """Numbers that may have been given after what is left; they are never given again."""
        lost = {}
        for name in uplinks:
            cursor = self.cursors[name]
            first, last = cursor.last_seq + 1, cursor.reserved_seq
            if last >= first:
                cursor.last_seq = last
                lost[name] = Gap(NUMBERS_LOST, first, last, last - first + 1)
        return lost

    def _announce_damage(self, saved: Saved) -> None:
        """Say to each uplink which of the numbers that it has not acknowledged do not come."""
        for name in self.carries:
            cursor = self.cursors[name]
            first, last = cursor.acked_seq + 1, cursor.last_seq
            ranges = [*saved.ranges.get(name, ()), *self._unsaved_ranges(name)]
            kept = sum(max(0, high - max(low, first) + 1) for low, high in ranges)
            gap = Gap(DAMAGED, first, last, last - first + 1 - kept)
            self._announce(name, gap, file=saved.aside.name)

    def _unsaved_ranges(self, uplink: str) -> Iterator[tuple[int, int]]:
        return ((run.numbers[uplink], run.last(uplink)) for run in self._unsaved if uplink in run.numbers)

    def _drop_absent(self) -> None:
        """Uplinks that the configuration has no more keep their counter, and nothing else."""
        for name in self.cursors.keys() - self.carries.keys():
            cursor = self.cursors.pop(name)
            self._save(name, replace(cursor, acked_seq=cursor.last_seq))
            self._db.execute("DELETE FROM places WHERE uplink = ?", (name,))

    # Damage that shows while it is used.

    def _sound(self, work: Callable[[], T]) -> T:
        """The result of `work`, which is done again with what could be saved if the file is damaged."""
        if not self._broken:
            try:
                return work()
            except UNREADABLE as error:
                if not is_damage(error):
                    raise
                log.error("journal: %s cannot be read any more (%s)", self._path, error)
                self._broken = True
        self._recover()
        return work()

    def _recover(self) -> None:
        self._db.close()
        saved = rescue(self._path, self._next_run, self._now_ms())
        self._db = open_file(self._path, self._now_ms())
        self._decoded.clear()
        self._find_next_run()
        with self._transaction():
            self._write_unsaved()
            self._announce_damage(saved)
            self._save_cursors()
            for name, numbers in saved.uplinks.items():
                if name not in self.carries:
                    self._save(name, Cursor(*numbers))
            self._db.execute("INSERT OR REPLACE INTO boot VALUES (1, ?)", (self._boot,))
        self._written()
        self._find_newest()
        self._broken = False

    # Writing.

    def commit(
        self, records: Sequence[Record], acked: Mapping[str, int], *, sync: bool
    ) -> dict[str, list[Entry]]:
        """Record these, and move cursors; with `sync`, all that was recorded so far goes down to the medium.

        Without `sync` it survives a kill of the process, but not a power cut. Returns the records with
        their numbers, by uplink. Raises sqlite3.Error, OSError, and has then changed nothing.
        """
        return self._sound(lambda: self._commit(records, acked, sync=sync))

    def _commit(
        self, records: Sequence[Record], acked: Mapping[str, int], *, sync: bool
    ) -> dict[str, list[Entry]]:
        with self._all_or_nothing():
            for name, seq in acked.items():
                cursor = self.cursors[name]
                cursor.acked_seq = max(cursor.acked_seq, min(seq, cursor.last_seq))
                self.gaps[name] = [gap for gap in self.gaps[name] if gap.last > cursor.acked_seq]
            runs = self._numbered(records)
            if sync or any(cursor.last_seq > cursor.reserved_seq for cursor in self.cursors.values()):
                with self._transaction():
                    self._write_unsaved(runs)
                    self._save_cursors()
                self._written()
            elif runs:
                self._tail.add(runs)
                self._unsaved += runs
        return {name: self._entries(name, runs) for name in self.cursors}

    def _entries(self, uplink: str, runs: Iterable[Run]) -> list[Entry]:
        entries = [entry for run in runs for entry in run.entries(uplink, 0, len(run))]
        if entries:
            self.newest[uplink] = entries[-1].seq
        return entries

    def _numbered(self, records: Iterable[Record]) -> list[Run]:
        """Give numbers: the records as runs, in their order."""
        now = self._now_ms()
        runs: list[Run] = []
        for record in records:
            takers = [record.only] if record.only else self._takers[record.record_class]
            takers = [name for name in takers if name in self.carries]
            if not takers:
                continue
            if not runs or (runs[-1].record_class, runs[-1].only) != (record.record_class, record.only):
                numbers = {name: self.cursors[name].last_seq + 1 for name in takers}
                runs.append(Run(record.record_class, record.only, now, now, numbers, [], [], []))
            runs[-1].add(record)
            for name in takers:
                self.cursors[name].last_seq += 1
        return runs

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What goes wrong leaves what is known of uplinks as it was."""
        before = self.cursors, self.gaps, self._next_run
        self.cursors = {name: replace(cursor) for name, cursor in self.cursors.items()}
        self.gaps = {name: list(gaps) for name, gaps in self.gaps.items()}
        try:
            yield
        except BaseException:
            self.cursors, self.gaps, self._next_run = before
            raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """On the medium when it ends well, undone if it does not."""
        with self._all_or_nothing(), all_or_nothing(self._db):
            yield

    def _write_unsaved(self, more: Iterable[Run] = ()) -> None:
        self._next_run = insert(self._db, joined([*self._unsaved, *more]), self._next_run)

    def _written(self) -> None:
        """After a transaction: the file has what the tail had, and has reserved numbers."""
        self._unsaved = []
        try:
            self._tail.clear()  # a tail that stays is passed over when it is read: its numbers are known
            self._note_numbers()
        except OSError as error:
            log.warning("journal: cannot write beside the file (%s)", error)

    def _note_numbers(self) -> None:
        """Say beside the file what it has reserved; never more than that."""
        reserved = {name: cursor.reserved_seq for name, cursor in self.cursors.items()}
        if reserved != self._noted:
            noted = self._numbers.read().uplinks
            noted |= {name: Reserved(c.reserved_seq, c.acked_seq) for name, c in self.cursors.items()}
            self._numbers.write(Numbers(self._next_run, noted))
            self._noted = reserved

    def _announce(self, uplink: str, gap: Gap, **detail: str | int) -> None:
        """Note a gap and queue its event, in the transaction that is open."""
        if uplink not in self.carries:
            return
        self._db.execute(
            "INSERT INTO gaps (uplink, kind, first, last, count) VALUES (?, ?, ?, ?, ?)",
            (uplink, gap.kind, gap.first, gap.last, gap.count),
        )
        self._db.execute("DELETE FROM gaps WHERE id <= (SELECT max(id) FROM gaps) - ?", (GAPS_KEPT,))
        self.gaps[uplink].append(gap)
        runs = self._numbered([announcement(uplink, gap, self._now_ms(), **detail)])
        self._next_run = insert(self._db, runs, self._next_run)

    def _save_cursors(self) -> None:
        """In the transaction that is open."""
        for name, cursor in self.cursors.items():
            if cursor.last_seq > cursor.reserved_seq:
                cursor.reserved_seq = cursor.last_seq + RESERVE
            self._save(name, cursor)

    def _save(self, name: str, cursor: Cursor) -> None:
        save_cursor(self._db, name, cursor.last_seq, cursor.acked_seq, cursor.reserved_seq)

    # Reading.

    def read(self, uplink: str, after_seq: int, limit: int) -> list[Entry]:
        """Up to `limit` entries of `uplink` with numbers above `after_seq`, in order, without holes but
        for numbers that do not come. Raises sqlite3.Error, OSError."""
        return self._sound(lambda: self._read(uplink, after_seq, limit))

    def _read(self, uplink: str, after_seq: int, limit: int) -> list[Entry]:
        entries: list[Entry] = []
        for first, run_id in self._places(uplink, after_seq):
            run = self._run(uplink, first, run_id)
            entries += run.entries(uplink, after_seq, limit - len(entries))
            if len(entries) >= limit:
                return entries
        for run in self._unsaved:
            entries += run.entries(uplink, after_seq, limit - len(entries))
        return entries

    def read_lane(self, uplink: str, lane: Lane, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Up to `limit` entries of `lane` with numbers above `after_seq`, in order, and up to which number
        that is all of them. Raises sqlite3.Error, OSError."""
        return self._sound(lambda: self._read_lane(uplink, lane, after_seq, limit))

    def _read_lane(self, uplink: str, lane: Lane, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        entries: list[Entry] = []
        for run in self._runs_of(uplink, lane, after_seq):
            found = run.entries(uplink, after_seq, len(run))
            entries += [entry for entry in found if lane_of(entry.record) is lane]
            if len(entries) >= limit:
                return entries[:limit], entries[limit - 1].seq
        return entries, self.cursors[uplink].last_seq

    def _runs_of(self, uplink: str, lane: Lane, after_seq: int) -> Iterator[Run]:
        """The runs that may have something of `lane`, in order."""
        places = self._places(uplink, after_seq)
        if lane is Lane.URGENT:
            places = self._urgent_places(uplink, next((run_id for _, run_id in places), self._next_run))
        for first, run_id in places:
            yield self._run(uplink, first, run_id, lane)
        yield from self._unsaved

    def _places(self, uplink: str, after_seq: int) -> Iterator[tuple[int, int]]:
        """First number and id of each run with numbers above `after_seq`, in order."""
        yield from self._db.execute(
            "SELECT first, run FROM places WHERE uplink = ?1 AND last > ?2 AND first >="
            " coalesce((SELECT max(first) FROM places WHERE uplink = ?1 AND first <= ?2 + 1), 0)"
            " ORDER BY first",
            (uplink, after_seq),
        )

    def _urgent_places(self, uplink: str, from_run: int) -> Iterator[tuple[int, int]]:
        """The same from one run on, of what is urgent: a week of readings between is not touched."""
        of_classes = (
            self._db.execute(
                "SELECT id, numbers FROM runs WHERE class = ? AND id >= ? ORDER BY id", (one.value, from_run)
            )
            for one in URGENT_CLASSES
        )
        for run_id, numbers in merge(*of_classes):
            try:
                first = msgspec.json.decode(numbers, type=dict[str, int]).get(uplink)
            except msgspec.MsgspecError as error:
                raise DamagedFileError(f"numbers of run {run_id}: {error}") from error
            if first is not None:
                yield first, run_id

    def _run(self, uplink: str, first: int, run_id: int, lane: Lane | None = None) -> Run:
        """Raises DamagedFileError."""
        try:
            return self._unpacked(uplink, first, run_id, lane)
        except DamagedRunError as error:
            raise DamagedFileError(f"run {run_id}: {error}") from error

    def _unpacked(self, uplink: str, first: int, run_id: int, lane: Lane | None) -> Run:
        """Raises DamagedRunError."""
        known, run = self._decoded.get((uplink, lane), (0, None))
        if run is None or known != run_id:
            row = self._db.execute("SELECT content FROM runs WHERE id = ?", (run_id,)).fetchone()
            if row is None:
                raise DamagedRunError("it is not there")
            run = unpacked(row[0])
            if run.numbers.get(uplink) != first:
                raise DamagedRunError("it is not what should be there")
            self._decoded[uplink, lane] = run_id, run
        return run

    def again(self, uplink: str, first: int, last: int) -> tuple[list[Entry], list[Gap]]:
        """What is kept of these numbers, and why the others do not come: each gap without a hole.

        `count` of a gap is how many numbers it has. Raises sqlite3.Error, OSError.
        """
        return self._sound(lambda: self._again(uplink, first, last))

    def _again(self, uplink: str, first: int, last: int) -> tuple[list[Entry], list[Gap]]:
        entries = [e for e in self._read(uplink, first - 1, last - first + 1) if e.seq <= last]
        gone: list[Gap] = []
        at = first
        for seq in [*(entry.seq for entry in entries), last + 1]:
            if seq > at:
                gone.append(Gap(self._reason(uplink, at), at, seq - 1, seq - at))
            at = seq + 1
        return entries, gone

    def _reason(self, uplink: str, seq: int) -> str:
        """Why a number does not come."""
        if seq > self.cursors[uplink].last_seq:
            return NOT_GIVEN
        row = self._db.execute(
            "SELECT kind FROM gaps WHERE uplink = ? AND first <= ? AND last >= ? ORDER BY id LIMIT 1",
            (uplink, seq, seq),
        ).fetchone()
        return NOT_KEPT if row is None else str(row[0])

    # Keeping within limits.

    def tidy(self) -> bool:
        """Remove what is kept long enough, and thin what is too much; returns whether there is more to do.

        Raises sqlite3.Error, OSError, and has then changed nothing.
        """
        return self._sound(self._tidy)

    def _tidy(self) -> bool:
        limits, now = self._limits, self._now_ms()
        with self._transaction():
            self._write_unsaved()
            excess = thinning.used_bytes(self._db) - limits.max_bytes
            wanted = excess + limits.max_bytes // thinning.THIN_PART if excess > 0 else 0
            acked = {name: cursor.acked_seq for name, cursor in self.cursors.items()}
            removed = thinning.delivered(self._db, acked, now - limits.delivered_ms, wanted)
            thinning.delete(self._db, removed, self.cursors)
            wanted -= sum(run.size for run in removed)
            more = len(removed) >= thinning.REMOVED_AT_ONCE
            if not more:
                wanted -= self._thin(thinning.too_old(self._db, limits, now))
                for classes in THINNED_CLASSES:
                    wanted -= self._thin(thinning.for_room(self._db, classes, wanted))
            self._save_cursors()
        self._written()
        self._decoded.clear()
        self._find_newest()
        self._tell_over_limit(wanted > 0 and not more)
        return more

    def _thin(self, runs: Sequence[Kept]) -> int:
        """Delete these, and announce by class and uplink what it had not acknowledged.

        Returns about how many bytes are free now.
        """
        thinning.delete(self._db, runs, self.cursors)
        for record_class in sorted({run.record_class for run in runs}):
            of_class = [run for run in runs if run.record_class is record_class]
            for name, cursor in self.cursors.items():
                missed = [r for r in of_class if name in r.numbers and r.last(name) > cursor.acked_seq]
                if not missed:
                    continue
                first = max(missed[0].numbers[name], cursor.acked_seq + 1)
                had = first - missed[0].numbers[name]
                count = sum(run.count for run in missed) - had
                gap = Gap(THINNED, first, missed[-1].last(name), count)
                times = {"from": missed[0].from_ms, "to": missed[-1].to_ms}
                log.warning("journal: %d %s for %s are thinned", count, record_class, name)
                self._announce(name, gap, **{"class": record_class.value}, **times)
        return sum(run.size for run in runs)

    def _find_newest(self) -> None:
        self.newest = {name: self._newest(name) for name in self.cursors}

    def _newest(self, uplink: str) -> int:
        """The greatest number of the file."""
        row = self._db.execute(
            "SELECT last FROM places WHERE uplink = ? ORDER BY first DESC LIMIT 1", (uplink,)
        ).fetchone()
        return 0 if row is None else whole(*row)[0]

    def _tell_over_limit(self, over: bool) -> None:
        if over and not self.over_limit:
            log.warning("journal: over its limit with what is never thinned; the disk must have room for it")
        self.over_limit = over

    def close(self) -> None:
        """Write what is in the tail, give reserved numbers back, so that a stop in good order leaves no
        hole, and close everything."""
        try:
            self._sound(self._finish)
        except (sqlite3.Error, OSError):
            log.warning(
                "journal: cannot be closed in good order; the tail is read at the next start", exc_info=True
            )
        finally:
            self._db.close()
            self._tail.close()

    def _finish(self) -> None:
        with self._all_or_nothing():
            for cursor in self.cursors.values():
                cursor.reserved_seq = cursor.last_seq
            self._note_numbers()
            with self._transaction():
                self._write_unsaved()
                self._save_cursors()
        self._written()
