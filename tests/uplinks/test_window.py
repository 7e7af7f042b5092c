import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplinks.streams import Stream
from edge_agent.uplinks.window import Window, Windows


@given(st.integers(0, 1000), st.integers(1, 30), st.data())
def test_the_cursor_never_passes_a_number_that_is_not_confirmed(
    start: int, count: int, data: st.DataObject
) -> None:
    window = Window(start)
    numbers = list(range(start + 1, start + count + 1))
    for seq in numbers:
        window.send(seq)
    order = data.draw(st.permutations(numbers))
    confirmed: set[int] = set()
    for seq in order:
        window.confirm(seq)
        window.confirm(seq)  # a repeated PUBACK
        confirmed.add(seq)
        expected = start
        while expected + 1 in confirmed:
            expected += 1
        assert window.acknowledged == expected
        assert len(window) == count - (expected - start)


def test_a_number_that_was_never_sent_cannot_be_confirmed() -> None:
    window = Window(5)
    window.send(6)
    window.confirm(7)
    window.confirm(5)
    assert window.acknowledged == 5


def test_a_number_is_sent_once_and_in_order() -> None:
    window = Window(5)
    window.send(6)
    with pytest.raises(ValueError, match="6 does not follow 6"):
        window.send(6)


def test_lost_numbers_do_not_hold_the_cursor() -> None:
    window = Window(5)
    window.send(6)
    window.send(1006)
    window.confirm(1006)
    assert window.acknowledged == 5
    window.confirm(6)
    assert window.acknowledged == 1006


class Line:
    """Numbers of all streams, sent over connections that break, against sets."""

    def __init__(self, start: int, urgent: list[bool], broken_at: int) -> None:
        """`urgent`: of each number, whether it is; `broken_at`: how many were given before the connection."""
        self.last = start + len(urgent)
        self.urgent = {start + n for n, one in enumerate(urgent, 1) if one}
        self.open = set(range(start + 1, self.last + 1))
        self.cursor = start
        self.connect(Windows(start, start, start + broken_at))

    def connect(self, windows: Windows) -> None:
        self.windows = windows
        self.in_flight: list[tuple[Stream, int]] = []
        bulk = [seq for seq in range(self.cursor + 1, self.last + 1) if seq not in self.urgent]
        self.to_send = {
            Stream.URGENT: sorted(seq for seq in self.urgent if seq > windows[Stream.URGENT].sent),
            Stream.LIVE: [seq for seq in bulk if seq > windows.newest],
            Stream.BACKLOG: [
                seq
                for seq in bulk
                if windows[Stream.BACKLOG].sent < seq <= windows.newest and not windows.had(seq)
            ],
        }
        assert set().union(*self.to_send.values()) >= self.open, "what is not acknowledged comes again"

    def send(self, stream: Stream) -> None:
        seq = self.to_send[stream].pop(0)
        self.windows[stream].send(seq)
        self.in_flight.append((stream, seq))
        self.look(stream)

    def look(self, stream: Stream) -> None:
        """Say how far the stream is that has been looked through."""
        left = self.to_send[stream]
        until = self.windows.newest if stream is Stream.BACKLOG else self.last
        self.windows[stream].skip(left[0] - 1 if left else until)
        if stream is Stream.BACKLOG and not left:
            self.windows.drained()

    def confirm(self, index: int) -> None:
        stream, seq = self.in_flight.pop(index)
        self.windows[stream].confirm(seq)
        self.open.discard(seq)

    def check(self) -> None:
        assert self.windows.acknowledged < min(self.open, default=self.last + 1)
        assert self.windows.acknowledged >= self.cursor, "it never goes back"
        self.cursor = self.windows.acknowledged


@given(
    st.integers(0, 1000),
    st.lists(st.booleans(), min_size=1, max_size=20),
    st.integers(0, 20),
    st.data(),
)
def test_the_cursor_never_passes_what_is_not_acknowledged_over_any_connections(
    start: int, urgent: list[bool], given_before: int, data: st.DataObject
) -> None:
    line = Line(start, urgent, min(given_before, len(urgent)))
    for stream in Stream:
        line.look(stream)
    breaks = 3
    while any(line.to_send.values()) or line.in_flight:
        streams = [stream for stream in Stream if line.to_send[stream]]
        step = data.draw(st.sampled_from([*streams, *range(len(line.in_flight)), *["break"] * (breaks > 0)]))
        if isinstance(step, Stream):
            line.send(step)
        elif isinstance(step, int):
            line.confirm(step)
        else:
            breaks -= 1
            line.connect(line.windows.resumed((line.windows.newest + line.last) // 2))
            for stream in Stream:
                line.look(stream)
        line.check()
    assert not line.open
    assert line.windows.acknowledged == line.last, "nothing stays behind"


def test_what_was_live_before_a_lost_connection_does_not_come_again() -> None:
    windows = Windows(0, 0, 100)
    windows[Stream.BACKLOG].send(1)
    for seq in (101, 102, 104):  # 103 is something urgent
        windows[Stream.LIVE].send(seq)
        windows[Stream.LIVE].confirm(seq)
    windows[Stream.URGENT].skip(104)
    again = windows.resumed(110)
    assert again.acknowledged == 0
    assert [seq for seq in range(90, 111) if again.had(seq)] == [101, 102, 103, 104]
    assert again.drains
    third = again.resumed(120)
    assert third.had(101)
    assert not third.had(105)
