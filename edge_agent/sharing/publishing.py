"""Sends idle capacity when it changes; it changes at least with each hour."""

import asyncio
from collections.abc import Callable
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.config.sharing import SharingOptions
from edge_agent.config.site import Site, planned_calendars
from edge_agent.contract.messages import Capacity, Numbered
from edge_agent.contract.topics import RecordClass
from edge_agent.model.clock import CLOCK
from edge_agent.sharing.capacity import capacity

LOOK_EVERY_S = 10.0

Append = Callable[[RecordClass, str, Numbered], None]
"""Takes a message for the journal: its class, what it is about, itself."""


async def publish_capacity(site: Site, sharing: SharingOptions, append: Append) -> None:
    """Runs as long as the agent does."""
    zone = ZoneInfo(site.gateway.timezone)
    calendars = planned_calendars(site)
    said: Capacity | None = None
    while True:
        # In a thread: with hundreds of machines it takes a while.
        now = await asyncio.to_thread(capacity, sharing, site.register, calendars, zone, CLOCK.now_ms())
        if said is None or msgspec.structs.replace(said, time=now.time) != now:
            append(RecordClass.CAPACITY, "", now)
            said = now
        await asyncio.sleep(LOOK_EVERY_S)
