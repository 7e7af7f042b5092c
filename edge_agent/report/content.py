"""What a report consists of, whatever it is written as: sections of text, facts, tables and charts.

All text in it is what people read, in the language of the report. Blocks that name a `sheet` go into the
workbook as well; those of one sheet follow each other there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge_agent.model.state import MachineState


@dataclass(frozen=True, slots=True)
class Rate:
    """A quotient as people say it: 0.667 with `per` 100 is 66.7 %, with 10,000 so many per 10,000."""

    value: float
    per: Literal[100, 10_000] = 100


@dataclass(frozen=True, slots=True)
class Points:
    """A difference of two rates, in percentage points or per 10,000."""

    value: float


@dataclass(frozen=True, slots=True)
class Money:
    fen: int
    """0.01 yuan each."""


@dataclass(frozen=True, slots=True)
class Duration:
    ms: int


@dataclass(frozen=True, slots=True)
class Energy:
    wh: float


@dataclass(frozen=True, slots=True)
class Instant:
    ms: int
    """Epoch milliseconds; shown by the clocks of the report's time zone."""


@dataclass(frozen=True, slots=True)
class Shares:
    """A bar of how much time was spent in each state; the states in the order in which they are drawn."""

    times: Sequence[tuple[MachineState, int]]


Cell: TypeAlias = str | int | Rate | Points | Money | Duration | Energy | Instant | Shares | None


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    width: float
    """Relative to those of the other columns of the table; about how many Latin letters it has room for."""
    align: Literal["left", "center", "right"] = "left"
    """Numbers are set to the right."""


@dataclass(frozen=True, slots=True)
class Row:
    cells: Sequence[Cell]
    level: int = 0
    """0 for what is most important; 1 and 2 for what it consists of."""


@dataclass(frozen=True, slots=True)
class Heading:
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    kind: Literal["body", "small", "notice", "command"] = "body"
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with what they are."""

    items: Sequence[tuple[str, Cell]]
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings. `of` is what the table is about, where several make one sheet of the workbook:
    there it stands in front of each row."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    sheet: str = ""
    of: Sequence[tuple[Column, Cell]] = ()
    printed: bool = True
    """Whether it is in the document for paper, too."""
    levels: bool = False
    """Whether the first column is indented by level."""


@dataclass(frozen=True, slots=True)
class StateLegend:
    """Which pattern of a bar stands for which state."""

    names: Sequence[tuple[MachineState, str]]


@dataclass(frozen=True, slots=True)
class Goal:
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure over months; a month without one is a gap."""

    title: str
    months: Sequence[str]
    values: Sequence[float | None]
    per: Literal[100, 10_000] = 100
    goals: Sequence[Goal] = ()


@dataclass(frozen=True, slots=True)
class Trends:
    """Charts of the same months, side by side."""

    charts: Sequence[Trend]


Block: TypeAlias = Heading | Text | Facts | Table | StateLegend | Trends


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: Sequence[Block]
    new_page: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    subtitle: str
    header: str
    """Stands on top of each page."""
    page: str
    """`{page} / {pages}` with words around it: stands at the bottom of each page."""
    timezone: str
    until_ms: int
    """The end of the time that it is about."""
    sections: Sequence[Section] = field(default_factory=list)
