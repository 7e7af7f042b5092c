"""Finding one's way in the JSON Schema of the configuration: what may stand at a place."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel

from edge_agent.config.tree import Node, Route, Step

Part: TypeAlias = Mapping[str, Any]
"""A schema within the schema; empty where nothing is known."""

ANYTHING: Part = {}


class ConfigurationSchema:
    """The JSON Schema of a configuration model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.root: Part = model.model_json_schema()

    def part(self, part: Part, node: Node | None) -> Part:
        """`part` without references, `null`, and the alternatives that `node` decides against."""
        part = self._plain(part)
        while "discriminator" in part:
            chosen = node.text_of(part["discriminator"]["propertyName"]) if node is not None else ""
            if chosen not in part["discriminator"]["mapping"]:
                break
            part = self._tagged(part, chosen)
        return part

    def walk(self, tree: Node) -> Iterator[tuple[Node, Part]]:
        """Each node of `tree`, which is a whole configuration, once, with what may stand there.

        Broken nodes are left out, with all below them.
        """
        seen: set[int] = set()
        waiting = [(tree, self.part(self.root, tree))]
        while waiting:
            node, part = waiting.pop()
            if node.broken or id(node) in seen:
                continue
            seen.add(id(node))
            yield node, part
            for step, child in node.children():
                waiting.append((child, self.child(part, step, node) or ANYTHING))

    def child(self, part: Part, step: Step, node: Node | None) -> Part | None:
        """What may stand under `step` of `part`, which describes `node`; None if nothing may."""
        found = self._child(part, step)
        return None if found is None else self.part(found, node.child(step) if node is not None else None)

    def keys(self, part: Part) -> list[str]:
        """The keys that `part` names."""
        return [key for choice in self._choices(part) for key in choice.get("properties", {})]

    def is_secret(self, part: Part) -> bool:
        return any(choice.get("writeOnly", False) for choice in self._choices(part))

    def follow(self, location: Sequence[Step], tree: Node) -> tuple[Route, Part]:
        """The route that pydantic's error location means, and what may stand there.

        Pydantic also names the member of a union that it tried, which is no step in the file.
        """
        route: Route = ()
        node: Node | None = tree
        part = self._plain(self.root)
        for step in location:
            if "discriminator" in part:
                part = self._tagged(part, str(step))
                continue
            found = self._child(part, step)
            if found is None and "anyOf" in part and (node is None or node.child(step) is None):
                continue
            node = node.child(step) if node is not None else None
            part = self._plain(found) if found is not None else ANYTHING
            route = (*route, step)
        return route, self.part(part, node)

    def _plain(self, part: Part) -> Part:
        """`part` without references and `null`."""
        while True:
            choices = [choice for choice in part.get("anyOf", ()) if choice.get("type") != "null"]
            if "$ref" in part:
                name = part["$ref"].rpartition("/")[2]
                part = {**self.root["$defs"][name], **_without(part, "$ref")}
            elif len(choices) == 1:
                part = {**choices[0], **_without(part, "anyOf")}
            else:
                return part

    def _tagged(self, part: Part, tag: str) -> Part:
        reference = part["discriminator"]["mapping"].get(tag)
        return ANYTHING if reference is None else self._plain({"$ref": reference})

    def _choices(self, part: Part) -> list[Part]:
        alternatives = part.get("anyOf") or part.get("oneOf")
        return [self._plain(choice) for choice in alternatives] if alternatives else [part]

    def _child(self, part: Part, step: Step) -> Part | None:
        for choice in self._choices(part):
            if isinstance(step, int):
                prefix: Sequence[Part] = choice.get("prefixItems", ())
                found = prefix[step] if step < len(prefix) else choice.get("items")
            else:
                patterns = choice.get("patternProperties", {})
                found = choice.get("properties", {}).get(step)
                found = found or next(iter(patterns.values()), None) or choice.get("additionalProperties")
            if isinstance(found, Mapping):
                return found
        return None


def is_path(part: Part) -> bool:
    return part.get("format") in ("path", "file-path", "directory-path")


def _without(part: Part, key: str) -> Part:
    return {name: value for name, value in part.items() if name != key}
