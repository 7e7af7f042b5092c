"""Writes the asset register: CSV, XLSX or YAML, under English or Chinese headings."""

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from edge_agent.config.register import COLUMNS, PROCESS_COLUMNS
from edge_agent.config.tables import EQUIPMENT, PROCESSES, WORKBOOKS, YAML_FILES, Cell
from edge_agent.model.equipment import Equipment, Process, Register
from edge_agent.words import Language

EXAMPLE = Register(
    (
        Equipment(
            id="CNC-01",
            name="数控车床1号",
            workshop="一车间",
            line="轴类线",
            kind="数控车床",
            digital=True,
            nc=True,
            nc_ground="数控系统型号",
            key=True,
            commissioned=date(2021, 3, 1),
            asset_value=42_000_000,
            processes=("OP10",),
        ),
        Equipment(
            id="SAW-01",
            name="带锯床",
            workshop="一车间",
            kind="锯床",
            should_connect=False,
            connect_reason="无电气接口",
            asset_value=3_500_000,
        ),
    ),
    (Process("OP10", "车削", "一车间", key=True, control="cnc"),),
)
"""What a template shows."""

Table: TypeAlias = list[list[Cell | Decimal]]
_IN_CHINESE: Mapping[Cell, str] = {"discrete": "离散", "process": "流程"}


def write_register(register: Register, path: Path, language: Language) -> list[Path]:
    """Write the register in the format of the path's suffix, without overwriting; returns the files.

    CSV holds one table only, so that processes get a file of their own beside it. Raises OSError.
    """
    tables = [(EQUIPMENT, _table(register.equipment, COLUMNS, language))]
    if register.processes:
        tables.append((PROCESSES, _table(register.processes, PROCESS_COLUMNS, language)))
    suffix = path.suffix.lower()
    if suffix in WORKBOOKS:
        write_xlsx(path, [(names[language == "zh"], rows) for names, rows in tables])
        return [path]
    if suffix in YAML_FILES:
        _write_yaml(path, {names[language == "zh"]: rows for names, rows in tables})
        return [path]
    second = path.with_name(f"{path.stem}-processes{path.suffix}")
    if len(tables) > 1 and second.exists():
        raise FileExistsError(17, "there is such a file already", str(second))
    written = [path, second][: len(tables)]
    for file, (_, rows) in zip(written, tables, strict=True):
        write_csv(file, rows)
    return written


def _table(
    items: Sequence[Equipment] | Sequence[Process], columns: Mapping[str, str], language: Language
) -> Table:
    rows: Table = [list(columns.values() if language == "zh" else columns)]
    rows += [[_cell(column, getattr(item, column), language) for column in columns] for item in items]
    return rows


def _cell(column: str, value: Any, language: Language) -> Cell | Decimal:
    if isinstance(value, bool):
        return ("否", "是")[value] if language == "zh" else ("no", "yes")[value]
    if isinstance(value, tuple):
        return "；".join(value) if language == "zh" else "; ".join(value)
    if column == "asset_value":
        return None if value is None else (Decimal(value) / 100).quantize(Decimal("0.01"))
    if column == "industry" and language == "zh":
        return _IN_CHINESE[value]
    return value if isinstance(value, date | None) else str(value)


def write_csv(path: Path, rows: Table) -> None:
    # With the mark at its beginning, which tells Excel that it is UTF-8.
    with path.open("x", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(["" if cell is None else cell for cell in row] for row in rows)


def write_xlsx(path: Path, sheets: Sequence[tuple[str, Table]]) -> None:
    from openpyxl import Workbook  # type: ignore[import-untyped]  # it has no types
    from openpyxl.styles import Font  # type: ignore[import-untyped]  # as above

    workbook = Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets:
        sheet = workbook.create_sheet(title)
        for number, row in enumerate(rows, start=1):
            for index, value in enumerate(row, start=1):
                cell = sheet.cell(number, index, value)
                if isinstance(value, str):
                    cell.data_type = "s"  # text that begins with = is no formula
                    cell.number_format = "@"
                cell.font = Font(bold=number == 1)
        sheet.freeze_panes = "B2"
    with path.open("xb") as file:
        workbook.save(file)


def _write_yaml(path: Path, tables: Mapping[str, Table]) -> None:
    from ruamel.yaml import YAML

    content = {
        name: [
            {
                str(heading): str(cell)
                for heading, cell in zip(rows[0], row, strict=True)
                if cell not in (None, "")
            }
            for row in rows[1:]
        ]
        for name, rows in tables.items()
    }
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its type is that of its default
    with path.open("x", encoding="utf-8") as file:
        yaml.dump(content, file)
