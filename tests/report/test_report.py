"""`edge-agent report`: what is written is what was stated, and nothing is written that was not."""

import os
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from subprocess import run
from typing import Any

import click
import pytest
from click.testing import CliRunner
from openpyxl import load_workbook  # type: ignore[import-untyped]  # it has no types

from edge_agent.cli.main import main
from edge_agent.config.site import load_site, planned_calendars
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import PeriodKind, period_at
from edge_agent.report.gather import Stated, gather
from edge_agent.states.reading import HistoryReader
from edge_agent.verifier import verify
from tests.report.conftest import Made, pages, report
from tests.report.plant import HIDDEN, ZONE, at, report_plant

ROOT = Path(__file__).parents[2]
OCTOBER = period_at(PeriodKind.MONTH, at("2026-10-15 12:00"), ZONE)


def stated(demo: Path) -> list[Stated]:
    return list(gather(load_site(demo), date(2026, 10, 1)).stated)


def rows(xlsx: Path, sheet: str) -> Iterator[dict[str, Any]]:
    """The rows of a sheet by its headings."""
    headings, *content = load_workbook(xlsx)[sheet].iter_rows(values_only=True)
    return (dict(zip(headings, row, strict=True)) for row in content)


def without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_every_figure_of_the_workbook_is_the_one_stated(made: Made) -> None:
    found = {}
    for row in rows(made.xlsx, "指标"):
        found[row["口径"], row["层级"], row["范围"]] = (
            row["版本"], row["声明编号"], row["分子"], row["分母"], row["比率"], row["状态未知"],
        )  # fmt: skip
    expected = {}
    for one in stated(made.demo):
        definition = one.message.definition
        for figure in one.message.figures:
            scope, rate = figure.scope, figure.rate
            counts: list[float] = [figure.numerator, figure.denominator]
            level = {"enterprise": "企业", "workshop": "车间", "line": "产线"}[scope.level]
            name = {"企业": "企业", "车间": scope.id, "产线": f"{scope.workshop} / {scope.id}"}[level]
            if definition.weight == "asset_value":
                counts = [fen / 100 for fen in counts]
            if definition.unit == "per_10000_employees" and rate is not None:
                rate *= 10_000
            reason = {"denominator_zero": "分母为零", "headcount_missing": "缺从业人数", "": ""}[
                figure.reason
            ]
            # A workbook has sixteen digits.
            shown = reason if rate is None else pytest.approx(rate, rel=1e-15)
            expected[definition.id, level, name] = (
                definition.version, one.message.number, *counts, shown, figure.unknown,
            )  # fmt: skip
    assert len({definition for definition, _, _ in expected}) == 13
    assert found == expected


def test_every_judgement_of_the_workbook_is_the_one_stated(made: Made) -> None:
    found = {
        (row["口径"], row["设备编号"]): (row["计入分母"], row["计入分子"], row["有效读数"])
        for row in rows(made.xlsx, "逐台判定")
    }
    yes = {True: "是", False: "否"}
    expected = {
        (one.message.definition.id, line.equipment): (
            yes[line.in_denominator],
            yes[line.in_numerator],
            line.good_readings if one.message.evidence_from < one.message.evidence_to else None,
        )
        for one in stated(made.demo)
        for line in one.message.evidence.equipment
    }
    assert found == expected
    machines = {row["设备编号"]: row for row in rows(made.xlsx, "设备")}
    assert (machines["CNC-01"]["联网等级"], machines["CNC-01"]["有效读数（24 小时）"]) == ("在线", 84_000)
    assert (machines["GRD-01"]["联网等级"], machines["GRD-01"]["有效读数（24 小时）"]) == ("已登记", 0)
    assert str(machines["GRD-01"]["最近有效读数"]) == "2026-10-10 11:59:59"


