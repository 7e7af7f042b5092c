"""The demo's configuration fits the simulated workshop, and its figures are the ones worked out by hand."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from edge_agent.config.definitions import known_definitions
from edge_agent.config.site import load_site
from edge_agent.indicators.calculate import Calculator
from edge_agent.model.link import LinkLevel
from edge_agent.model.minutes import Minutes
from edge_agent.model.options import StateRule
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.simulator.fleet import (
    DEFAULT_MODBUS_PORT,
    DEFAULT_OPCUA_PORT,
    MACHINES,
    MODBUS_SERVERS,
    OPCUA_MACHINES,
    OPCUA_NAMESPACE,
    ModbusUnit,
    OpcuaMachine,
)
from edge_agent.simulator.life import Doing, moment, values
from edge_agent.states.rules import RuleSet

DEMO = Path(__file__).parents[2] / "configs" / "demo"
WITHOUT_POWER = "CNC-03"

STATES = {
    Doing.RUN: MachineState.RUNNING,
    Doing.IDLE: MachineState.IDLE,
    Doing.WAIT: MachineState.IDLE,
    Doing.SETUP: MachineState.SETUP,
    Doing.ALARM: MachineState.ALARM,
    Doing.OFF: MachineState.OFF,
}


def load(name: str) -> Any:
    with (DEMO / name).open(encoding="utf-8") as file:
        return YAML(typ="safe").load(file)


AGENT = load("agent.yaml")
PROFILES: Mapping[str, Mapping[str, Any]] = load("profiles.yaml")["profiles"]
CONFIGURED: dict[str, Mapping[str, Any]] = {
    equipment["id"]: equipment for at in AGENT["connections"] for equipment in at["equipment"]
}


def both(equipment: str, key: str) -> list[Mapping[str, Any]]:
    """Tags or states of an equipment: its own, or its profile's."""
    configured = CONFIGURED[equipment]
    given: list[Mapping[str, Any]] = (
        configured[key] if key in configured else PROFILES[configured["profile"]][key]
    )
    return given


def test_every_machine_is_configured_at_its_port_and_unit() -> None:
    configured = {
        (at["host"], at["port"], equipment["unit"], equipment["id"])
        for at in AGENT["connections"]
        if at["driver"] == "modbus"
        for equipment in at["equipment"]
    }
    simulated = {
        ("127.0.0.1", port, unit.unit, unit.machine.id)
        for port, server in enumerate(MODBUS_SERVERS, DEFAULT_MODBUS_PORT)
        for unit in server.units
    }
    dead = {("127.0.0.1", DEFAULT_MODBUS_PORT, unit, WITHOUT_POWER) for unit in MODBUS_SERVERS[0].dead}
    assert configured == simulated | dead


def test_the_opcua_server_is_configured() -> None:
    [at] = [at for at in AGENT["connections"] if at["driver"] == "opcua"]
    assert at["endpoint"] == f"opc.tcp://127.0.0.1:{DEFAULT_OPCUA_PORT}"
    assert [equipment["id"] for equipment in at["equipment"]] == [
        served.machine.id for served in OPCUA_MACHINES
    ]


@pytest.mark.parametrize(
    "unit", [unit for server in MODBUS_SERVERS for unit in server.units], ids=lambda unit: unit.machine.id
)
def test_modbus_tags_are_those_of_the_machine(unit: ModbusUnit) -> None:
    configured = {
        (tag["id"], tag["table"], tag["address"], tag["type"], tag.get("scale", 1.0), tag.get("bit"))
        for tag in both(unit.machine.id, "tags")
    }
    assert configured == {
        (point.tag, point.table, point.address, point.type, point.scale, point.bit) for point in unit.points
    }


