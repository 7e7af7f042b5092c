"""Tables as people keep them: CSV from anywhere, an Excel workbook, or lists in a YAML file."""

import csv
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

from edge_agent.config.errors import ConfigProblem
from edge_agent.config.tree import Node, field_name
from edge_agent.config.yaml_files import parse_yaml

Cell: TypeAlias = str | bool | int | float | date | None
"""A cell as the file gives it; CSV gives text only."""

EQUIPMENT = ("equipment", "设备")
PROCESSES = ("processes", "工序")
"""What a table is called, as a sheet of a workbook or a key of a YAML file."""

WORKBOOKS = (".xlsx", ".xlsm")
YAML_FILES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Row:
    """A row, and where it stands: its number as a spreadsheet shows it, its line in the file.

    In a YAML file `nodes` are the places of its cells, and `node` is its own.
    """

    number: int
    line: int
    cells: Sequence[Cell]
    nodes: Sequence[Node | None] = ()
    node: Node | None = None

    def place(self, index: int) -> tuple[int, int, str]:
        """Line, column and name of a cell: `D7` as Excel has it, `equipment[3]` in a YAML file."""
        if self.node is not None:
            node = self.nodes[index] or self.node
            return node.place.line, node.place.column, field_name(node.route[:2])
        return self.line, index + 1, f"{_letters(index)}{self.number}"


class Unreadable(Exception):
    """No table can be had from the file: found, expected, hint."""

    def __init__(self, found: str, expected: str, hint: str = "", line: int = 0, column: int = 1) -> None:
        super().__init__(found, expected, hint)
        self.place = (line, column if line else 0)

    def problem(self, shown: str) -> ConfigProblem:
        return ConfigProblem(shown, *self.place, "", *self.args)


def read_table(path: Path, table: tuple[str, str], *, alone: bool) -> list[Row] | None:
    """The rows of a table that have something in them, its headings first. Raises Unreadable.

    `alone`: the file was named for this table, so one with a single table has no other. Else None is
    returned if the file does not have the table.
    """
    suffix = path.suffix.lower()
    if suffix in YAML_FILES:
        rows = _yaml_rows(path, table)
    elif suffix in WORKBOOKS:
        rows = _xlsx_rows(path, table, alone)
    else:
        rows = list(_csv_rows(path)) if alone else None
    if rows is None:
        return None
    return [row for row in rows if any(cell_text(cell) for cell in row.cells)]


def cell_text(cell: Cell) -> str:
    """What a person sees in the cell; numbers as Excel shows them, so 1001.0 is 1001."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else f"{cell:.15g}"
    return str(cell).strip()


def _csv_rows(path: Path) -> Iterator[Row]:
    text = _csv_text(path)
    heading = next((line for line in text.splitlines() if line.strip(" ,;\t")), "")
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for number, cells in enumerate(reader, start=1):
            yield Row(number, line, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(f"is not valid CSV: {error}", "valid CSV", line=line) from None


def _csv_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}", "a CSV, XLSX or YAML file") from None
    if b"\0" in content:
        raise Unreadable("is not CSV", "CSV in UTF-8 or GB18030 (GBK), or XLSX", "save it as .xlsx")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable("is neither UTF-8 nor GB18030 (GBK)", "CSV in one of them", line=line) from None


def _xlsx_rows(path: Path, table: tuple[str, str], alone: bool) -> list[Row] | None:
    # Only who keeps the register in Excel pays for the library's memory.
    from openpyxl import load_workbook  # type: ignore[import-untyped]  # it has no types
    from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that the values do not need
            workbook = load_workbook(path, read_only=True, data_only=True)
            try:
                named = {sheet.title.strip().casefold(): sheet for sheet in workbook.worksheets}
                sheet = next((named[name] for name in table if name in named), None)
                if sheet is None and alone:
                    sheet = workbook.worksheets[0]
                if sheet is None:
                    return None
                return [
                    Row(number, number, [_known(cell) for cell in cells])
                    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1)
                ]
            finally:
                workbook.close()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}", "a CSV, XLSX or YAML file") from None
    except (BadZipFile, InvalidFileException, KeyError, ValueError, IndexError) as error:
        raise Unreadable(
            f"is not a workbook: {error}", "an .xlsx file with a table in its first sheet"
        ) from None


def _known(cell: object) -> Cell:
    if isinstance(cell, datetime):
        return cell.date() if cell.time().isoformat() == "00:00:00" else cell.isoformat(" ")
    return cell if isinstance(cell, str | bool | int | float | date | None) else str(cell)


def _yaml_rows(path: Path, table: tuple[str, str]) -> list[Row] | None:
    tree, problems = parse_yaml(path)
    if problems or tree is None:
        first = problems[0]
        raise Unreadable(first.found, first.expected, first.hint, first.line, first.column)
    for key, node in tree.entries().items():
        if key not in (*EQUIPMENT, *PROCESSES):
            expected = f"one of: {', '.join((*EQUIPMENT, *PROCESSES))}"
            raise Unreadable(f"unknown key {key}", expected, "", node.key.line, node.key.column)
    held = tree.child(table[0]) or tree.child(table[1])
    if held is None:
        return None
    items = held.items()
    for node in items if isinstance(held.value, list) else [held]:
        if node is held or not isinstance(node.value, dict):
            expected = "a list of mappings, {id: ..., name: ...}"
            raise Unreadable(f"found {node.written()}", expected, "", node.place.line, node.place.column)
    headings: dict[str, Node] = {}
    for item in items:
        for key, node in item.entries().items():
            headings.setdefault(key, Node(node.key, node.key, key, route=item.route))
    first_item = Node(held.place, held.place, None, route=held.route)
    rows = [Row(0, held.place.line, list(headings), list(headings.values()), first_item)]
    for number, item in enumerate(items, start=1):
        nodes = [item.child(heading) for heading in headings]
        cells = [_yaml_cell(node) for node in nodes]
        rows.append(Row(number, item.place.line, cells, nodes, item))
    return rows


def _yaml_cell(node: Node | None) -> Cell:
    """A scalar; a list of them becomes one text, as it would stand in a cell."""
    if node is None:
        return None
    if isinstance(node.value, list):
        return ";".join(cell_text(_yaml_cell(item)) for item in node.value)
    if isinstance(node.value, dict):
        raise Unreadable(
            f"found {node.written()}", "text, a number or a date", "", node.place.line, node.place.column
        )
    return node.value


def _letters(index: int) -> str:
    """The name of a column in a spreadsheet: 0 is A, 26 is AA."""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
