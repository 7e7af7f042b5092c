"""Reads machines that write `name=value` lines into a file, as some old controllers do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from edge_agent.driver import ConnectionFailed, PlannedRequest, PolledDriver, ProbeResult, TagSet
from edge_agent.model.batch import Batch, Value
from edge_agent.model.clock import CLOCK
from edge_agent.model.options import ConnectionOptions, EquipmentOptions, TagOptions
from edge_agent.model.quality import Quality, bad
from edge_agent.model.state import UnknownCause


class NoteTag(TagOptions):
    name: str


class NoteEquipment(EquipmentOptions):
    tags: tuple[NoteTag, ...] = ()


class NoteConnection(ConnectionOptions):
    driver: Literal["notefile"]
    path: Path
    equipment: tuple[NoteEquipment, ...]


class NoteFileDriver(PolledDriver[NoteConnection, NoteEquipment, NoteTag]):
    Connection = NoteConnection
    Tag = NoteTag

    async def open(self) -> None:
        self._notes()

    async def close(self) -> None:
        pass

    def plan(self) -> Sequence[PlannedRequest]:
        return [PlannedRequest(t.equipment.id, t.period, "the whole file", t.names) for t in self.tag_sets]

    async def probe(self) -> ProbeResult:
        return ProbeResult(identity={"file": str(self.options.path)})

    async def read(self, tag_set: TagSet[NoteEquipment, NoteTag]) -> Batch:
        notes = self._notes()
        values: list[Value] = []
        flaws: dict[int, Quality] = {}
        for index, tag in enumerate(tag_set.tags):
            text = notes.get(tag.name)
            if text is None:
                flaws[index] = bad("not_in_file")
            values.append(None if text is None else float(text) * tag.scale + tag.offset)
        return Batch(tag_set.equipment.id, CLOCK.now_ms(), tag_set.names, values, flaws)

    def _notes(self) -> dict[str, str]:
        try:
            lines = self.options.path.read_text("utf-8").splitlines()
        except OSError as error:
            raise ConnectionFailed(UnknownCause.UNREACHABLE, str(error)) from error
        return dict(line.split("=", 1) for line in lines)

    @classmethod
    def commands(cls) -> click.Group:
        return click.Group("notefile", help="Commands of a driver from outside.")
