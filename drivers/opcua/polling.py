"""Tags that are read once a period: by choice, or because the server watches no more of them."""

import time
from collections.abc import Iterable, Sequence

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from drivers.opcua.items import Item
from drivers.opcua.session import Session


class Poller:
    """The polled items of one period, on a schedule that does not drift."""

    def __init__(self, session: Session, period: float) -> None:
        self._session = session
        self._period = period
        self._items: dict[Item, None] = {}
        self._due = time.monotonic()

    @property
    def due(self) -> float:
        """Monotonic time of the next read; infinite while there is nothing to read."""
        return self._due if self._items else float("inf")

    def add(self, item: Item) -> None:
        item.polled = True
        self._items[item] = None

    def remove(self, item: Item) -> None:
        item.polled = False
        self._items.pop(item, None)

    async def read(self) -> list[tuple[Item, ua.DataValue]]:
        """Read all items once."""
        now = time.monotonic()
        self._due += self._period * max(1, -((self._due - now) // self._period))
        items = list(self._items)
        return list(zip(items, await read_items(self._session, items), strict=True))


async def read_items(session: Session, items: Sequence[Item]) -> list[ua.DataValue]:
    """The values of items whose nodes are known, with their source times."""
    nodes: Iterable[ua.NodeId | None] = (item.node for item in items)
    return await session.read(
        [node for node in nodes if node is not None],
        AttributeIds.Value,
        timestamps=ua.TimestampsToReturn.Source,
    )
