"""What is published as one MQTT message: a record by itself, or telemetry of several together; compressed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_agent.contract.compression import is_packed, packed
from edge_agent.contract.messages import bundle
from edge_agent.contract.topics import RETAINED, RecordClass, Topics
from edge_agent.journal.runs import Told
from edge_agent.journal.store import Entry

BUNDLE_BYTES = 64_000
"""Of one message at most, before it is compressed."""
LINE_S = 0.25
"""With a rate: so long a bundle keeps a line of that rate busy, about. What is urgent waits so long."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One MQTT message."""

    topic: str
    entries: Sequence[Entry]
    """What is in it, in the order of their numbers; of one class."""
    payload: bytes
    retain: bool
    compressed: bool

    @property
    def record_class(self) -> RecordClass:
        return self.entries[0].record.record_class

    @property
    def readings(self) -> int:
        return sum(entry.record.readings for entry in self.entries)

    def __str__(self) -> str:
        first, last = self.entries[0].seq, self.entries[-1].seq
        return f"message {first}" if first == last else f"messages {first} to {last}"


class Packer:
    """Makes parcels for one uplink."""

    def __init__(
        self, topics: Topics, told: Told, *, compress: bool, together: bool, rate: float | None
    ) -> None:
        """`told`: what the uplink tells of a record; `together`: neighbours of telemetry make one parcel;
        `rate` in bytes a second, None: as fast as there is room."""
        self._topics = topics
        self._told = told
        self._compress = compress
        self._together = together
        self._line_bytes = BUNDLE_BYTES if rate is None else rate * LINE_S
        self._ratio = 1.0
        """How many bytes of the bundle made last became one."""

    def parcels(self, entries: Sequence[Entry]) -> Iterator[Parcel]:
        """All of them, in order. Each is made when it is asked for."""
        together: list[Entry] = []
        bodies: list[bytes] = []
        size = 0
        for entry in entries:
            body = entry.payload(self._told)
            alone = not self._together or entry.record.record_class is not RecordClass.READINGS
            if together and (alone or size + len(body) > self._limit()):
                yield self._bundle(together, bodies)
                together, bodies, size = [], [], 0
            if alone:
                yield self._single(entry, body)
            else:
                together.append(entry)
                bodies.append(body)
                size += len(body)
        if together:
            yield self._bundle(together, bodies)

    def packed(self, payload: bytes) -> bytes:
        """`payload` compressed, if the uplink does that and it helps."""
        return packed(payload) if self._compress else payload

    def _limit(self) -> float:
        """Bytes of a bundle before it is compressed."""
        return min(BUNDLE_BYTES, self._line_bytes * self._ratio)

    def _single(self, entry: Entry, body: bytes) -> Parcel:
        record = entry.record
        topic = self._topics.of(record.record_class, record.subject)
        payload = self.packed(body)
        return Parcel(topic, (entry,), payload, record.record_class in RETAINED, is_packed(payload))

    def _bundle(self, entries: Sequence[Entry], bodies: Sequence[bytes]) -> Parcel:
        if len(entries) == 1:
            return self._single(entries[0], bodies[0])
        content = bundle(bodies)
        payload = self.packed(content)
        self._ratio = len(content) / len(payload)
        return Parcel(self._topics.bundles, entries, payload, False, is_packed(payload))
