"""Statements of record from the command line: made again, looked at, exported, verified."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from edge_agent.config.register_files import write_register
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.statements.keys import KEY_FILE, signing_key
from edge_agent.statements.store import StatementArchive, StatementStore
from tests.statements.plant import ENTERPRISE, MARCH, REGISTER, at, write

CONFIGURATION = f"""
gateway: {{id: gw-01, region: "330300", enterprise: {ENTERPRISE}, headcount: 50}}
register: register.csv
processes: processes.csv
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """The plant of March, whose agent has made no statement yet."""
    write_register(REGISTER, tmp_path / "register.csv", "en")
    (tmp_path / "register-processes.csv").rename(tmp_path / "processes.csv")
    (tmp_path / "agent.yaml").write_text(CONFIGURATION, "utf-8")
    data = tmp_path / "data"
    data.mkdir()
    StatementStore(write(data), signing_key(data)).close()
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def recompute(plant: Path, *more: object, begin: str = "2026-03-30", end: str = "2026-04-01") -> Result:
    return run("recompute", plant / "agent.yaml", "--from", begin, "--to", end, *more)


def correct(plant: Path, *more: object) -> Result:
    """From the 31st on M3 is no NC machine, as it turns out."""
    text = (plant / "register.csv").read_text("utf-8-sig")
    line = next(line for line in text.splitlines() if line.startswith("M3,"))
    path = plant / "corrected.csv"
    path.write_text(text.replace(line, line.replace("yes,KRC", "no,")), "utf-8")
    register = ("--register", path, "--processes", plant / "processes.csv")
    return recompute(plant, *register, *more, begin="2026-03-31")


def messages(plant: Path) -> list[bytes]:
    archive = StatementArchive(plant / "data" / "history.db")
    found = [kept.message for kept in archive.numbers(1, 10**6)]
    archive.close()
    return found


def test_made_again_nothing_changes(plant: Path) -> None:
    done = recompute(plant)
    assert done.exit_code == 0, done.output
    assert "2026-03 networked-rate/miit-sme-2024: 2/5  no. 号 " in done.output
    assert done.output.splitlines()[-1] == "made 已生成: 39 new 新增, 0 superseding 替代; 0 as before 不变"
    before = messages(plant)
    again = recompute(plant)
    assert again.output == "made 已生成: 0 new 新增, 0 superseding 替代; 39 as before 不变\n"
    assert messages(plant) == before


def test_a_corrected_register_changes_what_it_concerns(plant: Path) -> None:
    recompute(plant)
    before = messages(plant)
    shown = correct(plant, "--show")
    assert shown.exit_code == 0, shown.output
    assert "2026-03 nc-rate/by-count: 2/5 → 1/5  instead of 替代 " in shown.output
    assert "  M3: 计入 counted → 不在分子 outside the numerator" in shown.output
    assert "2026-03-30" not in shown.output
    assert messages(plant) == before, "only shown"
    kept = RegisterVersions(plant / "data" / "history.db", read_only=True)
    assert kept.corrections() == []
    kept.close()

    done = correct(plant)
    # Of the 31st and of March: by count, by value, networked of NC machines.
    assert done.output.splitlines()[-1] == "made 已生成: 0 new 新增, 6 superseding 替代; 20 as before 不变"
    after = messages(plant)
    assert after[: len(before)] == before, "byte for byte"
    assert [json.loads(one)["subject"] for one in after[len(before) :]] == [
        "nc-rate/by-asset-value", "nc-rate/by-count", "networked-rate/of-nc",
    ] * 2  # fmt: skip
    again = correct(plant)
    assert again.output.splitlines()[-1] == "made 已生成: 0 new 新增, 0 superseding 替代; 26 as before 不变"
    assert recompute(plant).output.splitlines()[-1].startswith("made 已生成: 0 new 新增, 0 superseding")

    kept = RegisterVersions(plant / "data" / "history.db", read_only=True)
    (correction,) = kept.corrections()
    assert (correction.from_ms, correction.to_ms) == (at("2026-03-31 00:00"), MARCH.to_ms)
    assert correction.file == str(plant / "corrected.csv")
    found = kept.of(correction.version)
    kept.close()
    assert found is not None
    assert (found.headcount, found.processes) == (50, REGISTER.processes), "what the file does not tell"


def test_what_has_changed_besides(plant: Path) -> None:
    """A machine that stood in another workshop, and one that was forgotten."""
    recompute(plant, begin="2026-03-31")
    text = (plant / "register.csv").read_text("utf-8-sig").replace("M2,Press,A,L1", "M2,Press,B,L1")
    more = text.splitlines()[1].replace("M1,Lathe", "M7,Mill")
    (plant / "corrected.csv").write_text(f"{text}{more}\n", "utf-8")
    register = ("--register", plant / "corrected.csv", "--processes", plant / "processes.csv")
    done = recompute(plant, *register, "--definition", "nc-rate/by-count", begin="2026-03-31")
    assert "2026-03 nc-rate/by-count: 2/5 → 3/6  no. 号 28  instead of 替代 " in done.output, done.output
    assert "  M2: 不在分子 outside the numerator, workshop A → B\n" in done.output
    assert "  M7: - → 计入 counted\n" in done.output


