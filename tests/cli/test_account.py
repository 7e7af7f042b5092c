"""`edge-agent account`: where the time of a machine went, as somebody asks who doubts a figure."""

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from tests.cli.plant import copied_demo

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
EIGHT = round(datetime(2026, 3, 2, 8, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
RUNNING = StateWithCause(MachineState.RUNNING, "auto")
ALARM = StateWithCause(MachineState.ALARM, "17 overload")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["account", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, on which CNC-01 ran from eight on with an alarm of ten minutes; the agent died at 09:30."""
    demo = copied_demo(tmp_path_factory.mktemp("account"))
    (demo / "data").mkdir()
    history = History(demo / "data" / "history.db")
    intervals = [
        Interval("CNC-01", EIGHT, EIGHT + 20 * MINUTE_MS, RUNNING),
        Interval("CNC-01", EIGHT + 20 * MINUTE_MS, EIGHT + 30 * MINUTE_MS, ALARM),
        Interval("CNC-01", EIGHT + 30 * MINUTE_MS, None, RUNNING),
    ]
    all_hour, half = (1 << 60) - 1, (1 << 30) - 1
    evidence = [
        ("CNC-01", EIGHT - HOUR_MS, 7, EIGHT - 1, 1 << 59),
        ("CNC-01", EIGHT, 3600, EIGHT + HOUR_MS - 1, all_hour),
        ("CNC-01", EIGHT + HOUR_MS, 1800, EIGHT + 90 * MINUTE_MS - 1, half),
        ("CNC-02", EIGHT, 99, EIGHT + 1, all_hour),
    ]
    history.save(Changes(EIGHT + 90 * MINUTE_MS, intervals, evidence))
    history.close()
    return demo


def test_an_hour_adds_up_and_shows_its_evidence(plant: Path) -> None:
    done = run(plant, "CNC-01", "--hour", "2026-03-02T08")
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines()]
    # The demo's calendar plans all day.
    assert ["运行", "running", "auto", *["0:50:00.000", "83.3%"] * 2] in lines
    assert ["报警", "alarm", "17", "overload", *["0:10:00.000", "16.7%"] * 2] in lines
    assert ["合计", "sum", "1:00:00.000", "1:00:00.000"] in lines
    assert ["17", "overload", "1", "0:10:00.000"] in lines
    assert ["2026-03-02", "08:00:00", "+0800", "3600", "60/60"] in lines
    assert "2026-03-02 08:00:00 +0800 … 2026-03-02 09:00:00 +0800" in done.output
    assert "计数器全程未见 counter not seen all the time" in done.output
    assert "区间" not in done.output


def test_a_day_that_is_not_over_ends_with_the_agent(plant: Path) -> None:
    done = run(plant, "CNC-01", "--day", "2026-03-02", "--intervals")
    assert "2026-03-02 00:00:00 +0800 … 2026-03-02 09:30:00 +0800" in done.output
    lines = [line.split() for line in done.output.splitlines()]
    assert ["合计", "sum", "9:30:00.000", "9:30:00.000"] in lines
    first = ["未知", "unknown", "gateway_down", *["8:00:00.000", "84.2%"] * 2]
    assert first in lines, "before the first start"
    assert ["2026-03-02", "09:00:00", "+0800", "1800", "30/30"] in lines
    assert "至今 still so" in done.output
    assert "2026-03-02 08:20:00.000+08:00" in done.output


def test_a_month_shows_its_evidence_by_day(plant: Path) -> None:
    done = run(plant, "CNC-01", "--month", "2026-03")
    lines = [line.split() for line in done.output.splitlines()]
    assert ["2026-03-02", "00:00:00", "+0800", "5407", "91/570"] in lines


def test_json_has_the_message_the_evidence_and_the_intervals(plant: Path) -> None:
    found = json.loads(run(plant, "CNC-01", "--hour", "2026-03-02T08", "--json").output)
    assert found["schema"] == "fta.account/1"
    assert (found["from"], found["to"]) == (EIGHT, EIGHT + HOUR_MS)
    assert sum(one["ms"] for one in found["times"]) == HOUR_MS
    assert found["evidence"] == [
        {"hour": EIGHT, "good_readings": 3600, "last_good": EIGHT + HOUR_MS - 1, "minutes": 60}
    ]
    assert [one["state"] for one in found["intervals"]] == ["running", "alarm", "running"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["CNC-1"], 1, 'did you mean "CNC-01"?'),
        (["CNC-01"], 1, "no agent ran here"),
        (["CNC-01", "--day", "2026-03-02", "--month", "2026-03"], 2, "exclude each other"),
    ],
)
def test_what_cannot_be_shown_is_said(plant: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(plant, *arguments)
    assert done.exit_code == code
    assert said in done.output


def test_without_a_history(tmp_path: Path) -> None:
    done = run(copied_demo(tmp_path), "CNC-01")
    assert done.exit_code == 1
    assert "has the agent run yet?" in done.output
