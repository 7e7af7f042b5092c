"""Definitions (口径) of indicators: data, not code."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from edge_agent.indicators.calendar_options import CalendarDay
from edge_agent.indicators.satisfiable import can_hold
from edge_agent.model.equipment import Control, Equipment, Industry, Process
from edge_agent.model.expression import CannotEvaluateError, Expression
from edge_agent.model.link import LinkLevel
from edge_agent.model.options import Duration, Options

Counted: TypeAlias = Literal["equipment", "process"]

HEADCOUNT = "headcount"
"""The denominator that is no filter: the employees of the site."""

_NO_FILTER = ("commissioned", "retired", "asset_value")
"""Dates decide by themselves whether a line counts; an asset value weighs, and may be missing."""

_EQUIPMENT = Equipment("A-1", "name", "workshop", processes=("P-1",))
_PROCESS = Process("P-1", "name", "workshop")


def equipment_columns(equipment: Equipment) -> dict[str, Any]:
    """What a filter over equipment may ask for."""
    values = {f.name: getattr(equipment, f.name) for f in fields(Equipment) if f.name not in _NO_FILTER}
    return {**values, "processes": list(equipment.processes)}


def process_columns(process: Process, nc_equipment: int, equipment: int) -> dict[str, Any]:
    """What a filter over processes may ask for; the equipment in service that serves it is counted."""
    return {**asdict(process), "nc_equipment": nc_equipment, "equipment": equipment}


_YES_NO = (False, True)

_CLOSED: Mapping[Counted, Mapping[str, Sequence[object]]] = {
    "equipment": {
        name: _YES_NO for name, value in equipment_columns(_EQUIPMENT).items() if isinstance(value, bool)
    },
    "process": {"key": _YES_NO, "industry": get_args(Industry), "control": get_args(Control)},
}
"""The columns that have but a few values, and which."""

_EXAMPLES: Mapping[Counted, dict[str, Any]] = {
    "equipment": equipment_columns(_EQUIPMENT),
    "process": process_columns(_PROCESS, 1, 1),
}


def _both_languages(text: Mapping[str, str]) -> Mapping[str, str]:
    if set(text) != {"zh", "en"}:
        raise ValueError("expected text in both languages, {zh: ..., en: ...}")
    return text


BothLanguages = Annotated[Mapping[Literal["zh", "en"], str], AfterValidator(_both_languages)]
"""What people read: in Chinese and in English."""


def as_written(value: object) -> object:
    """For decimals: 0.7 is seven tenths, as it stands in the file, so that it is exactly met or not."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("expected a number")
    return value


LONGEST_WINDOW_S = 31 * 86_400.0
"""How far back evidence is looked at."""


class ConnectedRule(Options):
    """What an equipment must prove to count as connected.

    Without `window` the level must hold at the instant. With it, at least `good_readings` good readings
    must have come within it; `level` is then `data_valid`. With `planned_share` good data must also have come
    in at least this share of the planned busy time within the window.
    """

    level: Literal["reachable", "data_valid", "live"]
    window: Duration | None = None
    good_readings: int = Field(default=1, ge=1)
    planned_share: (
        Annotated[
            Decimal,
            Field(gt=0, le=1),
            BeforeValidator(as_written),
            WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
        ]
        | None
    ) = Field(
        default=None,
        description="Least share of the planned busy minutes within the window in which good data came",
    )

    @property
    def link_level(self) -> LinkLevel:
        return LinkLevel[self.level.upper()]

    @model_validator(mode="after")
    def _window_counts_readings(self) -> Self:
        if self.window is not None and self.level != "data_valid":
            raise ValueError("good readings within a window prove the level data_valid, no other")
        if self.window is not None and self.window > LONGEST_WINDOW_S:
            raise ValueError("evidence is looked at for 31 days; the window is longer")
        if self.planned_share is not None and self.window is None:
            raise ValueError(
                "planned_share is a share of the planned time within a window; window is missing"
            )
        return self


class Quoted(Options):
    """The document's own words, or why there are none to quote."""

    quote: str = Field(default="", description="The document's words; nothing that it does not say")
    without_quote: str = Field(default="", description="Why there is no quote, and what is gone by instead")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.quote) == bool(self.without_quote):
            raise ValueError("expected quote, or without_quote with the reason why there is none")
        return self