def test_machine_time_is_that_of_the_account_and_adds_up(made: Made) -> None:
    site = load_site(made.demo)
    with closing(HistoryReader.look(site.data_dir / "history.db")) as history:
        time = MachineTime(history, ZONE, planned_calendars(site))
        accounts = {
            one.id: time.account(one.id, OCTOBER, (), OCTOBER.to_ms)
            for one in site.register.equipment
            if one.id != "LAT-01"  # retired in 2024
        }
    states = {
        "运行": "running",
        "待机": "idle",
        "调试": "setup",
        "报警": "alarm",
        "关机": "off",
        "未知": "unknown",
    }
    found = {row["设备编号"]: row for row in rows(made.xlsx, "设备时间")}
    assert found.keys() == accounts.keys()
    for name, account in accounts.items():
        shown = {state: found[name][heading] for heading, state in states.items()}
        assert sum(shown.values(), timedelta()) == timedelta(days=31)
        for state, length in shown.items():
            ms = sum(one.ms for one in account.times if one.state == state)
            assert length == timedelta(milliseconds=ms), (name, state)
    values = {(row["设备编号"], row["指标"]): row for row in rows(made.xlsx, "效率指标")}
    assert len(values) == sum(len(account.figures) for account in accounts.values())
    for name, account in accounts.items():
        for figure in account.figures:
            row = values[name, figure.id]
            assert (row["分子"], row["分母"]) == (figure.numerator, figure.denominator)
            assert bool(row["原因"]) == (figure.value is None)
            if row["数值"] is not None:
                assert row["数值"] == pytest.approx(figure.value, rel=1e-15)


def test_the_document_says_it_too(made: Made) -> None:
    text = "".join(made.pages)
    first = made.pages[0]
    assert "工业设备联网与数控化月度报告" in first
    assert "91330300MA00DEM06A" in first
    for one in stated(made.demo):
        message, figure = one.message, one.message.figures[0]
        title = message.definition.title["zh"]
        assert title in first
        assert message.definition.id in text
        assert str(message.number) in first
        for whole in (message.signature, one.kept.digest, figure.evidence, message.key):
            assert whole in without_blanks(text), title
    assert re.search(r"8 +生产设备联网率 +11 +18 +61\.1% +66\.7% +-5\.6 +7 +34", first), first
    assert re.search(r"¥8,220,000\.00 +¥9,958,000\.00 +82\.5%", first)
    assert "联网设备占设备总数的比重" in text
    assert "登记为应联网，一日内无数据证据" in text
    assert re.search(r"无有效数据 +7 +CNC-03, DRL-01, EDM-01, GRD-01, PRS-03, SCR-01, SHR-01", text)


def test_each_page_has_its_header_and_number(made: Made) -> None:
    of_all = made.pages
    assert len(of_all) > 10
    for number, page in enumerate(of_all, 1):
        assert f"第 {number} 页，共 {len(of_all)} 页" in page
        assert re.match(
            r"\s*工业设备联网与数控化月度报告 +2026-10 +91330300MA00DEM06A 示范工厂边缘网关\n", page
        )


def test_every_font_is_in_the_document(made: Made) -> None:
    done = run(["pdffonts", made.pdf], check=True, capture_output=True, text=True, timeout=60)
    fonts = done.stdout.splitlines()[2:]
    assert fonts
    for line in fonts:
        assert line.split()[-5] == "yes", line  # emb sub uni object ID


