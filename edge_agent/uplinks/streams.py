"""What travels side by side after an outage, each in the order of its numbers."""

from enum import StrEnum


class Stream(StrEnum):
    """In the order in which they get the line."""

    URGENT = "urgent"
    """Everything but readings."""
    LIVE = "live"
    """Readings that were numbered since the connection stands."""
    BACKLOG = "backlog"
    """Readings from before, and what is said of numbers that do not come, until it is through with them."""


def before(stream: Stream) -> frozenset[Stream]:
    """Those that get the line before `stream`."""
    order = list(Stream)
    return frozenset(order[: order.index(stream)])
