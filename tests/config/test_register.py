"""Registers as they come: from editors, from Excel, in two languages and encodings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook  # type: ignore[import-untyped]  # it has no types

from edge_agent.config.register import read_register
from edge_agent.config.register_files import write_register
from edge_agent.model.equipment import Equipment, Process, Register
from edge_agent.words import Language

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
    assert register.digest == Register(EXPECTED).digest
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
    assert register.digest == Register(EXPECTED).digest


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
    digest = Register(EXPECTED).digest
    assert Register(EXPECTED[::-1]).digest == digest
    assert Register((replace(EXPECTED[0], nc=False), *EXPECTED[1:])).digest != digest
    assert Register((replace(EXPECTED[0], handle="88.118.8/1"), *EXPECTED[1:])).digest != digest


# Further columns, processes, and other formats.

FULL = """\
设备编号,设备名称,车间,资产原值（元）,关键工序,不联网原因,标识,共享单位,日历,工业机器人,应联网
CNC-01,数控车床,一车间,"1,250,000.50",OP10；磨削,,88.118.8/CNC-01,,两班,否,是
ROB-01,机器人,一车间,350000,OP20,无接口,,乙公司,,是,否
"""
PROCESSES = """\
工序编号,工序名称,车间,关键工序,行业类型,控制方式
OP10,车削,一车间,是,离散,CNC
OP20,磨削,一车间,否,,无
OP30,混料,一车间,否,流程,dcs
"""
FULL_REGISTER = Register(
    (
        Equipment(
            id="CNC-01", name="数控车床", workshop="一车间", asset_value=125_000_050,
            processes=("OP10", "OP20"), handle="88.118.8/CNC-01", calendar="两班",
        ),
        Equipment(
            id="ROB-01", name="机器人", workshop="一车间", asset_value=35_000_000, processes=("OP20",),
            connect_reason="无接口", tenant="乙公司", robot=True, should_connect=False,
        ),
    ),
    (
        Process("OP10", "车削", "一车间", key=True, control="cnc"),
        Process("OP20", "磨削", "一车间"),
        Process("OP30", "混料", "一车间", industry="process", control="dcs"),
    ),
)  # fmt: skip


def write_full(folder: Path, register: str = FULL, processes: str = PROCESSES) -> tuple[Path, Path]:
    (folder / "register.csv").write_text(register, "utf-8")
    (folder / "processes.csv").write_text(processes, "utf-8")
    return folder / "register.csv", folder / "processes.csv"


def both(folder: Path, register: str = FULL, processes: str = PROCESSES) -> tuple[Register | None, list[str]]:
    path, of_processes = write_full(folder, register, processes)
    found, problems = read_register(path, path.name, (of_processes, of_processes.name))
    return found, [str(problem) for problem in problems]


def test_every_column_and_the_processes(tmp_path: Path) -> None:
    assert both(tmp_path) == (FULL_REGISTER, [])


@pytest.mark.parametrize("name", ["r.csv", "r.xlsx", "r.yaml"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str, language: Language) -> None:
    written = write_register(FULL_REGISTER, tmp_path / name, language)
    processes = (written[1], written[1].name) if len(written) == 2 else None
    assert read_register(written[0], name, processes) == (FULL_REGISTER, [])
    with pytest.raises(FileExistsError):
        write_register(FULL_REGISTER, tmp_path / name, language)


@given(
    register=st.builds(
        lambda one: Register((one,)),
        st.builds(
            Equipment,
            id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True),
            name=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1),
            workshop=st.just("=1+1"),
            production=st.booleans(),
            robot=st.booleans(),
            commissioned=st.none() | st.dates(date(1900, 3, 1), date(2100, 1, 1)),
            asset_value=st.none() | st.integers(0, 10**13),
        ),
    ),
    suffix=st.sampled_from([".csv", ".xlsx", ".yaml"]),
    language=st.sampled_from(["zh", "en"]),
)
@settings(deadline=None, max_examples=60)
def test_any_register_survives_a_file(register: Register, suffix: str, language: Language) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"r{suffix}"
        write_register(register, path, language)
        assert read_register(path, "r") == (register, [])


YAML_REGISTER = """\
equipment:
  - {id: CNC-01, name: 数控车床, workshop: 一车间, asset_value: 1250000.5, processes: [OP10, 磨削],
     handle: 88.118.8/CNC-01, calendar: 两班}
  - {id: ROB-01, name: 机器人, workshop: 一车间, asset_value: 350000, processes: OP20, connect_reason: 无接口,
     tenant: 乙公司, robot: true, should_connect: false}
processes:
  - {id: OP10, name: 车削, workshop: 一车间, key: true, control: cnc}
  - {id: OP20, name: 磨削, workshop: 一车间}
  - {id: OP30, name: 混料, workshop: 一车间, industry: process, control: dcs}
