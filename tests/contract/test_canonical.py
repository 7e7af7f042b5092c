"""Canonical bytes and Merkle roots, against the documents that define them."""

import json
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.contract.canonical import (
    canonical,
    canonical_line,
    canonical_list,
    canonical_object,
    members_of,
    signed_part,
)
from edge_agent.contract.merkle import leaf, root
from edge_agent.contract.messages import EquipmentEvidence, ProcessEvidence

# RFC 8785, 3.2.2 and 3.2.4: the example of the document.
RFC_8785 = {
    "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
    "literals": [None, True, False],
}
CANONICAL = (
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
    '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
)


def test_canonical_is_that_of_the_rfc() -> None:
    assert canonical(RFC_8785) == CANONICAL.encode()


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf")])
def test_what_json_cannot_carry_exactly_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical({"a": value})


text = st.text()  # any character that has a UTF-8 form, control characters and beyond the first plane too
whole = st.integers(-(2**53) + 1, 2**53 - 1)
yes = st.booleans()
lines: st.SearchStrategy[msgspec.Struct] = st.one_of(
    st.builds(EquipmentEvidence, text, text, yes, yes, text, text, text, whole, st.none() | whole),
    st.builds(ProcessEvidence, text, text, yes, yes, text, st.lists(text), st.lists(text)),
)


@given(line=lines)
def test_the_fast_way_of_a_line_gives_the_same_bytes(line: msgspec.Struct) -> None:
    assert canonical_line(line) == canonical(json.loads(msgspec.json.encode(line)))


@given(members=st.dictionaries(st.text("abcxyz_", min_size=1), text | whole | st.lists(text)))
def test_objects_and_lists_are_put_together_canonically(members: dict[str, object]) -> None:
    parts = {name: canonical(value) for name, value in members.items()}
    assert canonical_object(parts) == canonical(members)
    assert members_of(canonical(members)) == parts
    assert canonical_list(parts.values()) == canonical(list(members.values()))


def test_what_is_signed() -> None:
    message = {"seq": 4, "b": 1, "a": {"seq": 2}, "signature": "s", "equipment": [1], "processes": []}
    assert signed_part({**message, "evidence": {}}) == b'{"a":{"seq":2},"b":1}'


def by_the_book(items: list[bytes]) -> bytes:
    """MTH as RFC 6962, 2.1 defines it."""
    if not items:
        return sha256().digest()
    if len(items) == 1:
        return sha256(b"\x00" + items[0]).digest()
    k = 1
    while k * 2 < len(items):
        k *= 2
    return sha256(b"\x01" + by_the_book(items[:k]) + by_the_book(items[k:])).digest()


@given(items=st.lists(st.binary(max_size=4), max_size=40))
def test_the_root_is_that_of_the_rfc(items: list[bytes]) -> None:
    assert root([leaf(item) for item in items]) == by_the_book(items).hex()


def test_a_root_that_others_have_published() -> None:
    """The empty tree and one empty leaf, as every implementation of certificate transparency tests them."""
    assert root([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root([leaf(b"")]) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
