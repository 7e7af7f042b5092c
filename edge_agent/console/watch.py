"""What the page shows and no other part keeps: newest readings, last errors, recent events.

Kept only where a page is configured. It imports nothing that a gateway without one has no need of.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from edge_agent.contract.messages import Event
from edge_agent.driver import DriverError
from edge_agent.model.batch import Batch, Value
from edge_agent.model.quality import Quality

EVENTS_KEPT = 200
LAYOUTS_KEPT = 8
"""Whole batches of one equipment that are kept as they came; what a polled equipment has are as many as it
has periods. A stream brings another set of tags each time: its older batches are taken apart."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest value of a tag. `flaw` is None if it is good; times in epoch ms."""

    value: Value
    flaw: Quality | None
    source_ms: int | None
    received_ms: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong last with a connection or an equipment; `over_ms` is None while it is so.

    `kind`: a fixed word for it, empty if the driver has none.
    """

    time_ms: int
    cause: str
    kind: str
    message: str
    remedy: str
    over_ms: int | None = None


@dataclass(slots=True)
class _Newest:
    batches: list[Batch] = field(default_factory=list)
    """In the order in which they came."""
    older: dict[str, Reading] = field(default_factory=dict)


class Watch:
    """Takes what connections report, in some microseconds for each batch."""

    def __init__(self) -> None:
        self._newest: dict[str, _Newest] = {}
        self._open: set[str] = set()
        self._troubles: dict[str, Trouble] = {}
        """By connection or equipment. A connection and an equipment of one name are told apart by a slash."""
        self.outages: Counter[tuple[str, str]] = Counter()
        """How often a connection, or an equipment on it, was lost, by connection and cause."""
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        """The newest last."""

    def batch(self, batch: Batch) -> None:
        self._over(_equipment(batch.equipment), batch.received_ms)
        if not batch.tags:
            return
        newest = self._newest.setdefault(batch.equipment, _Newest())
        for place, one in enumerate(newest.batches):
            # Polled batches of one tag set bring the same object each time.
            if one.tags is batch.tags:
                del newest.batches[place]
                break
        newest.batches.append(batch)
        if len(newest.batches) > LAYOUTS_KEPT:
            newest.older.update(_readings(newest.batches.pop(0)))

    def opened(self, connection: str, now_ms: int) -> None:
        self._open.add(connection)
        self._over(connection, now_ms)

    def lost(self, connection: str, error: DriverError, now_ms: int) -> None:
        self._open.discard(connection)
        self._failed(connection, connection, error, now_ms)

    def equipment_failed(self, connection: str, equipment: str, error: DriverError, now_ms: int) -> None:
        self._failed(connection, _equipment(equipment), error, now_ms)

    def is_open(self, connection: str) -> bool:
        return connection in self._open

    def trouble_of_connection(self, connection: str) -> Trouble | None:
        return self._troubles.get(connection)

    def trouble_of_equipment(self, equipment: str) -> Trouble | None:
        return self._troubles.get(_equipment(equipment))

    def readings(self, equipment: str) -> dict[str, Reading]:
        """By tag, its newest reading; tags of which nothing has come are not in it."""
        newest = self._newest.get(equipment, _Newest())
        readings = dict(newest.older)
        for batch in newest.batches:
            readings.update(_readings(batch))
        return readings

    def newest_events(self, limit: int) -> list[Event]:
        """The newest first."""
        events: Iterable[Event] = reversed(self.events)
        return [event for event, _ in zip(events, range(limit), strict=False)]

    def _failed(self, connection: str, subject: str, error: DriverError, now_ms: int) -> None:
        self.outages[connection, error.cause.value] += 1
        kind = error.kind.value if error.kind is not None else ""
        self._troubles[subject] = Trouble(now_ms, error.cause.value, kind, str(error), error.remedy)

    def _over(self, subject: str, now_ms: int) -> None:
        trouble = self._troubles.get(subject)
        if trouble is not None and trouble.over_ms is None:
            self._troubles[subject] = replace(trouble, over_ms=now_ms)


def _equipment(name: str) -> str:
    return f"/{name}"


def _readings(batch: Batch) -> Iterator[tuple[str, Reading]]:
    for index, tag in enumerate(batch.tags):
        source_ms = batch.source_ms[index] if batch.source_ms is not None else None
        yield tag, Reading(batch.values[index], batch.flaws.get(index), source_ms, batch.received_ms)