"""


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "register.yaml"
    path.write_text(YAML_REGISTER, "utf-8")
    assert read(path) == FULL_REGISTER


def test_yaml_under_chinese_keys(tmp_path: Path) -> None:
    path = tmp_path / "register.yml"
    path.write_text("设备:\n  - {设备编号: A-1, 设备名称: 甲, 车间: 乙, 数控: 是}\n", "utf-8")
    assert read(path).equipment == (Equipment("A-1", "甲", "乙", nc=True),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("equipment:\n- {id: A, name: a, workshop: b, nc: maybe}\n", '2:37: equipment[0] nc: found "maybe"'),
        (
            "equipment:\n- {id: A, workshop: b, name: a}\n- {id: B, name: a}\n",
            "3:3: equipment[1] workshop: missing",
        ),
        (
            "equipment:\n- {id: A, name: a, workshop: b, colour: red}\n",
            '2:33: equipment[0]: unknown column "colour"',
        ),
        ("equipment:\n- {id: A, name: a}\n", "2:4: equipment[0] id: there is no column workshop"),
        ("equipment:\n- A-1\n", '2:3: found "A-1" (expected: a list of mappings'),
        ("equipment: {id: A-1}\n", "1:12: found a mapping (expected: a list of mappings"),
        ("machines: []\n", "1:1: unknown key machines"),
        ("equipment: []\n", "the register is empty"),
        ("{}\n", "the register is empty"),
        ("equipment: [\n", "is not valid YAML"),
        ("equipment:\n- {id: A, name: {a: b}, workshop: b}\n", "2:17: found a mapping (expected: text"),
    ],
)
def test_yaml_problems_name_the_place(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "register.yaml"
    path.write_text(text, "utf-8")
    (found,) = problems_of(path)
    assert problem in found
    assert found.startswith("register.yaml:")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("350000,", "350000.123,", 'register.csv:3:4: D3 asset_value: found "350000.123" (expected: yuan'),
        ("350000,", "35万,", 'register.csv:3:4: D3 asset_value: found "35万" (expected: yuan'),
        ("350000,", "100000000000.01,", 'register.csv:3:4: D3 asset_value: found "100000000000.01"'),
        ("350000,", "-5,", 'register.csv:3:4: D3 asset_value: found "-5" (expected: yuan'),
        ("OP10；磨削", "OP10；磨消", 'register.csv:2:5: E2 processes: found "磨消", which is no process'),
        ("OP10；", "", "processes.csv:2:1: A2 id: OP10 is a key process, and no equipment serves it"),
        ("车削,一车间", "车削,二车间", 'processes.csv:2:3: C2 workshop: found "二车间", which is no work'),
        ("CNC\n", "abacus\n", 'processes.csv:2:6: F2 control: found "abacus" (expected: one of: nc, dnc'),
        ("是,离散", "是,农业", 'processes.csv:2:5: E2 industry: found "农业" (expected: one of: discrete'),
        ("OP30,", "OP10,", 'processes.csv:4:1: A4 id: found "OP10", already in row 2'),
        ("工序名称", "名称", 'processes.csv:1:2: B1: unknown column "名称"; did you mean "工序名称"?'),
    ],
)  # fmt: skip
def test_problems_of_values_and_processes(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in FULL + PROCESSES
    found, problems = both(tmp_path, FULL.replace(old, new), PROCESSES.replace(old, new))
    assert found is not None
    assert any(one.startswith(problem) for one in problems), problems


def test_processes_that_nobody_has_written_down(tmp_path: Path) -> None:
    path, _ = write_full(tmp_path)
    assert [problem.partition(" (expected")[0] for problem in problems_of(path)] == [
        'register.csv:2:5: E2 processes: found "OP10", which is no process',
        'register.csv:2:5: E2 processes: found "磨削", which is no process',
        'register.csv:3:5: E3 processes: found "OP20", which is no process',
    ]


def test_processes_that_cannot_be_read(tmp_path: Path) -> None:
    assert both(tmp_path, FULL.replace("OP10；磨削", "").replace("OP20", ""), '"')[1] == [
        "processes.csv:1:1: is not valid CSV: unexpected end of data (expected: valid CSV)"
    ]


def test_the_version_is_of_processes_and_headcount_too() -> None:
    others = [
        replace(FULL_REGISTER, headcount=5),
        replace(FULL_REGISTER, processes=FULL_REGISTER.processes[1:]),
    ]
    assert len({one.version for one in (FULL_REGISTER, *others)}) == 3
    assert {one.digest for one in others} == {FULL_REGISTER.digest}


def test_a_column_that_was_added_changes_no_digest_where_it_is_empty() -> None:
    """As it was worked out when the register had thirteen columns."""
    assert Register(EXPECTED).digest == "16890160238bb4b3dce1b7cfb10fde0f81a9c41d13c92e18bec35acd4cafe8fc"
