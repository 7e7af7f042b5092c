"""Makes the figures: the statements of the moment, and the accounts of the periods that are over."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.acquisition.link import LinkTracker
from edge_agent.config.site import Site, planned_calendars
from edge_agent.contract.messages import Numbered, Statements
from edge_agent.contract.topics import RecordClass
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.machine_time import MADE_UP_MS, MachineTime
from edge_agent.indicators.periods import Period
from edge_agent.keeping import HistoryKeeper
from edge_agent.model.clock import CLOCK
from edge_agent.states.tracker import StateTracker

log = logging.getLogger(__name__)

FIRST_STATEMENTS_S = 2.0
"""After the start, so that connections have had the time to open."""
ACCOUNTS_EVERY_S = 5.0
"""How often to look for a period that is over."""
ACCOUNTS_SETTLE_MS = 2000
"""After the end of a period, so that what happened in it has been noted."""

Append = Callable[[RecordClass, str, Numbered], None]
"""Takes a message for the journal: its class, what it is about, itself."""


class Figures:
    """The figures of one site, made from what the trackers know and the history has kept."""

    def __init__(
        self, site: Site, keeper: HistoryKeeper, links: LinkTracker, tracker: StateTracker, append: Append
    ) -> None:
        self._site = site
        self._keeper = keeper
        self._links = links
        self._tracker = tracker
        self._append = append
        zone = ZoneInfo(site.gateway.timezone)
        self._calculators = [
            Calculator(one, site.gateway.enterprise, site.register, zone) for one in site.definitions
        ]
        self._machine_time = MachineTime(keeper.history, zone, planned_calendars(site, zone))
        self._connected: Sequence[str] = [e.id for c in site.connections for e in c.equipment]
        self.statements: dict[str, Statements] = {}
        """The newest of each definition."""

    def services(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What has to run as long as the agent does, by name."""
        return {"indicators": self._indicate(), "accounts": self._account()}

    async def _indicate(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + FIRST_STATEMENTS_S
        while True:
            await asyncio.sleep(due - loop.time())
            await self._state_figures()
            due = max(due + self._site.indicators.every, loop.time())

    async def _state_figures(self) -> None:
        """Work out all figures as they are now, and send them."""
        now = CLOCK.now_ms()
        states = {e.id: self._tracker.current(e.id).state.state for e in self._site.register.equipment}
        for calculator in self._calculators:
            statements = calculator.statements(self._links, states, now)
            self.statements[calculator.definition.id] = statements
            self._append(RecordClass.STATEMENTS, calculator.definition.id, statements)
            await asyncio.sleep(0)  # each takes some milliseconds where there are hundreds of machines

    async def _account(self) -> None:
        """Send the machine time of each period that is over."""
        while True:
            try:
                for kind in MADE_UP_MS:
                    settled_ms = CLOCK.now_ms() - ACCOUNTS_SETTLE_MS
                    for period in await self._keeper.run(self._machine_time.due, kind, settled_ms):
                        await self._account_for(period)
            except sqlite3.Error as error:
                log.error("history: %s; machine time is accounted for later", error)
            await asyncio.sleep(ACCOUNTS_EVERY_S)

    async def _account_for(self, period: Period) -> None:
        machine_time = self._machine_time
        # One machine at a time, so that the history has time for other things.
        for equipment in self._connected:
            account = await self._keeper.run(
                machine_time.account, equipment, period, self._keeper.unsaved, CLOCK.now_ms()
            )
            self._append(RecordClass.ACCOUNTS, f"{equipment}/{period.kind}", account)
        await self._keeper.run(machine_time.done, period)
