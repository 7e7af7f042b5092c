"""Numbers whose records do not come: what is noted of them, and the event that says so."""

from dataclasses import dataclass

from edge_agent.contract.messages import Event, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.runs import Record

NUMBERS_LOST = "numbers_lost"
THINNED = "thinned"
DAMAGED = "journal_damaged"

NOT_KEPT = "not_kept"
"""Delivered so long ago that it is kept no longer."""
NOT_GIVEN = "not_given"
"""No record has this number yet."""

WORDS = {
    NUMBERS_LOST: "given to readings that a power cut took, or to none; they do not come again",
    THINNED: "kept no longer: the journal was full, or they were too old before they could be delivered",
    DAMAGED: "the journal's file was damaged; what could be read of it has been saved",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """`count` of the numbers from `first` to `last` of one uplink do not come, because of `kind`."""

    kind: str
    first: int
    last: int
    count: int

    def left(self, after: int) -> int:
        """How many of them are above `after`; a guess if `after` lies within."""
        return min(self.count, max(0, self.last - max(after, self.first - 1)))


def announcement(uplink: str, gap: Gap, now_ms: int, **detail: str | int) -> Record:
    """The event of a gap. It is for this uplink alone: its numbers mean nothing to another."""
    event = Event(
        time=now_ms,
        kind=gap.kind,
        subject=uplink,
        message=WORDS[gap.kind],
        detail={"first": gap.first, "last": gap.last, "count": gap.count, **detail},
    )
    return Record(RecordClass.EVENTS, "", encode(event), only=uplink)
