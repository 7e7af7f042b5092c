"""`edge-agent discover` and `edge-agent match` as commands: what they ask first, refuse, show and write."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.discover import discover
from edge_agent.cli.match import match
from edge_agent.config.site import load_site
from edge_agent.discovery import survey
from edge_agent.discovery.file import read
from edge_agent.discovery.mdns import Announced
from tests.discovery import network as net
from tests.ports import free_ports

HERE, ALSO = "127.0.0.51", "127.0.0.52"
PATIENCE_S = 30.0
"""Whoever is there answers, however busy this computer is; who is not is refused at once."""
COMMAND = (
    sys.executable,
    "-c",
    f"from edge_agent.discovery import survey; survey.KNOCK_S = {PATIENCE_S};"
    "from edge_agent.cli.discover import discover; discover()",
)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "KNOCK_S", PATIENCE_S)


def run(command: Any, *options: str) -> Result:
    result = CliRunner().invoke(command, list(options))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """An S7 at HERE, a Heidenhain control at ALSO, and who never comes to an end at both."""
    free = free_ports(3)
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with net.network() as network:
            await network.serve(HERE, free[0], partial(net.StandIn, answer=net.slots(2)))
            await network.serve(ALSO, free[1], partial(net.StandIn, answer=net.lsv2))
            await network.serve(ALSO, free[2], net.Drip)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield {"s7": free[0], "lsv2": free[1], "drip": free[2]}
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def options(ports: dict[str, int]) -> list[str]:
    return [
        "--only",
        "s7",
        "--only",
        "lsv2",
        "--port",
        f"s7={ports['s7']}",
        "--port",
        f"lsv2={ports['lsv2']}",
        "--timeout",
        "30s",
    ]


def test_a_table_and_a_file(ports: dict[str, int], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    result = run(discover, f"{HERE}-52", *options(ports), "--yes", "--json", str(file))
    assert result.exit_code == 0
    for shown in (f"{HERE}-{ALSO}", str(ports["s7"]), "Siemens", "TNC640", "340590 07", "仅识别", "found: 2"):
        assert shown in result.output
    found = read(file)
    assert (found.complete, found.hosts, found.answered) == (True, 2, (HERE, ALSO))
    assert {one.protocol for one in found.found} == {"s7", "lsv2"}


def test_nothing_is_touched_without_a_yes(ports: dict[str, int]) -> None:
    result = run(discover, HERE, *options(ports))
    assert (result.exit_code, "--yes" in result.output) == (2, True)
    assert "found" not in result.output


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "--serial"),
        (("10.0.0.0/23",), "--large"),
        (("10.0.0.1", "--only", "profinet"), "no protocol that is known"),
        (("10.0.0.1", "--port", "s7"), "PROTOCOL=PORTS"),
        (("10.0.0.1", "--port", "s7=70000"), "1 to 65535"),
        (("10.0.0.1", "--timeout", "3"), "with its unit"),
        (("10.0.0.999",), "no address"),
        (("10.0.0.1", "--json", "/nowhere/found.json"), "no such folder"),
    ],
)
def test_what_is_refused_before_anything_is_sent(given: tuple[str, ...], told: str) -> None:
    result = run(discover, *given, "--yes")
    assert result.exit_code == 2
    assert told in result.output


def test_nobody_there(ports: dict[str, int]) -> None:
    result = run(discover, "127.0.0.53", *options(ports), "--yes")
    assert result.exit_code == 1
    assert "found: 0" in result.output


@pytest.mark.skipif(os.name == "nt", reason="no process sends another a Ctrl-C there")
def test_ctrl_c_shows_and_writes_what_was_found(ports: dict[str, int], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    amid = [
        "--only",
        "s7",
        "--only",
        "focas",
        "--port",
        f"s7={ports['s7']}",
        "--port",
        f"focas={ports['drip']}",
    ]
    command = [*COMMAND, HERE, ALSO, *amid, "--timeout", "50s", "--yes", "--json", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "+ " not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped" in shown
    assert "Siemens" in shown
    assert not read(file).complete


UNITS = [
    {
        "protocol": "modbus",
        "host": "10.0.0.7",
        "where": "10.0.0.7:502",
        "part": f"unit {unit}",
        "name": name,
        "driver": "modbus",
        "address": {"host": "10.0.0.7", "port": 502},
        "unit": {"unit": unit},
        "tags": [{"id": "holding_0", "table": "holding", "address": 0}],
    }
    for unit, name in ((1, "CNC-01"), (2, "=1+1"), (3, ""))
]


def test_who_announces_himself_is_visited_only_at_a_named_address(
    ports: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def heard() -> list[Announced]:
        return [Announced("here", HERE, ports["s7"]), Announced("also", ALSO, ports["lsv2"])]

    monkeypatch.setattr("edge_agent.cli.discover.announced", heard)
    file = tmp_path / "found.json"
    only = ("--only", "opcua", "--port", f"opcua={ports['drip']}")
    result = run(discover, HERE, *only, "--mdns", "--timeout", "30s", "--yes", "--json", str(file))
    assert result.exit_code == 1
    assert f"also  opc.tcp://{ALSO}:{ports['lsv2']}" in result.output
    found = read(file)
    assert [one.name for one in found.announced] == ["here", "also"]
    assert [one.where for one in found.troubles] == [f"{HERE}:{ports['s7']}"]  # it speaks no OPC UA


FOUND = {
    "schema": "edge-agent-discovery/1",
    "began": "2026-11-02T08:00:00+00:00",
    "ended": "2026-11-02T08:01:00+00:00",
    "complete": True,
    "asked": ["10.0.0.0/24"],
    "ports": [502],
    "hosts": 254,
    "answered": ["10.0.0.7", "10.0.0.8"],
    "found": [*UNITS, {"protocol": "s7", "host": "10.0.0.8", "where": "10.0.0.8:102", "maker": "Siemens"}],
}
REGISTER = """\
id,name,workshop,digital,nc,nc_ground,should_connect
CNC-01,车床,一车间,yes,yes,,yes
PRS-01,压力机,一车间,yes,no,,yes
GRD-01,磨床,一车间,yes,yes,SINUMERIK 840D sl,yes
DRL-01,钻床,一车间,no,no,,yes
SHR-01,剪板机,一车间,no,no,,no
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "register.csv").write_text(REGISTER, encoding="utf-8")
    gateway = 'gateway: {id: gw, region: "330300", enterprise: 91350100M000100Y43}\nregister: register.csv\n'
    (folder / "10.yaml").write_text(gateway, encoding="utf-8")
    (tmp_path / "found.json").write_text(json.dumps(FOUND), encoding="utf-8")
    return folder


