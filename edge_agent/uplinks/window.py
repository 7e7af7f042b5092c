"""Which numbers are on their way, and how far everything is acknowledged."""

from collections import deque

from edge_agent.journal.lanes import Lane


class Window:
    """Messages of one lane in flight, sent in the order of their numbers and acknowledged in any order."""

    def __init__(self, acknowledged: int) -> None:
        self.sent = acknowledged
        """Up to here the lane has nothing left to send."""
        self._in_flight: deque[int] = deque()
        self._early: set[int] = set()
        """Acknowledged while an older one is not."""

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def acknowledged(self) -> int:
        """Up to here everything of the lane is acknowledged."""
        return self._in_flight[0] - 1 if self._in_flight else self.sent

    def send(self, seq: int) -> None:
        """`seq` is on its way; numbers grow, and skip those of the other lane and those that do not come."""
        if seq <= self.sent:
            raise ValueError(f"{seq} does not follow {self.sent}")
        self.sent = seq
        self._in_flight.append(seq)

    def skip(self, seq: int) -> None:
        """Up to `seq` nothing of the lane is to be sent any more."""
        self.sent = max(self.sent, seq)

    def confirm(self, seq: int) -> None:
        """The receiver has `seq`; a number that is not in flight is a repeat and changes nothing."""
        if seq not in self._in_flight:
            return
        self._early.add(seq)
        while self._in_flight and self._in_flight[0] in self._early:
            self._early.remove(self._in_flight.popleft())


class Windows:
    """One for each lane.

    The cursor may only move to `acknowledged`: what a lane has acknowledged beyond it is remembered here
    alone, and comes again, with the same bytes, after a lost connection.
    """

    def __init__(self, acknowledged: int) -> None:
        self._by_lane = {lane: Window(acknowledged) for lane in Lane}

    def __len__(self) -> int:
        return sum(map(len, self._by_lane.values()))

    def __getitem__(self, lane: Lane) -> Window:
        return self._by_lane[lane]

    @property
    def acknowledged(self) -> int:
        """The newest number up to which nothing is missing."""
        return min(window.acknowledged for window in self._by_lane.values())
