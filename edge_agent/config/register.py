"""The asset register, as people keep it: CSV from anywhere, or an Excel workbook."""

import contextlib
import csv
import hashlib
import io
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

from edge_agent.config.errors import ConfigProblem, did_you_mean
from edge_agent.model.equipment import Equipment, Register

Cell: TypeAlias = str | bool | int | float | date | None
"""A cell as the file gives it; CSV gives text only."""

COLUMNS = {
    "id": "设备编号",
    "name": "设备名称",
    "workshop": "车间",
    "line": "产线",
    "kind": "设备类别",
    "production": "生产设备",
    "digital": "数字化",
    "nc": "数控",
    "nc_ground": "数控依据",
    "should_connect": "应联网",
    "key": "关键设备",
    "commissioned": "投用日期",
    "retired": "报废日期",
}
"""Columns of the register: the English heading and the Chinese one."""

_REQUIRED = ("id", "name", "workshop")
_NAMES = {heading: column for column, chinese in COLUMNS.items() for heading in (column, chinese)}
_YES = {"yes", "true", "1", "是"}
_NO = {"no", "false", "0", "否"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with its number as a spreadsheet shows it, and the line of the file where it begins."""

    number: int
    line: int
    cells: Sequence[Cell]


def read_register(path: Path, shown: str) -> tuple[Register | None, list[ConfigProblem]]:
    """The register in `path`, and what is wrong with it; `shown` is the name that problems give the file.

    It holds every row that has an id, even where other cells of it are wrong, so that ids can be looked
    up; None if there is no table to read.
    """
    try:
        rows = list(_xlsx_rows(path) if path.suffix.lower() in (".xlsx", ".xlsm") else _csv_rows(path))
    except _Unreadable as error:
        return None, [ConfigProblem(shown, error.line, 1 if error.line else 0, "", *error.args)]
    filled = [row for row in rows if any(_text(cell) for cell in row.cells)]
    if not filled:
        return None, [ConfigProblem(shown, 0, 0, "", "the register is empty", "a row of headings first")]
    reader = _TableReader(shown, filled[0])
    equipment = tuple(one for row in filled[1:] if (one := reader.equipment(row)) is not None)
    return Register(equipment, register_digest(equipment)), reader.problems


def register_digest(equipment: Sequence[Equipment]) -> str:
    """SHA-256 (hex) of the rows as JSON, sorted by id: the same for every file format and encoding."""
    rows = [asdict(one) for one in sorted(equipment, key=lambda one: one.id)]
    text = json.dumps(rows, default=str, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class _Unreadable(Exception):
    """No table can be had from the file: found, expected, hint."""

    def __init__(self, found: str, expected: str, hint: str = "", line: int = 0) -> None:
        super().__init__(found, expected, hint)
        self.line = line


def _csv_rows(path: Path) -> Iterator[_Row]:
    text = _csv_text(path)
    heading = next((line for line in text.splitlines() if line.strip(" ,;\t")), "")
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for number, cells in enumerate(reader, start=1):
            yield _Row(number, line, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _Unreadable(f"is not valid CSV: {error}", "valid CSV", line=line) from None


def _csv_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}", "a CSV or XLSX file") from None
    if b"\0" in content:
        raise _Unreadable("is not CSV", "CSV in UTF-8 or GB18030 (GBK), or XLSX", "save it as .xlsx")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Unreadable("is neither UTF-8 nor GB18030 (GBK)", "CSV in one of them", line=line) from None


def _xlsx_rows(path: Path) -> Iterator[_Row]:
    # Only who keeps the register in Excel pays for the library's memory.
    from openpyxl import load_workbook  # type: ignore[import-untyped]  # it has no types
    from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that the values do not need
            workbook = load_workbook(path, read_only=True, data_only=True)
            try:
                sheet = workbook.worksheets[0]
                for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                    yield _Row(number, number, [_known(cell) for cell in cells])
            finally:
                workbook.close()
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror or error}", "a CSV or XLSX file") from None
    except (BadZipFile, InvalidFileException, KeyError, ValueError, IndexError) as error:
        raise _Unreadable(
            f"is not a workbook: {error}", "an .xlsx file with a table in its first sheet"
        ) from None


def _known(cell: object) -> Cell:
    if isinstance(cell, datetime):
        return cell.date() if cell.time().isoformat() == "00:00:00" else cell.isoformat(" ")
    return cell if isinstance(cell, str | bool | int | float | date | None) else str(cell)


def _text(cell: Cell) -> str:
    """What a person sees in the cell; numbers as Excel shows them, so 1001.0 is 1001."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


class _TableReader:
    """Reads rows under a heading; collects what is wrong, cell by cell."""

    def __init__(self, file: str, heading: _Row) -> None:
        self.file = file
        self.problems: list[ConfigProblem] = []
        self._columns: dict[str, int] = {}
        self._headed: set[int] = set()
        self._rows_by_id: dict[str, int] = {}
        for index, cell in enumerate(heading.cells):
            if _text(cell):
                self._add_column(heading, index, _text(cell))
        for column in _REQUIRED:
            if column not in self._columns:
                expected = f"the heading {column} or {COLUMNS[column]}"
                self._problem(heading, 0, f"there is no column {column}", expected)

    def _add_column(self, heading: _Row, index: int, text: str) -> None:
        self._headed.add(index)
        column = _NAMES.get(text.casefold())
        if column is None:
            known = ", ".join(f"{name} {chinese}" for name, chinese in COLUMNS.items())
            found = f'unknown column "{text}"'
            self._problem(heading, index, found, f"one of: {known}", did_you_mean(text, _NAMES))
        elif column in self._columns:
            self._problem(heading, index, f'"{text}": the column {column} is given twice', "each column once")
        else:
            self._columns[column] = index

    def equipment(self, row: _Row) -> Equipment | None:
        """The equipment of one row, with defaults for what is wrong; None without an id."""
        for index, cell in enumerate(row.cells):
            if _text(cell) and index not in self._headed:
                self._headed.add(index)
                self._problem(row, index, f'found "{_text(cell)}"', "nothing: this column has no heading")
        name = self._id(row)
        equipment = Equipment(
            id=name,
            name=self._text(row, "name"),
            workshop=self._text(row, "workshop"),
            line=self._text(row, "line"),
            kind=self._text(row, "kind"),
            production=self._flag(row, "production", True),
            digital=self._flag(row, "digital", False),
            nc=self._flag(row, "nc", False),
            nc_ground=self._text(row, "nc_ground"),
            should_connect=self._flag(row, "should_connect", True),
            key=self._flag(row, "key", False),
            commissioned=self._day(row, "commissioned"),
            retired=self._day(row, "retired"),
        )
        start, end = equipment.commissioned, equipment.retired
        if start is not None and end is not None and end < start:
            found = f"retired on {end}, before it was commissioned on {start}"
            self._problem(row, self._columns["retired"], found, f"a date from {start} on")
        return equipment if name else None

    def _id(self, row: _Row) -> str:
        name = self._text(row, "id")
        if not name:
            return ""
        index = self._columns["id"]
        if not _ID.fullmatch(name):
            expected = "1 to 64 letters, digits, _ . or -, the first a letter or digit"
            self._problem(row, index, f'found "{name}"', expected)
        elif name in self._rows_by_id:
            found = f'found "{name}", already in row {self._rows_by_id[name]}'
            self._problem(row, index, found, "each equipment with an id of its own")
        self._rows_by_id.setdefault(name, row.number)
        return name

    def _cell(self, row: _Row, column: str) -> Cell:
        index = self._columns.get(column)
        return row.cells[index] if index is not None and index < len(row.cells) else None

    def _text(self, row: _Row, column: str) -> str:
        text = _text(self._cell(row, column))
        if not text and column in _REQUIRED and column in self._columns:
            self._problem(row, self._columns[column], "missing", "text")
        return text

    def _flag(self, row: _Row, column: str, default: bool) -> bool:
        text = _text(self._cell(row, column)).casefold()
        if not text or text in _YES or text in _NO:
            return text in _YES if text else default
        self._problem(
            row, self._columns[column], f'found "{text}"', "yes or no, true or false, 1 or 0, 是 or 否"
        )
        return default

    def _day(self, row: _Row, column: str) -> date | None:
        cell = self._cell(row, column)
        text = _text(cell)
        if not text or isinstance(cell, date):
            return cell if isinstance(cell, date) else None
        found = _DATE.fullmatch(text)
        if found:
            with contextlib.suppress(ValueError):  # no such day
                return date(int(found[1]), int(found[3]), int(found[4]))
        self._problem(row, self._columns[column], f'found "{text}"', "a date such as 2021-03-01 or 2021/3/1")
        return None

    def _problem(self, row: _Row, index: int, found: str, expected: str, hint: str = "") -> None:
        column = next((name for name, at in self._columns.items() if at == index), "")
        field = f"{_letters(index)}{row.number} {column}".rstrip()
        self.problems.append(ConfigProblem(self.file, row.line, index + 1, field, found, expected, hint))


def _letters(index: int) -> str:
    """The name of a column in a spreadsheet: 0 is A, 26 is AA."""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
