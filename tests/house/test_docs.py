"""The pages in docs/ hold: links lead somewhere, and the contract's page is what the code sends."""

import json
import re
import subprocess
import sys
import tomllib
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from packaging.requirements import Requirement

from edge_agent.cli.main import main
from edge_agent.config.definitions import known_definitions, read_definitions
from edge_agent.contract import messages
from edge_agent.contract.topics import RETAINED, RecordClass, Topics
from edge_agent.indicators.claims import ClaimKind
from edge_agent.indicators.definitions import ConnectedRule, Definition
from edge_agent.journal import gaps
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState, UnknownCause
from edge_agent.verifier import verify
from tests.house.documents import PAGES, ROOT, blocks, name_of, text_of

CONTRACT = ROOT / "docs" / "contract.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"

TYPES: dict[str, type[messages.Message]] = {
    "status": messages.Status,
    "register": messages.RegisterMessage,
    "state": messages.State,
    "telemetry": messages.Telemetry,
    "indicator": messages.Statements,
    "statement": messages.StatementOfRecord,
    "account": messages.Account,
    "capacity": messages.Capacity,
    "settlement": messages.Settlement,
    "event": messages.Event,
    "digest": messages.Digest,
}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made from their text."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text_of(page), flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        led_to = (page.parent / path).resolve() if path else page
        assert led_to.exists(), target
        assert not anchor or anchor in anchors(led_to), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_places_are_there(page: Path) -> None:
    """Paths of the repository in backticks."""
    rooms = "edge_agent|drivers|tests|configs|scripts|docs|requirements"
    for place in re.findall(rf"`((?:{rooms})/[\w./-]*)`", text_of(page)):
        assert (ROOT / place).exists(), place


def test_the_house_is_drawn_as_it_is() -> None:
    (house,) = [block for block in blocks(ARCHITECTURE, "") if block.startswith("edge_agent/\n")]
    drawn = set(re.findall(r"^  ([a-z_]+)/", house, re.MULTILINE))
    assert drawn == {path.parent.name for path in (ROOT / "edge_agent").glob("*/__init__.py")}


def test_the_definition_to_start_from_is_one(tmp_path: Path) -> None:
    for number, text in enumerate(blocks(ARCHITECTURE, "yaml")):
        (tmp_path / f"{number}.yaml").write_text(text, encoding="utf-8")
    found, problems = read_definitions([tmp_path])
    assert problems == []
    by_day, planned = found["networked-rate/by-day"].connected, found["networked-rate/planned-time"].connected
    assert by_day is not None
    assert planned is not None
    assert str(planned.planned_share) == "0.8"
    assert found.keys().isdisjoint(known_definitions())


def test_every_key_of_a_definition_is_explained() -> None:
    text = text_of(ARCHITECTURE).partition("## To add a definition")[2].partition("\n## ")[0]
    keys = Definition.model_fields.keys() | ConnectedRule.model_fields.keys()
    assert keys <= set(re.findall(r"\b[a-z_]+\b", text))


def examples() -> dict[str, str]:
    """The example of each kind of message, by the first level of its topic."""
    sections = re.split(r"^## `(\w+)[^`]*`$", text_of(CONTRACT), flags=re.MULTILINE)
    found = {}
    for name, section in zip(sections[1::2], sections[2::2], strict=True):
        found[name] = re.findall(r"^```json\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[0]
    return found


def test_every_kind_of_message_has_its_example() -> None:
    assert examples().keys() == TYPES.keys()


@pytest.mark.parametrize("name", TYPES)
def test_an_example_is_such_a_message(name: str) -> None:
    """Decoded and encoded again it is the same: no field that the type does not know, none forgotten."""
    example = examples()[name]
    message = messages.decode(example.encode())
    assert type(message) is TYPES[name]
    assert json.loads(messages.encode(message)) == json.loads(example)


def test_the_example_of_telemetry_that_travels_together_is_such_a_message() -> None:
    (example,) = [text for text in blocks(CONTRACT, "json") if "fta.bundle/1" in text]
    bundle = messages.decode(example.encode())
    assert isinstance(bundle, messages.Bundle)
    assert {type(messages.decode(bytes(one))) for one in bundle.messages} == {messages.Telemetry}


def field_names(of: type) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(of)}


