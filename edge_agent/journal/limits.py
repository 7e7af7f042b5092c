"""What the journal may keep, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_agent.contract.topics import RecordClass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

THINNED = (
    frozenset({RecordClass.READINGS}),
    frozenset({RecordClass.STATES, RecordClass.EVENTS, RecordClass.CAPACITY}),
)
"""What may be thinned, in this order: something of the second only if nothing of the first is left."""

KEEP_MS = {
    RecordClass.READINGS: 7 * DAY_MS,
    RecordClass.STATES: 90 * DAY_MS,
    RecordClass.EVENTS: 90 * DAY_MS,
    RecordClass.CAPACITY: 7 * DAY_MS,
}


@dataclass(frozen=True, slots=True)
class Limits:
    max_bytes: int = 1_000_000_000
    keep_ms: Mapping[RecordClass, int] = field(default_factory=lambda: dict(KEEP_MS))
    """How long what has not been delivered is kept, of the classes that may be thinned."""
    delivered_ms: int = HOUR_MS
    """How long what has been delivered is kept, for receivers that ask for it again."""
