"""Connections to paste into a configuration, made of what was found."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from edge_agent.model.found import Found, clean

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_TEXT = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Line:
    """One equipment of the snippet. `comment` stands above it; one that is `out` is commented out."""

    found: Found
    equipment: str
    comment: str = ""
    out: bool = False


def snippet(lines: Iterable[Line], taken: Iterable[str] = ()) -> str:
    """A `connections` section; `taken` are ids of connections that there are already. "" without lines.

    Only what a driver can read is in it. Connections of which every equipment is commented out are so
    themselves.
    """
    readable = [line for line in lines if line.found.driver]
    key = lambda line: (line.found.driver, json.dumps(line.found.address, sort_keys=True))  # noqa: E731 - used twice
    used = set(taken)
    text: list[str] = []
    readable.sort(key=key)
    groups = [list(group) for _, group in groupby(readable, key)]
    everything_out = all(line.out for line in readable)
    for group in groups:
        identity = _connection_id(group[0].found, used)
        used.add(identity)
        text += _connection(identity, group)
    if not text:
        return ""
    return "\n".join([f"{'# ' if everything_out else ''}connections:", *text]) + "\n"


def placeholder_ids(found: Sequence[Found]) -> list[str]:
    """An id for each, all different, until the register's is known."""
    ids: list[str] = []
    for one in found:
        base = _identifier(one.part or one.name or one.host) or "machine"
        made, number = base, 1
        while made in ids:
            number += 1
            made = f"{base}-{number}"
        ids.append(made)
    return ids


def _connection(identity: str, lines: Sequence[Line]) -> Iterator[str]:
    found = lines[0].found
    out = "# " if all(line.out for line in lines) else ""
    yield f"  {out}- id: {identity}"
    yield f"  {out}  driver: {scalar(found.driver)}"
    for name, value in {**found.address, **found.access}.items():
        yield f"  {out}  {name}: {scalar(value)}"
    yield f"  {out}  equipment:"
    for line in lines:
        if line.comment:
            yield f"      # {clean(line.comment)}"
        hidden = "# " if line.out else ""
        yield f"      {hidden}- id: {scalar(line.equipment)}"
        for name, value in line.found.unit.items():
            yield f"      {hidden}  {name}: {scalar(value)}"
        if line.found.profile:
            yield f"      {hidden}  profile: {scalar(line.found.profile)}"
        if line.found.tags:
            yield f"      {hidden}  tags:"
        for tag in line.found.tags:
            yield f"      {hidden}    - {scalar(tag)}"


def scalar(value: Any) -> str:
    """A value as YAML on one line, read back as just that value."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {scalar(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(scalar, value)) + "]"
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
            return value
        text = json.dumps(value, ensure_ascii=not value.isprintable())
        return text.replace("${", "$${")
    return json.dumps(value)


def _connection_id(found: Found, used: set[str]) -> str:
    place = re.sub(r"^[a-z.]+://", "", found.where.partition(" ")[0]).removeprefix("/dev/")
    base = _identifier(f"{found.driver}-{place}")
    made, number = base, 1
    while made in used:
        number += 1
        made = f"{base}-{number}"
    return made


def _identifier(text: str) -> str:
    """`text` as an id: ASCII letters, digits and `_.-`, the first of them a letter or digit."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-._")[: _LONGEST_ID - 4]
