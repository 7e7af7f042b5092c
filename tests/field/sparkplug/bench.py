"""A journal and a Sparkplug uplink over it, started and stopped like the agent's."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.config.models import SparkplugUplinkOptions
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Record
from edge_agent.uplinks.sparkplug.plant import Plant
from edge_agent.uplinks.sparkplug.uplink import SparkplugUplink
from tests.uplinks.sparkplug.lives import PLANT

GROUP, NODE = "Group 1", "gw-test"
CARRIED = frozenset({RecordClass.READINGS, RecordClass.STATES, RecordClass.STATEMENTS})


class Bench:
    """Enter it to start, leave it to stop. Another one on the same folder is the agent after a restart."""

    def __init__(self, folder: Path, port: int, plant: Plant = PLANT, **options: Any) -> None:
        given = {"id": "scada", "type": "sparkplug", "host": "127.0.0.1", "port": port, "group": GROUP}
        given |= {"node": NODE, "client_id": NODE, **options}
        self.told: list[tuple[str, str]] = []
        self.journal = Journal(folder / "journal.db", {"scada": CARRIED})
        self.uplink = SparkplugUplink(
            SparkplugUplinkOptions.model_validate(given),
            plant,
            folder,
            self.journal,
            lambda kind, message, _: self.told.append((kind, message)),
        )

    async def __aenter__(self) -> "Bench":
        self.journal.start()
        self._task = asyncio.create_task(self.uplink.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.journal.close()

    def add(self, *records: Record) -> None:
        for record in records:
            self.journal.append(record)

    async def delivered(self, limit: float = 20.0) -> None:
        async with asyncio.timeout(limit):
            await self.journal.flush()
            await self.journal.delivered()


async def until(condition: Callable[[], object], limit: float = 20.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


async def left_behind(folder: Path, *records: Record) -> None:
    """A journal that an earlier run did not get rid of."""
    journal = Journal(folder / "journal.db", {"scada": CARRIED})
    journal.start()
    for record in records:
        journal.append(record)
    await journal.flush()
    await journal.close()
