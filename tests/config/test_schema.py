"""The JSON Schema, and the documentation that follows it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_agent.cli.schema import schema
from edge_agent.config import load_site
from edge_agent.config.models import Configuration
from edge_agent.config.words import _PATTERNS
from edge_agent.console.passwords import hashed
from tests.config.plant import write_site
from tests.field.certificates import Authority

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def printed() -> dict[str, Any]:
    result = CliRunner().invoke(schema)
    assert result.exit_code == 0
    read: dict[str, Any] = json.loads(result.output)
    return read


def parts_of(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts_of(inner)


def test_every_key_is_in_the_documentation(installed_drivers: None) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    keys = {key for part in parts_of(printed()) for key in part.get("properties", {}) if "$ref" not in key}
    assert {"gateway", "host", "sampling", "forbidden"} <= keys
    assert [key for key in sorted(keys) if not re.search(rf"`{key}`", text)] == []


def test_it_is_json_schema_of_2020_12_with_all_drivers(installed_drivers: None) -> None:
    document = printed()
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    connection = document["properties"]["connections"]["items"]
    assert set(connection["discriminator"]["mapping"]) >= {"modbus", "opcua"}
    assert document["$defs"]["ModbusConnection"]["additionalProperties"] is False


def test_defaults_stand_as_they_are_written(installed_drivers: None) -> None:
    definitions = printed()["$defs"]
    assert definitions["ModbusConnection"]["properties"]["period"]["default"] == "1s"
    assert definitions["ModbusTag"]["properties"]["scale"]["default"] == 1.0


def test_every_pattern_has_words_for_people() -> None:
    parts = list(parts_of(Configuration.model_json_schema()))
    patterns = {part["pattern"] for part in parts if isinstance(part.get("pattern"), str)}
    patterns |= {pattern for part in parts for pattern in part.get("patternProperties", {})}
    assert patterns == set(_PATTERNS)


def test_the_examples_of_the_documentation_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed_drivers: None
) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", "word")
    text = DOCUMENT.read_text(encoding="utf-8")
    small, *others = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (register,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    site = load_site(write_site(tmp_path, small, register))
    assert [tag.id for tag in site.connections[0].equipment[0].tags] == ["status", "load"]

    head = small.split("connections:")[0]
    rows = register + "PRS-07,冲床,一车间,否,,\nCNC-02,数控车床,一车间,是,,\n"
    for name in ("region-ca.pem", "gw-01.pem", "gw-01.key", "mqtt", "influx-token"):
        (tmp_path / name).write_text("word")
    Authority(tmp_path).issue("page")
    (tmp_path / "wang.hash").write_text(hashed("a long pass phrase"))
    (tmp_path / "targets").mkdir()
    assert len(others) == 14
    tenants_tag = """
connections:
  - id: mill
    driver: modbus
    host: 10.0.0.1
    equipment: [{id: CNC-02, tags: [{id: user, table: holding, address: 0}]}]
"""
    for part in others:
        section = part if re.match(r"\w+:", part) else "connections:\n" + part
        section += tenants_tag if "tag: user" in part else ""
        load_site(write_site(tmp_path, head + section.replace("file:/run/credentials/", "file:"), rows))
