"""A report as a PDF: A4, a header and its number on each page, the same bytes for the same report."""

from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    LongTable,
    PageBreak,
    PageTemplate,
    Preformatted,
    Spacer,
)

from edge_agent.report.charts import ACCENT, FAINT, INK, MUTED, RULE, Legend, SharesBar, TrendCharts
from edge_agent.report.content import (
    Block,
    Cell,
    Facts,
    Heading,
    Report,
    Section,
    Shares,
    StateLegend,
    Table,
    Text,
    Trends,
)
from edge_agent.report.fonts import NAME, use_font
from edge_agent.report.shown import shown
from edge_agent.report.wrapping import wrapped

_PAGE_WIDTH, _PAGE_HEIGHT = A4
_SIDE, _TOP, _BOTTOM = 18 * mm, 24 * mm, 18 * mm
_WIDTH = _PAGE_WIDTH - 2 * _SIDE

_TINT = HexColor("#F3F6F9")
_SIZE, _SMALL = 8.5, 7.5
_LEADING = 1.45
_NAMES_WIDTH = 36 * mm
_CELL_SIDE = 1.2 * mm
_INDENT = "　"
_LEAST_OF_SECTION, _LEAST_OF_HEADING = 60 * mm, 45 * mm
"""How much of a section, or of what has a heading, is on the page that it begins on."""
_CHARTS_BESIDE = 2
_MOST_LINES = 24
"""Of one row of a table."""


def pdf(report: Report, font: Path | None) -> bytes:
    """The report with the characters of `font` that it needs. Raises FontError."""
    use_font(font)
    file = BytesIO()
    document = BaseDocTemplate(
        file,
        pagesize=A4,
        title=f"{report.title} {report.subtitle}",
        author=report.header,
        creator="edge-agent",
        initialFontName=NAME,
        invariant=1,
    )
    frame = Frame(
        _SIDE,
        _BOTTOM,
        _WIDTH,
        _PAGE_HEIGHT - _TOP - _BOTTOM,
        leftPadding=0,
        rightPadding=0,
        topPadding=0,
        bottomPadding=0,
    )
    document.addPageTemplates(PageTemplate(frames=[frame], onPage=partial(_around, report)))
    document.build(list(_story(report)), canvasmaker=partial(_Canvas, report=report))
    return file.getvalue()


def _around(report: Report, canvas: Canvas, document: BaseDocTemplate) -> None:  # noqa: ARG001 - reportlab's signature
    """What stands around the text of each page."""
    canvas.saveState()
    canvas.setFont(NAME, _SMALL)
    canvas.setFillColor(MUTED)
    line = _PAGE_HEIGHT - 17 * mm
    canvas.drawString(_SIDE, line + 2 * mm, f"{report.title}  {report.subtitle}")
    canvas.drawRightString(_PAGE_WIDTH - _SIDE, line + 2 * mm, report.header)
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.5)
    canvas.line(_SIDE, line, _PAGE_WIDTH - _SIDE, line)
    # How many pages there are is known at the end; what is drawn then is only named here.
    canvas.doForm(_number_of(canvas.getPageNumber()))
    canvas.restoreState()


def _number_of(page: int) -> str:
    return f"page-{page}"


