"""A report as a workbook: numbers as numbers, the same bytes for the same report."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo
from zoneinfo import ZoneInfo

from openpyxl import Workbook  # type: ignore[import-untyped]  # it has no types
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE  # type: ignore[import-untyped]  # as above
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side  # type: ignore[import-untyped]  # as above
from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]  # as above

from edge_agent.report.content import (
    Cell,
    Column,
    Duration,
    Energy,
    Facts,
    Instant,
    Money,
    Points,
    Rate,
    Report,
    Shares,
    Table,
    Text,
)

_HEADING = Font(bold=True, color="1F4E79")
_HEADING_FILL = PatternFill("solid", fgColor="EEF2F6")
_UNDER_HEADING = Border(bottom=Side("thin", color="1F4E79"))
_NAME = Font(color="66727F")
_WRAPPED = Alignment(wrap_text=True, vertical="top")
_NAMES_WIDTH, _FACTS_WIDTH = 24, 90
_LEAST_WIDTH = 9

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP file can tell."""


def xlsx(report: Report) -> bytes:
    """The report's blocks that name a sheet, sheet by sheet in their order."""
    zone = ZoneInfo(report.timezone)
    until = datetime.fromtimestamp(report.until_ms // 1000, zone).replace(tzinfo=None)
    workbook = Workbook()
    workbook.remove(workbook.active)
    workbook.properties.title = f"{report.title} {report.subtitle}"
    workbook.properties.creator = "edge-agent"
    workbook.properties.created = until
    sheets: dict[str, list[Facts | Table | Text]] = {}
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Facts | Table | Text) and block.sheet:
                sheets.setdefault(block.sheet, []).append(block)
    for name, blocks in sheets.items():
        sheet = workbook.create_sheet(name)
        sheet.sheet_view.showGridLines = False
        sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        tables = [block for block in blocks if isinstance(block, Table)]
        if len(tables) == len(blocks):
            _write_tables(sheet, tables, zone)
        else:
            _write_mixed(sheet, blocks, zone)
    file = BytesIO()
    workbook.save(file)
    return _timeless(file.getvalue(), until)


def _write_tables(sheet: Any, tables: Sequence[Table], zone: ZoneInfo) -> None:
    """Tables of the same columns as one, under one heading that stays in sight."""
    columns = [column for column, _ in tables[0].of] + list(tables[0].columns)
    shown = [
        place for place, column in enumerate(columns) if not _is_drawn(tables, place - len(tables[0].of))
    ]
    rows = [[*(cell for _, cell in table.of), *row.cells] for table in tables for row in table.rows]
    for number, row in enumerate(rows, 2):
        for index, place in enumerate(shown, 1):
            _set(sheet.cell(number, index), row[place], zone)
    _head(sheet, 1, [columns[place].title for place in shown])
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(shown))}{len(rows) + 1}"
    sheet.print_title_rows = "1:1"
    for index, place in enumerate(shown, 1):
        sheet.column_dimensions[get_column_letter(index)].width = _width(columns[place])


def _is_drawn(tables: Sequence[Table], place: int) -> bool:
    """Whether a column is one of bars, which a workbook has as numbers beside."""
    return place >= 0 and any(isinstance(row.cells[place], Shares) for table in tables for row in table.rows)


def _write_mixed(sheet: Any, blocks: Sequence[Facts | Table | Text], zone: ZoneInfo) -> None:
    """One block under the other."""
    number = 1
    widths: dict[int, float] = {1: _NAMES_WIDTH, 2: _FACTS_WIDTH}
    for block in blocks:
        match block:
            case Text(text):
                for line in text.split("\n"):
                    _set(sheet.cell(number, 1), line, zone)
                    number += 1
            case Facts(items):
                for name, cell in items:
                    _set(sheet.cell(number, 1), name, zone)
                    sheet.cell(number, 1).font = _NAME
                    _set(sheet.cell(number, 2), cell, zone)
                    sheet.cell(number, 2).alignment = Alignment(
                        wrap_text=True, vertical="top", horizontal="left"
                    )
                    number += 1
            case Table(columns, rows):
                _head(sheet, number, [column.title for column in columns])
                for index, column in enumerate(columns, 1):
                    if index > 2:
                        widths[index] = max(_width(column), widths.get(index, 0))
                for row in rows:
                    number += 1
                    for index, cell in enumerate(row.cells, 1):
                        _set(sheet.cell(number, index), cell, zone)
                number += 1
        number += 1
    for index, width in widths.items():
        sheet.column_dimensions[get_column_letter(index)].width = width


def _head(sheet: Any, number: int, titles: Sequence[str]) -> None:
    for index, title in enumerate(titles, 1):
        cell = sheet.cell(number, index)
        _text(cell, title)
        cell.font, cell.fill, cell.border = _HEADING, _HEADING_FILL, _UNDER_HEADING
        cell.alignment = _WRAPPED


def _width(column: Column) -> float:
    return max(column.width, _LEAST_WIDTH)


def _set(at: Any, cell: Cell, zone: ZoneInfo) -> None:
    match cell:
        case str():
            _text(at, cell)
        case Rate(value, per):
            at.value = value if per == 100 else value * per
            at.number_format = "0.0%" if per == 100 else "0.0"
        case Points(value):
            at.value = value
            at.number_format = "+0.0;-0.0;0.0"
        case Money(fen):
            at.value = fen / 100
            at.number_format = '"¥"#,##0.00'
        case Duration(ms):
            at.value = timedelta(milliseconds=ms)
            at.number_format = "[h]:mm:ss"
        case Energy(wh):
            at.value = wh / 1000
            at.number_format = '#,##0.000" kWh"'
        case Instant(ms):
            at.value = datetime.fromtimestamp(ms // 1000, zone).replace(tzinfo=None)
            at.number_format = "yyyy-mm-dd hh:mm:ss"
        case int():
            at.value = cell
            at.number_format = "#,##0"


def _text(at: Any, text: str) -> None:
    at.value = ILLEGAL_CHARACTERS_RE.sub(" ", text) or None
    at.data_type = "s" if text else "n"  # text that begins with = is no formula
    at.number_format = "@"
    if "\n" in text:
        at.alignment = _WRAPPED


def _timeless(content: bytes, until: datetime) -> bytes:
    """The workbook without the time at which it was written."""
    file = BytesIO()
    with ZipFile(BytesIO(content)) as written, ZipFile(file, "w", ZIP_DEFLATED) as fixed:
        for entry in written.infolist():
            part = written.read(entry)
            if entry.filename == "docProps/core.xml":
                part = re.sub(
                    rb"(<dcterms:modified[^>]*>)[^<]*",
                    rb"\g<1>" + f"{until:%Y-%m-%dT%H:%M:%SZ}".encode(),
                    part,
                )
            info = ZipInfo(entry.filename, _EPOCH)
            info.compress_type = ZIP_DEFLATED
            fixed.writestr(info, part)
    return file.getvalue()
