"""Registers as they come: from editors, from Excel, in two languages and encodings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook  # type: ignore[import-untyped]  # it has no types

from edge_agent.config.register import read_register, register_digest
from edge_agent.model.equipment import Equipment, Register

ENGLISH = [
    "id,name,workshop,line,kind,production,digital,nc,nc_ground,should_connect,key,commissioned,retired",
    "CNC-01,数控车床,一车间,A线,机床,yes,1,true,FANUC 0i,是,1,2021-03-01,",
    "SAW-02,带锯,二车间,,锯床,是,0,否,,no,false,2009/7/15,2024-12-31",
    "CAR-03,叉车,二车间,,,no,,,,0,,,",
]
CHINESE = [
    "设备编号,设备名称,车间,产线,设备类别,生产设备,数字化,数控,数控依据,应联网,关键设备,投用日期,报废日期",
    *ENGLISH[1:],
]
EXPECTED = (
    Equipment(
        id="CNC-01", name="数控车床", workshop="一车间", line="A线", kind="机床", digital=True, nc=True,
        nc_ground="FANUC 0i", key=True, commissioned=date(2021, 3, 1),
    ),
    Equipment(
        id="SAW-02", name="带锯", workshop="二车间", kind="锯床", should_connect=False,
        commissioned=date(2009, 7, 15), retired=date(2024, 12, 31),
    ),
    Equipment(id="CAR-03", name="叉车", workshop="二车间", production=False, should_connect=False),
)  # fmt: skip


def read(path: Path) -> Register:
    register, problems = read_register(path, path.name)
    assert problems == []
    assert register is not None
    return register


def problems_of(path: Path) -> list[str]:
    return [str(problem) for problem in read_register(path, path.name)[1]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("lines", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_csv(tmp_path: Path, lines: Sequence[str], delimiter: str, encoding: str) -> None:
    path = tmp_path / "register.csv"
    text = "\r\n".join(lines).replace(",", delimiter)
    path.write_bytes(text.encode(encoding))
    register = read(path)
    assert register.equipment == EXPECTED
    assert register.digest == register_digest(EXPECTED)
    assert register.workshops == ("一车间", "二车间")


def write_xlsx(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    workbook = Workbook()
    for row in rows:
        workbook.active.append(list(row))
    workbook.save(path)
    return path


def test_xlsx_with_cells_of_every_kind(tmp_path: Path) -> None:
    rows: list[list[object]] = [list(line.split(",")) for line in CHINESE]
    rows[1][5:8] = [True, 1, "true"]
    rows[1][11] = datetime(2021, 3, 1)
    rows[2][7] = False
    register = read(write_xlsx(tmp_path / "register.xlsx", rows))
    assert register.equipment == EXPECTED
    assert register.digest == register_digest(EXPECTED)


def test_a_number_is_an_id_as_excel_shows_it(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "r.xlsx", [["id", "name", "workshop"], [1001, "a", "b"], [1002.0, "a", "b"]])
    assert [one.id for one in read(path).equipment] == ["1001", "1002"]


def test_xlsx_problems_name_the_cell(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["车间", "设备编号", "设备名称", "投用日期", "数控"],
        ["一车间", "CNC-01", "车床", 44256, "也许"],
        [],
        ["一车间", "CNC-01", None, datetime(2021, 3, 1, 8, 30), None],
    ]
    assert problems_of(write_xlsx(tmp_path / "register.xlsx", rows)) == [
        'register.xlsx:2:5: E2 nc: found "也许" (expected: yes or no, true or false, 1 or 0, 是 or 否)',
        'register.xlsx:2:4: D2 commissioned: found "44256" (expected: a date such as 2021-03-01 or 2021/3/1)',
        'register.xlsx:4:2: B4 id: found "CNC-01", already in row 2 '
        "(expected: each equipment with an id of its own)",
        "register.xlsx:4:3: C4 name: missing (expected: text)",
        'register.xlsx:4:4: D4 commissioned: found "2021-03-01 08:30:00" '
        "(expected: a date such as 2021-03-01 or 2021/3/1)",
    ]


def test_columns_behind_z_are_named_as_excel_names_them(tmp_path: Path) -> None:
    headings = ["id", "name", "workshop", *[""] * 24, "colour"]
    (problem,) = problems_of(write_xlsx(tmp_path / "register.xlsx", [headings]))
    assert problem.startswith('register.xlsx:1:28: AB1: unknown column "colour"')


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("r.csv", b"", "the register is empty"),
        ("r.csv", b"\n\n", "the register is empty"),
        ("r.csv", b"id,name\nA,\xff\xff\n", "is neither UTF-8 nor GB18030 (GBK)"),
        ("r.csv", "id,name,workshop\n".encode("utf-16"), "is not CSV"),
        ("r.csv", b'id,name,workshop\nA,"B,C\n', "is not valid CSV: unexpected end of data"),
        ("r.xlsx", b"id,name,workshop\n", "is not a workbook: File is not a zip file"),
    ],
)
def test_no_table(tmp_path: Path, name: str, content: bytes, found: str) -> None:
    (tmp_path / name).write_bytes(content)
    register, (problem,) = read_register(tmp_path / name, name)
    assert register is None
    assert problem.found == found


def test_the_digest_follows_content_alone() -> None:
    assert register_digest(EXPECTED) == register_digest(EXPECTED[::-1])
    assert register_digest(EXPECTED) != register_digest((replace(EXPECTED[0], nc=False), *EXPECTED[1:]))
