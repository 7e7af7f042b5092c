"""Columns and packs hold what was put into them, to the millisecond, and notice damage."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.columns import Columns
from edge_agent.states.packing import DamagedPackError, pack, unpack
from edge_agent.states.tracker import Interval
from tests.states.lives import DAY_MS, IDLE, RUNNING, lives


@given(lives())
def test_columns_are_the_intervals(life: list[Interval]) -> None:
    assert Columns.of(life).intervals("M") == life
    middle = len(life) // 2
    assert Columns.joined([Columns.of(life[:middle]), Columns.of(life[middle:])]).intervals("M") == life


@given(lives().filter(lambda life: bool(life) and life[-1].end_ms is not None))
def test_what_was_packed_comes_out_again(life: list[Interval]) -> None:
    columns = unpack([pack(Columns.of(life))])
    assert columns.intervals("M") == life
    assert columns.states == Columns.of(life).states
    assert columns.starts.dtype == columns.ends.dtype == np.dtype(np.int64)


def test_states_beyond_a_byte_and_intervals_of_years() -> None:
    states = [StateWithCause(MachineState.ALARM, f"alarm {number:03}") for number in range(300)]
    starts = [number * 7 * 365 * DAY_MS for number in range(301)]
    life = [
        Interval("M", start, end, state)
        for start, end, state in zip(starts[:-1], starts[1:], states, strict=True)
    ]
    assert unpack([pack(Columns.of(life))]).intervals("M") == life


def test_a_day_takes_a_tenth_of_its_rows() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    starts = sorted(chance.sample(range(DAY_MS), 2000))
    life = [
        Interval("M", start, end, chance.choice((RUNNING, IDLE)))
        for start, end in zip(starts, [*starts[1:], DAY_MS], strict=True)
    ]
    assert len(pack(Columns.of(life))) < 2000 * 3, "3 of about 33 bytes"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    content = bytearray(pack(Columns.of([Interval("M", 0, 5, RUNNING), Interval("M", 5, 9, IDLE)])))
    content[place % len(content)] ^= change
    with pytest.raises(DamagedPackError):
        unpack([bytes(content)])


def test_a_torn_pack_is_noticed() -> None:
    content = pack(Columns.of([Interval("M", 0, 5, RUNNING)]))
    for length in range(len(content)):
        with pytest.raises(DamagedPackError):
            unpack([content[:length]])
