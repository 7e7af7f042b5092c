"""The proposals of `edge-agent match` as a table that people correct, and what they made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.config.errors import ConfigError, ConfigProblem, did_you_mean
from edge_agent.config.register_files import Table, write_csv
from edge_agent.config.tables import Row, Unreadable, cell_text, read_table
from edge_agent.matching.machines import Machine
from edge_agent.matching.proposals import Matching
from edge_agent.model.equipment import Register

EQUIPMENT, PROFILE, WHERE, PART = "设备编号 equipment", "模板 profile", "地址 where", "部分 part"
_SHOWN = (
    "设备名称 name",
    "协议 protocol",
    "厂商 maker",
    "型号 model",
    "序列号 serial",
    "把握 confidence",
    "依据 why",
)
HEADINGS = (EQUIPMENT, PROFILE, WHERE, PART, *_SHOWN)


@dataclass(frozen=True, slots=True)
class Decisions:
    """By the index of the machine."""

    equipment: dict[int, str]
    """"" for none of the register."""
    profiles: dict[int, str]


def write_proposals(file: Path, matching: Matching) -> None:
    """Write a new CSV file: first the proposals, then the machines without one. Raises OSError."""
    rows: Table = [list(HEADINGS)]
    for one in matching.proposals:
        found = one.machine.found
        shown = (one.equipment.name, one.machine.protocols, found.maker, found.model, found.serial_number)
        rows.append(
            [
                one.equipment.id,
                found.profile,
                found.where,
                found.part,
                *shown,
                one.confidence.value,
                "; ".join(one.why),
            ]
        )
    for stranger in matching.strangers:
        found = stranger.found
        shown = ("", stranger.protocols, found.maker, found.model, found.serial_number)
        rows.append(["", found.profile, found.where, found.part, *shown, "", ""])
    write_csv(file, [[_inert(cell) for cell in row] for row in rows])


def _inert(cell: object) -> str:
    """A cell that Excel takes for text: strangers name themselves, and may begin with `=`."""
    text = str(cell)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def decisions(file: Path, machines: Sequence[Machine], register: Register) -> Decisions:
    """What a corrected file says. Raises ConfigError with every mistake."""
    try:
        table = read_table(file, ("proposals", "建议"), alone=True)
    except Unreadable as error:
        raise ConfigError([error.problem(str(file))]) from None
    reader = _Reader(file, machines, register)
    return reader.read(table)


class _Reader:
    def __init__(self, file: Path, machines: Sequence[Machine], register: Register) -> None:
        self._file = file
        self._places = {
            (_inert(one.found.where), _inert(one.found.part)): index for index, one in enumerate(machines)
        }
        self._register = register
        self._problems: list[ConfigProblem] = []
        self._columns: dict[str, int] = {}

    def read(self, table: Sequence[Row] | None) -> Decisions:
        self._columns = {cell_text(cell): index for index, cell in enumerate(table[0].cells)} if table else {}
        absent = [name for name in (EQUIPMENT, PROFILE, WHERE, PART) if name not in self._columns]
        if absent:
            found = f"has no column {', '.join(absent)}"
            raise ConfigError(
                [
                    ConfigProblem(
                        str(self._file), 1, 1, "", found, "the headings that edge-agent match --csv wrote"
                    )
                ]
            )
        said = Decisions({}, {})
        for row in (table or ())[1:]:
            self._take(row, said)
        if self._problems:
            raise ConfigError(self._problems)
        return said

    def _take(self, row: Row, said: Decisions) -> None:
        equipment, profile, where, part = (
            self._cell(row, name) for name in (EQUIPMENT, PROFILE, WHERE, PART)
        )
        if not any((equipment, profile, where, part)):
            return
        index = self._places.get((where, part))
        if index is None:
            self._problem(
                row, WHERE, f'found "{where} {part}", which is not among what was found', "as it was"
            )
            return
        if equipment and equipment not in self._register.by_id:
            hint = did_you_mean(equipment, self._register.by_id)
            self._problem(
                row, EQUIPMENT, f'found "{equipment}", which is not in the register', "its id", hint
            )
        elif equipment and equipment in said.equipment.values():
            self._problem(row, EQUIPMENT, f'"{equipment}" is given twice', "each equipment once")
        said.equipment[index] = equipment
        said.profiles[index] = profile

    def _cell(self, row: Row, column: str) -> str:
        index = self._columns[column]
        return cell_text(row.cells[index]) if index < len(row.cells) else ""

    def _problem(self, row: Row, column: str, found: str, expected: str, hint: str = "") -> None:
        line, at, name = row.place(self._columns[column])
        self._problems.append(
            ConfigProblem(str(self._file), line, at, f"{name} {column}", found, expected, hint)
        )
