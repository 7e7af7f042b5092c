import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplinks.window import Window


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
