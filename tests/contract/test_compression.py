"""Compressed and back: the same bytes; what is damaged or too much is refused, and takes no memory."""

import contextlib
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.contract import compression
from edge_agent.contract.compression import LIMIT, is_packed, packed, unpacked

JSON = st.binary(max_size=200).map(lambda content: b'{"' + content * 3 + b'"}')
ANY = st.binary(min_size=1, max_size=200)


@given(JSON)
def test_what_comes_out_is_what_went_in(payload: bytes) -> None:
    sent = packed(payload)
    assert unpacked(sent) == payload
    assert len(sent) <= len(payload)
    if is_packed(sent):
        assert len(sent) <= len(payload) - compression.SAVED_AT_LEAST
    else:
        assert sent == payload


def test_what_it_does_not_help_stays_readable() -> None:
    event = b'{"seq":1,"schema":"fta.event/1","time":1795320580089,"kind":"agent_stopped","subject":""}'
    assert packed(event) == event
    assert is_packed(packed(event * 10))


@given(ANY, st.integers(0), st.integers(1, 255))
def test_a_damaged_one_is_refused(payload: bytes, place: int, flip: int) -> None:
    whole = zlib.compress(payload)
    at = 1 + place % (len(whole) - 1)  # with another first byte it is not a compressed one
    for damaged in (
        whole[:at],
        whole + b"x",
        whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :],
    ):
        with contextlib.suppress(ValueError):
            assert unpacked(damaged) == payload, "a bit that says nothing about the content"


@pytest.mark.parametrize("damaged", [zlib.compress(b"{}" * 100)[:-1], zlib.compress(b"{}" * 100) + b"{"])
def test_its_end_is_looked_at(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="end"):
        unpacked(damaged)


def test_a_bomb_is_refused_before_it_is_in_memory() -> None:
    bomb = zlib.compress(bytes(20 * LIMIT), 9)
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than"):
        unpacked(bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3 * LIMIT


def test_the_limit_itself_passes_and_what_is_larger_is_sent_as_it_is() -> None:
    content = b"{" + bytes(LIMIT - 1)
    assert unpacked(packed(content)) == content
    assert not is_packed(packed(content + b"}"))
