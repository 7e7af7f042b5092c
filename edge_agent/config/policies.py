"""Reads policy targets (政策目标): those that come with the agent, and a plant's own."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edge_agent.config.data_files import Read, read_files
from edge_agent.config.errors import ConfigProblem, did_you_mean
from edge_agent.config.shipped import shipped
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.policies import Policy, misfit


def read_policies(
    folders: Sequence[Path], definitions: Mapping[str, Definition]
) -> tuple[dict[str, Policy], list[ConfigProblem]]:
    """All policies in the folders' YAML files by id, and what is wrong with them.

    Their targets are judged by `definitions`; an indicator that is not among them is a mistake.
    """
    found, problems = read_files(Policy, folders, "policy")
    for one in found.values():
        problems += _indicators(one, definitions)
    return {name: one.value for name, one in found.items()}, problems


def known_policies(definitions: Mapping[str, Definition], own: Path | None = None) -> dict[str, Policy]:
    """The policies that come with the agent, and those of a folder that has been checked, by id."""
    return read_policies(policy_folders(own), definitions)[0]


def policy_folders(own: Path | None) -> list[Path]:
    return [shipped("policies"), *([own] if own is not None else [])]


def _indicators(read: Read[Policy], definitions: Mapping[str, Definition]) -> Iterator[ConfigProblem]:
    for place, target in enumerate(read.value.targets):
        for index, name in enumerate(target.indicators):
            node = read.tree
            for step in ("targets", place, "indicators", index):
                node = node.child(step) or node
            if name not in definitions:
                yield node.problem(
                    f"found {node.written()}, which is no definition",
                    f"one of: {', '.join(definitions)}",
                    did_you_mean(name, definitions),
                )
            elif name in target.indicators[:index]:
                yield node.problem(f"found {node.written()}, given twice", "each definition once")
            elif why := misfit(target, definitions[name]):
                yield node.problem(f"found {node.written()}, {why}", "a definition of the same unit")