@pytest.mark.parametrize(
    ("section", "types"),
    [
        ("status", [messages.Status]),
        (
            "register",
            [messages.RegisterMessage, messages.RegisteredEquipment, messages.RegisteredProcess],
        ),
        ("state", [messages.State]),
        ("telemetry", [messages.Telemetry, messages.Flaw, messages.Bundle]),
        (
            "indicator",
            [
                messages.Statements,
                messages.DefinitionReference,
                messages.Figure,
                messages.Scope,
                messages.EquipmentEvidence,
                messages.ProcessEvidence,
            ],
        ),
        (
            "statement",
            [
                messages.StatementOfRecord,
                messages.Superseded,
                messages.Claim,
                messages.RecordEvidence,
            ],
        ),
        ("account", [messages.Account, messages.StateTime, messages.AlarmTime, messages.KeyFigure]),
        ("capacity", [messages.Capacity, messages.FreeClass, messages.FreeWindow]),
        (
            "settlement",
            [
                messages.Settlement,
                messages.Superseded,
                messages.Tenant,
                messages.SettlementLine,
                messages.Gap,
                messages.SettlementAmount,
            ],
        ),
        ("event", [messages.Event]),
        ("digest", [messages.Digest, messages.ClassDigest]),
    ],
)
def test_every_field_is_explained(section: str, types: list[type]) -> None:
    text = text_of(CONTRACT).partition(f"\n## `{section}")[2].partition("\n## ")[0]
    wanted = set().union(*map(field_names, types)) - {"seq", "after"}
    assert wanted <= set(re.findall(r"`([a-z_]+)`", text))


