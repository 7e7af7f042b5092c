"""Reads definitions (口径): those that come with the agent, and a plant's own."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from edge_agent.config.errors import ConfigProblem
from edge_agent.config.json_schema import ConfigurationSchema
from edge_agent.config.secrets import Hidden
from edge_agent.config.shipped import shipped
from edge_agent.config.tree import Place
from edge_agent.config.words import in_words
from edge_agent.config.yaml_files import parse_yaml
from edge_agent.indicators.definitions import Definition


def read_definitions(folders: Sequence[Path]) -> tuple[dict[str, Definition], list[ConfigProblem]]:
    """All definitions in the folders' YAML files by id, and what is wrong with them."""
    found: dict[str, Definition] = {}
    places: dict[str, Place] = {}
    problems: list[ConfigProblem] = []
    schema = ConfigurationSchema(Definition)
    for path in (path for folder in folders for path in sorted(folder.glob("*.y*ml"))):
        tree, mistakes = parse_yaml(path)
        problems += mistakes
        if tree is None or mistakes:
            continue
        try:
            definition = Definition.model_validate(tree.plain())
        except ValidationError as error:
            problems += in_words(error, tree, schema, Hidden())
            continue
        node = tree.child("id") or tree
        if definition.id in found:
            where = f"found {node.written()}, already in {places[definition.id]}"
            problems.append(node.problem(where, "each definition with an id of its own"))
        found.setdefault(definition.id, definition)
        places.setdefault(definition.id, node.place)
    return found, problems


def known_definitions(own: Path | None = None) -> dict[str, Definition]:
    """The definitions that come with the agent, and those of a folder that has been checked, by id."""
    return read_definitions(definition_folders(own))[0]


def definition_folders(own: Path | None) -> list[Path]:
    return [shipped("definitions"), *([own] if own is not None else [])]