def test_one_definition_alone(plant: Path) -> None:
    done = recompute(plant, "--definition", "nc-rate/by-count")
    assert done.output.splitlines()[-1] == "made 已生成: 3 new 新增, 0 superseding 替代; 0 as before 不变"
    done = recompute(plant, "--definition", "nc-rate/by-cuont")
    assert done.exit_code == 1
    assert 'did you mean "nc-rate/by-count"?' in done.output


def test_what_cannot_be_recomputed(plant: Path) -> None:
    assert "--from has to be before --to" in recompute(plant, begin="2026-04-02").output
    alone = recompute(plant, "--processes", plant / "processes.csv")
    assert (alone.exit_code, "--register" in alone.output) == (1, True)
    (plant / "bad.csv").write_text("id,name\nM1,Lathe\n", "utf-8")
    bad = recompute(plant, "--register", plant / "bad.csv")
    assert bad.exit_code == 2
    assert "bad.csv:1" in bad.output
    assert recompute(plant, begin="2026-04-01", end="2026-05-01").output.endswith(
        "made 已生成: 0 new 新增, 0 superseding 替代; 0 as before 不变\n"
    ), "April is not over"
    (plant / "data" / "history.db").unlink()
    gone = recompute(plant)
    assert gone.exit_code == 1
    assert "has the agent run yet?" in gone.output
    assert not (plant / "data" / "history.db").exists()
    assert run("statements", "list", plant / "agent.yaml").exit_code == 1


def test_list_and_show(plant: Path) -> None:
    config = plant / "agent.yaml"
    recompute(plant)
    correct(plant)
    done = run("statements", "list", config, "--definition", "nc-rate/by-count")
    rows = [line.split() for line in done.output.splitlines()[1:]]
    assert [row[1:5] for row in rows] == [
        ["2026-03-30", "nc-rate/by-count", "1/5", "20.0%"],
        ["2026-03-31", "nc-rate/by-count", "2/5", "40.0%"],
        ["2026-03", "nc-rate/by-count", "2/5", "40.0%"],
        ["2026-03-31", "nc-rate/by-count", "1/5", "20.0%"],
        ["2026-03", "nc-rate/by-count", "1/5", "20.0%"],
    ]
    assert [row[-1] for row in rows[1:3]] == [rows[3][0], rows[4][0]], "superseded by"
    done = run("statements", "list", config, "--from", "2026-03-01", "--to", "2026-03-31")
    assert len(done.output.splitlines()) == 1 + 13, "the thirtieth alone is over"

    done = run("statements", "show", config, rows[2][0])
    assert done.exit_code == 0, done.output
    assert "2026-03\n" in done.output
    assert re.search(r"企业 enterprise +2/5 +40\.0%", done.output)
    assert re.search(r"A / L1 +1/2 +50\.0%", done.output)
    assert re.search(r"计入分子 In the numerator: 2\n.*\n(M1|M3) ", done.output)
    assert re.search(r"M5 +B +未投用或已报废 not in service", done.output)
    assert re.search(r"M2 +登记为非数控，却有数控点位.* spindle_speed", done.output)
    assert run("statements", "show", config, "999").exit_code == 1


def test_export_and_verify(plant: Path) -> None:
    config, file = plant / "agent.yaml", plant / "march.json"
    recompute(plant)
    key = run("statements", "key", config).output.strip()
    assert key == signing_key(plant / "data").public
    done = run(
        "statements", "export", config, file, "--from", "2026-03-01", "--definition", "nc-rate/by-count"
    )
    assert done.exit_code == 0, done.output
    assert "3 statements" in done.output
    assert run("statements", "export", config, file).exit_code == 1, "nothing is overwritten"
    checked = run("verify", file, "--key", key)
    assert checked.exit_code == 0, checked.output
    assert run("verify", file, "--key", "0" * 64).exit_code == 1
    file.write_bytes(file.read_bytes().replace(b'"numerator":2', b'"numerator":4'))
    checked = run("verify", file)
    assert checked.exit_code == 1
    assert "the statement says 4/5" in checked.output

    nothing = run("statements", "export", config, plant / "none.json", "--number", "999")
    assert (nothing.exit_code, (plant / "none.json").exists()) == (1, False)
    (plant / "data" / KEY_FILE).unlink()
    assert run("statements", "key", config).exit_code == 1, "looking makes no key"


@pytest.mark.parametrize("with_table", [True, False])
def test_what_was_never_stated_cannot_be_listed(plant: Path, with_table: bool) -> None:
    if not with_table:
        with closing(sqlite3.connect(plant / "data" / "history.db")) as history:
            history.execute("DROP TABLE statements")
            history.commit()
    done = run("statements", "list", plant / "agent.yaml")
    assert done.exit_code == 1
    assert "no statement has been made yet" in done.output
