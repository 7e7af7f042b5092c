"""Reads what is kept as data beside the configuration, one thing with an id in each YAML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from edge_agent.config.errors import ConfigProblem
from edge_agent.config.json_schema import ConfigurationSchema
from edge_agent.config.secrets import Hidden
from edge_agent.config.tree import Node
from edge_agent.config.words import booleans_as_numbers, in_words
from edge_agent.config.yaml_files import parse_yaml
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.policies import Policy

T = TypeVar("T", Definition, Policy)


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """What a file says, and where it says what."""

    value: T
    tree: Node


def read_files(
    model: type[T], folders: Sequence[Path], what: str
) -> tuple[dict[str, Read[T]], list[ConfigProblem]]:
    """What the folders' YAML files hold, by id, and what is wrong with them; `what` names one in problems."""
    found: dict[str, Read[T]] = {}
    problems: list[ConfigProblem] = []
    schema = ConfigurationSchema(model)
    for path in (path for folder in folders for path in sorted(folder.glob("*.y*ml"))):
        tree, mistakes = parse_yaml(path)
        problems += mistakes
        if tree is None or mistakes:
            continue
        booleans = list(booleans_as_numbers(tree, schema))
        problems += booleans
        try:
            value = model.model_validate(tree.plain())
        except ValidationError as error:
            problems += in_words(error, tree, schema, Hidden())
            continue
        if booleans:
            continue
        node = tree.child("id") or tree
        if value.id in found:
            before = found[value.id].tree.child("id") or tree
            where = f"found {node.written()}, already in {before.place}"
            problems.append(node.problem(where, f"each {what} with an id of its own"))
        found.setdefault(value.id, Read(value, tree))
    return found, problems
