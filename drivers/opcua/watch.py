"""What is silent: whether nothing changes there, or whether nobody says so any more.

A server may keep a subscription alive and yet say nothing about a node: the node has gone, or its monitored
item is stuck. So nodes are read now and then whose monitored items have been silent for long.
"""

import time
from collections.abc import Iterable, Sequence

from drivers.opcua.feed import Feed
from drivers.opcua.items import Item
from drivers.opcua.values import Reading

QUIET = 4.0
"""Seconds without a reading after which an equipment's nodes are checked, and it gets a sign of life."""
UNHEARD = 30.0
"""Seconds of silence after which a single tag is looked at."""
LOOKED_AT_ONCE = 50
"""Single tags that are looked at together."""


class Watch:
    """Chooses what to look at, and judges what is seen. `patience` in seconds: how long a change may take
    on its regular way, beyond the sampling interval."""

    def __init__(self, items: Sequence[Item], patience: float) -> None:
        self._items = items
        self._patience = patience
        self._looked = [time.monotonic()] * len(items)
        self._next = 0
        self._suspects: dict[Item, None] = {}

    def choose(self, quiet: Iterable[Sequence[Item]]) -> list[Item]:
        """One monitored item of each equipment that is quiet, and single ones whose turn it is."""
        now = time.monotonic()
        looked = self._looked
        chosen = {min(items, key=lambda item: looked[item.handle]): None for items in quiet if items}
        for item in self._suspects:
            if item.suspected is not None and now - item.suspected > self._patience + item.sampling:
                chosen[item] = None
        room = LOOKED_AT_ONCE
        for _ in range(len(self._items)):
            if not room:
                break
            item = self._items[self._next]
            self._next = (self._next + 1) % len(self._items)
            if item.monitored is not None and now - max(item.heard, looked[item.handle]) > UNHEARD:
                chosen[item] = None
                room -= 1
        for item in chosen:
            looked[item.handle] = now
        return list(chosen)

    def is_stuck(self, item: Item, seen: Reading) -> bool:
        """Whether the monitored item owes us what was `seen` at its node."""
        now = time.monotonic()
        if item.agrees(seen):
            self._clear(item)
        elif item.suspected is None or item.heard > item.suspected:
            item.suspected = now
            self._suspects[item] = None
        elif now - item.suspected > self._patience + item.sampling:
            self._clear(item)
            return True
        return False

    def _clear(self, item: Item) -> None:
        item.suspected = None
        self._suspects.pop(item, None)


def quiet(feeds: Iterable[Feed], now: float) -> list[Feed]:
    """Equipment that has said nothing for a while."""
    return [feed for feed in feeds if not feed.holding and now - feed.last_batch >= QUIET]
