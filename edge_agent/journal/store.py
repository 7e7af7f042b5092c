"""What is on disk, and nothing about threads or event loops: one file, its tail and its numbers."""

import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TypeVar

from edge_agent.contract.topics import RecordClass
from edge_agent.journal import thinning
from edge_agent.journal.cipher import PLAIN, Cipher
from edge_agent.journal.cursors import (
    Cursor,
    NewestOf,
    cursors_of,
    gap_of_damage,
    give_numbers,
    note_order,
    skip_reserved,
    take_reserved,
    take_tail,
)
from edge_agent.journal.digests import BEHIND, Days, Digested
from edge_agent.journal.file import (
    DamagedFileError,
    JournalFormatError,
    check_file,
    insert,
    is_of_boot,
    open_file,
    read_cursors,
    read_gaps,
    save_boot,
    save_cursor,
    save_gap,
)
from edge_agent.journal.gaps import NOT_GIVEN, Gap, announcement
from edge_agent.journal.lanes import Lane, lane_of
from edge_agent.journal.limits import THINNED, Limits
from edge_agent.journal.numbers import Numbers, NumbersFile, Reserved
from edge_agent.journal.reading import Reader
from edge_agent.journal.rescue import UNREADABLE, Saved, finish_interrupted, is_damage, rescue
from edge_agent.journal.runs import Entry, Record, Run, joined
from edge_agent.journal.tail import Tail
from edge_agent.journal.thinning import Kept
from edge_agent.model.clock import CLOCK
from edge_agent.transaction import all_or_nothing

__all__ = ["Cursor", "Entry", "JournalFormatError", "Record", "Store"]

log = logging.getLogger(__name__)

T = TypeVar("T")

