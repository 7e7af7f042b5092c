"""Browse paths as text, and what fits them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.opcua.options import OpcuaEquipment
from drivers.opcua.paths import BrowsePath, Step, exactly
from drivers.opcua.places import ROOT, Route, anchor, place_of
from tests.drivers.opcua.harness import connection

MACHINERY = "http://opcfoundation.org/UA/Machinery/"


def test_a_path_with_namespaces() -> None:
    path = BrowsePath.parse(f"/Objects/nsu={MACHINERY};Machines/Lathe 1/**/Feed*")
    assert path.absolute
    assert path.steps == (
        Step("Objects"),
        Step("Machines", MACHINERY),
        Step("Lathe 1"),
        Step("**"),
        Step("Feed*"),
    )
    assert str(path) == f"/Objects/nsu={MACHINERY};Machines/Lathe 1/**/Feed*"


@pytest.mark.parametrize(
    "text", ["", "/", "a//b", "a/", "nsu=http://x/", "nsu=;a", "nsu=http://x;", "a&", "nsu=http://x;**"]
)
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        BrowsePath.parse(text)
    with pytest.raises(ValidationError):
        connection(4840, {"A": [{"id": "t", "path": text}]})


_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name.strip() == name and not name.startswith("nsu=")
)
_URIS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.tuples(_NAMES, _URIS), min_size=1, max_size=4), st.booleans())
def test_every_name_comes_back_and_fits_itself_alone(
    pairs: list[tuple[str, str | None]], absolute: bool
) -> None:
    steps = tuple(exactly(name, uri) for name, uri in pairs)
    text = str(BrowsePath(steps, absolute))
    if text.strip() != text:
        return
    again = BrowsePath.parse(text)
    assert again == BrowsePath(steps, absolute)
    for step, (name, uri) in zip(again.steps, pairs, strict=True):
        assert step.fits(name, uri or "anything")
        assert not step.fits(f"{name}x", uri or "anything")
        assert uri is None or not step.fits(name, f"{uri}x")


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("Feed*", "FeedOverride", True),
        ("*Override", "FeedOverride", True),
        ("F*d*e", "FeedOverride", True),
        ("*", "x", True),
        ("Feed", "FeedOverride", False),
        ("a.b", "axb", False),
        ("&*", "*", True),
        ("&*", "x", False),
        ("[0]", "[0]", True),
        ("a&/b", "a/b", True),
    ],
)
def test_wildcards(pattern: str, name: str, fits: bool) -> None:
    (step,) = BrowsePath.parse(pattern).steps
    assert step.fits(name, "") is fits


def test_where_a_tag_is_found() -> None:
    options = connection(
        4840,
        {
            "A": [
                {"id": "r", "path": "Monitoring/x"},
                {"id": "a", "path": "/Objects/x"},
                {"id": "two", "path": ["x", "y"]},
            ]
        },
    )
    (equipment,) = options.equipment
    below = equipment.model_copy(update={"base": "/Objects/Machines/L"})
    relative, absolute, two = equipment.tags
    assert place_of(below, relative) == Route(
        ROOT, (tuple(map(Step, ("Objects", "Machines", "L", "Monitoring", "x"))),)
    )
    assert place_of(below, absolute) == Route(ROOT, ((Step("Objects"), Step("x")),))
    named = equipment.model_copy(update={"base": "nsu=http://x;s=L"})
    assert place_of(named, two) == Route(anchor("nsu=http://x;s=L").start, ((Step("x"),), (Step("y"),)))


@pytest.mark.parametrize(
    "tag",
    [
        {"id": "t"},
        {"id": "t", "node": "i=1", "path": "x"},
        {"id": "t", "path": ["/a", "b"]},
        {"id": "t", "path": []},
        {"id": "t", "path": 5},
        {"id": "t", "node": "i=1", "field": "a..b"},
        {"id": "t", "node": "i=1", "field": ""},
    ],
)
def test_tags_that_are_refused(tag: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        connection(4840, {"A": [tag]})


@pytest.mark.parametrize("base", ["", "/", "Machines/L", "s="])
def test_bases_that_are_refused(base: str) -> None:
    with pytest.raises(ValidationError):
        OpcuaEquipment.model_validate({"id": "A", "base": base})
