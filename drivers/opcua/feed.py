"""The readings of one tag set on their way into batches."""

import time
from collections.abc import Collection

from drivers.opcua.options import OpcuaEquipment, OpcuaTag
from drivers.opcua.values import Reading
from edge_agent.driver import TagSet
from edge_agent.model.batch import NO_FLAWS, Batch, Value
from edge_agent.model.quality import Quality, bad

OpcuaTagSet = TagSet[OpcuaEquipment, OpcuaTag]

NO_FIRST_VALUE = bad("no_first_value")
"""The server accepted the tag and sent nothing for it, not even a bad status."""
GAP = bad("gap")
"""Values between the reading before this one and the one after it may be missing."""


class Feed:
    """Collects readings, and holds the first batch back until all tags of the set have one."""

    def __init__(self, tag_set: OpcuaTagSet) -> None:
        self.tag_set = tag_set
        self.last_batch = time.monotonic()
        self._missing = dict.fromkeys(tag_set.names)
        self._confirmed = False
        self._start()

    @property
    def holding(self) -> bool:
        return bool(self._missing)

    @property
    def missing(self) -> Collection[str]:
        """Tags without which the first batch does not go."""
        return self._missing.keys()

    def add(self, tag: str, reading: Reading) -> None:
        if reading.flaw is not None:
            self._flaws[len(self._tags)] = reading.flaw
        self.add_good(tag, reading.value, reading.source_ms)

    def add_good(self, tag: str, value: Value, source_ms: int | None) -> None:
        self._tags.append(tag)
        self._values.append(value)
        self._sources.append(source_ms)
        if self._missing:
            self._missing.pop(tag, None)

    def add_gap(self, tag: str) -> None:
        """What comes next does not follow on what came before; it is still to come."""
        self._flaws[len(self._tags)] = GAP
        self._tags.append(tag)
        self._values.append(None)
        self._sources.append(None)

    def begin_again(self) -> None:
        """Hold the next batch back as if it were the first: whoever took the others has forgotten them."""
        self._missing = dict.fromkeys(self.tag_set.names)

    def confirm(self) -> None:
        """The server proved to serve this equipment, and nothing has changed."""
        self._confirmed = True

    def give_up_waiting(self) -> None:
        """Let the first batch go without the tags that are still missing: they are bad."""
        for tag in list(self._missing):
            self.add(tag, Reading(None, NO_FIRST_VALUE, None))

    def take(self, received_ms: int) -> Batch | None:
        """What has come since the last batch; one without readings if that was confirmed."""
        if self._missing or not (self._tags or self._confirmed):
            return None
        batch = Batch(
            self.tag_set.equipment.id,
            received_ms,
            self._tags,
            self._values,
            self._flaws or NO_FLAWS,
            self._sources,
        )
        self.last_batch = time.monotonic()
        self._confirmed = False
        self._start()
        return batch

    def _start(self) -> None:
        self._tags: list[str] = []
        self._values: list[Value] = []
        self._sources: list[int | None] = []
        self._flaws: dict[int, Quality] = {}
