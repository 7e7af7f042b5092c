"""Which numbers are on their way, and how far everything is acknowledged."""

from collections import deque
from collections.abc import Sequence

from edge_agent.uplinks.streams import Stream

_FOR_EVER = 2**62
"""Above every number."""


class Window:
    """Messages of one stream in flight, sent in the order of their numbers and acknowledged in any order."""

    def __init__(self, acknowledged: int) -> None:
        self.sent = acknowledged
        """Up to here the stream has nothing left to send."""
        self._in_flight: deque[int] = deque()
        self._early: set[int] = set()
        """Acknowledged while an older one is not."""

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def acknowledged(self) -> int:
        """Up to here everything of the stream is acknowledged."""
        return self._in_flight[0] - 1 if self._in_flight else self.sent

    def send(self, seq: int) -> None:
        """`seq` is on its way; numbers grow, and skip those of other streams and those that do not come."""
        if seq <= self.sent:
            raise ValueError(f"{seq} does not follow {self.sent}")
        self.sent = seq
        self._in_flight.append(seq)

    def skip(self, seq: int) -> None:
        """Up to `seq` nothing of the stream is to be sent any more."""
        self.sent = max(self.sent, seq)

    def confirm(self, seq: int) -> None:
        """The receiver has `seq`; a number that is not in flight is a repeat and changes nothing."""
        if seq not in self._in_flight:
            return
        self._early.add(seq)
        while self._in_flight and self._in_flight[0] in self._early:
            self._early.remove(self._in_flight.popleft())


class Windows:
    """One for each stream, over one connection.

    The cursor may only move to `acknowledged`. What a stream has acknowledged beyond it is remembered here
    alone: `resumed` takes it to the next connection; after a restart it comes again, with the same bytes.
    """

    def __init__(self, urgent: int, backlog: int, newest: int, had: Sequence[tuple[int, int]] = ()) -> None:
        """Up to `urgent` and `backlog` these streams are acknowledged. Above `newest`, the newest number that
        was given when the connection was made, readings are live. The readings in the ranges `had`, first and
        last number of each, are acknowledged."""
        self.newest = newest
        self._had = had
        self._by_stream = {
            Stream.URGENT: Window(urgent),
            Stream.LIVE: Window(newest),
            Stream.BACKLOG: Window(backlog),
        }

    def __getitem__(self, stream: Stream) -> Window:
        return self._by_stream[stream]

    @property
    def acknowledged(self) -> int:
        """The newest number up to which nothing is missing."""
        return min(window.acknowledged for window in self._by_stream.values())

    @property
    def drains(self) -> bool:
        """Whether there is still a backlog to send."""
        return self[Stream.BACKLOG].sent < _FOR_EVER

    def drained(self) -> None:
        """Everything from before the connection has been sent."""
        self[Stream.BACKLOG].skip(_FOR_EVER)

    def had(self, reading: int) -> bool:
        """Whether this number of a reading was acknowledged over an earlier connection."""
        return any(first <= reading <= last for first, last in self._had)

    def resumed(self, newest: int) -> "Windows":
        """Those of the next connection."""
        urgent, live, backlog = (self[stream].acknowledged for stream in Stream)
        if backlog == _FOR_EVER:
            return Windows(urgent, live, newest)
        backlog = min(backlog, self.newest)
        had = [*(one for one in self._had if one[1] > backlog), (self.newest + 1, live)]
        return Windows(urgent, backlog, newest, [one for one in had if one[0] <= one[1]])