class _Canvas(Canvas):
    """Draws the numbers of the pages when all of them are known."""

    def __init__(self, *args: Any, report: Report, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._report = report

    def save(self) -> None:
        pages = self.getPageNumber() - 1
        for page in range(1, pages + 1):
            self.beginForm(_number_of(page), 0, 0, _PAGE_WIDTH, _PAGE_HEIGHT)
            self.setFont(NAME, _SMALL)
            self.setFillColor(MUTED)
            text = self._report.page.format(page=page, pages=pages)
            self.drawCentredString(_PAGE_WIDTH / 2, 10 * mm, text)
            self.endForm()
        super().save()


class _Mark(Flowable):
    """Takes no room; a reader's list of contents leads to it."""

    def __init__(self, title: str, level: int) -> None:
        super().__init__()
        self.title, self.level = title, level

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:  # noqa: ARG002 - as above
        return 0.0, 0.0

    def draw(self) -> None:
        key = f"{self.canv.getPageNumber()}-{self.title}"
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(self.title, key, self.level)


def _story(report: Report) -> Iterator[Flowable]:
    yield _text(report.title, 20, ACCENT, after=1 * mm)
    yield _text(report.subtitle, 12, MUTED, after=3 * mm)
    zone = ZoneInfo(report.timezone)
    for section in report.sections:
        yield from _section(section, zone)


def _section(section: Section, zone: ZoneInfo) -> Iterator[Flowable]:
    if section.new_page:
        yield PageBreak()
    else:
        yield CondPageBreak(_LEAST_OF_SECTION)
    yield _text(section.title, 14, ACCENT, before=4 * mm, after=2.5 * mm)
    yield _Mark(section.title, 0)
    heading: list[Flowable] = []
    for block in section.blocks:
        made = [*heading, *_block(block, zone)]
        heading = made if isinstance(block, Heading) else []
        if isinstance(block, Facts):
            yield KeepTogether(made)
        elif not heading:
            yield from made
    yield from heading


def _block(block: Block, zone: ZoneInfo) -> Iterator[Flowable]:
    match block:
        case Heading(text):
            yield CondPageBreak(_LEAST_OF_HEADING)
            yield _text(text, 11, INK, before=3 * mm, after=1.5 * mm)
            yield _Mark(text, 1)
        case Text(text, "notice" | "command" as kind):
            yield _box(text, _SIZE if kind == "notice" else _SMALL, marked=kind == "notice")
            yield Spacer(0, 3 * mm)
        case Text(text, kind):
            size = _SIZE if kind == "body" else _SMALL
            yield _text(text, size, MUTED if kind == "small" else INK, after=2 * mm)
        case Facts():
            yield _facts(block, zone)
            yield Spacer(0, 3 * mm)
        case Table() if block.printed and block.rows:
            yield _table(block, zone)
            yield Spacer(0, 4 * mm)
        case StateLegend():
            yield Legend(block, _SMALL)
            yield Spacer(0, 2 * mm)
        case Trends(charts):
            for first in range(0, len(charts), _CHARTS_BESIDE):
                yield TrendCharts(charts[first : first + _CHARTS_BESIDE], _CHARTS_BESIDE)


def _lines(text: str, size: float, width: float) -> str:
    """Broken into lines of at most `width`."""
    return "\n".join(wrapped(text, width, partial(_measured, size=size)))


def _measured(text: str, size: float) -> float:
    return stringWidth(text, NAME, size)


def _text(text: str, size: float, color: Color, *, after: float, before: float = 0) -> Flowable:
    style = ParagraphStyle(
        "text",
        fontName=NAME,
        fontSize=size,
        leading=size * _LEADING,
        textColor=color,
        spaceBefore=before,
        spaceAfter=after,
    )
    return Preformatted(_lines(text, size, _WIDTH), style)


def _box(text: str, size: float, *, marked: bool) -> Flowable:
    """Set off from the rest."""
    return LongTable(
        [[_lines(text, size, _WIDTH - 8 * mm)]],
        [_WIDTH],
        style=[
            *_of_all(size),
            ("BACKGROUND", (0, 0), (-1, -1), _TINT),
            *([("LINEBEFORE", (0, 0), (0, -1), 2, ACCENT)] if marked else []),
            ("LEFTPADDING", (0, 0), (-1, -1), 4 * mm),
            ("TOPPADDING", (0, 0), (-1, -1), 2 * mm),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5 * mm),
        ],
    )


def _facts(facts: Facts, zone: ZoneInfo) -> Flowable:
    widths = [_NAMES_WIDTH, _WIDTH - _NAMES_WIDTH]
    rows: list[list[str | SharesBar]] = []
    for name, cell in facts.items:
        if not isinstance(cell, Shares):
            texts = zip((name, shown(cell, zone)), widths, strict=True)
            rows += _parts([_lines(text, _SIZE, width - 2 * _CELL_SIDE) for text, width in texts])
    style = [
        *_of_all(_SIZE),
        ("TEXTCOLOR", (0, 0), (0, -1), MUTED),
        ("LINEBELOW", (0, 0), (-1, -1), 0.3, FAINT),
    ]
    return LongTable(rows, widths, style=style)


