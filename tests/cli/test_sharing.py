"""`edge-agent sharing`: the ledger as people see it, one tenant's file, and what is free."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from edge_agent.cli.sharing_tables import duration
from edge_agent.config.site import load_site
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from tests.sharing.plant import MINUTE, at

SITE = """\
gateway: {id: gw-01, region: "330300", enterprise: 91330300MA00DEM06A}
register: register.csv
sharing:
  tenants:
    - {id: zhenghe, name: 正和精密}
    - {id: lian, name: 联创模具}
  machines:
    - equipment: M1
      sessions: schedule
      rates: lathe
      windows:
        - {tenant: zhenghe, start: "08:00", end: "12:00", from: 2026-10-12, until: 2026-10-12}
        - {tenant: lian, start: "12:00", end: "13:00", from: 2026-10-12, until: 2026-10-12}
    - {equipment: M2, sessions: tag, tag: user, tenants: {1: lian}}
  rates:
    lathe:
      - version: 4
        prices: [{per: running_hour, price: 1060.5}, {per: kwh, price: 0.5}]
connections:
  - id: bus
    driver: modbus
    host: 127.0.0.1
    equipment: [{id: M2, tags: [{id: user, table: holding, address: 0}]}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The agent ran until 13 October, 00:00."""
    file = tmp_path / "site.yaml"
    file.write_text(SITE, "utf-8")
    (tmp_path / "register.csv").write_text(
        "id,name,workshop,kind\nM1,Lathe,H,lathe\nM2,Mill,H,mill\n", "utf-8"
    )
    loaded = load_site(file)
    data = loaded.data_dir
    data.mkdir()
    history = History(data / "history.db")
    running = StateWithCause(MachineState.RUNNING)
    history.save(Changes(at("10-13 00:00"), [Interval("M1", at("10-12 07:00"), at("10-12 11:30"), running)]))
    history.close()
    versions = RegisterVersions(data / "history.db")
    versions.keep(loaded.register, at("10-12 07:00"))
    versions.close()
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["sharing", *map(str, arguments)], catch_exceptions=False)


def row(output: str, *first: str) -> list[str]:
    """The words of the one row that begins with these."""
    (found,) = [words for words in map(str.split, output.splitlines()) if tuple(words[: len(first)]) == first]
    return found


def test_the_ledger_of_a_month(site: Path) -> None:
    done = run("ledger", site, "--month", "2026-10")
    assert done.exit_code == 0
    assert "2026-10-01 00:00:00 … 2026-10-13 00:00:00 Asia/Shanghai" in done.output
    assert "the month is not over, or nothing later is on record" in done.output
    line = " ".join(row(done.output, "zhenghe", "M1"))
    # 3.5 h × 1060.50 yuan = 3711.75 yuan; the energy has no meter, so there is a + behind it.
    assert "10-12 08:00:00 10-12 12:00:00 排程 schedule 3:30:00 3:30:00 0:30:00 gateway_down" in line
    assert line.endswith("lathe 4 3,711.75+")
    assert row(done.output, "zhenghe", "正和精密")[-2:] == ["3,711.75+", "1"]
    assert row(done.output, "lian", "联创模具")[-2:] == ["0.00+", "1"]
    assert "M1 排程外 no window" in " ".join(row(done.output, "M1", "排程外"))
    assert row(done.output, "M2")[:4] == ["M2", "未采集使用时段", "not", "recorded"]


def test_the_ledger_of_one_tenant_shows_its_amounts_and_nobody_else(site: Path) -> None:
    done = run("ledger", site, "--month", "2026-10", "--tenant", "正和精密")
    assert done.exit_code == 0
    assert "lian" not in done.output
    assert "联创模具" not in done.output
    assert "未分配" not in done.output
    energy = " ".join(next(line for line in done.output.splitlines() if "按值·电量 energy" in line).split())
    assert energy.endswith("0.5 / kWh 未计电量 energy not counted 0:30:00")


def test_the_ledger_as_json(site: Path) -> None:
    document = json.loads(run("ledger", site, "--month", "2026-10", "--json").output)
    assert (document["from"], document["to"]) == (at("10-01 00:00"), at("10-13 00:00"))
    assert document["complete"] is False
    assert [(one["tenant"]["id"], one["fen"], one["unpriced"]) for one in document["tenants"]] == [
        ("zhenghe", 371_175, 1),
        ("lian", 0, 1),
    ]
    for machine in ("M1", "M2"):
        pieces = [
            line["to"] - line["from"]
            for holder in (*(one["lines"] for one in document["tenants"]), document["unassigned"])
            for line in holder
            if line["equipment"] == machine
        ]
        assert sum(pieces) == document["to"] - document["from"]
    alone = json.loads(run("ledger", site, "--month", "2026-10", "--tenant", "lian", "--json").output)
    assert [one["tenant"]["id"] for one in alone["tenants"]] == ["lian"]
    assert "unassigned" not in alone


def test_export_writes_and_never_overwrites(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "zhenghe.csv"
    done = run("export", site, "--month", "2026-10", "--tenant", "zhenghe", file)
    assert (done.exit_code, done.output) == (0, f"written 已写入: {file}\n")
    before = file.read_bytes()
    again = run("export", site, "--month", "2026-10", "--tenant", "lian", file)
    assert again.exit_code == 1
    assert f"{file}: cannot be written" in again.output
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--month", "2026-11"), 1, "2026-11: nothing is on record of it"),
        (("--month", "2026-13"), 2, "expected a month, such as 2026-10"),
        (("--month", "October"), 2, "expected a month, such as 2026-10"),
        (("--month", "2026-10", "--tenant", "zenghe"), 1, 'did you mean "zhenghe"?'),
    ],
)
def test_what_there_is_not(site: Path, arguments: tuple[str, ...], status: int, message: str) -> None:
    done = run("ledger", site, *arguments)
    assert done.exit_code == status
    assert message in done.output


def test_a_file_of_another_kind(site: Path, tmp_path: Path) -> None:
    done = run("export", site, "--month", "2026-10", "--tenant", "lian", tmp_path / "lian.pdf")
    assert done.exit_code == 1
    assert "lian.pdf: expected one of: .csv, .xlsx, .json" in done.output
    assert not (tmp_path / "lian.pdf").exists()


def test_no_history_and_nothing_shared(site: Path) -> None:
    (load_site(site).data_dir / "history.db").unlink()
    done = run("ledger", site, "--month", "2026-10")
    assert done.exit_code == 1
    assert "has the agent run yet?" in done.output
    site.write_text("\n".join(SITE.splitlines()[:2]), "utf-8")
    done = run("capacity", site)
    assert done.exit_code == 1
    assert "there is no section sharing" in done.output
    site.write_text(SITE.replace("sessions: tag", "sessions: tags"), "utf-8")
    assert run("capacity", site).exit_code == 2


def test_capacity(site: Path) -> None:
    """Nothing has a calendar, so nobody can say; and nothing of it is sent."""
    done = run("capacity", site)
    assert done.exit_code == 0
    assert "否 no (publish_capacity: false)" in done.output
    assert row(done.output, "lathe") == ["lathe", "1", "0", "1"]
    document = json.loads(run("capacity", site, "--json").output)
    assert document["classes"] == [
        {"kind": kind, "machines": 1, "free": [], "unknown": 1} for kind in ("lathe", "mill")
    ]


def test_check_warns_of_a_tenant_whose_machine_is_not_shared(site: Path) -> None:
    register = (
        "id,name,workshop,kind,tenant\nM1,Lathe,H,lathe,正和精密\nM2,Mill,H,mill,\nM3,Saw,H,saw,正和精密\n"
    )
    (site.parent / "register.csv").write_text(register, "utf-8")
    done = CliRunner().invoke(main, ["check", str(site)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "warning: the register names a tenant, and sharing does not list it: M3" in done.output


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0:00:00"),
        (999, "0:00:00.999"),
        (90 * MINUTE, "1:30:00"),
        (744 * 60 * MINUTE + 5, "744:00:00.005"),
    ],
)
def test_durations(ms: int, text: str) -> None:
    assert duration(ms) == text
