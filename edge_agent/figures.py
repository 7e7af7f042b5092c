"""Makes the figures: the statements of the moment, and the accounts of the periods that are over."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.acquisition.link import LinkTracker
from edge_agent.config.site import Site, counting, planned_calendars
from edge_agent.contract.messages import Numbered, Statements
from edge_agent.contract.topics import RecordClass, class_of_figures
from edge_agent.indicators.accounts_due import AccountsDue, Series, all_series
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import Period
from edge_agent.keeping import HistoryKeeper
from edge_agent.model.clock import CLOCK
from edge_agent.statements.keys import SigningKey, signed
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
        self,
        site: Site,
        keeper: HistoryKeeper,
        links: LinkTracker,
        tracker: StateTracker,
        append: Append,
        key: SigningKey,
    ) -> None:
        self._site = site
        self._keeper = keeper
        self._links = links
        self._tracker = tracker
        self._append = append
        self._key = key
        zone = ZoneInfo(site.gateway.timezone)
        calendars = planned_calendars(site)
        self._calculators = [
            Calculator(one, site.gateway.enterprise, site.register, zone, calendars)
            for one in site.definitions
        ]
        self._machine_time = MachineTime(keeper.history, zone, calendars, counting(site))
        connected = [e.id for c in site.connections for e in c.equipment]
        self._due = AccountsDue(keeper.history, all_series(zone, connected, calendars))
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
            statements = signed(calculator.statements(self._links, states, now), self._key)
            self.statements[calculator.definition.id] = statements
            self._append(
                class_of_figures(calculator.definition.weight),
                f"indicator/{calculator.definition.id}",
                statements,
            )
            await asyncio.sleep(0)  # each takes some milliseconds where there are hundreds of machines

    async def _account(self) -> None:
        """Send the machine time of each period that is over."""
        while True:
            try:
                await self._account_again()
                if (settled_ms := await self._settled_ms()) is not None:
                    await self._account_until(settled_ms)
            except sqlite3.Error as error:
                log.error("history: %s; machine time is accounted for later", error)
            await asyncio.sleep(ACCOUNTS_EVERY_S)

    async def _settled_ms(self) -> int | None:
        """Up to when all that happened is on disk, what was counted as well; None before the first save."""
        saved_ms = await self._keeper.run(self._keeper.history.alive_ms)
        return None if saved_ms is None else min(saved_ms, CLOCK.now_ms() - ACCOUNTS_SETTLE_MS)

    async def _account_again(self) -> None:
        """Send accounts again whose unknown time was filled since."""
        accounts, number = await self._keeper.run(self._due.amended)
        for equipment, period in accounts:
            await self._send_account(equipment, period)
        if number:
            await self._keeper.run(self._due.made_again, number)

    async def _account_until(self, settled_ms: int) -> None:
        for series in self._due.series:
            for period in await self._keeper.run(self._due.due, series, settled_ms):
                await self._account_for(series, period)

    async def _account_for(self, series: Series, period: Period) -> None:
        # One machine at a time, so that the history has time for other things.
        for equipment in series.equipment:
            await self._send_account(equipment, period)
        await self._keeper.run(self._due.done, series, period)

    async def _send_account(self, equipment: str, period: Period) -> None:
        account = await self._keeper.run(
            self._machine_time.account, equipment, period, self._keeper.unsaved, CLOCK.now_ms()
        )
        self._append(RecordClass.ACCOUNTS, f"{equipment}/{period.kind}", account)
