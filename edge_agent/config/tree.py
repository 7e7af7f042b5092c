"""The tree of what a configuration says, in which every value knows where it stands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge_agent.config.errors import ConfigProblem

Scalar: TypeAlias = str | int | float | bool | None
Plain: TypeAlias = Scalar | list["Plain"] | dict[str, "Plain"]
Step: TypeAlias = str | int
Route: TypeAlias = tuple[Step, ...]
"""The keys and indices that lead to a value."""

_LONGEST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; line and column count from 1."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def problem(self, route: Route, found: str, expected: str = "", hint: str = "") -> ConfigProblem:
        return ConfigProblem(self.file, self.line, self.column, field_name(route), found, expected, hint)


@dataclass(slots=True, eq=False)
class Node:
    """A value with its place.

    `text` is a scalar as written; `key` is the place of the key before it, or of the value itself in a
    list. `route` leads to it in the files, where later steps may show it in other places too. A `broken`
    node has been reported: what else is wrong with its value says nothing.
    """

    place: Place
    key: Place
    value: Scalar | list["Node"] | dict[str, "Node"]
    text: str = ""
    route: Route = ()
    broken: bool = False

    def plain(self) -> Plain:
        """The value alone; shared with nothing."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, step: Step) -> "Node | None":
        if isinstance(self.value, dict) and isinstance(step, str):
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None

    def entries(self) -> Mapping[str, "Node"]:
        """The entries of a mapping; nothing if it is none."""
        return self.value if isinstance(self.value, dict) else {}

    def items(self) -> Sequence["Node"]:
        """The items of a list; nothing if it is none."""
        return self.value if isinstance(self.value, list) else []

    def text_of(self, key: str) -> str:
        """The text under `key` of a mapping; empty if there is none."""
        node = self.child(key)
        return node.value if node is not None and isinstance(node.value, str) else ""

    def children(self) -> Iterator[tuple[Step, "Node"]]:
        """What stands under this node, with the step that leads there."""
        yield from self.entries().items()
        yield from enumerate(self.items())

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        for _, node in self.children():
            yield from node.walk()

    def set_routes(self, route: Route = ()) -> None:
        """Write the route to each node into it."""
        self.route = route
        for step, node in self.children():
            node.set_routes((*route, step))

    def outline(self) -> "Node":
        """The same values under lists and mappings of its own: what this tree gets or loses later does not
        concern it."""
        value: Scalar | list[Node] | dict[str, Node]
        if isinstance(self.value, dict):
            value = {key: node.outline() for key, node in self.value.items()}
        elif isinstance(self.value, list):
            value = [node.outline() for node in self.value]
        else:
            return self
        return Node(self.place, self.key, value, self.text, self.route, self.broken)

    def written(self) -> str:
        """The value in words, as the file has it: never what a reference stands for."""
        if isinstance(self.value, dict):
            return "a mapping" if self.value else "an empty mapping"
        if isinstance(self.value, list):
            return "a list" if self.value else "an empty list"
        if self.value is None:
            return "nothing"
        if not isinstance(self.value, str):
            return self.text
        text = " ".join(self.text.splitlines())
        return f'"{text}"' if len(text) <= _LONGEST_SHOWN else f'"{text[: _LONGEST_SHOWN - 1]}…"'

    def problem(self, found: str, expected: str = "", hint: str = "") -> ConfigProblem:
        """A problem with the value; from now on the node is broken."""
        self.broken = True
        return self.place.problem(self.route, found, expected, hint)


def field_name(route: Route) -> str:
    """`connections[0].port`"""
    text = ""
    for step in route:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def is_text(text: str) -> bool:
    r"""Whether `text` can be written in UTF-8: not if it has half a character, such as \ud800."""
    return not any("\ud800" <= char <= "\udfff" for char in text)
