"""What the chapters of a report have in common."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from edge_agent.contract.messages import DefinitionReference, Figure
from edge_agent.report import words
from edge_agent.report.content import Cell, Column, Money, Rate, Row, Table
from edge_agent.words import REASONS, Words

Tell: TypeAlias = Callable[[Words], str]
"""Says something in the language of the report."""

Item: TypeAlias = Sequence[tuple[str, Cell]]
"""One thing by the names of what is said of it: on paper as facts, in the workbook as a row."""


def title_of(definition: DefinitionReference, tell: Tell) -> str:
    """`生产设备联网率`, with the unit if it is no share."""
    title: Mapping[str, str] = definition.title
    unit = tell(words.PER_10000) if definition.unit == "per_10000_employees" else ""
    return tell(Words(title["zh"], title["en"])) + unit


def count(definition: DefinitionReference, number: int) -> int | Money:
    """A numerator or denominator."""
    return Money(number) if definition.weight == "asset_value" else number


def rate(unit: str, value: float) -> Rate:
    return Rate(value, 10_000 if unit == "per_10000_employees" else 100)


def rate_or_reason(definition: DefinitionReference, figure: Figure, tell: Tell) -> Cell:
    if figure.rate is None:
        return tell(REASONS[figure.reason])
    return rate(definition.unit, figure.rate)


def yes_no(value: bool, tell: Tell) -> str:
    return tell(words.YES if value else words.NO)


def as_table(items: Sequence[Item], sheet: str, widths: Mapping[str, float]) -> Table:
    """Things of one kind as rows, for the workbook alone; `widths` by name, where 14 is not enough."""
    columns = [Column(name, widths.get(name, 14)) for name, _ in items[0]] if items else []
    return Table(columns, [Row([cell for _, cell in item]) for item in items], sheet=sheet, printed=False)
