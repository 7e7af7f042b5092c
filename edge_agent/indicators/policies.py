"""Policy targets (政策目标): what a document asks of an indicator, until when. Data, not code."""

import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from edge_agent.indicators.calendar_options import CalendarDay
from edge_agent.indicators.definitions import BothLanguages, Definition, Quoted, as_written
from edge_agent.model.options import Options

GoalUnit: TypeAlias = Literal["percent", "per_10000_employees"]
ChangeUnit: TypeAlias = Literal["percentage_points", "relative_percent"]


Amount = Annotated[
    Decimal,
    Field(gt=0),
    BeforeValidator(as_written),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
Count = Annotated[
    Decimal, Field(ge=0), BeforeValidator(as_written), WithJsonSchema({"type": "number", "minimum": 0})
]

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]


def _last_day(value: object) -> object:
    """A year ends on its last day."""
    if isinstance(value, int) and not isinstance(value, bool) and 1900 <= value <= 9999:
        return f"{value}-12-31"
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("expected a year, such as 2027, or a day, such as 2027-06-30")
    return value


Deadline = Annotated[
    CalendarDay,
    BeforeValidator(_last_day),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1900, "maximum": 9999},
                {"type": "string", "format": "date"},
            ]
        }
    ),
]
"""The last day on which the target can be met; a year stands for its last day."""


class _Reading(Options):
    """One way to read what a target asks for."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]*$")] = Field(
        default="", description="Name of the reading, where there are several"
    )
    means: BothLanguages | None = Field(
        default=None, description="What the reading takes the text for, where there are several"
    )


class Level(_Reading):
    """The indicator is to be at least `value`."""

    kind: Literal["level"]
    value: Amount
    unit: GoalUnit


class Change(_Reading):
    """The indicator is to be at least `value` higher than the baseline.

    `percentage_points` are added to the baseline's rate, `relative_percent` are percent of it.
    """

    kind: Literal["change"]
    value: Amount
    unit: ChangeUnit
    since: CalendarDay | None = Field(
        default=None, description="Day of the baseline; left out if the text does not say it"
    )


Reading: TypeAlias = Level | Change


def _told_apart(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    if len(readings) > 1 and not all(one.id and one.means for one in readings):
        raise ValueError("of several readings each needs an id, and says what it means")
    if len({one.id for one in readings}) != len(readings):
        raise ValueError("expected each reading with an id of its own")
    return readings


class Target(Quoted):
    """What a document asks of one indicator. Each reading of an ambiguous text is judged by itself."""

    id: Name
    title: BothLanguages
    clause: str = Field(default="", description="Where in the document")
    indicators: tuple[str, ...] = Field(
        default=(), description="Ids of the definitions that it is judged by, side by side"
    )
    not_computed: BothLanguages | None = Field(
        default=None, description="Why there is no definition to judge it by"
    )
    readings: Annotated[
        tuple[Annotated[Reading, Field(discriminator="kind")], ...], AfterValidator(_told_apart)
    ] = Field(min_length=1)
    deadline: Deadline
    scope: str = Field(description="Whom the document means")
    applies_to: Literal["region", "enterprise"] = Field(
        default="region",
        description="region: all of the scope together, so that the figure of one enterprise is a comparison."
        " enterprise: each enterprise has to reach it",
    )

    @model_validator(mode="after")
    def _judged_or_not(self) -> Self:
        if bool(self.indicators) == bool(self.not_computed):
            raise ValueError("expected indicators, or not_computed with the reason why there are none")
        return self


def _each_once(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    twice = [name for name, count in Counter(one.id for one in targets).items() if count > 1]
    if twice:
        raise ValueError(f"two targets have the id {twice[0]}; each needs one of its own")
    return targets


class Policy(Options):
    """A document with its targets."""

    id: Name
    title: BothLanguages
    document: str
    targets: Annotated[tuple[Target, ...], AfterValidator(_each_once)] = Field(min_length=1)


class Baseline(Options):
    """What an indicator was in this enterprise on a day: as counts, or as somebody has written it down."""

    definition: str = Field(description="Id of the definition that it was counted by")
    day: CalendarDay
    numerator: Count | None = None
    denominator: Amount | None = None
    value: Count | None = Field(
        default=None, description="Percent, or per 10,000 employees: if the counts are not known"
    )
    source: str = Field(min_length=1, description="Where the figure is from")

    @model_validator(mode="after")
    def _counts_or_value(self) -> Self:
        counts = (self.numerator is not None, self.denominator is not None)
        if counts[0] != counts[1] or counts[0] == (self.value is not None):
            raise ValueError("expected numerator and denominator, or value")
        return self

    def rate(self, definition: Definition) -> Fraction:
        """As a quotient: 0 to 1 for a share."""
        if self.numerator is None or self.denominator is None:
            return Fraction(self.value or 0) / definition.scale
        return Fraction(self.numerator) / Fraction(self.denominator)


def misfit(target: Target, definition: Definition) -> str:
    """Why the target cannot be judged by the definition: their units differ. Empty if it can."""
    per_head = definition.unit == "per_10000_employees"
    for reading in target.readings:
        if reading.unit != "relative_percent" and per_head != (reading.unit == "per_10000_employees"):
            counted = "per 10,000 employees" if per_head else "as a share"
            return f"which is counted {counted}, and a reading is in {reading.unit}"
    return ""
