"""`browse`, `read` and `watch` as a technician calls them."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from drivers.opcua.commands import opcua
from drivers.opcua.tag_lists import distinct_ids, quoted, tag_id
from tests.drivers.opcua.companion.model_server import ModelServer
from tests.drivers.opcua.companion.site import connection_of

LATHE = "nsu=http://example.com/plant;s=Lathe"


def call(model: ModelServer, command: str, *arguments: str) -> Result:
    url = f"127.0.0.1:{model.port}/machines"
    return CliRunner().invoke(opcua, [command, url, "--security", "none", "--timeout", "20s", *arguments])


def test_a_tree_with_ids_by_namespace_uri(model: ModelServer) -> None:
    model.set("Lathe.Monitoring.Channel1.FeedOverride", 95.0)
    result = call(model, "browse", "/Objects/Machines/Lathe", "--depth", "3", "--values")
    assert result.exit_code == 0, result.output
    assert re.search(rf"FeedOverride = 95\.0 .*{LATHE}\.Monitoring\.Channel1\.FeedOverride", result.output)
    assert "EURange" not in result.output, "a level too deep"
    assert "more nodes" in result.output


def test_a_tree_is_bounded(model: ModelServer) -> None:
    result = call(model, "browse", "--depth", "9", "--limit", "20")
    assert result.exit_code == 0
    nodes = [line for line in result.output.splitlines() if "nsu=" in line or "  i=" in line]
    assert len(nodes) == 20
    assert "more nodes" in result.output


def test_a_tag_list_is_accepted_as_it_is(model: ModelServer, tmp_path: Path) -> None:
    for arguments in (["--tags"], ["--tags", "--paths"]):
        result = call(model, "browse", "/Objects/Machines/Lathe", *arguments)
        assert result.exit_code == 0, result.output
        tags = result.stdout[result.stdout.index("tags:") :]
        indented = "".join(f"        {line}\n" for line in tags.splitlines())
        connection = connection_of(
            tmp_path,
            "connections:\n  - id: c\n    driver: opcua\n    endpoint: opc.tcp://h\n    equipment:\n"
            f"      - id: Lathe\n        base: /Objects/Machines/Lathe\n{indented}",
        )
        (equipment,) = connection.equipment
        ids = [tag.id for tag in equipment.tags]
        assert {"operation_mode", "feed_override", "serial_number", "light_1_signal_color"} <= set(ids)
        assert not {"eu_range", "enum_strings"} & set(ids)
        by_path = "--paths" in arguments
        assert all((tag.node is None) is by_path for tag in equipment.tags)


def test_a_pattern_becomes_tags(model: ModelServer) -> None:
    result = call(model, "browse", "/Objects/Machines/Mill/**/Monitoring/*/FeedOverride", "--tags")
    assert result.exit_code == 0, result.output
    assert [line.split(",")[0] for line in result.stdout.splitlines()[1:]] == [
        "  - {id: channel_1_feed_override",
        "  - {id: channel_2_feed_override",
    ]


def test_values_with_type_quality_and_times(model: ModelServer) -> None:
    model.set("Lathe.Monitoring.Channel1.ChannelState", 2)
    result = call(model, "read", f"{LATHE}.Monitoring.Channel1.ChannelState", "i=2256")
    assert result.exit_code == 0, result.output
    assert "2 (Reset)" in result.output
    assert "ChannelState" in result.output
    assert "field: BuildInfo.ProductName" in result.output
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", result.output)


@pytest.mark.parametrize(
    ("node", "code", "told"),
    [
        ("ns=11;s=nowhere", 1, "BadNodeIdUnknown"),
        ("nsu=http://example.com/unknown;s=x", 2, "it has:"),
        ("/Objects/nowhere", 2, "leads to no node"),
        ("a//b", 2, "neither a NodeId nor a browse path"),
    ],
)
def test_what_cannot_be_read(model: ModelServer, node: str, code: int, told: str) -> None:
    result = call(model, "read", node)
    assert result.exit_code == code
    assert told in result.output


def test_changes_live(model: ModelServer) -> None:
    result = call(model, "watch", "i=2258", "--period", "200ms", "--seconds", "8")
    assert result.exit_code == 0, result.output
    assert len([line for line in result.output.splitlines() if "i=2258" in line]) >= 2


def test_the_way_in_is_checked_first(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    for arguments, told in (
        (["--username", "me", "--password-env", "NO_SUCH"], "NO_SUCH is not set"),
        (["--mode", "Sign"], "nothing is signed"),
        (["--timeout", "3"], "with its unit"),
    ):
        result = call(model, "read", "i=2258", *arguments)
        assert result.exit_code == 2, result.output
        assert told in result.output
    assert "--password " not in CliRunner().invoke(opcua, ["read", "--help"]).output


def test_nobody_there() -> None:
    result = CliRunner().invoke(opcua, ["machines", "127.0.0.1:1", "--security", "none"])
    assert result.exit_code == 1
    assert "nothing listens on that port" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("FeedOverride", "feed_override"),
        ("EURange", "eu_range"),
        ("Channel 1", "channel_1"),
        ("/Channel/State/actParts[u1]", "channel_state_act_parts_u_1"),
        ("2nd", "_2_nd"),
        ("主轴", "tag"),
        ("x" * 90, "x" * 64),
    ],
)
def test_ids_of_tags(name: str, made: str) -> None:
    assert tag_id([name]) == made


def test_ids_are_distinct() -> None:
    assert distinct_ids([("A", "Speed"), ("B", "Speed"), ("B", "Load")]) == ["a_speed", "b_speed", "load"]
    assert distinct_ids([("主", "速"), ("辅", "速")]) == ["tag", "tag_2"]


@pytest.mark.parametrize("text", ["", "%", "off", "a: b", 'say "x"', "back\\slash", "行\n", "#1", "a, b}"])
def test_yaml_scalars(text: str) -> None:
    from ruamel.yaml import YAML

    assert YAML(typ="safe").load(f"{{a: {quoted(text)}}}") == {"a": text}
