"""Reads the cells of a table under its headings, and collects what is wrong, cell by cell."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from edge_agent.config.errors import ConfigProblem, did_you_mean
from edge_agent.config.tables import Cell, Row, cell_text

_YES = {"yes", "true", "1", "是"}
_NO = {"no", "false", "0", "否"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})")
_MONEY = re.compile(r"(\d{1,15}|\d{1,3}(,\d{3}){1,4})(\.\d{1,2})?")
_BETWEEN = re.compile(r"[;；,，、\n]")


MOST_FEN = 10**13
"""Hundreds of such amounts still add up to a whole number that JSON can carry exactly, below 2^53."""


class TableReader:
    """Knows which column stands where.

    `columns`: the English heading and the Chinese one; `aliases`: further headings that are understood.
    """

    def __init__(
        self,
        file: str,
        heading: Row,
        columns: Mapping[str, str],
        required: Sequence[str],
        aliases: Mapping[str, str],
    ) -> None:
        self.problems: list[ConfigProblem] = []
        self._file = file
        self._known = columns
        self._required = required
        self._names = {name: column for column, chinese in columns.items() for name in (column, chinese)}
        self._names |= aliases
        self._columns: dict[str, int] = {}
        self._headed: set[int] = set()
        self._rows_by_id: dict[str, Row] = {}
        for index, cell in enumerate(heading.cells):
            if cell_text(cell):
                self._add_column(heading, index, cell_text(cell))
        for column in required:
            if column not in self._columns and heading.cells:
                expected = f"the heading {column} or {columns[column]}"
                self._problem(heading, 0, f"there is no column {column}", expected)

    def _add_column(self, heading: Row, index: int, text: str) -> None:
        self._headed.add(index)
        column = self._names.get(text.casefold())
        if column is None:
            known = ", ".join(f"{name} {chinese}" for name, chinese in self._known.items())
            found = f'unknown column "{text}"'
            self._problem(heading, index, found, f"one of: {known}", did_you_mean(text, self._names))
        elif column in self._columns:
            self._problem(heading, index, f'"{text}": the column {column} is given twice', "each column once")
        else:
            self._columns[column] = index

    def start(self, row: Row) -> None:
        """Look at a row as a whole: nothing may stand under no heading."""
        for index, cell in enumerate(row.cells):
            if cell_text(cell) and index not in self._headed:
                self._headed.add(index)
                found = f'found "{cell_text(cell)}"'
                self._problem(row, index, found, "nothing: this column has no heading")

    def id(self, row: Row, what: str) -> str:
        """The id of the row's `what`, unique in the table; empty if there is none."""
        name = self.text(row, "id")
        if not name:
            return ""
        if not _ID.fullmatch(name):
            expected = "1 to 64 letters, digits, _ . or -, the first a letter or digit"
            self.problem(row, "id", f'found "{name}"', expected)
        elif name in self._rows_by_id:
            found = f'found "{name}", already in row {self._rows_by_id[name].number}'
            self.problem(row, "id", found, f"each {what} with an id of its own")
        self._rows_by_id.setdefault(name, row)
        return name

    def text(self, row: Row, column: str) -> str:
        text = cell_text(self._cell(row, column))
        if not text and column in self._required and column in self._columns:
            self.problem(row, column, "missing", "text")
        return text

    def flag(self, row: Row, column: str, default: bool) -> bool:
        text = cell_text(self._cell(row, column)).casefold()
        if not text or text in _YES or text in _NO:
            return text in _YES if text else default
        self.problem(row, column, f'found "{text}"', "yes or no, true or false, 1 or 0, 是 or 否")
        return default

    def day(self, row: Row, column: str) -> date | None:
        cell = self._cell(row, column)
        text = cell_text(cell)
        if not text or isinstance(cell, date):
            return cell if isinstance(cell, date) else None
        found = _DATE.fullmatch(text)
        if found:
            with contextlib.suppress(ValueError):  # no such day
                return date(int(found[1]), int(found[3]), int(found[4]))
        self.problem(row, column, f'found "{text}"', "a date such as 2021-03-01 or 2021/3/1")
        return None

    def fen(self, row: Row, column: str) -> int | None:
        """An amount of yuan, in fen (0.01 yuan): whole numbers, which add up exactly."""
        cell = self._cell(row, column)
        text = cell_text(cell)
        if not text:
            return None
        if not isinstance(cell, bool) and _MONEY.fullmatch(text):
            yuan, _, fen = text.replace(",", "").partition(".")
            value = int(yuan) * 100 + int(fen.ljust(2, "0"))
            if value <= MOST_FEN:
                return value
        expected = "yuan with at most two decimals, such as 1,250,000.50; up to 100,000,000,000"
        self.problem(row, column, f'found "{text}"', expected)
        return None

    def words(self, row: Row, column: str) -> tuple[str, ...]:
        """The words of a cell, which are divided by ; or , or 、."""
        parts = _BETWEEN.split(cell_text(self._cell(row, column)))
        return tuple(dict.fromkeys(filter(None, (part.strip() for part in parts))))

    def choice(self, row: Row, column: str, words: Mapping[str, str]) -> str:
        """What one of the words stands for; `words` has an entry for the empty cell."""
        text = cell_text(self._cell(row, column)).casefold()
        if text not in words:
            expected = f"one of: {', '.join(filter(None, words))}"
            self.problem(row, column, f'found "{text}"', expected, did_you_mean(text, filter(None, words)))
        return words.get(text, words[""])

    def problem(self, row: Row, column: str, found: str, expected: str, hint: str = "") -> None:
        """Something is wrong in a column that the table has."""
        self._problem(row, self._columns[column], found, expected, hint)

    def unknown(self, row: Row, column: str, word: str, what: str, known: Iterable[str]) -> None:
        """A word that should name something, and does not."""
        names = list(known)
        expected = f"one of: {', '.join(names)}" if names else f"{what}; there are none yet"
        found = f'found "{word}", which is no {what}'
        self.problem(row, column, found, expected, did_you_mean(word, names))

    def _cell(self, row: Row, column: str) -> Cell:
        index = self._columns.get(column)
        return row.cells[index] if index is not None and index < len(row.cells) else None

    def _problem(self, row: Row, index: int, found: str, expected: str, hint: str = "") -> None:
        column = next((name for name, at in self._columns.items() if at == index), "")
        line, at, name = row.place(index)
        field = f"{name} {column}".rstrip()
        self.problems.append(ConfigProblem(self._file, line, at, field, found, expected, hint))