def test_the_same_data_gives_the_same_bytes(made: Made, tmp_path: Path) -> None:
    """In another process, with other hashes, at another time, by other clocks."""
    program = [sys.executable, "-m", "edge_agent", "report", str(made.demo)]
    program += ["--month", "2026-10", "--output", str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "TZ": "America/Lima"}
    run(program, check=True, env=environment, capture_output=True, timeout=120)
    for file in (made.pdf, made.xlsx):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_commands_that_it_shows_verify_it(made: Made, tmp_path: Path) -> None:
    lines = [cell for (cell, *_) in load_workbook(made.xlsx)["核验方法"].iter_rows(values_only=True) if cell]
    export, check = (shlex.split(line) for line in lines if line.startswith("edge-agent "))
    file = tmp_path / "2026-10.json"
    words = {"CONFIG": str(made.demo), "2026-10.json": str(file)}
    for command in (export, check):
        done = CliRunner().invoke(main, [words.get(word, word) for word in command[1:]])
        assert done.exit_code == 0, done.output
    checked = verify(file.read_bytes(), [check[-1]])
    assert checked.failures == []
    numbers = {one.message.number for one in stated(made.demo)}
    assert {int(number) for number in export if number.isdigit()} == numbers


def test_nothing_tells_who_uses_a_machine(made: Made) -> None:
    everything = "".join(made.pages) + "".join(
        str(cell)
        for sheet in load_workbook(made.xlsx)
        for row in sheet.iter_rows(values_only=True)
        for cell in row
    )
    assert "数控车床1号" in everything
    for hidden in HIDDEN:
        assert hidden not in without_blanks(everything)


def test_the_workbook_is_one_to_work_with(made: Made) -> None:
    book = load_workbook(made.xlsx)
    assert book.sheetnames == [
        "概要", "指标", "口径", "趋势", "政策目标", "设备", "逐台判定", "工序", "登记与证据不一致",
        "设备时间", "效率指标", "核验方法", "声明",
    ]  # fmt: skip
    for name in ("指标", "设备", "逐台判定", "设备时间", "效率指标", "趋势", "声明"):
        sheet = book[name]
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref.startswith("A1:")
        widths = [sheet.column_dimensions[cell.column_letter].width for cell in sheet[1]]
        assert min(widths) >= 9
    assert book["指标"]["I2"].number_format == "0.0%"
    statements = {row["声明编号"]: row for row in rows(made.xlsx, "声明")}
    for one in stated(made.demo):
        assert statements[one.message.number]["签名 Ed25519"] == one.message.signature


def test_months_before_and_targets(made: Made) -> None:
    trend = [row for row in rows(made.xlsx, "趋势") if row["口径"] == "networked-rate/of-nc"]
    assert [(row["报告月份"], row["分子"], row["分母"]) for row in trend] == [
        ("2026-08", 9, 11), ("2026-09", 9, 11), ("2026-10", 8, 11),
    ]  # fmt: skip
    targets = {(row["目标"].split("\n")[1], row["口径"]): row for row in rows(made.xlsx, "政策目标")}
    judged = targets["wenzhou-2020-93/nc-rate", "nc-rate/by-count"]
    assert judged["结论"] == "期限已过，差 5.89 个百分点（依据 2026-10-31，无期限时数据）"
    assert judged["现值"] == pytest.approx(11 / 18)
    assert judged["目标值"] == 0.67
    assert "（对比）" in judged["目标"]


def test_in_english(made: Made, tmp_path: Path) -> None:
    done = report(made.demo, tmp_path, "--language", "en")
    assert done.exit_code == 0, done.output
    of_all = pages(tmp_path / "report-gw-demo-01-2026-10-en.pdf")
    assert "Monthly report on networked and NC equipment" in of_all[0]
    assert f"page 2 / {len(of_all)}" in of_all[1]
    assert "数控车床1号" in "".join(of_all), "names are those of the register"
    assert "Equipment networking rate, live" in of_all[0]


