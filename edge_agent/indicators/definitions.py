"""Definitions (口径) of indicators: data, not code."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML

from edge_agent.model.equipment import Equipment
from edge_agent.model.expression import Expression
from edge_agent.model.link import LinkLevel
from edge_agent.model.options import Duration, Options

FILTER_COLUMNS = tuple(f.name for f in fields(Equipment) if f.name not in ("commissioned", "retired"))
"""Columns of the register that filters may use; the dates decide by themselves whether a line counts."""


class DefinitionError(Exception):
    """A definition file that cannot be used; the message names file and field."""


def _filter(expression: str) -> str:
    """A CEL expression over the register's columns."""
    unknown = Expression(expression).names - set(FILTER_COLUMNS)
    if unknown:
        raise ValueError(f"no column of the register to filter by: {', '.join(sorted(unknown))}")
    return expression


Filter = Annotated[str, AfterValidator(_filter)]


class ConnectedRule(Options):
    """What an equipment must prove to count as connected.

    Without `window` the level must hold at the instant. With it, at least `good_readings` good readings
    must have come within it; `level` is then `data_valid`.
    """

    level: Literal["reachable", "data_valid", "live"]
    window: Duration | None = None
    good_readings: int = Field(default=1, ge=1)

    @property
    def link_level(self) -> LinkLevel:
        return LinkLevel[self.level.upper()]


class Source(Options):
    document: str
    quote: str


class Definition(Options):
    """How one indicator is counted.

    Equipment in service on the day counts in the denominator if `denominator` holds for its line of the
    register; of those, in the numerator if `numerator` holds and, if `connected` is given, is proved.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
    version: int = Field(ge=1)
    title: Mapping[Literal["zh", "en"], str]
    standing: Literal["official text", "questionnaire", "practice", "ours"]
    source: Source
    denominator: Filter
    numerator: Filter
    connected: ConnectedRule | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the definition's canonical JSON."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


_ADAPTER = TypeAdapter(Definition)


def load_definitions(folders: Sequence[Path]) -> dict[str, Definition]:
    """All definitions in the folders' YAML files, by id. Raises DefinitionError."""
    found: dict[str, Definition] = {}
    for path in sorted(path for folder in folders for path in folder.glob("*.yaml")):
        raw = YAML(typ="safe", pure=True).load(path)
        try:
            definition = _ADAPTER.validate_python(raw)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors()
            )
            raise DefinitionError(f"{path}: {problems}") from error
        if definition.id in found:
            raise DefinitionError(f"{path}: definition {definition.id} is already given elsewhere")
        found[definition.id] = definition
    return found
