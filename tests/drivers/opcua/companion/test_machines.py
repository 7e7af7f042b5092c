"""Machines made of the OPC Foundation's node sets: recognised, configured from what is printed, and read."""

import asyncio
from pathlib import Path

import pytest
from asyncua.ua.status_codes import StatusCodes
from click.testing import CliRunner
from ruamel.yaml import YAML

from drivers.opcua import companion
from drivers.opcua.commands import opcua
from edge_agent.config.shipped import shipped
from edge_agent.model.batch import Value
from edge_agent.states.rules import RuleSet
from tests.drivers.opcua.companion.model_server import ModelServer
from tests.drivers.opcua.companion.site import connection_of
from tests.drivers.opcua.harness import driver_for
from tests.drivers.opcua.life import Life

Writes = dict[str, object]

MACHINE_TOOL = {
    "Monitoring.MachineTool.OperationMode": 1,
    "Production.ActiveProgram.State.CurrentState.Number": 2,
    "Production.ActiveProgram.Name": "O0815",
    "Monitoring.Channel1.ChannelState": 0,
    "Monitoring.Channel1.FeedOverride": 95.0,
    "Identification.SerialNumber": "SN-1",
}
ITEM = "Monitoring.MachineTool.MachineryItemState.CurrentState"
WASHER_ITEM = "MachineryBuildingBlocks.MachineryItemState.CurrentState"
WASHER_MODE = "MachineryBuildingBlocks.MachineryOperationMode.CurrentState"
CHANNEL = "CncChannelList.Channel1"
SAFETY = "SafetyStates.Safety.ParameterSet"
TASK = "Controllers.Controller.TaskControls.Task.TaskControlOperation.TaskControlStateMachine.CurrentState"
PACK = "BaseStateMachine"

STATES: dict[str, tuple[Writes, list[tuple[Writes, str]]]] = {
    "Lathe": (
        MACHINE_TOOL,
        [
            ({"Production.ActiveProgram.State.CurrentState.Number": 1}, "running"),
            ({"Production.ActiveProgram.State.CurrentState.Number": 3}, "idle"),
            ({"Production.ActiveProgram.State.CurrentState.Number": 2}, "idle"),
            ({"Monitoring.MachineTool.OperationMode": 2}, "setup"),
            ({"Monitoring.MachineTool.OperationMode": 0}, "idle"),
        ],
    ),
    "Mill": (
        MACHINE_TOOL | {ITEM: "NotExecuting"},
        [
            ({ITEM: "Executing"}, "running"),
            ({"Monitoring.MachineTool.OperationMode": 2}, "setup"),
            ({ITEM: "NotExecuting"}, "idle"),
            ({ITEM: "OutOfService"}, "alarm"),
            ({ITEM: "NotAvailable"}, "off"),
        ],
    ),
    "Washer": (
        {WASHER_ITEM: "NotExecuting", WASHER_MODE: "Processing", "Identification.SerialNumber": "W-9"},
        [
            ({WASHER_ITEM: "Executing"}, "running"),
            ({WASHER_MODE: "Setup"}, "setup"),
            ({WASHER_ITEM: "NotExecuting"}, "idle"),
            ({WASHER_ITEM: "OutOfService"}, "alarm"),
            ({WASHER_ITEM: "NotAvailable"}, "off"),
        ],
    ),
    "Cnc": (
        {f"{CHANNEL}.ActProgramStatus": 0, f"{CHANNEL}.ActOperationMode": 2},
        [
            ({f"{CHANNEL}.ActProgramStatus": 1}, "running"),
            ({f"{CHANNEL}.ActOperationMode": 1}, "setup"),
            ({f"{CHANNEL}.ActProgramStatus": 3}, "idle"),
            ({f"{CHANNEL}.ActProgramStatus": 0}, "idle"),
        ],
    ),
    "Robot": (
        {
            f"{SAFETY}.OperationalMode": 3,
            f"{SAFETY}.EmergencyStop": False,
            f"{SAFETY}.ProtectiveStop": False,
            TASK: "Idle",
        },
        [
            ({TASK: "Executing"}, "running"),
            ({TASK: "Ready"}, "idle"),
            ({f"{SAFETY}.OperationalMode": 1}, "setup"),
            ({f"{SAFETY}.ProtectiveStop": True}, "alarm"),
            ({f"{SAFETY}.ProtectiveStop": False, f"{SAFETY}.OperationalMode": 4}, "idle"),
        ],
    ),
    "Filler": (
        {
            f"{PACK}.CurrentState": "Cleared",
            f"{PACK}.MachineState.CurrentState": "Running",
            f"{PACK}.MachineState.ExecuteState.CurrentState": "Idle",
        },
        [
            ({f"{PACK}.MachineState.ExecuteState.CurrentState": "Execute"}, "running"),
            ({f"{PACK}.MachineState.ExecuteState.CurrentState": "Suspended"}, "idle"),
            ({f"{PACK}.MachineState.CurrentState": "Stopped"}, "idle"),
            ({f"{PACK}.CurrentState": "Aborted"}, "alarm"),
        ],
    ),
}
"""Of each machine: what it shows at first, idle; then what changes, and the state that this means."""


