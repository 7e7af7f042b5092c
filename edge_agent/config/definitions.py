"""Reads definitions (口径): those that come with the agent, and a plant's own."""

from collections.abc import Sequence
from pathlib import Path

from edge_agent.config.data_files import read_files
from edge_agent.config.errors import ConfigProblem
from edge_agent.config.shipped import shipped
from edge_agent.indicators.definitions import Definition


def read_definitions(folders: Sequence[Path]) -> tuple[dict[str, Definition], list[ConfigProblem]]:
    """All definitions in the folders' YAML files by id, and what is wrong with them."""
    found, problems = read_files(Definition, folders, "definition")
    return {name: one.value for name, one in found.items()}, problems


def known_definitions(own: Path | None = None) -> dict[str, Definition]:
    """The definitions that come with the agent, and those of a folder that has been checked, by id."""
    return read_definitions(definition_folders(own))[0]


def definition_folders(own: Path | None) -> list[Path]:
    return [shipped("definitions"), *([own] if own is not None else [])]
