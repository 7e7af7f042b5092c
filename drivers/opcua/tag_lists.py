"""Tags to paste into a configuration, made from what a server shows."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from drivers.opcua.browsing import Child
from drivers.opcua.nodes import NodeName
from drivers.opcua.paths import BrowsePath, Step, exactly
from drivers.opcua.trees import Branch

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PLAIN_YAML = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_TEXT = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class TagLine:
    """One tag of a list."""

    id: str
    node: str = ""
    path: str = ""
    field: str = ""
    unit: str = ""
    description: str = ""

    def __str__(self) -> str:
        given = {
            "id": self.id,
            "node": self.node,
            "path": self.path,
            "field": self.field,
            "unit": self.unit,
            "description": self.description,
        }
        return "- {" + ", ".join(f"{key}: {quoted(text)}" for key, text in given.items() if text) + "}"


def quoted(text: str) -> str:
    """`text` as a YAML scalar that is read back as just that text."""
    if _PLAIN_YAML.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def tag_id(names: Sequence[str]) -> str:
    """A tag id from browse names: `FeedOverride` becomes feed_override; what is no ASCII is left out."""
    words = [word.lower() for name in names for word in _WORDS.findall(name)]
    text = "_".join(words)[-_LONGEST_ID:].strip("_") or "tag"
    return f"_{text}"[:_LONGEST_ID] if text[0].isdigit() else text


def distinct_ids(ways: Sequence[Sequence[str]]) -> list[str]:
    """An id for each way of browse names: of the last name, of more where needed, then numbered."""
    lengths = [1] * len(ways)
    while True:
        ids = [tag_id(way[-length:]) for way, length in zip(ways, lengths, strict=True)]
        doubled = {one for one in ids if ids.count(one) > 1} if len(ids) < 2_000 else set()
        longer = [
            index
            for index, one in enumerate(ids)
            if one in doubled and lengths[index] < len(ways[index]) and lengths[index] < 4
        ]
        if not longer:
            break
        for index in longer:
            lengths[index] += 1
    return list(_numbered(ids))


def path_below(way: Sequence[Child], ambiguous: bool = False) -> str:
    """The browse path along `way`.

    Namespaces are named where they change, or on each step if the plain names would be `ambiguous`.
    """
    steps: list[Step] = []
    last: str | None = None
    for child in way:
        named = child.namespace if ambiguous or child.namespace != last else None
        in_standard = child.namespace == "http://opcfoundation.org/UA/"
        steps.append(exactly(child.name, None if in_standard and not ambiguous else named))
        last = last if in_standard else child.namespace
    return str(BrowsePath(tuple(steps)))


def tag_lines(
    branches: Iterable[Branch],
    namespaces: Sequence[str],
    units: Mapping[Branch, str],
    fields: Mapping[Branch, Sequence[str]],
    *,
    by_path: bool,
) -> list[TagLine]:
    """A tag for each variable, several for one that is a structure."""
    rows = [(branch, field) for branch in branches for field in fields.get(branch, ("",))]
    ways = [
        [*(child.name for child in branch.way), *(field.split(".") if field else ())]
        for branch, field in rows
    ]
    return [
        TagLine(
            id=made,
            node="" if by_path and branch.depth else str(NodeName.of(branch.child.node, namespaces)),
            path=path_below(branch.way[-branch.depth :]) if by_path and branch.depth else "",
            field=field,
            unit=units.get(branch, ""),
        )
        for made, (branch, field) in zip(distinct_ids(ways), rows, strict=True)
    ]


def _numbered(ids: Iterable[str]) -> Iterator[str]:
    used: set[str] = set()
    for one in ids:
        made, number = one, 1
        while made in used:
            number += 1
            made = f"{one[: _LONGEST_ID - 6]}_{number}"
        used.add(made)
        yield made
