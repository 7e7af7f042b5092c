"""`edge-agent check` as a technician uses it."""

import asyncio
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.acquisition.trial import try_connections
from edge_agent.cli.check import check
from edge_agent.config import load_site
from edge_agent.model.state import UnknownCause
from tests import loop_time
from tests.config.plant import GOOD, REGISTER, write_site
from tests.ports import free_port

PLANT = """\
gateway: {id: gw-01, region: "330300", enterprise: 91350100M000100Y43, name: hall}
register: register.csv
connections:
  - id: cell-a
    driver: bus
    host: ok
    timeout: 50ms
    equipment:
      - id: CNC-01
        tags: [{id: load, address: 7, unit: A}, {id: gone, address: 99}]
        states: [{when: load > 5, state: running}]
      - {id: CNC-02, unit: 13, tags: [{id: load, address: 1, period: 5s}]}
  - {id: cell-b, driver: bus, host: refuses, pin: "1234", equipment: [{id: B, tags: [{id: a, address: 1}]}]}
  - {id: cell-c, driver: bus, host: hangs, timeout: 50ms, equipment: [{id: C, tags: [{id: a, address: 1}]}]}
  - {id: cell-d, driver: bus, host: breaks, equipment: [{id: D, tags: [{id: a, address: 1}]}]}
  - id: cell-e
    driver: feed
    url: somewhere
    timeout: 50ms
    period: 50ms
    equipment:
      - {id: E, tags: [{id: a, node: x}]}
      - {id: F, tags: [{id: a, node: silent}, {id: b, node: x}]}
  - {id: cell-f, driver: feed, url: x, enabled: false, equipment: [{id: G, tags: [{id: a, node: x}]}]}
uplinks:
  - {id: region, type: mqtt, host: broker, username: me, password: hunter2}
"""


