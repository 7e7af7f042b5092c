"""Link levels, earned by evidence."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from edge_agent.model.batch import Batch
from edge_agent.model.link import LinkLevel

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class EvidenceHour:
    """What one equipment proved in one clock hour (UTC); `last_good_ms` is its newest good reading."""

    equipment: str
    hour_ms: int
    good_readings: int
    last_good_ms: int


@dataclass(slots=True)
class _Link:
    stale_after_ms: int
    open: bool = False
    good_since_open: bool = False
    last_good_ms: int | None = None
    hours: dict[int, list[int]] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)


class LinkTracker:
    """The link level of each connected equipment, and the evidence for it by the hour.

    Equipment that it does not know is `registered`: nothing more is proved of it.
    """

    def __init__(self, stale_after_ms: dict[str, int], known: Iterable[EvidenceHour], keep_ms: int) -> None:
        """`stale_after_ms` by equipment; `known` is evidence from before; `keep_ms` how long it counts."""
        self._links = {equipment: _Link(limit) for equipment, limit in stale_after_ms.items()}
        self._keep_ms = keep_ms
        for hour in known:
            link = self._links.setdefault(hour.equipment, _Link(stale_after_ms=0))
            link.hours[hour.hour_ms] = [hour.good_readings, hour.last_good_ms]
            link.last_good_ms = max(link.last_good_ms or 0, hour.last_good_ms)

    def opened(self, equipment: Collection[str]) -> None:
        for name in equipment:
            self._links[name].open = True
            self._links[name].good_since_open = False

    def lost(self, equipment: Collection[str]) -> None:
        for name in equipment:
            self._links[name].open = False

    def failed(self, equipment: str) -> None:
        """The equipment itself did not answer, behind an endpoint that does."""
        self._links[equipment].good_since_open = False

    def batch(self, batch: Batch) -> None:
        """Good readings are evidence; a sign of life without readings keeps alive what was proved."""
        link = self._links[batch.equipment]
        good = batch.good_count()
        if good == 0 and (batch.tags or not link.good_since_open):
            return
        link.good_since_open = True
        link.last_good_ms = batch.received_ms
        hour_ms = batch.received_ms // HOUR_MS * HOUR_MS
        hour = link.hours.get(hour_ms)
        if hour is None:
            self._forget_old(link, batch.received_ms)
            hour = link.hours[hour_ms] = [0, 0]
        hour[0] += good
        hour[1] = batch.received_ms
        link.changed.add(hour_ms)

    def _forget_old(self, link: _Link, now_ms: int) -> None:
        for hour_ms in [h for h in link.hours if h + HOUR_MS <= now_ms - self._keep_ms]:
            del link.hours[hour_ms]

    def level(self, equipment: str, now_ms: int) -> LinkLevel:
        link = self._links.get(equipment)
        if link is None or not link.open:
            return LinkLevel.REGISTERED
        if not link.good_since_open or link.last_good_ms is None:
            return LinkLevel.REACHABLE
        if now_ms - link.last_good_ms > link.stale_after_ms:
            return LinkLevel.DATA_VALID
        return LinkLevel.LIVE

    def good_readings(self, equipment: str, from_ms: int) -> int:
        """Good readings on record since `from_ms`; an hour that only partly belongs counts if its newest
        good reading does."""
        link = self._links.get(equipment)
        if link is None:
            return 0
        return sum(good for good, last_ms in link.hours.values() if last_ms >= from_ms)

    def last_good_ms(self, equipment: str) -> int | None:
        link = self._links.get(equipment)
        return link.last_good_ms if link else None

    def take_changed(self) -> list[EvidenceHour]:
        """The hours that changed since the last call, to be kept."""
        changed = []
        for equipment, link in self._links.items():
            for hour_ms in link.changed:
                good, last_ms = link.hours[hour_ms]
                changed.append(EvidenceHour(equipment, hour_ms, good, last_ms))
            link.changed.clear()
        return changed
