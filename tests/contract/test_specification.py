"""The published contract is current, right by the rules of its formats, and the types' own."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from edge_agent.cli.contract import contract, documents
from edge_agent.contract.messages import AnyMessage
from edge_agent.contract.specification import CHANNELS, json_schemas, schema_name
from edge_agent.contract.topics import RETAINED, RecordClass, Topics
from tests.house.test_docs import examples
from tests.npm import NODE, npm_package

PUBLISHED = Path(__file__).parents[2] / "docs" / "contract"
EXAMPLES = {name: json.loads(text) for name, text in examples().items()}

CHECK = """
const { Parser } = require("@asyncapi/parser");
const text = require("fs").readFileSync(process.argv[2], "utf-8");
new Parser().parse(text).then(({ diagnostics }) => {
  console.log(JSON.stringify(diagnostics.filter((d) => d.severity === 0).map((d) => d.message)));
});
"""


def test_what_is_published_is_current() -> None:
    published = {path.name: path.read_text("utf-8") for path in PUBLISHED.glob("*.json")}
    assert published == documents(), "run: edge-agent contract export docs/contract"


def test_every_message_has_a_channel_and_every_class_too() -> None:
    kinds = [kind for channel in CHANNELS for kind in channel.types]
    assert set(kinds) == set(AnyMessage.__args__)
    assert len(kinds) == len(set(kinds))
    topics = Topics("root")
    subjects = {
        RecordClass.READINGS: "{equipment}",
        RecordClass.STATES: "{equipment}",
        RecordClass.STATEMENTS: "indicator/{name}/{variant}",
        RecordClass.ASSETS: "indicator/{name}/{variant}",
        RecordClass.ACCOUNTS: "{equipment}/{period}",
        RecordClass.SETTLEMENTS: "{tenant}",
    }
    retained = {f"root/{channel.topic}": channel.retained for channel in CHANNELS}
    for record_class in RecordClass:
        assert retained[topics.of(record_class, subjects.get(record_class, ""))] == (record_class in RETAINED)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_passes_its_schema_and_a_spoilt_one_does_not(name: str) -> None:
    """By a validator that knows nothing of the types."""
    example = EXAMPLES[name]
    schema = json_schemas()[example["schema"]]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(example)] == []
    (definition,) = [d for d in schema["$defs"].values() if example["schema"] in _enum(d)]
    for field in definition["required"]:
        spoilt = {key: value for key, value in example.items() if key != field}
        assert not validator.is_valid(spoilt), field
    assert validator.is_valid({**example, "later": 1}), "a field of a later version is no mistake"


def _enum(definition: dict[str, Any]) -> list[str]:
    schema: list[str] = definition["properties"].get("schema", {}).get("enum", [])
    return schema


def test_asyncapi_s_own_parser_finds_no_error(tmp_path: Path) -> None:
    folder = npm_package("@asyncapi/parser", "3.6.0")
    script = folder / "check.js"
    script.write_text(CHECK)
    done = subprocess.run(
        [NODE, script, PUBLISHED / "asyncapi.json"], capture_output=True, text=True, timeout=120, check=True
    )
    assert json.loads(done.stdout) == []
    broken = json.loads((PUBLISHED / "asyncapi.json").read_text("utf-8"))
    broken["operations"]["send-event"]["channel"] = {"$ref": "#/channels/nowhere"}
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    done = subprocess.run(
        [NODE, script, tmp_path / "broken.json"], capture_output=True, text=True, timeout=120, check=True
    )
    assert json.loads(done.stdout) != []


def test_names_of_schemas_are_those_in_the_messages() -> None:
    assert {schema_name(kind) for channel in CHANNELS for kind in channel.types} == json_schemas().keys()


def validated(text: str) -> tuple[int, str]:
    result = CliRunner().invoke(contract, ["validate"], input=text)
    return result.exit_code, result.output


def test_messages_are_validated_from_standard_input() -> None:
    state = EXAMPLES["state"]
    pretty = json.dumps(state, indent=2)
    assert validated(pretty) == (0, f"1: fta.state/1, seq {state['seq']}\n")
    del state["since"]
    code, text = validated(f"{json.dumps(EXAMPLES['event'])}\n\n{json.dumps(state)}\nnonsense\n")
    assert code == 1
    first, second, third = text.splitlines()
    assert first == "1: fta.event/1, seq 1"
    assert second == "2: 不符合 not a message: Object missing required field `since`"
    assert third.startswith("3: 不符合 not a message: JSON is malformed")
    unnumbered = {key: value for key, value in EXAMPLES["event"].items() if key != "seq"}
    assert validated(json.dumps(unnumbered)) == (1, "1: 不符合 not a message: it has no seq\n")
