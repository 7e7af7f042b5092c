"""The first day of a site, as a technician does it on the simulated workshop: from init to check."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from drivers.modbus import recognition
from edge_agent.cli.check import check
from edge_agent.cli.discover import discover
from edge_agent.cli.init import init
from edge_agent.cli.match import match
from edge_agent.cli.simulate import simulate
from edge_agent.discovery import survey
from edge_agent.simulator.fleet import MODBUS_SERVERS, OPCUA_MACHINES
from tests.simulator.process import Workshop


def test_a_workshop_is_read_at_the_end_of_the_first_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few units are not there, so that there is time to wait for each that is.
    monkeypatch.setattr(recognition, "UNITS", range(1, 8))
    monkeypatch.setattr(survey, "KNOCK_S", 10.0)
    site, found, table = tmp_path / "site", tmp_path / "found.json", tmp_path / "matched.csv"
    runner = CliRunner()

    def run(command: object, *arguments: object) -> str:
        result = runner.invoke(command, [str(one) for one in arguments])  # type: ignore[arg-type]  # a command
        assert result.exit_code == 0, result.output
        return result.output

    with Workshop() as workshop:
        run(simulate, "--write", tmp_path)
        assert runner.invoke(simulate, ["--write", str(tmp_path)]).exit_code == 1, "what is there stays"
        given = ("--enterprise", "91330300MA00DEM06A", "--region", "330300", "--broker", "none")
        run(
            init,
            site,
            *given,
            "--register",
            tmp_path / "register.csv",
            "--processes",
            tmp_path / "processes.csv",
        )
        (tmp_path / "profiles.yaml").rename(site / "15-profiles.yaml")
        ports = [f"modbus={workshop.modbus_port}-{workshop.opcua_port - 1}", f"opcua={workshop.opcua_port}"]
        asked = ("--port", ports[0], "--port", ports[1], "--only", "modbus", "--only", "opcua")
        run(discover, "127.0.0.1", *asked, "--timeout", "3s", "--yes", "--json", found)
        run(match, site, found, "--csv", table)
        _correct(table, workshop.modbus_port)
        run(match, site, found, "--decided", table, "--snippet", site / "20-connections.yaml")
        told = run(check, site, "--connect")
        assert "7 of 7 connections answered in full" in told
        told = run(match, site, found)
    for machine in ("CNC-01", "PRS-01", "AIR-01", "MIL-01", "ROB-02"):
        assert f"\n{machine} " in told
    assert told.count("已配置 configured") == 13


def _correct(table: Path, first_port: int) -> None:
    """What a technician knows, and no machine of the bus says: who is behind which port and unit."""
    ids = {
        (first_port + n, one.unit): one.machine.id
        for n, bus in enumerate(MODBUS_SERVERS)
        for one in bus.units
    }
    profiles = {
        "CNC": "cnc",
        "GRD": "cnc",
        "BND": "cnc",
        "SAW": "contacts",
        "AIR": "contacts",
        "PRS": "press",
    }
    profiles |= {"ASM": "cell", "MIL": "centre", "LAS": "laser", "ROB": "robot"}
    with table.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    named = {one.machine.id for one in OPCUA_MACHINES}
    assert {row[0] for row in rows if row[3] in named} == named
    for row in rows:
        if row[3].startswith("unit"):
            row[0] = ids[int(row[2].rpartition(":")[2]), int(row[3].removeprefix("unit "))]
        row[1] = f"demo-{profiles[row[0][:3]]}"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