@pytest.mark.parametrize("served", OPCUA_MACHINES, ids=lambda served: served.machine.id)
def test_opcua_tags_are_those_of_the_machine(served: OpcuaMachine) -> None:
    """Below the machine's node, each is found by its name."""
    assert CONFIGURED[served.machine.id]["base"] == f"nsu={OPCUA_NAMESPACE};s={served.machine.id}"
    configured = {(tag["id"], tag["path"]) for tag in both(served.machine.id, "tags")}
    assert configured == {(tag, tag) for tag, _ in served.nodes}


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_the_state_rules_tell_what_the_machine_does(name: str) -> None:
    machine = MACHINES[name]
    rules = RuleSet([StateRule.model_validate(rule) for rule in both(name, "states")])
    told: dict[tuple[Doing, int], set[StateWithCause]] = {}
    for tick in range(15_000):
        now = moment(machine, tick)
        told.setdefault((now.doing, now.alarm), set()).add(rules.decide(dict(values(machine, tick))))
    possible = {doing for doing, _ in machine.habits.after} | {Doing.RUN, Doing.IDLE}
    assert {doing for doing, _ in told} == possible
    for (doing, alarm), states in told.items():
        [result] = states
        assert result.state is STATES[doing]
        assert (result.cause != "") == (doing in (Doing.ALARM, Doing.WAIT))
        if alarm > 1:
            assert result.cause.startswith(str(alarm))


# The figures, from three sides: the register as written, what the simulator serves, and EXPECTED.md.

YES = "是"
WORKSHOPS = ("机加工车间", "冲压车间", "装配车间")
NOW_MS = 1_790_000_000_000  # 2026-09-21


def register() -> list[dict[str, str]]:
    with (DEMO / "register.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def in_service() -> list[dict[str, str]]:
    """Production equipment that is not retired."""
    return [row for row in register() if row["生产设备"] == YES and not row["报废日期"]]


def expected() -> dict[str, list[tuple[int, int]]]:
    """Definition -> (numerator, denominator) of the enterprise and of each workshop."""
    text = (DEMO / "EXPECTED.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z0-9-]+/\S+) \| (\d+ / \d+.*) \|$", text, re.MULTILINE)
    return {
        name: [(int(n), int(d)) for n, d in re.findall(r"(\d+) / (\d+)", figures)] for name, figures in rows
    }


def test_the_register_has_what_the_demo_is_to_show() -> None:
    rows = register()
    assert len(rows) == 20 == len({row["设备编号"] for row in rows})
    assert len({row["车间"] for row in rows}) == 3
    assert CONFIGURED.keys() <= {row["设备编号"] for row in rows}
    assert len(in_service()) == 18


def test_figures_are_those_worked_out_by_hand() -> None:
    rows = in_service()
    scopes = [rows, *([row for row in rows if row["车间"] == name] for name in WORKSHOPS)]
    networked = [(sum(row["设备编号"] in MACHINES for row in members), len(members)) for members in scopes]
    nc = [(sum(row["数控"] == YES for row in members), len(members)) for members in scopes]
    by_hand = expected()
    assert by_hand["networked-rate/live"] == by_hand["networked-rate/miit-sme-2024"] == networked
    assert by_hand["nc-rate/by-count"] == nc


class WhileTheSimulatorRuns:
    """Evidence of every machine that answers."""

    def level(self, equipment: str, now_ms: int) -> LinkLevel:
        assert now_ms == NOW_MS
        return LinkLevel.LIVE if equipment in MACHINES else LinkLevel.REGISTERED

    def good_readings(self, equipment: str, from_ms: int) -> int:
        assert from_ms < NOW_MS
        return int(equipment in MACHINES)

    def proved_minutes(self, equipment: str, planned: Minutes) -> int:
        raise AssertionError(f"{equipment}: no shipped definition asks for {len(planned)} hours")

    def last_good_ms(self, equipment: str) -> int | None:
        return NOW_MS if equipment in MACHINES else None


def test_the_agent_works_out_the_same() -> None:
    site = load_site(DEMO)
    states = dict.fromkeys(site.register.by_id, MachineState.IDLE)
    worked_out = {}
    for definition in known_definitions().values():
        calculator = Calculator(definition, site.gateway.enterprise, site.register)
        figures = calculator.statements(WhileTheSimulatorRuns(), states, NOW_MS).figures
        unit = 100 if definition.weight == "asset_value" else 1  # fen in a yuan
        worked_out[definition.id] = [
            (one.numerator // unit, one.denominator // unit) for one in figures if one.scope.level != "line"
        ]
    assert worked_out == expected()


def test_rates_in_the_expectation_follow_from_their_counts() -> None:
    text = (DEMO / "EXPECTED.md").read_text(encoding="utf-8")
    rates = re.findall(r"(\d+) / (\d+) = (\d+\.\d\d) %", text)
    assert len(rates) == 45
    for numerator, denominator, rate in rates:
        assert f"{100 * int(numerator) / int(denominator):.2f}" == rate
