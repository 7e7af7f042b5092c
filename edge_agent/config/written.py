"""What a configuration says, line by line, as it may be shown: with references in the place of secrets."""

import hashlib
import secrets
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from edge_agent.config.secrets import Hidden
from edge_agent.config.tree import Node, Step
from edge_agent.config.yaml_files import core_scalar

_KEY = secrets.token_bytes(32)
"""Marks of this process can be compared with each other, and tell nobody anything."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value, or the heading of those below it.

    `field` names it by ids where there are some: `connections[cell-a].port`; `above` is the field of what it
    stands in. `value` is empty for a heading. `mark` differs where what is hidden differs; it is empty where
    nothing is.
    """

    field: str
    above: str
    depth: int
    label: str
    value: str
    file: str
    line: int
    mark: str = ""


def entries(outline: Node, hidden: Hidden) -> Iterator[Entry]:
    """Everything that stands in the files, in their order."""
    return _Writer(hidden).below(outline, "", 0)


def pack(found: Iterable[Entry]) -> bytes:
    """Small, as it is kept for as long as the agent runs: most files say the same for each machine."""
    return zlib.compress(msgspec.json.encode(list(found)), 6)


def unpack(packed: bytes) -> list[Entry]:
    return msgspec.json.decode(zlib.decompress(packed), type=list[Entry])


class _Writer:
    def __init__(self, hidden: Hidden) -> None:
        self._hidden = hidden
        self._in_place = hidden.in_place()

    def below(self, node: Node, field: str, depth: int) -> Iterator[Entry]:
        for step, child in node.children():
            name = _name(field, step, child)
            label = step if isinstance(step, str) else "-"
            if child.entries() or child.items():
                yield Entry(name, field, depth, label, "", child.key.file, child.key.line)
                yield from self.below(child, name, depth + 1)
            else:
                value, mark = self._shown(child)
                yield Entry(name, field, depth, label, value, child.place.file, child.place.line, mark)

    def _shown(self, node: Node) -> tuple[str, str]:
        if isinstance(node.value, dict | list):
            return ("{}" if isinstance(node.value, dict) else "[]"), ""
        shown = self._in_place.get(node.route)
        if shown is not None:
            value = str(node.value).encode("utf-8", "replace")
            return shown, hashlib.blake2b(value, key=_KEY, digest_size=16).hexdigest()
        if node.value is None:
            return "null", ""
        text = self._hidden.clean(node.text)
        # Text that would be read as something else has quotes in the file, and has them here.
        in_quotes = isinstance(node.value, str) and not isinstance(core_scalar(text), str)
        return (f'"{text}"' if in_quotes else text), ""


def _name(field: str, step: Step, child: Node) -> str:
    if isinstance(step, str):
        return f"{field}.{step}" if field else step
    return f"{field}[{child.text_of('id') or step}]"
