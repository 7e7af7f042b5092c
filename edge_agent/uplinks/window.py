"""Which numbers are on their way, and how far everything is acknowledged."""

from collections import deque


class Window:
    """Messages in flight, sent in the order of their numbers and acknowledged in any order.

    The cursor may only move to `acknowledged`: the newest number up to which nothing is missing.
    """

    def __init__(self, acknowledged: int) -> None:
        self.acknowledged = acknowledged
        self.sent = acknowledged
        """The newest number handed to the client."""
        self._in_flight: deque[int] = deque()
        self._early: set[int] = set()
        """Acknowledged while an older one is not."""

    def __len__(self) -> int:
        return len(self._in_flight)

    def send(self, seq: int) -> None:
        """`seq` is on its way; numbers grow, and skip those that a power cut took."""
        if seq <= self.sent:
            raise ValueError(f"{seq} does not follow {self.sent}")
        self.sent = seq
        self._in_flight.append(seq)

    def confirm(self, seq: int) -> None:
        """The receiver has `seq`; a number that is not in flight is a repeat and changes nothing."""
        if not self.acknowledged < seq <= self.sent:
            return
        self._early.add(seq)
        while self._in_flight and self._in_flight[0] in self._early:
            self.acknowledged = self._in_flight.popleft()
            self._early.remove(self.acknowledged)
