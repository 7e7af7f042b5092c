"""The asset register: what its columns are, and what they say of each other."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import cast

from edge_agent.config.cells import TableReader
from edge_agent.config.errors import ConfigProblem
from edge_agent.config.tables import EQUIPMENT, PROCESSES, Row, Unreadable, read_table
from edge_agent.model.equipment import Control, Equipment, Industry, Process, Register

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
    "connect_reason": "不联网原因",
    "key": "关键设备",
    "processes": "所属工序",
    "robot": "工业机器人",
    "asset_value": "资产原值",
    "commissioned": "投用日期",
    "retired": "报废日期",
    "calendar": "日历",
    "handle": "标识",
    "tenant": "租户",
}
"""Columns of the register: the English heading and the Chinese one."""

PROCESS_COLUMNS = {
    "id": "工序编号",
    "name": "工序名称",
    "workshop": "车间",
    "key": "关键工序",
    "industry": "行业类型",
    "control": "控制方式",
}
"""Columns of the processes."""

REQUIRED = ("id", "name", "workshop")

_ALIASES = {
    "key_processes": "processes",
    "关键工序": "processes",
    "工序": "processes",
    "资产原值（元）": "asset_value",
    "资产原值(元)": "asset_value",
    "共享单位": "tenant",
    "标识编码": "handle",
    "工作日历": "calendar",
    "机器人": "robot",
}

INDUSTRIES: Mapping[str, Industry] = {
    "": "discrete",
    "discrete": "discrete",
    "离散": "discrete",
    "process": "process",
    "流程": "process",
}
_CONTROLS = {word: word for word in ("nc", "dnc", "cnc", "fmc", "plc", "dcs", "pcs")}
CONTROLS = {"": "", **_CONTROLS, "none": "", "无": ""}


def read_register(
    path: Path, shown: str, processes: tuple[Path, str] | None = None
) -> tuple[Register | None, list[ConfigProblem]]:
    """The register in `path`, and what is wrong with it; `shown` is the name that problems give the file.

    `processes` is a file of their own with the name to be shown; without it they are looked for in the
    register's: a sheet or key `processes` or 工序.

    The register holds every row that has an id, even where other cells of it are wrong, so that ids can
    be looked up; None if there is no table to read.
    """
    try:
        table = read_table(path, EQUIPMENT, alone=True)
    except Unreadable as error:
        return None, [error.problem(shown)]
    if not table:
        return None, [ConfigProblem(shown, 0, 0, "", "the register is empty", "a row of headings first")]
    equipment = _EquipmentReader(shown, table)
    process_path, process_shown = processes or (path, shown)
    try:
        process_table = read_table(process_path, PROCESSES, alone=processes is not None)
    except Unreadable as error:
        return Register(equipment.all({})), [*equipment.problems, error.problem(process_shown)]
    if not process_table:
        return Register(equipment.all({})), equipment.problems
    reader = _ProcessReader(process_shown, process_table)
    members = equipment.all(reader.names())
    listed = reader.all(members)
    return Register(members, listed), [*equipment.problems, *reader.problems]


class _EquipmentReader:
    def __init__(self, shown: str, table: Sequence[Row]) -> None:
        self._table = TableReader(shown, table[0], COLUMNS, REQUIRED, _ALIASES)
        self._rows = table[1:]

    @property
    def problems(self) -> list[ConfigProblem]:
        return self._table.problems

    def all(self, processes: Mapping[str, str]) -> tuple[Equipment, ...]:
        """Every equipment with an id; `processes`: the ids by id and by name."""
        return tuple(one for row in self._rows if (one := self._equipment(row, processes)) is not None)

    def _equipment(self, row: Row, processes: Mapping[str, str]) -> Equipment | None:
        """The equipment of one row, with defaults for what is wrong; None without an id."""
        table = self._table
        table.start(row)
        name = table.id(row, "equipment")
        equipment = Equipment(
            id=name,
            name=table.text(row, "name"),
            workshop=table.text(row, "workshop"),
            line=table.text(row, "line"),
            kind=table.text(row, "kind"),
            production=table.flag(row, "production", True),
            digital=table.flag(row, "digital", False),
            nc=table.flag(row, "nc", False),
            nc_ground=table.text(row, "nc_ground"),
            should_connect=table.flag(row, "should_connect", True),
            key=table.flag(row, "key", False),
            commissioned=table.day(row, "commissioned"),
            retired=table.day(row, "retired"),
            asset_value=table.fen(row, "asset_value"),
            processes=self._processes(row, processes),
            connect_reason=table.text(row, "connect_reason"),
            handle=table.text(row, "handle"),
            tenant=table.text(row, "tenant"),
            calendar=table.text(row, "calendar"),
            robot=table.flag(row, "robot", False),
        )
        start, end = equipment.commissioned, equipment.retired
        if start is not None and end is not None and end < start:
            found = f"retired on {end}, before it was commissioned on {start}"
            table.problem(row, "retired", found, f"a date from {start} on")
        return equipment if name else None

    def _processes(self, row: Row, known: Mapping[str, str]) -> tuple[str, ...]:
        words = self._table.words(row, "processes")
        for word in words:
            if word not in known:
                self._table.unknown(row, "processes", word, "process", known)
        return tuple(dict.fromkeys(known[word] for word in words if word in known))


class _ProcessReader:
    def __init__(self, shown: str, table: Sequence[Row]) -> None:
        self._table = TableReader(shown, table[0], PROCESS_COLUMNS, REQUIRED, {})
        self._processes = [(row, self._process(row)) for row in table[1:]]

    @property
    def problems(self) -> list[ConfigProblem]:
        return self._table.problems

    def names(self) -> Mapping[str, str]:
        """The id of each process by what a register may call it: its id or its name."""
        named = [(one.name, one.id) for _, one in self._processes if one.name]
        return dict(named) | {one.id: one.id for _, one in self._processes if one.id}

    def _process(self, row: Row) -> Process:
        table = self._table
        table.start(row)
        return Process(
            id=table.id(row, "process"),
            name=table.text(row, "name"),
            workshop=table.text(row, "workshop"),
            key=table.flag(row, "key", False),
            industry=cast(Industry, table.choice(row, "industry", INDUSTRIES)),
            control=cast(Control, table.choice(row, "control", CONTROLS)),
        )

    def all(self, equipment: Sequence[Equipment]) -> tuple[Process, ...]:
        """Every process with an id, looked up in the equipment."""
        workshops = dict.fromkeys(one.workshop for one in equipment)
        served = set(chain.from_iterable(one.processes for one in equipment))
        for row, process in self._processes:
            if process.workshop and process.workshop not in workshops:
                known = filter(None, workshops)
                self._table.unknown(row, "workshop", process.workshop, "workshop of an equipment", known)
            if process.id and process.key and process.id not in served:
                found = f"{process.id} is a key process, and no equipment serves it"
                expected = f"equipment with {process.id} in its column processes 所属工序"
                self._table.problem(row, "id", found, expected)
        return tuple(one for _, one in self._processes if one.id)
