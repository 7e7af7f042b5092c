"""Which records overtake which on their way out."""

from enum import StrEnum

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.runs import Record


class Lane(StrEnum):
    """Within a lane the order of numbers is kept."""

    URGENT = "urgent"
    BULK = "bulk"
    """Raw readings, and what is said of numbers that do not come: that must not come before its time."""


URGENT_CLASSES = frozenset(RecordClass) - {RecordClass.READINGS}


def lane_of(record: Record) -> Lane:
    return Lane.URGENT if record.record_class in URGENT_CLASSES and not record.only else Lane.BULK