def test_from_proposals_over_corrections_to_connections(site: Path, tmp_path: Path) -> None:
    found, table, made = tmp_path / "found.json", tmp_path / "matched.csv", site / "20-connections.yaml"
    result = run(match, str(site), str(found), "--csv", str(table))
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert any(line.startswith("CNC-01") and "确定 certain" in line for line in lines)
    assert any(line.startswith("GRD-01") and "猜测 guess" in line for line in lines)
    assert "Not expected to be connected: SHR-01" in result.output

    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    by_part = {row[3]: row for row in rows}
    by_part["unit 2"][0] = "PRS-01"
    by_part["unit 3"][0], by_part["unit 3"][1] = "DRL-01", "modbus/retrofit-stacklight"
    by_part[""][0] = "GRD-01"
    with table.open("w", encoding="gb18030", newline="") as file:  # as Excel on a Chinese Windows
        csv.writer(file, delimiter=";").writerows(rows)

    result = run(match, str(site), str(found), "--decided", str(table), "--snippet", str(made))
    assert result.exit_code == 0, result.output
    loaded = load_site(site)
    (connection,) = loaded.connections
    assert [one.id for one in connection.equipment] == ["CNC-01", "PRS-01", "DRL-01"]
    assert [one.profile for one in connection.equipment] == [None, None, "modbus/retrofit-stacklight"]

    result = run(match, str(site), str(found))
    assert result.output.count("已配置 configured") == 3
    result = run(match, str(site), str(found), "--csv", str(table))
    assert result.exit_code == 1  # nothing is overwritten
    assert "File exists" in result.output


def test_guesses_are_written_and_out_of_force(site: Path, tmp_path: Path) -> None:
    made = site / "20-connections.yaml"
    assert run(match, str(site), str(tmp_path / "found.json"), "--snippet", str(made)).exit_code == 0
    assert [one.id for each in load_site(site).connections for one in each.equipment] == ["CNC-01"]
    assert "# - id: PRS-01" in made.read_text("utf-8")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("CNC-09,,10.0.0.7:502,unit 1", 'did you mean "CNC-01"'),
        ("CNC-01,,10.0.0.99:502,unit 1", "not among what was found"),
        ("CNC-01,,10.0.0.7:502,unit 1\nCNC-01,,10.0.0.7:502,unit 2", "given twice"),
    ],
)
def test_wrong_decisions_are_told_with_their_cell(site: Path, tmp_path: Path, row: str, told: str) -> None:
    table = tmp_path / "matched.csv"
    table.write_text(f"设备编号 equipment,模板 profile,地址 where,部分 part\n{row}\n", encoding="utf-8")
    result = run(match, str(site), str(tmp_path / "found.json"), "--decided", str(table))
    assert result.exit_code == 2
    assert told in result.output
    table.write_text("a,b\n1,2\n", encoding="utf-8")
    result = run(match, str(site), str(tmp_path / "found.json"), "--decided", str(table))
    assert (result.exit_code, "has no column" in result.output) == (2, True)


@pytest.mark.parametrize("content", ["", "{}", "[1", '{"schema": "other"}', "\x00\xff"])
def test_a_file_that_discover_did_not_write(site: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "found.json").write_text(content, encoding="utf-8")
    result = run(match, str(site), str(tmp_path / "found.json"))
    assert result.exit_code == 1
    assert "is no file of edge-agent discover" in result.output