def _table(table: Table, zone: ZoneInfo) -> Flowable:
    widths = _widths(table, zone)

    def cell(cell: Cell, width: float, indent: str = "") -> str | SharesBar:
        room = width - 2 * _CELL_SIDE
        if isinstance(cell, Shares):
            return SharesBar(cell, room)
        return _lines(indent + shown(cell, zone), _SMALL, room)

    rows = [[cell(column.title, width) for column, width in zip(table.columns, widths, strict=True)]]
    style = [
        *_of_all(_SMALL),
        ("TEXTCOLOR", (0, 0), (-1, 0), ACCENT),
        ("BACKGROUND", (0, 0), (-1, 0), _TINT),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.7, ACCENT),
        ("LINEBELOW", (0, 1), (-1, -1), 0.3, FAINT),
    ]
    style += [
        ("ALIGN", (place, 0), (place, -1), column.align.upper()) for place, column in enumerate(table.columns)
    ]
    for row in table.rows:
        indents = [_INDENT * row.level if table.levels else "", *[""] * (len(widths) - 1)]
        made = [
            cell(one, width, indent) for one, width, indent in zip(row.cells, widths, indents, strict=True)
        ]
        if table.levels and row.level == 0:
            style.append(("BACKGROUND", (0, len(rows)), (-1, len(rows)), _TINT))
        rows += _parts(made)
    return LongTable(rows, widths, repeatRows=1, style=style)


def _parts(row: Sequence[str | SharesBar]) -> Iterator[list[str | SharesBar]]:
    """The row, as several if it is too high for a page: a table cannot be divided within one."""
    lines = [[] if isinstance(cell, SharesBar) else cell.split("\n") for cell in row]
    for first in range(0, max(1, *map(len, lines)), _MOST_LINES):
        yield [
            cell
            if isinstance(cell, SharesBar) and first == 0
            else "\n".join(of_cell[first : first + _MOST_LINES])
            for cell, of_cell in zip(row, lines, strict=True)
        ]


def _widths(table: Table, zone: ZoneInfo) -> list[float]:
    """As the columns ask for, but wide enough for the words of their headings, and for what is no text."""
    least = [
        2 * _CELL_SIDE + 0.1 + max(_measured(words, _SMALL) for words in _unbroken(table, place, zone))
        for place in range(len(table.columns))
    ]
    narrow: set[int] = set()
    while True:
        left = _WIDTH - sum(least[place] for place in narrow)
        asked = sum(column.width for place, column in enumerate(table.columns) if place not in narrow)
        widths = [
            least[place] if place in narrow else left * column.width / asked
            for place, column in enumerate(table.columns)
        ]
        more = {place for place, width in enumerate(widths) if width < least[place]} - narrow
        if not more:
            return widths
        narrow |= more
        if len(narrow) == len(widths):  # there is not room for all
            return [_WIDTH * width / sum(least) for width in least]


def _unbroken(table: Table, place: int, zone: ZoneInfo) -> Iterator[str]:
    """What of a column is not to be broken into lines."""
    title = table.columns[place].title
    yield from title.split() if title.isascii() else ""
    yield ""
    for row in table.rows:
        cell = row.cells[place]
        if not isinstance(cell, str | Shares):
            yield shown(cell, zone)


def _of_all(size: float) -> Sequence[tuple[Any, ...]]:
    """What all tables have in common."""
    everywhere = (0, 0), (-1, -1)
    return [
        ("FONT", *everywhere, NAME, size, size * 1.3),
        ("TEXTCOLOR", *everywhere, INK),
        ("VALIGN", *everywhere, "TOP"),
        ("LEFTPADDING", *everywhere, _CELL_SIDE),
        ("RIGHTPADDING", *everywhere, _CELL_SIDE),
        ("TOPPADDING", *everywhere, 0.7 * mm),
        ("BOTTOMPADDING", *everywhere, 1.1 * mm),
    ]
