"""What a report consists of, as PDF and as workbook, whatever it says."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook  # type: ignore[import-untyped]  # it has no types

from edge_agent.model.state import MachineState
from edge_agent.report.content import (
    Block,
    Cell,
    Column,
    Duration,
    Energy,
    Goal,
    Heading,
    Money,
    Rate,
    Report,
    Row,
    Section,
    Shares,
    Table,
    Text,
    Trend,
    Trends,
)
from edge_agent.report.pdf import pdf
from edge_agent.report.xlsx import xlsx
from tests.report.conftest import pages
from tests.report.plant import at


def of(*blocks: Block) -> Report:
    return Report(
        "报告",
        "2026-10",
        "企业",
        "{page}/{pages}",
        "Asia/Shanghai",
        at("2026-11-01 00:00"),
        [Section("一", blocks)],
    )


def read(report: Report, sheet: str) -> list[tuple[Any, ...]]:
    return list(load_workbook(BytesIO(xlsx(report)))[sheet].iter_rows(values_only=True))


NUMBERS = st.one_of(
    st.integers(0, 10**15),
    st.builds(Rate, st.floats(0, 1)),
    st.builds(Money, st.integers(0, 10**13)),
    st.builds(Duration, st.integers(0, 32 * 86_400_000)),
    st.builds(Energy, st.integers(0, 10**12)),
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=40, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=8))
@example([Money(1), Money(821_999_999), Duration(1), Duration(2_678_399_999), Rate(2 / 3), 10**15])
def test_numbers_of_a_workbook_are_those_of_the_report(cells: list[Cell]) -> None:
    table = Table([Column(str(place), 10) for place in range(len(cells))], [Row(cells)], sheet="t")
    _, row = read(of(table), "t")
    for cell, found in zip(cells, row, strict=True):
        match cell:
            case Rate(value):
                assert found == pytest.approx(value, rel=1e-15)  # it has sixteen digits
            case Money(fen):
                assert round(found * 100) == fen
            case Energy(wh):
                assert found * 1000 == pytest.approx(wh, rel=1e-15)
            case Duration(ms):
                length = found if isinstance(found, timedelta) else timedelta(hours=found.hour)
                assert length == timedelta(milliseconds=ms)
            case _:
                assert found == cell


@settings(max_examples=8, deadline=None)
@given(ANY_TEXT)
@example("=1+1")
@example("<b>&amp;</b>")
@example("a\x00b\x0bc")
def test_any_text_can_be_written(text: str) -> None:
    """Formulas are text, marks of a page's language are shown as they stand."""
    report = of(Heading(text), Text(text, sheet="u"), Table([Column(text, 10)], [Row([text])], sheet="t"))
    assert pdf(report, None).startswith(b"%PDF")
    cell = load_workbook(BytesIO(xlsx(report)))["t"]["A2"]
    assert cell.data_type == ("s" if text else "n")


def test_three_hundred_machines_with_long_ids(tmp_path: Path) -> None:
    names = [f"MACHINE-{number:03}-{'x' * 52}" for number in range(300)]
    bar = Shares([(state, 10) for state in MachineState])
    machines = Table(
        [Column("设备编号", 14), Column("时间构成", 30), Column("读数", 10, align="right")],
        [Row([name, bar, 1_234_567]) for name in names],
    )
    groups = Table([Column("数量", 8), Column("编号", 60)], [Row([300, ", ".join(names)])])
    file = tmp_path / "long.pdf"
    file.write_bytes(pdf(of(machines, groups), None))
    of_all = pages(file)
    text = "".join("".join(page.split()) for page in of_all)
    for name in names:
        assert text.count(name[:12]) == 2, name
    machine_pages = [page for page in of_all if "1,234,567" in page]
    assert len(machine_pages) > 5
    assert all("设备编号" in page for page in machine_pages), "the heading is on every page"


def test_a_trend_shows_its_values_and_goals(tmp_path: Path) -> None:
    chart = Trend("联网率", ["26-09", "26-10"], [None, 2 / 3], goals=[Goal("≥ 52% plan", 0.52)])
    density = Trend("机器人", ["26-09", "26-10"], [0.0, 0.0208], per=10_000)
    file = tmp_path / "trend.pdf"
    file.write_bytes(pdf(of(Trends([chart, density])), None))
    text = "".join(pages(file))
    for part in ("66.7%", "≥ 52% plan", "26-09", "208.0", "400"):
        assert part in text, part
