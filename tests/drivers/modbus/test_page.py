"""The page for the technician says all that there is, and its examples are right."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from drivers.modbus import ModbusDriver, codec, options, reading, types
from drivers.modbus.frames import EXCEPTIONS
from edge_agent.driver import TagSet
from edge_agent.model.quality import Quality
from tests.drivers.modbus.hostile import unit_with
from tests.drivers.modbus.test_serial_line import serial_connection
from tests.house.documents import ROOT, blocks, text_of

PAGE = ROOT / "docs" / "drivers" / "modbus.md"
WORDS = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", text_of(PAGE)))))


@pytest.mark.parametrize(
    "model",
    [options.ModbusTag, options.RequestLimits, options.SerialLine, options.Tls, options.ForbiddenRange],
)
def test_every_option_is_explained(model: type[BaseModel]) -> None:
    of_all_drivers = {"id", "description", "unit", "period", "optional"}
    assert set(model.model_fields) - of_all_drivers <= WORDS


def test_every_option_of_connection_and_equipment_is_explained() -> None:
    own = {"host", "port", "serial", "framing", "tls", "pause", "period", "timeout", "unit", "limits"}
    assert own <= WORDS
    of_all_drivers = {"id", "driver", "enabled", "equipment", "profile", "tags", "states", "production"}
    models = (options.ModbusConnection, options.ModbusEquipment)
    assert {name for model in models for name in model.model_fields} - of_all_drivers == own


def test_every_type_and_reason_is_explained() -> None:
    reasons = {one.reason for one in vars(codec).values() if isinstance(one, Quality)}
    gateway = {"gateway_path_unavailable", "gateway_target_failed_to_respond"}
    assert reasons
    assert {*types.NUMBERS, *types.TIMES, *reasons, *EXCEPTIONS.values()} - gateway <= WORDS


def test_the_examples_are_valid() -> None:
    found = [
        connection
        for block in blocks(PAGE, "yaml")
        for connection in YAML(typ="safe").load(block)["connections"]
    ]
    assert len(found) == 4
    for connection in found:
        connection.get("tls", {}).clear()  # its files are not here
        for equipment in connection["equipment"]:
            equipment.pop("profile", None)
        options.ModbusConnection.model_validate(connection)


def test_the_plan_on_the_page_is_what_is_planned() -> None:
    (line,) = [
        connection
        for block in blocks(PAGE, "yaml")
        for connection in YAML(typ="safe").load(block)["connections"]
        if "serial" in connection
    ]
    made = options.ModbusConnection.model_validate(line)
    sets: list[reading.ModbusTagSet] = [
        TagSet(one, one.tags, one.tags[0].period or made.period) for one in made.equipment
    ]
    for planned in ModbusDriver(made, sets).plan():
        assert planned.what in text_of(PAGE)


def test_how_small_requests_become_on_a_slow_line() -> None:
    driver = serial_connection(Path("port"), [unit_with(range(125))], timeout="1s", baudrate=1200, parity="E")
    largest = max(len(planned.tags) for planned in driver.plan())
    assert f"at most {largest} registers" in text_of(PAGE)