def run(config: Path, *options: str) -> Result:
    result = CliRunner().invoke(check, [str(config), *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def lines_of(result: Result) -> list[str]:
    """The lines that were printed, with blanks pressed together."""
    return [" ".join(line.split()) for line in result.output.splitlines() if line.strip()]


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    rows = "".join(f"{name},Press,Hall 3\n" for name in "BCDEFG")
    return write_site(tmp_path, PLANT, REGISTER + rows)


def test_a_right_configuration(plant: Path) -> None:
    result = run(plant)
    assert result.exit_code == 0
    site = load_site(plant)
    assert lines_of(result) == [
        "gateway gw-01 hall",
        "region 330300, enterprise 91350100M000100Y43",
        f"data in {plant.parent / 'data'}",
        "register: 9 equipment in 3 workshops",
        "9 production, 0 NC, 9 that should be connected",
        "connections: 6, with 8 equipment",
        "definitions: 13",
        "no rate on this register: key-equipment-nc-rate/by-count (denominator_zero), "
        "key-process-nc-rate/discrete (denominator_zero), key-process-nc-rate/process-industry"
        " (denominator_zero), nc-rate/by-asset-value (asset_value_missing), networked-rate/of-digital"
        " (denominator_zero), networked-rate/of-key (denominator_zero), networked-rate/of-nc"
        " (denominator_zero), robot-density/ifr (headcount_missing)",
        "uplink region: type mqtt, host broker, client_id gw-01, username me, "
        "password **********, root fta/v1/330300/91350100M000100Y43/gw-01",
        f"configuration {site.digest[:12]}, register {site.register.digest[:12]}",
        "connection cell-a: bus, host ok",
        "equipment every request tags",
        "CNC-01 1 s unit 1 load, gone",
        "CNC-02 5 s unit 13 load",
        "connection cell-b: bus, host refuses, pin **********",
        "equipment every request tags",
        "B 1 s unit 1 a",
        "connection cell-c: bus, host hangs",
        "equipment every request tags",
        "C 1 s unit 1 a",
        "connection cell-d: bus, host breaks",
        "equipment every request tags",
        "D 1 s unit 1 a",
        "connection cell-e: feed, url somewhere",
        "equipment every request tags",
        "E 0.05 s subscription a",
        "F 0.05 s subscription a, b",
        "connection cell-f: feed, url x (disabled)",
        "equipment every request tags",
        "G 1 s subscription a",
        *(
            f"warning: {name} has no state rules: its state will be unknown (undecided)"
            for name in ("CNC-02", "B", "C", "D", "E", "F")
        ),
        "warning: connection cell-f is disabled: its equipment will be unknown (disabled)",
        "warning: G has no state rules: its state will be unknown (undecided)",
        "warning: should be connected, and no connection serves it: CNC-03",
        "warning: uplink region: without tls, the password travels in the clear",
    ]


def test_what_answers_and_what_does_not(plant: Path) -> None:
    result = run(plant, "--connect")
    assert result.exit_code == 1
    lines = lines_of(result)
    told = lines[lines.index("warning: uplink region: without tls, the password travels in the clear") + 1 :]
    expected = [
        "connection cell-a: NOT everything answered",
        "maker: Bus & Co",
        "tags per request: 9",
        "CNC-02: timeout: unit 13 is silent. Is it switched on?",
        "equipment tag value unit quality source time (UTC) age",
        "CNC-01 load 7.0 A good * 1.500 s",
        "CNC-01 gone bad: illegal_address * 1.500 s",
        "CNC-02 load no answer",
        "connection cell-b: NOT everything answered",
        "cell-b: refused: the pin is wrong. Ask for the right one.",
        "connection cell-c: NOT everything answered",
        "cell-c: unreachable: no connection within 0.1 s",
        "connection cell-d: NOT everything answered",
        'cell-d: protocol_error: fault in the driver: RuntimeError("a fault of the driver\'s own")',
        "connection cell-e: NOT everything answered",
        "F: timeout: not all tags were heard of within 0.2 s",
        "equipment tag value unit quality source time (UTC) age",
        "E a value of a good",
        "F a no answer",
        "F b value of b good",
        "0 of 5 connections answered in full",
    ]
    assert len(told) == len(expected)
    for line, wanted in zip(told, expected, strict=True):
        before, _, after = wanted.partition("*")
        assert line.startswith(before)
        assert line.endswith(after)


OWN = """\
id: own/of-furnaces
version: 1
title: {zh: 炉, en: furnaces}
standing: ours
source: {document: ours, without_quote: nobody has written it down}
denominator: kind == "furnace"
numerator: nc
"""


def test_a_definition_that_was_asked_for_and_has_nothing_to_count(tmp_path: Path) -> None:
    config = write_site(
        tmp_path, GOOD + "indicators: {definitions: [nc-rate/by-count, networked-rate/of-key]}\n"
    )
    of_key = "no rate on this register: denominator_zero (production && key)"
    result = run(config)
    assert result.exit_code == 0
    assert [line for line in lines_of(result) if re.match("definitions|warning: def", line)] == [
        "definitions: 2",
        f"warning: definition networked-rate/of-key: {of_key}",
    ]

    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "furnaces.yaml").write_text(OWN, encoding="utf-8")
    write_site(tmp_path, GOOD + "indicators: {definitions_dir: own}\n")
    assert [line for line in lines_of(run(config)) if line.startswith("warning: definition")] == [
        'warning: definition own/of-furnaces: no rate on this register: denominator_zero (kind == "furnace")',
    ]
    write_site(
        tmp_path, GOOD + "indicators: {definitions_dir: own}\n", "id,name,workshop,kind\nCNC-01,a,b,furnace\n"
    )
    assert not [line for line in lines_of(run(config)) if line.startswith("warning: definition")]


def test_everything_answers(tmp_path: Path) -> None:
    result = run(write_site(tmp_path), "--connect")
    assert result.exit_code == 0
    assert lines_of(result)[-1] == "1 of 1 connections answered in full"


def test_every_mistake_is_shown_on_its_own_line(tmp_path: Path) -> None:
    config = write_site(tmp_path, GOOD.replace("host:", "hots:").replace("CNC-01", "CNC-1"))
    result = run(config, "--connect")
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == [
        "connections[0].host",
        "connections[0].hots",
        "connections[0].equipment[0].id",
    ]
    assert lines[-1] == "3 mistakes"


def test_connections_are_tried_at_the_same_time(tmp_path: Path) -> None:
    names = [f"E{number}" for number in range(16)]
    connections = "".join(
        f"  - id: to-{name}\n    driver: bus\n    host: hangs\n    timeout: 200ms\n"
        f"    equipment: [{{id: {name}, tags: [{{id: a, address: 1}}]}}]\n"
        for name in names
    )
    register = "id,name,workshop\n" + "".join(f"{name},Press,Hall 3\n" for name in names)
    text = GOOD.split("connections:")[0] + "connections:\n" + connections
    site = load_site(write_site(tmp_path, text, register))

    async def timed() -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await try_connections(site.connections)
        return loop.time() - start

    assert loop_time.run(timed()) == pytest.approx(0.4)


def test_against_a_modbus_server(tmp_path: Path, installed_drivers: None) -> None:
    async def scenario() -> None:
        registers = SimData(0, values=[41, 42, 43, 44], datatype=DataType.REGISTERS)
        port = free_port()
        server = ModbusTcpServer([SimDevice(id=1, simdata=[registers])], address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        text = GOOD.replace(
            "driver: bus\n    host: ok",
            f"driver: modbus\n    host: 127.0.0.1\n    port: {port}\n    timeout: 20s",
        )
        tags = "{id: status, table: holding, address: 1}, {id: gone, table: holding, address: 900}"
        config = write_site(tmp_path, text.replace("{id: status, address: 1}", tags))
        try:
            (trial,) = await try_connections(load_site(config).connections)
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus does not annotate it
        assert trial.opened
        assert trial.answers["CNC-01", "status"].value == 42
        assert trial.answers["CNC-01", "gone"].flaw is not None
        assert not trial.everything_answered
        (after,) = await try_connections(load_site(config).connections)
        ((subject, error),) = after.failures
        assert (subject, error.cause, after.opened) == ("cell-a", UnknownCause.UNREACHABLE, False)

    asyncio.run(scenario())