RESERVE = 5000
"""Numbers are reserved on the medium in blocks of this size, before the first of them is given."""
SPARE = RESERVE // 4
"""With fewer left, the next block is reserved in a transaction that there is anyway, so that it takes none of
its own."""


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
        digested: Digested | None = None,
        cipher: Cipher = PLAIN,
    ) -> None:
        """Open or create `path` for `uplinks` (name to the classes that it carries).

        `boot` names the run of the operating system; default: this one.

        `digested` get a digest of each day, which no other does.

        An uplink that the file knows and the configuration does not loses its queue and keeps its counter.
        A damaged file is set aside, and what can be read of it is kept. Raises JournalFormatError and
        JournalKeyError, before anything of it is touched, and sqlite3.Error, OSError.
        """
        self.carries = dict(uplinks)
        self._path = path
        self._cipher = cipher
        self._limits = limits or Limits()
        self._now_ms = now_ms
        self._takers = {c: [n for n, carried in uplinks.items() if c in carried] for c in RecordClass}
        self._numbers = NumbersFile(path.with_suffix(".numbers"))
        self._unsaved: list[Run] = []
        """What is in the tail."""
        self._broken = False
        """Whether the file has to be rescued before it can be used again."""
        self._noted: dict[str, int] = {}
        """What the file of numbers says is reserved."""
        self._next_run = 1
        self._newest_of: NewestOf = {}
        self.cursors: dict[str, Cursor] = {}
        self.gaps: dict[str, list[Gap]] = {name: [] for name in uplinks}
        """By uplink, those above its cursor."""
        self.newest: dict[str, int] = {}
        """By uplink, the number of its newest record that is kept; what was given above it does not come."""
        self.over_limit = False
        """Whether what must not be thinned is more than the limit."""
        finish_interrupted(path)
        self._boot = boot or boot_id()
        self._days = Days(digested, cipher)
        self._tail = Tail(path.with_suffix(".tail"), cipher)
        try:
            self._open()
        except BaseException:
            self._tail.close()
            raise

    # Opening.

    def _open(self) -> None:
        with suppress(*UNREADABLE):  # what is damaged is seen to below
            check_file(self._path, self._cipher)
        waiting = self._tail.read()
        was_there, given = self._path.exists(), self._numbers.read()
        saved: Saved | None = None
        try:
            same_boot = self._opened()
        except UNREADABLE as error:
            if not (was_there and is_damage(error)):
                raise
            log.error("journal: %s cannot be read (%s)", self._path, error)
            saved = self._rescue(given.runs + len(given.uplinks) * RESERVE)
            same_boot = False
        try:
            self._begin(given, waiting, saved, same_boot=same_boot)
        except BaseException:
            self._db.close()
            raise

    def _opened(self) -> bool:
        """Open the file; returns whether it was written in this boot."""
        self._connect()
        try:
            return self._load()
        except BaseException:
            self._db.close()
            raise

    def _connect(self) -> None:
        self._db = open_file(self._path, self._now_ms(), self._cipher)
        self._file = Reader(self._db, self._cipher)

    def _load(self) -> bool:
        self.cursors = {name: Cursor(*numbers) for name, numbers in read_cursors(self._db).items()}
        for name, cursor in self.cursors.items():
            if self._file.newest(name) > cursor.last_seq:
                raise DamagedFileError(f"{name} has numbers that were not given")
        last = {name: cursor.last_seq for name, cursor in self.cursors.items()}
        self._days.load(self._db, last, self._file.runs)
        self._newest_of = self._file.newest_of_classes()
        self._next_run = self._file.next_run()
        for name, gap in read_gaps(self._db):
            if name in self.gaps and name in self.cursors and gap.last > self.cursors[name].acked_seq:
                self.gaps[name].append(gap)
        return is_of_boot(self._db, self._boot)

    def _begin(self, given: Numbers, waiting: Iterable[Run], saved: Saved | None, *, same_boot: bool) -> None:
        """Put together where each uplink stands, and write it down before anything new is numbered."""
        if saved is not None:  # the new file says nothing yet
            self.cursors = cursors_of(saved)
            self._newest_of = self._file.newest_of_classes()
            self._days.now = {}
            self.gaps = {name: [] for name in self.carries}
        unsure = take_reserved(self.cursors, given)
        for name in self.carries:
            self.cursors.setdefault(name, Cursor(0, 0, 0))
        self._unsaved = take_tail(self.cursors, waiting)
        for run in self._unsaved:
            note_order(self._newest_of, run)
        self._days.count(self._unsaved)
        if saved is not None or not same_boot:
            unsure = set(self.cursors)
        lost = skip_reserved(self.cursors, unsure)
        with self._transaction():
            self._write_unsaved()
            if saved is not None:
                self._announce_damage(saved)
            else:
                for name, gap in lost.items():
                    self._announce(name, gap)
            self._save_cursors()
            self._drop_absent()
            save_boot(self._db, self._boot)
        self._written()
        self._find_newest()

    def _announce_damage(self, saved: Saved) -> None:
        """Say to each uplink which of the numbers that it has not acknowledged do not come."""
        for name in self.carries:
            kept = [*saved.ranges.get(name, ()), *self._unsaved_ranges(name)]
            self._announce(name, gap_of_damage(self.cursors[name], kept), file=saved.aside.name)

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
        saved = self._rescue(self._next_run)
        with self._transaction():
            self._write_unsaved()
            self._announce_damage(saved)
            self._save_cursors()
            for name, numbers in saved.uplinks.items():
                if name not in self.carries:
                    self._save(name, Cursor(*numbers))
            save_boot(self._db, self._boot)
        self._written()
        self._find_newest()
        self._broken = False

    def _rescue(self, newest_run: int) -> Saved:
        """Go on with a new file that has what could be saved of the damaged one."""
        saved = rescue(self._path, newest_run, self._now_ms(), self._cipher)
        self._connect()
        self._next_run = self._file.next_run()
        self._days.written = {}
        return saved

    def check(self) -> None:
        """Read all that the file has; what is damaged is found now. Raises sqlite3.Error, OSError."""
        self._sound(lambda: self._file.check())

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
            digests = self._days.due(self._now_ms())
            runs = self._numbered([*digests, *records])
            if (
                sync
                or digests
                or any(cursor.last_seq > cursor.reserved_seq for cursor in self.cursors.values())
            ):
                with self._transaction():
                    self._write_unsaved(runs)
                    self._save_cursors(SPARE, BEHIND)
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
        runs = give_numbers(records, self.cursors, self._takers, self._newest_of, self._now_ms())
        self._days.count(runs)
        return runs

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What goes wrong leaves what is known of uplinks as it was."""
        before = self.cursors, self.gaps, self._next_run, self._newest_of
        days = self._days.now, self._days.written
        self.cursors = {name: replace(cursor) for name, cursor in self.cursors.items()}
        self.gaps = {name: list(gaps) for name, gaps in self.gaps.items()}
        self._newest_of = dict(self._newest_of)
        self._days.now, self._days.written = dict(self._days.now), dict(self._days.written)
        try:
            yield
        except BaseException:
            self.cursors, self.gaps, self._next_run, self._newest_of = before
            self._days.now, self._days.written = days
            raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """On the medium when it ends well, undone if it does not."""
        with self._all_or_nothing(), all_or_nothing(self._db):
            yield

    def _write_unsaved(self, more: Iterable[Run] = ()) -> None:
        self._insert(joined([*self._unsaved, *more]))

    def _insert(self, runs: Iterable[Run]) -> None:
        self._next_run = insert(self._db, runs, self._next_run, self._cipher)

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
        save_gap(self._db, uplink, gap)
        self.gaps[uplink].append(gap)
        self._insert(self._numbered([announcement(uplink, gap, self._now_ms(), **detail)]))

    def _save_cursors(self, spare: int = 0, behind: int = 0) -> None:
        """In the transaction that is open. Who uses numbers and has fewer than `spare` left gets more; what
        was counted of the days may stay `behind`."""
        for name, cursor in self.cursors.items():
            left = cursor.reserved_seq - cursor.last_seq
            if left < 0 or 0 < left < spare:
                cursor.reserved_seq = cursor.last_seq + RESERVE
            self._save(name, cursor)
        self._days.save(self._db, behind)

    def _save(self, name: str, cursor: Cursor) -> None:
        save_cursor(self._db, name, cursor.last_seq, cursor.acked_seq, cursor.reserved_seq)

    # Reading.

    def read(self, uplink: str, after_seq: int, limit: int) -> list[Entry]:
        """Up to `limit` entries of `uplink` with numbers above `after_seq`, in order, without holes but
        for numbers that do not come. Raises sqlite3.Error, OSError."""
        return self._sound(lambda: self._read(uplink, after_seq, limit))

    def _read(self, uplink: str, after_seq: int, limit: int) -> list[Entry]:
        entries: list[Entry] = []
        for run in chain(self._file.runs(uplink, after_seq), self._unsaved):
            entries += run.entries(uplink, after_seq, limit - len(entries))
            if len(entries) >= limit:
                break
        return entries

    def read_lane(self, uplink: str, lane: Lane, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Up to `limit` entries of `lane` with numbers above `after_seq`, in order, and up to which number
        that is all of them. Raises sqlite3.Error, OSError."""
        return self._sound(lambda: self._read_lane(uplink, lane, after_seq, limit))

    def _read_lane(self, uplink: str, lane: Lane, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        entries: list[Entry] = []
        for run in chain(self._file.runs_of(lane, uplink, after_seq), self._unsaved):
            found = run.entries(uplink, after_seq, limit - len(entries))
            entries += [entry for entry in found if lane_of(entry.record) is lane]
            if len(entries) >= limit:
                return entries[:limit], entries[limit - 1].seq
        return entries, self.cursors[uplink].last_seq

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
        return self._file.reason(uplink, seq)

    # Keeping within limits.

    def tidy(self) -> bool:
        """Remove what is kept long enough, and thin what is too much; returns whether there is more to do.

        Raises sqlite3.Error, OSError, and has then changed nothing.
        """
        return self._sound(self._tidy)

    def _tidy(self) -> bool:
        limits, now = self._limits, self._now_ms()
        with self._transaction():
            self._write_unsaved(self._numbered(self._days.due(now)))
            excess = thinning.used_bytes(self._db) - limits.max_bytes
            wanted = excess + limits.max_bytes // thinning.THIN_PART if excess > 0 else 0
            acked = {name: cursor.acked_seq for name, cursor in self.cursors.items()}
            removed = thinning.delivered(self._db, acked, now - limits.delivered_ms, wanted)
            thinning.delete(self._db, removed, self.cursors)
            wanted -= sum(run.size for run in removed)
            more = len(removed) >= thinning.REMOVED_AT_ONCE
            if not more:
                wanted -= self._thin(thinning.too_old(self._db, limits, now))
                for classes in THINNED:
                    wanted -= self._thin(thinning.for_room(self._db, classes, wanted))
            self._save_cursors()
        self._written()
        self._file.forget()
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
                missed = thinning.missed(of_class, name, cursor.acked_seq)
                if missed is None:
                    continue
                log.warning("journal: %d %s for %s are thinned", missed.gap.count, record_class, name)
                detail = {"class": record_class.value, "from": missed.from_ms, "to": missed.to_ms}
                self._announce(name, missed.gap, **detail)
        return sum(run.size for run in runs)

    def _find_newest(self) -> None:
        self.newest = {name: self._file.newest(name) for name in self.cursors}

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
