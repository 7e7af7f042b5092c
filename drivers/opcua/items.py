"""One tag at the server: where it is, how it is watched, and what it last said."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from asyncua import ua

from drivers.opcua.feed import Feed
from drivers.opcua.options import OpcuaTag
from drivers.opcua.places import Place, place_of
from drivers.opcua.values import AS_IS, Conversion, Reading, plain, reading
from edge_agent.model.batch import Scalar, Value

LONGEST_QUEUE = 10_000
"""Values per tag that a server is asked to keep at most."""


@dataclass(eq=False, slots=True)
class Item:
    """One tag. It is watched by a monitored item at the server, polled, or lost for the moment."""

    tag: OpcuaTag
    name: str
    feed: Feed
    handle: int
    place: Place
    sampling: float
    """Seconds between two looks that the server is asked for."""
    queue: int
    """Values that the server is asked to keep while it cannot send them."""
    bridged: float = math.inf
    """Seconds of interruption for which the server's queue suffices, as the server granted it."""
    granted_sampling: float | None = None
    """Seconds between two looks that the server granted; None before."""
    granted_queue: int = 0
    filtered: bool = True
    """Whether a dead-band may be asked for; False once the server has refused it."""
    conversion: Conversion = AS_IS
    node: ua.NodeId | None = None
    monitored: int | None = None
    """The server's id of the monitored item; None while there is none."""
    polled: bool = False
    reason: str = ""
    """Why it is lost, as last told in a reading."""
    heard: float = 0.0
    """Monotonic time of its last notification, or of its last look; see `watch`."""
    last: Reading | Value = None
    """What it last said: a reading, or the value of a good one."""
    suspected: float | None = None
    """Since when its node says something else than it does."""
    revived: int = 0
    """How often it was silent about a change, and made anew."""

    def reading(self, data: ua.DataValue) -> Reading:
        return reading(data, self.conversion)

    def converted(self, value: Scalar, source_ms: int | None) -> Reading:
        """Of a good value that the decoder gave as it is."""
        told, flaw = plain(value, self.conversion)
        return Reading(told, flaw, source_ms)

    def agrees(self, now: Reading) -> bool:
        """Whether `now` is no news after what was last said, with the dead-band in mind."""
        last = self.last
        if isinstance(last, Reading):
            if last.flaw != now.flaw:
                return False
            last = last.value
        elif now.flaw is not None:
            return False
        if last == now.value:
            return True
        if not isinstance(last, int | float) or not isinstance(now.value, int | float):
            return False
        if self.tag.deadband_percent is not None and self.filtered:
            return True  # of a range that only the server knows
        return self.filtered and abs(now.value - last) <= (self.tag.deadband or 0.0)


def items_of(feeds: Iterable[Feed], period: float, bridge: float) -> list[Item]:
    """The items of all tags; the handle of each is its index. `bridge` in seconds, as in the options."""
    items: list[Item] = []
    for feed in feeds:
        for tag in feed.tag_set.tags:
            sampling = period if tag.sampling is None else tag.sampling
            queue = tag.queue_size or min(LONGEST_QUEUE, math.ceil(max(bridge, period) / sampling) + 1)
            items.append(
                Item(
                    tag=tag,
                    name=tag.id,
                    feed=feed,
                    handle=len(items),
                    place=place_of(feed.tag_set.equipment, tag),
                    sampling=sampling,
                    queue=queue,
                )
            )
    return items
