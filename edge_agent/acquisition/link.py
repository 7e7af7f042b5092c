"""Link levels, earned by evidence."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from edge_agent.model.batch import Batch
from edge_agent.model.link import LinkLevel
from edge_agent.model.minutes import HOUR_MS, MINUTE_MS, Minutes, count_common, whole_minutes


@dataclass(frozen=True, slots=True)
class EvidenceHour:
    """What one equipment proved in one clock hour (UTC).

    `last_good_ms` is its newest good reading. `minutes`: bit n is set if it was delivering through the whole
    of minute n, see `LinkTracker.proved_minutes`.
    """

    equipment: str
    hour_ms: int
    good_readings: int
    last_good_ms: int
    minutes: int = 0


@dataclass(slots=True)
class _Hour:
    good_readings: int
    last_good_ms: int
    minutes: int


@dataclass(slots=True)
class _Link:
    stale_after_ms: int
    open: bool = False
    good_since_open: bool = False
    last_good_ms: int | None = None
    delivering_since_ms: int | None = None
    """Since then good readings have come no further apart than the stale limit; None before the first."""
    hours: dict[int, _Hour] = field(default_factory=dict)
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
            link.hours[hour.hour_ms] = _Hour(hour.good_readings, hour.last_good_ms, hour.minutes)
            link.last_good_ms = max(link.last_good_ms or 0, hour.last_good_ms)

    def take_over(self, equipment: str, other: "LinkTracker") -> None:
        """Go on with `equipment` where `other` is with it."""
        if equipment in other._links:
            self._links[equipment] = other._links[equipment]

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
        self._prove_minutes(link, batch.received_ms)
        link.last_good_ms = batch.received_ms
        hour = self._hour(link, batch.received_ms // HOUR_MS * HOUR_MS, batch.received_ms)
        hour.good_readings += good
        hour.last_good_ms = batch.received_ms

    def _prove_minutes(self, link: _Link, now_ms: int) -> None:
        """Note the whole minutes that are over since the reading before, if that is not too long ago."""
        since_ms, last_ms = link.delivering_since_ms, link.last_good_ms
        if since_ms is None or last_ms is None or not 0 <= now_ms - last_ms <= link.stale_after_ms:
            link.delivering_since_ms = now_ms
        elif now_ms // MINUTE_MS > last_ms // MINUTE_MS:
            for hour_ms, bits in whole_minutes(max(since_ms, last_ms // MINUTE_MS * MINUTE_MS), now_ms):
                self._hour(link, hour_ms, last_ms).minutes |= bits

    def _hour(self, link: _Link, hour_ms: int, good_ms: int) -> _Hour:
        """The hour, which is about to change; `good_ms` is its newest good reading if it is new."""
        link.changed.add(hour_ms)
        if hour_ms not in link.hours:
            self._forget_old(link, good_ms)
            link.hours[hour_ms] = _Hour(0, good_ms, 0)
        return link.hours[hour_ms]

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
        return sum(hour.good_readings for hour in link.hours.values() if hour.last_good_ms >= from_ms)

    def proved_minutes(self, equipment: str, planned: Minutes) -> int:
        """In how many of the planned minutes the equipment was provably delivering.

        That is the whole of a minute between good readings that came no further apart than the stale limit. A
        sign of life counts as one, as it does for `live`. After a start it begins anew.
        """
        link = self._links.get(equipment)
        if link is None:
            return 0
        return count_common({hour_ms: hour.minutes for hour_ms, hour in link.hours.items()}, planned)

    def last_good_ms(self, equipment: str) -> int | None:
        link = self._links.get(equipment)
        return link.last_good_ms if link else None

    def take_changed(self) -> list[EvidenceHour]:
        """The hours that changed since the last call, to be kept."""
        changed = []
        for equipment, link in self._links.items():
            for hour_ms in link.changed:
                hour = link.hours[hour_ms]
                changed.append(
                    EvidenceHour(equipment, hour_ms, hour.good_readings, hour.last_good_ms, hour.minutes)
                )
            link.changed.clear()
        return changed