def test_topics_are_listed_as_they_are() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \| (?:`(\w+)`)? ?\| (yes|no) \| (yes|no) \| `([^`]+)` \|$", text_of(CONTRACT), re.M
    )
    topics = Topics("root")
    expected = [(topics.status, "", "yes", "no")]
    subjects = {
        RecordClass.READINGS: ["{equipment}"],
        RecordClass.STATES: ["{equipment}"],
        RecordClass.STATEMENTS: ["indicator/{definition}", "statement/{definition}/{period}"],
        RecordClass.ASSETS: ["indicator/{definition}", "statement/{definition}/{period}"],
        RecordClass.ACCOUNTS: ["{equipment}/{period}"],
        RecordClass.SETTLEMENTS: ["{tenant}"],
    }
    for record_class in RecordClass:
        for subject in subjects.get(record_class, [""]):
            retained = "yes" if record_class in RETAINED else "no"
            expected.append((topics.of(record_class, subject), record_class.value, retained, "yes"))
    assert {(f"root/{topic}", *rest) for topic, *rest, _ in rows} == set(expected)
    assert {(topic.partition("/")[0], schema) for topic, *_, schema in rows} == {
        (name, kind.__struct_config__.tag) for name, kind in TYPES.items()
    }


def test_fixed_words_are_listed_as_they_are() -> None:
    words = set(re.findall(r"`([a-z_]+)`", text_of(CONTRACT)))
    assert {cause.value for cause in UnknownCause} <= words
    assert {state.value for state in MachineState} <= words
    assert {level.label for level in LinkLevel} <= words
    assert {kind.value for kind in ClaimKind} <= words


def test_kinds_of_events_are_listed_as_they_are() -> None:
    listed = text_of(CONTRACT).partition("| kind |")[2].partition("\n\n")[0]
    kinds = {kind for row in listed.splitlines() for kind in re.findall(r"`(\w+)`", row.split("|")[1:2][0])}
    code = "".join(text_of(path) for path in (ROOT / "edge_agent").rglob("*.py"))
    told = set(re.findall(r'(?:self\._event|self\._tell)\(\s*"(\w+)"', code))
    told |= set(re.findall(r'"(uplink_\w+)"', code))
    told |= gaps.WORDS.keys()
    assert kinds == told


def recompute(statement: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    (program,) = blocks(CONTRACT, "python")
    return subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(statement),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
    )


def test_a_figure_is_recomputed_as_shown() -> None:
    for name in ("indicator", "statement"):
        done = recompute(json.loads(examples()[name]))
        assert done.returncode == 0, done.stderr
        assert "91330300MA00DEM06A 3 of 4" in done.stdout
        assert "公用 0 of 0" in done.stdout


@pytest.mark.parametrize("name", ["indicator", "statement"])
def test_the_verifier_agrees_with_the_examples(name: str) -> None:
    statement = json.loads(examples()[name])
    key = json.loads(examples()["status"])["key"]
    assert verify(json.dumps(statement).encode(), [key]).failures == []
    statement["to"] += 1
    assert len(verify(json.dumps(statement).encode(), [key]).failures) == 1
    assert "InvalidSignature" in recompute(statement).stderr


def process_statement() -> str:
    """The example of a statement whose evidence is of processes."""
    return next(block for block in blocks(CONTRACT, "json") if '"counts": "process"' in block)


def test_a_figure_of_processes_is_recomputed_as_shown() -> None:
    statement = json.loads(process_statement())
    assert json.loads(messages.encode(messages.decode(json.dumps(statement).encode()))) == statement
    done = recompute(statement)
    assert done.returncode == 0, done.stderr
    assert "91330300MA00DEM06A 1 of 1" in done.stdout
    assert statement["register_version"] == json.loads(examples()["register"])["version"]
    assert verify(json.dumps(statement).encode()).failures == []
    statement["processes"][0]["nc_equipment"] = []
    assert "not the evidence" in recompute(statement).stderr


@pytest.mark.parametrize(
    ("line", "field", "value"), [(4, "in_numerator", True), (0, "good_readings", 171), (3, "last_good", None)]
)
def test_changed_evidence_is_found_out(line: int, field: str, value: object) -> None:
    statement = json.loads(examples()["indicator"])
    assert statement["equipment"][line][field] != value
    statement["equipment"][line][field] = value
    done = recompute(statement)
    assert done.returncode != 0
    assert "not the evidence" in done.stderr


def test_a_changed_count_is_found_out() -> None:
    statement = json.loads(examples()["indicator"])
    statement["figures"][0]["numerator"] += 1
    assert recompute(statement).returncode != 0


def test_the_registers_digest_is_recomputed_as_told() -> None:
    message = json.loads(examples()["register"])
    lines = [{"commissioned": None, "retired": None, **line} for line in message["equipment"]]
    lines.sort(key=lambda line: str(line["id"]))
    text = json.dumps(lines, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert sha256(text.encode()).hexdigest() == message["digest"]
    statement = json.loads(examples()["indicator"])
    assert message["digest"] == statement["register_digest"]
    counted_on = {name: message[name] for name in ("digest", "headcount", "processes")}
    text = json.dumps(counted_on, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert sha256(text.encode()).hexdigest() == message["version"] == statement["register_version"]


def test_every_command_of_the_statements_page_exists() -> None:
    text = "".join(blocks(ROOT / "docs" / "statements.md", "console")).replace("\\\n", " ")
    context = click.Context(main)
    seen = set()
    for line in re.findall(r"^\$ edge-agent (.*)$", text, re.MULTILINE):
        words = line.split()
        command = main.get_command(context, words[0])
        if isinstance(command, click.Group):
            command = command.get_command(context, words[1])
        assert command is not None, line
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
        seen.add(command.name)
    assert seen == {"key", "list", "show", "recompute", "export"}


def test_every_dependency_is_accounted_for() -> None:
    """Each package that is pinned for a gateway, and each that is asked for beside, with its licence."""
    page = text_of(ROOT / "docs" / "dependencies.md")
    with_licence = set(re.findall(r"^\| ([\w.-]+) \| [A-Z]", page, re.MULTILINE))
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    for name in ("build.in", "test.in"):
        lines += re.findall(r"^[^#\n]+$", text_of(ROOT / "requirements" / name), re.MULTILINE)
    asked_for = {Requirement(line).name for line in lines}
    assert asked_for <= with_licence
    pinned = set(re.findall(r"^([\w.-]+)==", text_of(ROOT / "requirements" / "package.txt"), re.MULTILINE))
    mentioned = set(re.findall(r"[\w.-]*\w", page))
    assert {name.replace("ruamel-yaml", "ruamel.yaml") for name in pinned} <= mentioned
