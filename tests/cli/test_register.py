"""`edge-agent register`: what a technician does with a register file."""

from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from edge_agent.config.register import read_register
from edge_agent.config.register_files import EXAMPLE
from edge_agent.model.clock import CLOCK
from edge_agent.states.history import Changes, History

DEMO = Path(__file__).parents[2] / "configs" / "demo"
BAD = "设备编号,设备名称,车间,数控\nA-1,甲,一车间,也许\nA-1,乙,,是\n"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["register", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("name", ["r.csv", "r.xlsx", "r.yaml"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_template_is_a_right_register(tmp_path: Path, name: str, language: str) -> None:
    done = run("template", tmp_path / name, "--language", language)
    assert done.exit_code == 0
    processes = tmp_path / "r-processes.csv"
    more: list[str | Path] = ["--processes", processes] if name == "r.csv" else []
    assert processes.exists() == bool(more)
    checked = run("check", tmp_path / name, *more)
    assert checked.exit_code == 0
    assert "2 equipment in 1 workshops, 1 processes" in checked.output
    found, problems = read_register(tmp_path / name, "r", (processes, "p") if more else None)
    assert (found, problems) == (EXAMPLE, [])


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("mine", "utf-8")
    done = run("template", tmp_path / "r.csv")
    assert done.exit_code == 1
    assert "r.csv: cannot be written" in done.output
    assert (tmp_path / "r.csv").read_text("utf-8") == "mine"


def test_every_problem_is_told_with_its_cell(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(BAD, "utf-8")
    file, new = tmp_path / "r.csv", tmp_path / "new.csv"
    for done in (run("check", file), run("import", file, new)):
        assert done.exit_code == 2
        assert [line.partition(" (expected")[0] for line in done.output.splitlines()] == [
            f'{file}:2:4: D2 nc: found "也许"',
            f'{file}:3:1: A3 id: found "A-1", already in row 2',
            f"{file}:3:3: C3 workshop: missing",
        ]
    assert not new.exists()


def test_import_normalises(tmp_path: Path) -> None:
    old = "车间;设备名称;ID;投用日期\n一车间;车床;A-1;2021/3/1\n".encode("gb18030")
    (tmp_path / "old.csv").write_bytes(old)
    assert run("import", tmp_path / "old.csv", tmp_path / "new.xlsx").exit_code == 0
    found, _ = read_register(tmp_path / "new.xlsx", "r")
    assert found is not None
    assert [(one.id, one.workshop, one.commissioned) for one in found.equipment] == [
        ("A-1", "一车间", date(2021, 3, 1))
    ]


def test_export_writes_what_the_configuration_uses(tmp_path: Path) -> None:
    assert run("export", DEMO, tmp_path / "r.xlsx").exit_code == 0
    found, problems = read_register(tmp_path / "r.xlsx", "r")
    original, _ = read_register(DEMO / "register.csv", "r", (DEMO / "processes.csv", "p"))
    assert problems == []
    assert found == original


def test_export_of_a_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("gateway: {}\n", "utf-8")
    done = run("export", tmp_path / "site.yaml", tmp_path / "r.csv")
    assert done.exit_code == 2
    assert "gateway.region: missing" in done.output


REGISTER = """\
id,name,workshop,nc,nc_ground,should_connect,connect_reason
A-1,a,w,yes,,yes,
A-2,b,w,no,,no,
A-3,c,w,no,,no,manual
A-4,d,w,no,,yes,
"""


def test_what_the_data_folder_does_not_support(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(REGISTER, "utf-8")
    now = CLOCK.now_ms()
    history = History(tmp_path / "history.db")
    history.save(
        Changes(now, evidence=[("A-1", now - 1000, 5, now - 500, 0), ("A-3", now - 1000, 5, now - 500, 0)])
    )
    history.close()
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = run("check", tmp_path / "r.csv", "--data", tmp_path)
    assert done.exit_code == 0
    told = [line.split(": ", 1) for line in done.output.splitlines() if line.startswith("A-")]
    assert [(name, text.partition(" ")[0]) for name, text in told] == [
        ("A-1", "登记为数控，未写依据"),
        ("A-2", "登记为不应联网，未写原因"),
        ("A-3", "登记为不应联网，却有数据"),
        ("A-4", "登记为应联网，一日内无数据证据"),
    ]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept, "only read"


def test_a_folder_without_history(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(REGISTER, "utf-8")
    done = run("check", tmp_path / "r.csv", "--data", tmp_path)
    assert done.exit_code == 1
    assert "no history can be read" in done.output
    History(tmp_path / "history.db").close()
    assert "no agent has run here yet" in run("check", tmp_path / "r.csv", "--data", tmp_path).output
