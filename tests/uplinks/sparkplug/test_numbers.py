"""The numbers of sessions and of messages."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplinks.sparkplug.numbers import BirthNumber, SequenceNumber


@given(st.lists(st.integers(0, 600), min_size=1, max_size=5))
def test_seq_counts_to_255_and_begins_again(lengths: list[int]) -> None:
    seq = SequenceNumber()
    for length in lengths:
        seq.restart()
        assert [seq.take() for _ in range(length)] == [at % 256 for at in range(length)]


def test_the_number_of_a_session_goes_on_after_a_restart(tmp_path: Path) -> None:
    taken = []
    for _ in range(3):
        births = BirthNumber(tmp_path / "birth.txt")
        for _ in range(100):
            births.take()
            taken.append(births.current)
    assert taken == [at % 256 for at in range(300)]


def test_a_connection_that_was_not_made_takes_no_number(tmp_path: Path) -> None:
    births = BirthNumber(tmp_path / "birth.txt")
    assert births.next == 0
    assert BirthNumber(tmp_path / "birth.txt").next == 0
    births.take()
    assert (births.current, births.next) == (0, 1)
    assert BirthNumber(tmp_path / "birth.txt").next == 1


@pytest.mark.parametrize("content", ["", "many", "\0\0\0"])
def test_a_damaged_file_costs_the_number_and_no_more(tmp_path: Path, content: str) -> None:
    path = tmp_path / "birth.txt"
    path.write_text(content)
    births = BirthNumber(path)
    births.take()
    assert births.current == 0
    assert BirthNumber(path).next == 1


def test_a_number_that_cannot_be_kept_is_used_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    births = BirthNumber(tmp_path / "no such folder" / "birth.txt")
    births.take()
    births.take()
    assert births.current == 1
    assert "cannot keep the number" in caplog.text