def snippet(model: ModelServer) -> str:
    """What `machines` prints to paste."""
    url = f"opc.tcp://127.0.0.1:{model.port}/machines"
    result = CliRunner().invoke(opcua, ["machines", url, "--security", "none", "--timeout", "20s"])
    assert result.exit_code == 0, result.output
    return result.output[result.output.index("connections:") :]


def test_machines_are_recognised_with_identity_and_specifications(model: ModelServer) -> None:
    model.set("Lathe.Identification.Manufacturer", "Example Works 示例")
    model.set("Lathe.Identification.SerialNumber", "L-4711")
    model.set("Lathe.Identification.ProductInstanceUri", "urn:example:lathe:4711")
    url = f"opc.tcp://127.0.0.1:{model.port}/machines"
    shown = CliRunner().invoke(opcua, ["machines", url, "--security", "none", "--timeout", "20s"]).output
    lathe = shown[shown.index("machine: Lathe") : shown.index("machine: Mill")]
    for text in ("Example Works 示例", "L-4711", "urn:example:lathe:4711", "OPC 40501-1", "OPC 40001-1"):
        assert text in lathe
    equipment = {one["id"]: one for one in YAML().load(snippet(model))["connections"][0]["equipment"]}
    assert {name: one["profile"] for name, one in equipment.items()} == {
        "Lathe": "opcua/machine-tool",
        "Mill": "opcua/machine-tool-item-state",
        "Washer": "opcua/machinery",
        "Cnc": "opcua/cnc",
        "test": "opcua/cnc",  # an example that the node set itself brings
        "Robot": "opcua/robot",
        "Filler": "opcua/packml",
    }
    assert [tag["id"] for tag in equipment["Mill"]["tags"]] == [
        *("channel_state", "channel_state_2", "channel_mode", "channel_mode_2")
    ]
    assert [tag["id"] for tag in equipment["Lathe"]["tags"]][:2] == ["light_color", "light_color_2"]
    assert "tags" not in equipment["Washer"]


def test_states_told_by_what_is_pasted(model: ModelServer, tmp_path: Path) -> None:
    for machine, (start, _) in STATES.items():
        for name, value in start.items():
            model.set(f"{machine}.{name}", value)
    options = connection_of(tmp_path, snippet(model))
    options = options.model_copy(update={"period": 0.1, "timeout": 20.0})
    rules = {equipment.id: RuleSet(equipment.states) for equipment in options.equipment}

    async def body() -> None:
        async with Life(driver_for(options)) as life:

            def told(equipment: str, tag: str) -> Value:
                value, flaw = life.latest.get((equipment, tag), (None, None))
                return value if flaw is None else None

            def state(equipment: str) -> str:
                values = {
                    tag: value
                    for (name, tag), (value, flaw) in life.latest.items()
                    if name == equipment and (flaw is None or flaw.level != "bad")
                }
                return rules[equipment].decide(values).state.value

            for machine, (_, steps) in STATES.items():
                await life.until(lambda machine=machine: state(machine) == "idle")  # type: ignore[misc]  # the default's type
                for writes, expected in steps:
                    for name, value in writes.items():
                        model.set(f"{machine}.{name}", value)
                    await life.until(lambda m=machine, e=expected: state(m) == e)  # type: ignore[misc]  # as above
            assert life.failures == []
            assert told("Lathe", "program") == "O0815"
            assert told("Lathe", "feed_override") == 95.0
            assert told("Lathe", "serial_number") == "SN-1"
            assert life.reason("Lathe", "power_on") == "no_match", "optional, and not there"
            assert told("Lathe", "parts_total") == 0

    asyncio.run(body())


def test_what_a_machine_does_not_say_is_unknown(model: ModelServer, tmp_path: Path) -> None:
    """The inner state machines of PackML say nothing while the outer one is aborted."""
    options = connection_of(tmp_path, snippet(model)).model_copy(update={"period": 0.1, "timeout": 20.0})
    filler = next(one for one in options.equipment if one.id == "Filler")
    rules = RuleSet(filler.states)
    not_active = StatusCodes.BadStateNotActive
    model.set(f"Filler.{PACK}.CurrentState", "Aborted")
    model.fail(f"Filler.{PACK}.MachineState.CurrentState", not_active)

    async def body() -> None:
        async with Life(driver_for(options.model_copy(update={"equipment": (filler,)}))) as life:

            def state() -> str:
                told = {tag: value for (_, tag), (value, flaw) in life.latest.items() if flaw is None}
                decided = rules.decide(told)
                return f"{decided.state.value} {decided.cause}"

            await life.until(lambda: life.reason("Filler", "machine_state") == "BadStateNotActive")
            await life.until(lambda: state().startswith("alarm"))
            model.set(f"Filler.{PACK}.CurrentState", "Cleared")
            await life.until(lambda: state() == "unknown bad_quality")

    asyncio.run(body())


@pytest.mark.parametrize(
    "one", [one for one in companion.SPECIFICATIONS if one.profile], ids=lambda one: one.profile
)
def test_repeated_tags_are_those_of_the_profile(one: companion.Specification) -> None:
    profile = YAML().load(shipped("profiles", f"{one.profile}.yaml"))
    paths = {tag["id"]: tag["path"] for tag in profile["tags"]}
    for tag, path in one.repeated:
        assert paths[tag] == path
