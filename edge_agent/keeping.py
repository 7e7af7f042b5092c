"""The history in a thread of its own, and what waits to be written: a failure loses nothing of it."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from edge_agent.model.clock import CLOCK
from edge_agent.states.counters import CounterRow
from edge_agent.states.history import NOTHING_MADE, Changes, History
from edge_agent.states.production import ProductionChanges
from edge_agent.states.reading import EvidenceRow
from edge_agent.states.tracker import Interval

log = logging.getLogger(__name__)

PACK_EVERY_S = 60.0
"""How often to look whether a day is over."""
PACK_PAUSE_S = 0.1
"""After a pack, so that the history has time for other things."""
FORGET_EVERY_S = 3600.0

P = ParamSpec("P")
T = TypeVar("T")


class HistoryKeeper:
    """All methods are called from one event loop, those of `history` in the thread: by `run`, or before
    anything else does."""

    def __init__(self, path: Path) -> None:
        """Raises as History does."""
        self.path = path
        self.history = History(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history")
        self._intervals: list[Interval] = []
        self._evidence: dict[tuple[str, int], EvidenceRow] = {}
        self._told = ""
        """Why it cannot be written, as that was told; empty while it can."""

    def note(self, intervals: Iterable[Interval]) -> None:
        """Write them with the next `save`."""
        self._intervals += intervals

    @property
    def unsaved(self) -> list[Interval]:
        """What has been noted and is not in the history yet."""
        return list(self._intervals)

    async def save(
        self,
        evidence: Iterable[EvidenceRow],
        counters: Sequence[CounterRow],
        alive_ms: int,
        production: ProductionChanges = NOTHING_MADE,
    ) -> bool:
        """Write these and what was noted; returns whether that went well.

        If not, intervals and evidence are written with the next call.
        """
        # By hour, as the newest line of one replaces those before it.
        self._evidence |= {(row[0], row[1]): row for row in evidence}
        intervals, lines = list(self._intervals), dict(self._evidence)
        try:
            changes = Changes(alive_ms, intervals, tuple(lines.values()), counters, production)
            await self.run(self.history.save, changes)
        except sqlite3.Error as error:
            if str(error) != self._told:
                log.error("history: cannot write (%s); kept in memory meanwhile", error)
            self._told = str(error)
            return False
        if self._told:
            self._told = ""
            log.warning("history: writing again")
        # More may have been noted in the meantime.
        del self._intervals[: len(intervals)]
        self._evidence = {key: row for key, row in self._evidence.items() if lines.get(key) is not row}
        return True

    async def tend(self) -> None:
        """Pack days that are over and remove what is too old, a little at a time; does not return."""
        loop = asyncio.get_running_loop()
        forget_at = loop.time()
        while True:
            packed = False
            try:
                packed = await self.run(self.history.pack, CLOCK.now_ms())
                if loop.time() >= forget_at:
                    forget_at = loop.time() + FORGET_EVERY_S
                    await self.run(self.history.forget, CLOCK.now_ms())
            except sqlite3.Error as error:
                log.error("history: cannot pack (%s); tried again later", error)
            await asyncio.sleep(PACK_PAUSE_S if packed else PACK_EVERY_S)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work`, done in the history's thread after what it was given before."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Wait for the thread, and close the file."""
        self._thread.shutdown()
        self.history.close()
