"""The journal as the rest of the agent uses it: appending never waits, reading and committing never block."""

import asyncio
import logging
import math
import sqlite3
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.cipher import PLAIN, Cipher
from edge_agent.journal.digests import Digested
from edge_agent.journal.gaps import Gap
from edge_agent.journal.lanes import Lane, lane_of
from edge_agent.journal.limits import THINNED, Limits
from edge_agent.journal.store import Entry, Record, Store
from edge_agent.model.progress import Progress

log = logging.getLogger(__name__)

GROUP_S = 0.02
"""How long records gather before they are committed together."""
SYNC_S = 1.0
"""At most this much of raw readings is at stake in a power cut; all other classes are synced at once."""
RETRY_S = 1.0
"""Pause after a commit that failed."""
TIDY_S = 10.0
"""How often to look whether something has to go."""
WRITE_LIMIT_S = 120.0
"""No write takes that long, be it to a worn memory card."""
PENDING_BYTES = 64_000_000
"""Held in memory while the disk refuses records; beyond that the oldest go, readings first, counted."""


class Journal:
    """A durable queue with a cursor per uplink.

    All methods are called from one event loop; the file is touched by one worker thread. What `append`
    takes is on disk at the latest GROUP_S later, or `failure` says why not.
    """

    def __init__(
        self,
        path: Path,
        uplinks: Mapping[str, frozenset[RecordClass]],
        limits: Limits | None = None,
        digested: Digested | None = None,
        cipher: Cipher = PLAIN,
    ) -> None:
        """Open `path`; what else is given, as for Store. Raises as Store does."""
        self._path = path
        self._cipher = cipher
        self._store = Store(path, uplinks, limits=limits, digested=digested, cipher=cipher)
        self.progress = Progress("journal")
        self._carried = _carried(uplinks)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._pending: deque[Record] = deque()
        self._pending_bytes = 0
        self._taken = {name: cursor.acked_seq for name, cursor in self._store.cursors.items()}
        self._last: dict[str, int] = {}
        self._kept: dict[str, int] = {}
        """By uplink, the newest number whose record is kept."""
        self._gaps: dict[str, list[Gap]] = {}
        self._look()
        self._saved = dict(self._taken)
        self._newest: dict[str, list[Entry]] = {}
        """The group committed last, so that an uplink without a backlog need not read the disk."""
        self._wanted = asyncio.Event()
        self._moved = asyncio.Event()
        self._committed = asyncio.Condition()
        self._synced_at = time.monotonic()
        self._tidied_at = -TIDY_S
        self._unsynced = False
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.appended = 0
        """Records taken since the start."""
        self.recorded = 0
        """Records committed since the start."""
        self.readings_recorded = 0
        self.dropped = 0
        """Records given up because the disk refused them for too long."""
        self.over_limit = False
        """Whether what must not be thinned is more than the limit."""
        self.failure: str | None = None
        """Why the last commit failed; None when it succeeded."""

    def start(self) -> None:
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="journal")

    async def close(self) -> None:
        """Commit what is pending (one try) and close the file."""
        await self._pause()
        self._store.close()
        self._thread.shutdown()

    async def _pause(self) -> None:
        self._closing = True
        self._wanted.set()
        if self._task is not None:
            await self._task

    async def follow(
        self,
        uplinks: Mapping[str, frozenset[RecordClass]],
        limits: Limits,
        digested: Digested | None = None,
    ) -> None:
        """Serve `uplinks` within `limits` from now on. Of those that go on, nothing is lost or repeated; what
        is appended meanwhile waits. Uplinks that end read no more. Raises as `__init__` does.
        """
        self._carried |= _carried(uplinks)
        await self._pause()
        await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._reopen(uplinks, limits, digested)
        )
        self._carried = _carried(uplinks)
        self._saved = {name: cursor.acked_seq for name, cursor in self._store.cursors.items()}
        self._taken = {name: self._taken.get(name, seq) for name, seq in self._saved.items()}
        self._unsynced = self._taken != self._saved
        self._newest = {}
        self._look()
        self.start()
        self._wanted.set()

    def _reopen(
        self, uplinks: Mapping[str, frozenset[RecordClass]], limits: Limits, digested: Digested | None
    ) -> None:
        self._store.close()
        self._store = Store(self._path, uplinks, limits=limits, digested=digested, cipher=self._cipher)

    def append(self, record: Record) -> None:
        """Queue a record; returns at once. A class that no uplink carries is not kept."""
        if record.record_class not in self._carried:
            return
        self._pending.append(record)
        self._pending_bytes += len(record.body)
        self.appended += 1
        self._wanted.set()
        if self._pending_bytes > PENDING_BYTES:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Give up a tenth of what waits, readings first, and never what must not be thinned."""
        for classes in THINNED:
            kept: deque[Record] = deque()
            for record in self._pending:
                if self._pending_bytes > 0.9 * PENDING_BYTES and record.record_class in classes:
                    self._pending_bytes -= len(record.body)
                    self.dropped += 1
                else:
                    kept.append(record)
            self._pending = kept

    async def flush(self) -> None:
        """Return when everything appended so far is committed."""
        target = self.appended
        async with self._committed:
            await self._committed.wait_for(lambda: self.recorded + self.dropped >= target)

    def acknowledge(self, uplink: str, seq: int) -> None:
        """The receiver has everything up to `seq`. Never goes back."""
        if seq > self._taken[uplink]:
            self._taken[uplink] = seq
            self._moved.set()
            self._to_sync()

    async def delivered(self) -> None:
        """Return when every uplink has acknowledged everything that it was given so far."""
        while any(self.depth(uplink) for uplink in self._taken):
            self._moved.clear()
            await self._moved.wait()

    def acknowledged(self, uplink: str) -> int:
        """The uplink's cursor: everything up to this number is acknowledged."""
        return self._taken[uplink]

    def last(self, uplink: str) -> int:
        """The newest number given out for the uplink."""
        return self._last[uplink]

    def depth(self, uplink: str) -> int:
        """Records that the uplink has still to deliver."""
        taken = self._taken[uplink]
        if taken >= self._kept[uplink]:
            return 0
        return max(1, self._last[uplink] - taken - sum(gap.left(taken) for gap in self._gaps[uplink]))

    async def read(self, uplink: str, after_seq: int, limit: int) -> list[Entry]:
        """At least one and up to `limit` entries after `after_seq`, in order; waits while there are none."""
        loop = asyncio.get_running_loop()
        while True:
            async with self._committed:
                await self._committed.wait_for(lambda: self._last[uplink] > after_seq)
            if newest := self._newest_after(uplink, after_seq):
                return newest[:limit]
            entries = await loop.run_in_executor(
                self._thread, lambda: self._store.read(uplink, after_seq, limit)
            )
            if entries:
                return entries
            async with self._committed:  # only numbers that do not come lie behind `after_seq` so far
                await self._committed.wait()

    async def read_lane(self, uplink: str, lane: Lane, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Up to `limit` entries of `lane` after `after_seq`, in order, and up to which number that is all of
        them; waits until there are newer numbers, of whatever lane."""
        async with self._committed:
            await self._committed.wait_for(lambda: self._last[uplink] > after_seq)
        if newest := self._newest_after(uplink, after_seq):
            entries = [entry for entry in newest if lane_of(entry.record) is lane]
            if len(entries) <= limit:
                return entries, newest[-1].seq
            return entries[:limit], entries[limit - 1].seq
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, lambda: self._store.read_lane(uplink, lane, after_seq, limit)
        )

    def _newest_after(self, uplink: str, after_seq: int) -> list[Entry]:
        """What follows `after_seq` in the group committed last; nothing if it begins later."""
        newest = self._newest.get(uplink)
        if not newest or newest[0].seq > after_seq + 1:
            return []
        return newest[after_seq + 1 - newest[0].seq :]

    async def again(self, uplink: str, first: int, last: int) -> tuple[list[Entry], list[Gap]]:
        """What is kept of these numbers, acknowledged or not, and why the others do not come.

        Raises sqlite3.Error, OSError.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._store.again(uplink, first, last))

    def _to_sync(self) -> None:
        if not self._unsynced:
            self._unsynced = True
            self._wanted.set()

    async def _run(self) -> None:
        while not self._closing:
            self.progress.expect(TIDY_S + WRITE_LIMIT_S)
            await self._wait_for_work()
            await asyncio.sleep(0 if self._closing else GROUP_S)
            if not await self._commit():
                if not self._closing:
                    await asyncio.sleep(RETRY_S)
            elif time.monotonic() - self._tidied_at >= TIDY_S:
                await self._tidy()
        await self._commit(final=True)

    async def _wait_for_work(self) -> None:
        """Until there are records or cursor moves, readings have been unsynced for long enough, or it is
        time to tidy."""
        due = min(self._tidied_at + TIDY_S, self._synced_at + SYNC_S if self._unsynced else math.inf)
        limit = max(0.0, due - time.monotonic())
        try:
            async with asyncio.timeout(limit):
                await self._wanted.wait()
        except TimeoutError:
            return
        self._wanted.clear()

    async def _commit(self, *, final: bool = False) -> bool:
        due = final or time.monotonic() - self._synced_at >= SYNC_S
        group, self._pending = self._pending, deque()
        size, self._pending_bytes = self._pending_bytes, 0
        sync = due or any(record.record_class is not RecordClass.READINGS for record in group)
        # Cursor moves go with what is synced, and are worth no write of their own before a sync is due:
        # forgetting one costs a repeat with the same number, never a loss.
        acked = {n: seq for n, seq in self._taken.items() if sync and seq > self._saved[n]}
        if not group and not (due and self._unsynced):
            return True
        loop = asyncio.get_running_loop()
        try:
            self._newest = await loop.run_in_executor(
                self._thread, lambda: self._store.commit(group, acked, sync=sync)
            )
        except (sqlite3.Error, OSError) as error:
            group.extend(self._pending)
            self._pending = group
            self._pending_bytes += size
            self._failed(str(error))
            return False
        self._succeeded(group, acked, sync=sync)
        async with self._committed:
            self._committed.notify_all()
        return True

    def _succeeded(self, group: deque[Record], acked: Mapping[str, int], *, sync: bool) -> None:
        if self.failure is not None:
            log.warning("journal: writing again")
            self.failure = None
        self.recorded += len(group)
        self.readings_recorded += sum(record.readings for record in group)
        self._saved.update(acked)
        self._look()
        if sync:
            self._synced_at = time.monotonic()
        self._unsynced = not sync or self._taken != self._saved

    async def _tidy(self) -> None:
        """Remove what is kept long enough, and thin what is too much; what fails is tried again later."""
        self._tidied_at = time.monotonic()
        loop = asyncio.get_running_loop()
        try:
            if await loop.run_in_executor(self._thread, lambda: self._store.tidy()):
                self._tidied_at = -TIDY_S
        except (sqlite3.Error, OSError) as error:
            log.warning("journal: cannot remove what is no longer needed (%s)", error)
        self._look()
        async with self._committed:
            self._committed.notify_all()

    def _look(self) -> None:
        """Note what the store says; nothing is being written now."""
        self._last = {name: cursor.last_seq for name, cursor in self._store.cursors.items()}
        self._kept = dict(self._store.newest)
        self.over_limit = self._store.over_limit
        self._gaps = {name: list(gaps) for name, gaps in self._store.gaps.items()}

    def _failed(self, message: str) -> None:
        if self.failure is None:
            log.error("journal: cannot write (%s); readings are kept in memory meanwhile", message)
        self.failure = message
        self._wanted.set()


def _carried(uplinks: Mapping[str, frozenset[RecordClass]]) -> frozenset[RecordClass]:
    """What any of them carries."""
    return frozenset(one for classes in uplinks.values() for one in classes)
