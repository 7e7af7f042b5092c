"""A journal and one InfluxDB uplink over it."""

import asyncio
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from edge_agent.config.models import InfluxdbUplinkOptions
from edge_agent.contract import messages
from edge_agent.contract.messages import Numbered, Status
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Record
from edge_agent.model.batch import Batch, Value
from edge_agent.model.clock import CLOCK
from edge_agent.model.equipment import Equipment
from edge_agent.uplinks.influx.health import Health
from edge_agent.uplinks.influx.points import Where
from edge_agent.uplinks.influx.uplink import InfluxUplink
from tests.field.delivery import Delivery

WHERE = Where(
    "91330300MA00DEM06A",
    "gw-test",
    {
        "M1": Equipment("M1", "一号机", "机加 工,车间", "L=1"),
        "M2": Equipment("M2", "二号机", "装配", commissioned=date(2020, 1, 1)),
    },
)


class Bench(Delivery[InfluxUplink]):
    """`told` has what the uplink said, as kind and message."""

    def __init__(
        self, folder: Path, url: str, *, journal: Journal | None = None, beside: str = "", **options: Any
    ) -> None:
        """`beside` is another uplink that the journal keeps records for; it is given that `journal`."""
        given: dict[str, Any] = {"id": "plant", "type": "influxdb", "url": url, "gather": "50ms", **options}
        if "bucket" not in given:
            given.setdefault("database", "plant")
        self.folder = folder
        self.told: list[tuple[str, str]] = []
        cursors = [name for name in ("plant", beside) if name]
        self.journal = journal or Journal(
            folder / "journal.db", dict.fromkeys(cursors, frozenset(RecordClass))
        )
        self.uplink = InfluxUplink(
            InfluxdbUplinkOptions.model_validate(given),
            WHERE,
            folder,
            self.journal,
            lambda: Health(Status(online=True, time=CLOCK.now_ms(), since=0, version="1", configuration="c")),
            lambda kind, message, _: self.told.append((kind, message)),
        )
        self.time = CLOCK.now_ms() - 30_000_000  # points of the future are in no count
        """Of the newest reading; each is a second after the one before."""

    def send(self, record_class: RecordClass, message: Numbered, readings: int = 0) -> None:
        self.journal.append(Record(record_class, "M1", messages.encode(message), readings))

    def read(self, values: Mapping[str, Value], equipment: str = "M1", time: int | None = None) -> None:
        """A batch of one reading for each value."""
        self.time += 1000
        received = self.time if time is None else time
        batch = Batch(equipment, received, list(values), list(values.values()))
        self.send(RecordClass.READINGS, messages.telemetry(batch), len(values))

    def read_many(self, count: int) -> None:
        for number in range(count):
            self.read({"speed": 0.5 + number, "parts": number})

    async def delivered(self, limit: float = 30.0) -> None:
        async with asyncio.timeout(limit):
            await self.journal.flush()
            await self.journal.delivered()
