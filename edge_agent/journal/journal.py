"""The journal as the rest of the agent uses it: appending never waits, reading and committing never block."""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Entry, Record, Store

log = logging.getLogger(__name__)

GROUP_S = 0.02
"""How long records gather before they are committed together."""
SYNC_S = 1.0
"""At most this much of raw readings is at stake in a power cut; all other classes are synced at once."""
RETRY_S = 1.0
"""Pause after a commit that failed."""
PENDING_LIMIT = 50_000
"""Records held in memory while the disk refuses them; the oldest readings go beyond that, counted."""


class Journal:
    """A durable queue with a cursor per uplink.

    All methods are called from one event loop; the file is touched by one worker thread. What `append`
    takes is on disk at the latest GROUP_S later, or `failure` says why not.
    """

    def __init__(
        self,
        path: Path,
        uplinks: Mapping[str, frozenset[RecordClass]],
    ) -> None:
        """Open `path`; `uplinks` as for Store. Raises as Store does."""
        self._store = Store(path, uplinks)
        self.lost_numbers = self._store.lost_numbers
        """By uplink, first and last of the numbers that a power cut may have taken; never given again."""
        self._carried = frozenset().union(*uplinks.values()) if uplinks else frozenset[RecordClass]()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._pending: deque[Record] = deque()
        self._taken = {name: cursor.acked_seq for name, cursor in self._store.cursors.items()}
        self._last = {name: cursor.last_seq for name, cursor in self._store.cursors.items()}
        self._saved = dict(self._taken)
        self._newest: dict[str, list[Entry]] = {}
        """The group committed last, so that an uplink without a backlog need not read the disk."""
        self._wanted = asyncio.Event()
        self._moved = asyncio.Event()
        self._committed = asyncio.Condition()
        self._synced_at = time.monotonic()
        self._unsynced = False
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.appended = 0
        """Records taken since the start."""
        self.recorded = 0
        """Records committed since the start."""
        self.readings_recorded = 0
        self.dropped = 0
        """Readings given up because the disk refused them for too long."""
        self.failure: str | None = None
        """Why the last commit failed; None when it succeeded."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="journal")

    async def close(self) -> None:
        """Commit what is pending (one try) and close the file."""
        self._closing = True
        self._wanted.set()
        if self._task is not None:
            await self._task
        self._store.close()
        self._thread.shutdown()

    def append(self, record: Record) -> None:
        """Queue a record; returns at once. A class that no uplink carries is not kept."""
        if record.record_class not in self._carried:
            return
        self._pending.append(record)
        self.appended += 1
        self._wanted.set()
        if len(self._pending) > PENDING_LIMIT:
            self._drop_oldest_reading()

    def _drop_oldest_reading(self) -> None:
        for index, record in enumerate(self._pending):
            if record.record_class is RecordClass.READINGS:
                del self._pending[index]
                self.dropped += 1
                return

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
        depth = self._last[uplink] - self._taken[uplink]
        first, last = self.lost_numbers.get(uplink, (0, -1))
        return depth - (last - first + 1) if self._taken[uplink] < first else depth

    async def read(self, uplink: str, after_seq: int, limit: int) -> list[Entry]:
        """At least one and up to `limit` entries after `after_seq`, in order; waits while there are none."""
        loop = asyncio.get_running_loop()
        while True:
            async with self._committed:
                await self._committed.wait_for(lambda: self._last[uplink] > after_seq)
            newest = self._newest.get(uplink)
            if newest and newest[0].seq <= after_seq + 1:
                return newest[after_seq + 1 - newest[0].seq :][:limit]
            entries = await loop.run_in_executor(self._thread, self._store.read, uplink, after_seq, limit)
            if entries:
                return entries
            async with self._committed:  # only lost numbers lie behind `after_seq` so far
                await self._committed.wait()

    def _to_sync(self) -> None:
        if not self._unsynced:
            self._unsynced = True
            self._wanted.set()

    async def _run(self) -> None:
        while not self._closing:
            await self._wait_for_work()
            await asyncio.sleep(0 if self._closing else GROUP_S)
            if not await self._commit() and not self._closing:
                await asyncio.sleep(RETRY_S)
        await self._commit(final=True)

    async def _wait_for_work(self) -> None:
        """Until there are records or cursor moves, or readings have been unsynced for long enough."""
        limit = max(0.0, self._synced_at + SYNC_S - time.monotonic()) if self._unsynced else None
        try:
            async with asyncio.timeout(limit):
                await self._wanted.wait()
        except TimeoutError:
            return
        self._wanted.clear()

    async def _commit(self, *, final: bool = False) -> bool:
        due = final or time.monotonic() - self._synced_at >= SYNC_S
        # Cursor moves are worth no write of their own before a sync is due: forgetting one costs a
        # repeat with the same number, never a loss.
        acked = {n: seq for n, seq in self._taken.items() if due and seq > self._saved[n]}
        group, self._pending = self._pending, deque()
        sync = due or any(record.record_class is not RecordClass.READINGS for record in group)
        if not group and not (due and self._unsynced):
            return True
        loop = asyncio.get_running_loop()
        try:
            self._newest = await loop.run_in_executor(
                self._thread, lambda: self._store.commit(group, acked, sync=sync)
            )
        except sqlite3.Error as error:
            group.extend(self._pending)
            self._pending = group
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
        for name, cursor in self._store.cursors.items():
            self._last[name] = cursor.last_seq
        if sync:
            self._synced_at = time.monotonic()
        self._unsynced = not sync or self._taken != self._saved

    def _failed(self, message: str) -> None:
        if self.failure is None:
            log.error("journal: cannot write (%s); readings are kept in memory meanwhile", message)
        self.failure = message
        self._wanted.set()