class Source(Quoted):
    """Where the definition is from."""

    document: str


class Effective(Options):
    """From which day on the definition may be used, and up to which; both days belong to it."""

    from_: CalendarDay | None = Field(default=None, alias="from")
    until: CalendarDay | None = None

    def on(self, day: date) -> bool:
        return (self.from_ is None or self.from_ <= day) and (self.until is None or day <= self.until)


class Definition(Options):
    """How one indicator is counted.

    Equipment in service on the day counts in the denominator if `denominator` holds for its line of the
    register; of those, in the numerator if `numerator` holds and, if `connected` is given, is proved.
    With `counts: process`, processes that have equipment in service are counted in the same way.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
    version: int = Field(ge=1)
    title: BothLanguages
    standing: Literal["official text", "questionnaire", "practice", "ours"]
    source: Source
    effective: Effective = Field(default_factory=Effective)
    counts: Counted = "equipment"
    weight: Literal["count", "asset_value"] = Field(
        default="count", description="asset_value: each equipment counts by its original asset value"
    )
    unit: Literal["share", "per_10000_employees"] = "share"
    aggregation: Literal["pooled", "mean"] = Field(
        default="pooled",
        description="Over enterprises. pooled: sum of numerators by sum of denominators; mean: of the rates",
    )
    denominator: str = Field(description="CEL expression over columns of the register, or headcount")
    numerator: str = Field(description="CEL expression over columns of the register")
    connected: ConnectedRule | None = None

    @field_validator("weight", "connected")
    @classmethod
    def _of_equipment(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("counts") == "process" and value not in (None, "count"):
            raise ValueError(f"processes have no {info.field_name}; that is for counts: equipment")
        return value

    @field_validator("denominator")
    @classmethod
    def _denominator(cls, value: str, info: ValidationInfo) -> str:
        per_head = info.data.get("unit") == "per_10000_employees"
        if per_head != (value == HEADCOUNT) and "unit" in info.data:
            raise ValueError("headcount and unit: per_10000_employees belong together")
        if per_head and (info.data.get("counts"), info.data.get("weight")) != ("equipment", "count"):
            raise ValueError("equipment is counted per employee, nothing else")
        if value == HEADCOUNT:
            return value
        _filter(value, info)
        if not can_hold(value, _CLOSED[info.data.get("counts", "equipment")]):
            raise ValueError(
                "expected a filter that can hold; this one holds for no line, whatever the register says"
            )
        return value

    @field_validator("numerator")
    @classmethod
    def _numerator(cls, value: str, info: ValidationInfo) -> str:
        _filter(value, info)
        denominator = info.data.get("denominator", HEADCOUNT)
        of = value if denominator == HEADCOUNT else f"({denominator}) && ({value})"
        if not can_hold(of, _CLOSED[info.data.get("counts", "equipment")]):
            raise ValueError("expected a filter that can hold for a line of the denominator; this one cannot")
        return value

    @property
    def scale(self) -> int:
        """What people say is the rate times this: percent, or how many per 10,000 employees."""
        return 10_000 if self.unit == "per_10000_employees" else 100

    @property
    def text(self) -> str:
        """What the definition's file says, as JSON: what it leaves open is left out."""
        content = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return json.dumps(content, sort_keys=True, ensure_ascii=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def _filter(text: str, info: ValidationInfo) -> None:
    """Check that it is a CEL expression that says yes or no to a line of the register. Raises ValueError."""
    counts: Counted = info.data.get("counts", "equipment")
    example = _EXAMPLES[counts]
    try:
        expression = Expression(text)
        negated = Expression(f"!({text})")
    except ValueError:
        raise ValueError("expected a CEL expression over columns of the register") from None
    unknown = expression.names - example.keys()
    if unknown:
        columns = ", ".join(example)
        wrong = ", ".join(sorted(unknown))
        raise ValueError(f"expected columns to count {counts} by ({columns}), not {wrong}")
    try:
        # Only what is true or false has an opposite.
        negated.holds(example)
    except CannotEvaluateError:
        raise ValueError("expected an expression that is true or false for a line of the register") from None
