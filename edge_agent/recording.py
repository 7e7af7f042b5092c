"""Makes statements of record of the days and months that are over, and hands them to the journal."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from edge_agent.config.site import Site, planned_calendars, stale_after_ms
from edge_agent.contract.topics import RecordClass, class_of_figures
from edge_agent.indicators.connected import Connected
from edge_agent.indicators.periods import Period
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Record
from edge_agent.model.clock import CLOCK
from edge_agent.model.progress import Progress
from edge_agent.sharing import settlement
from edge_agent.sharing.production import production_of
from edge_agent.statements.keys import SigningKey
from edge_agent.statements.record import MADE_UP_MS, RecordMaker, keep
from edge_agent.statements.store import Kept, StatementStore

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

LOOK_EVERY_S = 5.0
"""How often to look for a period that is over, and for statements that another process has made."""
SENT_TOGETHER = 50
PIECE_LIMIT_S = 600.0
"""No piece takes that long: a month of hundreds of machines is worked out within seconds, even if another
process writes meanwhile."""


class Recorder:
    """The statements of one data folder: made and sent in a thread of their own, a piece at a time."""

    def __init__(self, site: Site, key: SigningKey, journal: Journal) -> None:
        """The history file is there, with its register. Raises sqlite3.Error."""
        self._site = site
        self._journal = journal
        self.progress = Progress("statements")
        self._production = production_of(site)
        path = site.data_dir / "history.db"
        self._store = StatementStore(path, key)
        self._maker = RecordMaker(
            path,
            site.gateway.id,
            site.gateway.enterprise,
            ZoneInfo(site.gateway.timezone),
            site.definitions,
            partial(planned_calendars, site),
        )
        self.key_before = self._store.note_key()
        """The key that was signed with before, if it is another."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="statements")

    async def run(self) -> None:
        """For ever: make what is due, send what has not been sent."""
        while True:
            try:
                await self._make()
                await self._send()
            except sqlite3.Error as error:
                log.error("statements: %s; they are made later", error)
            self.progress.expect(LOOK_EVERY_S)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _make(self) -> None:
        for kind in MADE_UP_MS:
            stated_ms = await self._run(self._store.stated, kind)
            begin_ms, due = await self._run(self._maker.due, kind, stated_ms)
            if begin_ms is not None and begin_ms != stated_ms:
                await self._run(self._store.set_stated, kind, begin_ms)
            for period in due:
                await self._state(period)
        await self._run(
            settlement.settle_ended_months, self._site, self._store, self._production, CLOCK.now_ms()
        )

    async def _state(self, period: Period) -> None:
        drafts = self._maker.drafts(period)
        while (draft := await self._run(next, drafts, None)) is not None:
            await self._run(keep, self._store, draft)
        await self._run(self._store.set_stated, period.kind, period.to_ms)

    async def _send(self) -> None:
        while batch := await self._run(self._store.unsent, SENT_TOGETHER):
            for kept in batch:
                self._journal.append(Record(*_place(kept), kept.message))
            # Only what the journal has on disk is sent for sure. Ending before that is noted sends a
            # statement twice, with two numbers of the uplink and the one that it has itself.
            await self._journal.flush()
            await self._run(self._store.sent, [kept.number for kept in batch])

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.progress.expect(PIECE_LIMIT_S)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Wait for the thread, and close the files."""
        self._thread.shutdown()
        self._maker.close()
        self._store.close()


def connected(site: Site) -> Mapping[str, Connected]:
    """What of a configuration statements depend on, by equipment."""
    stale_ms = stale_after_ms(site)
    return {
        equipment.id: Connected(stale_ms[equipment.id], tuple(sorted(tag.id for tag in equipment.tags)))
        for connection in site.connections
        for equipment in connection.equipment
    }


def _place(kept: Kept) -> tuple[RecordClass, str]:
    """Its class, and what it is about as topics name it: `statement/nc-rate/by-count/day`."""
    if kept.schema == settlement.SCHEMA:
        # What a tenant pays goes to uplinks that ask for it, not to all that carry statements.
        return RecordClass.SETTLEMENTS, kept.subject
    name = kept.schema.removeprefix("fta.").partition("/")[0]
    weight = kept.content["definition"].get("weight", "")
    return class_of_figures(weight), f"{name}/{kept.subject}/{kept.kind}"
