import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.journal.lanes import Lane
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


@given(
    st.integers(0, 1000),
    st.lists(st.sampled_from(list(Lane)), min_size=1, max_size=40),
    st.data(),
)
def test_the_cursor_of_both_lanes_never_passes_what_is_not_acknowledged(
    start: int, lanes: list[Lane], data: st.DataObject
) -> None:
    """Each number belongs to a lane; a lane sends in order, and says how far it has looked."""
    windows = Windows(start)
    to_send = {lane: [start + n for n, one in enumerate(lanes, 1) if one is lane] for lane in Lane}
    in_flight: list[int] = []
    open_numbers = set(range(start + 1, start + len(lanes) + 1))
    last = start + len(lanes)
    while open_numbers:
        lane = data.draw(st.sampled_from(list(Lane)))
        if in_flight and (not to_send[lane] or data.draw(st.booleans())):
            seq = in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
            windows[lanes[seq - start - 1]].confirm(seq)
            open_numbers.remove(seq)
        elif to_send[lane]:
            seq = to_send[lane].pop(0)
            windows[lane].send(seq)
            in_flight.append(seq)
        if not to_send[lane]:
            windows[lane].skip(last)
        elif data.draw(st.booleans()):
            windows[lane].skip(to_send[lane][0] - 1)
        assert windows.acknowledged < min(open_numbers, default=last + 1)
        assert len(windows) <= len(lanes)
    for lane in Lane:
        windows[lane].skip(last)
    assert windows.acknowledged == last, "nothing stays behind"
    assert len(windows) == 0
