"""Link levels, earned by evidence."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from edge_agent.acquisition.evidence import Evidence, EvidenceHour
from edge_agent.model.batch import Batch
from edge_agent.model.link import LinkLevel
from edge_agent.model.minutes import MINUTE_MS, Minutes, whole_minutes


@dataclass(slots=True)
class _Link:
    stale_after_ms: int
    open: bool = False
    good_since_open: bool = False
    last_good_ms: int | None = None
    delivering_since_ms: int | None = None
    """Since then good readings have come no further apart than the stale limit; None before the first."""
    evidence: Evidence = field(default_factory=Evidence)


class LinkTracker:
    """The link level of each connected equipment, and the evidence for it by the hour.

    Equipment that it does not know is `registered`: nothing more is proved of it.
    """

    def __init__(self, stale_after_ms: dict[str, int], known: Mapping[str, Evidence], keep_ms: int) -> None:
        """`stale_after_ms` and `known`, the evidence from before, by equipment; `keep_ms` is how long that
        counts."""
        self._links = {equipment: _Link(limit) for equipment, limit in stale_after_ms.items()}
        self._keep_ms = keep_ms
        for equipment, evidence in known.items():
            link = self._links.setdefault(equipment, _Link(stale_after_ms=0))
            link.evidence = evidence
            link.last_good_ms = evidence.last_good_ms()

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
        link.evidence.add(good, batch.received_ms)

    def _prove_minutes(self, link: _Link, now_ms: int) -> None:
        """Note the whole minutes that are over since the reading before, if that is not too long ago."""
        since_ms, last_ms = link.delivering_since_ms, link.last_good_ms
        if since_ms is None or last_ms is None or not 0 <= now_ms - last_ms <= link.stale_after_ms:
            link.delivering_since_ms = now_ms
        elif now_ms // MINUTE_MS > last_ms // MINUTE_MS:
            for hour_ms, bits in whole_minutes(max(since_ms, last_ms // MINUTE_MS * MINUTE_MS), now_ms):
                link.evidence.prove(hour_ms, bits, last_ms)

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
        return link.evidence.good_readings(from_ms) if link else 0

    def proved_minutes(self, equipment: str, planned: Minutes) -> int:
        """In how many of the planned minutes the equipment was provably delivering.

        That is the whole of a minute between good readings that came no further apart than the stale limit. A
        sign of life counts as one, as it does for `live`. After a start it begins anew.
        """
        link = self._links.get(equipment)
        return link.evidence.proved_minutes(planned) if link else 0

    def last_good_ms(self, equipment: str) -> int | None:
        link = self._links.get(equipment)
        return link.last_good_ms if link else None

    def take_changed(self, now_ms: int) -> list[EvidenceHour]:
        """The hours that changed since the last call, to be kept; those that count no more are forgotten."""
        changed: list[EvidenceHour] = []
        for equipment, link in self._links.items():
            changed += link.evidence.take_changed(equipment, now_ms - self._keep_ms)
        return changed