def test_a_corrected_register_gives_another_report(tmp_path: Path) -> None:
    demo = report_plant(tmp_path)
    before = {one.message.definition.id: one for one in stated(demo)}
    text = (demo / "register.csv").read_text("utf-8-sig")
    scrapped = re.sub(r"^(EDM-01,.*,)$", r"\g<1>2026-10-15", text, flags=re.M)
    assert scrapped != text
    (demo / "corrected.csv").write_text(scrapped, "utf-8")
    arguments = ["--from", "2026-10-31", "--to", "2026-11-01", "--register", str(demo / "corrected.csv")]
    arguments += ["--definition", "nc-rate/by-count", "--processes", str(demo / "processes.csv")]
    done = CliRunner().invoke(main, ["recompute", str(demo), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    after = {one.message.definition.id: one for one in stated(demo)}
    assert report(demo, tmp_path).exit_code == 0
    xlsx = tmp_path / "report-gw-demo-01-2026-10-zh.xlsx"
    enterprise = {row["口径"]: row for row in rows(xlsx, "指标") if row["层级"] == "企业"}
    corrected = enterprise["nc-rate/by-count"]
    assert (corrected["分子"], corrected["分母"]) == (10, 17)
    assert corrected["声明编号"] == after["nc-rate/by-count"].message.number
    assert corrected["声明编号"] > before["nc-rate/by-count"].message.number
    assert enterprise["networked-rate/live"]["分母"] == 18
    statements = {row["声明编号"]: row for row in rows(xlsx, "声明")}
    superseded = statements[corrected["声明编号"]]["替代"]
    assert superseded == before["nc-rate/by-count"].message.number
    assert "台账版本不一致" in pages(xlsx.with_suffix(".pdf"))[0]


def test_what_was_not_stated_is_named(made: Made, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    shutil.copytree(made.demo, demo)
    (demo / "own").mkdir()
    shipped = (ROOT / "configs" / "definitions" / "nc-rate-by-count.yaml").read_text("utf-8")
    (demo / "own" / "new.yaml").write_text(shipped.replace("nc-rate/by-count", "nc-rate/new"), "utf-8")
    (demo / "own.yaml").write_text("indicators: {definitions_dir: own}\n", "utf-8")
    assert report(demo, tmp_path).exit_code == 0
    first = pages(tmp_path / "report-gw-demo-01-2026-10-zh.pdf")[0]
    assert "下列口径当月没有声明，因此不列：nc-rate/new" in first


@pytest.mark.parametrize(
    ("month", "message"),
    [
        ("2026-11", "2026-11 is not over yet"),
        ("2027-03", "2027-03 is not over yet"),
        ("2026-07", "recompute CONFIG --from 2026-07-01 --to 2026-08-01"),
        ("2025-12", "recompute CONFIG --from 2025-12-01 --to 2026-01-01"),
    ],
)
def test_a_month_without_statements_is_refused(made: Made, tmp_path: Path, month: str, message: str) -> None:
    done = report(made.demo, tmp_path, month=month)
    assert done.exit_code == 1
    assert message in done.output
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(made: Made, tmp_path: Path) -> None:
    (tmp_path / made.xlsx.name).write_text("mine")
    done = report(made.demo, tmp_path)
    assert done.exit_code == 1
    assert "is there already 文件已存在" in done.output
    assert [path.name for path in tmp_path.iterdir()] == [made.xlsx.name]


def test_without_a_history(made: Made, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    shutil.copytree(made.demo, demo, ignore=shutil.ignore_patterns("data"))
    done = report(demo, tmp_path)
    assert done.exit_code == 1
    assert "has the agent run yet? 尚无运行记录" in done.output


def test_without_reportlab(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "reportlab"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("fonts", "pdf", "charts"):
        monkeypatch.delitem(sys.modules, f"edge_agent.report.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "reportlab", None)
    done = report(made.demo, tmp_path)
    assert done.exit_code == 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (wanted,) = project["optional-dependencies"]["report"]
    assert f'pip install "{wanted}"' in done.output
    assert wanted in CliRunner().invoke(main, ["report", "--help"]).output
    assert "Traceback" not in done.output


def test_every_option_is_on_its_page() -> None:
    command = main.get_command(click.Context(main), "report")
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    page = (ROOT / "docs" / "report.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(--[a-z]+)` \|", page, re.M)) == options
