"""`edge-agent indicators`: what there is, and why a figure is what it is."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from edge_agent.config.definitions import known_definitions
from edge_agent.simulator.fleet import MACHINES
from tests.cli.plant import copied_demo, ran_until_now

OWN = """\
id: nc-rate/of-the-line
version: 3
title: {zh: 轴类线数控化率, en: NC rate of the shaft line}
standing: ours
source: {document: our own, without_quote: asked for by the plant manager}
effective: {from: 2026-01-01}
denominator: production && line == "轴类线"
numerator: nc
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["indicators", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """The demo with a definition of its own, and the history of an agent that was running until now."""
    demo = copied_demo(tmp_path)
    (demo / "own").mkdir()
    (demo / "own" / "line.yaml").write_text(OWN, "utf-8")
    (demo / "own.yaml").write_text("indicators: {definitions_dir: own}\n", "utf-8")
    register = (demo / "register.csv").read_text("utf-8")
    # A lathe that somebody has entered as not NC, and a manual machine that sends.
    register = register.replace("数控车床,是,是,是,数控系统（两轴）,是,,否", "数控车床,是,是,否,,是,,否", 1)
    register = register.replace("压力机,是,是,否,,是,,", "压力机,是,是,否,,否,无控制器,", 1)
    (demo / "register.csv").write_text(register, "utf-8")
    ran_until_now(demo)
    return demo


def test_list_shows_every_definition() -> None:
    done = run("list")
    assert done.exit_code == 0
    for one in known_definitions().values():
        (line,) = [line for line in done.output.splitlines() if line.startswith(f"{one.id} ")]
        assert line.split()[1] == str(one.version)
        assert one.title["zh"] in line
        assert one.title["en"] in line
        assert line.rstrip().endswith(one.standing)


def test_explain_says_how_it_is_counted() -> None:
    done = run("explain", "networked-rate/miit-sme-2024")
    assert done.exit_code == 0
    assert "《中小企业数字化水平评测指标（2024年版）》" in done.output
    assert "其数值=实现联网的生产设备数量/总生产设备数量×100%" in done.output
    assert "data_valid: 1 good readings 有效读数 within 24 h" in done.output
    assert "2024-09-04 …" in done.output
    assert "no quote" not in done.output
    assert "No official formula was found" in run("explain", "nc-rate/by-count").output


def test_an_unknown_definition() -> None:
    done = run("explain", "nc-rate/by-cuont")
    assert done.exit_code == 1
    assert 'did you mean "nc-rate/by-count"?' in done.output


def sections(output: str) -> dict[str, list[str]]:
    """The ids under each heading."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in output.splitlines():
        if re.match(r"计入分子|仅计入分母|不计入|无证据", line):
            title = line.split()[0]
        elif title and re.match(r"[A-Z]{2,3}-?\d\d", line):
            found.setdefault(title, []).append(line.split()[0])
    return found


def test_explain_names_the_machines_and_the_claims(plant: Path) -> None:
    done = run("explain", "networked-rate/live", "--config", plant)
    assert done.exit_code == 0
    assert re.search(r"企业 enterprise +12/18 +66\.7%", done.output)
    found = sections(done.output)
    assert sorted(found["计入分子"]) == sorted(set(MACHINES) - {"AIR-01"})
    assert sorted(found["仅计入分母"]) == ["CNC-03", "DRL-01", "EDM-01", "PRS-03", "SCR-01", "SHR-01"]
    assert sorted(found["不计入"]) == ["AIR-01", "LAT-01"]
    claims = done.output.partition("无证据或不一致")[2].splitlines()
    told = {line.split()[0]: line for line in claims if re.match(r"[A-Z]{3}-\d\d", line)}
    assert told.keys() == {"CNC-03", "EDM-01", "CNC-02", "PRS-02"}
    assert "should be connected, no evidence" in told["CNC-03"]
    assert "registered as not NC" in told["CNC-02"]
    assert "feed_override, spindle_load, spindle_speed" in told["CNC-02"]
    assert "should not be connected, and sends data" in told["PRS-02"]


def test_explain_of_processes_and_of_money(plant: Path) -> None:
    done = run("explain", "key-process-nc-rate/discrete", "--config", plant)
    assert re.search(r"企业 enterprise +6/7 +85\.7%", done.output)
    assert sections(done.output)["仅计入分母"] == ["OP70"]
    done = run("explain", "nc-rate/by-asset-value", "--config", plant)
    assert "¥7,800,000.00/¥9,958,000.00" in done.output  # 8,220,000 without CNC-02
    done = run("explain", "robot-density/ifr", "--config", plant)
    assert "208.3 每万人 per 10,000" in done.output
    assert "缺从业人数 no headcount" in done.output


def test_a_definition_of_the_plants_own(plant: Path) -> None:
    assert "轴类线数控化率" in run("list", "--config", plant).output
    done = run("explain", "nc-rate/of-the-line", "--config", plant)
    assert re.search(r"企业 enterprise +3/4 +75\.0%", done.output)  # CNC-01 CNC-03 GRD-01 of these and CNC-02
    assert sections(done.output)["仅计入分母"] == ["CNC-02"]

    (plant / "own" / "line.yaml").write_text(OWN.replace("line ==", "lin =="), "utf-8")
    done = run("list", "--config", plant)
    assert done.exit_code == 2
    assert "line.yaml:7:14: denominator: " in done.output


def test_before_the_agent_has_run(plant: Path) -> None:
    shutil.rmtree(plant / "data")
    done = run("explain", "nc-rate/by-count", "--config", plant)
    assert done.exit_code == 1
    assert "has the agent run yet?" in done.output
