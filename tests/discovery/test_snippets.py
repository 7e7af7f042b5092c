"""What is printed to paste is a configuration."""

import io
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from edge_agent.config.site import load_site
from edge_agent.discovery.snippets import Line, placeholder_ids, scalar, snippet
from edge_agent.model.found import Found, clean

BUS = {"protocol": "modbus", "host": "10.0.0.7", "where": "10.0.0.7:502", "driver": "modbus"}
GATEWAY = [
    Found(
        **BUS,  # type: ignore[arg-type]  # of texts
        part=f"unit {number}",
        address={"host": "10.0.0.7", "port": 502},
        unit={"unit": number},
        tags=({"id": "holding_0", "table": "holding", "address": 0},),
    )
    for number in (1, 2)
]
SERIAL = Found(
    protocol="modbus", host="/dev/ttyS9", where="/dev/ttyS9 (9600 8N1)", part="unit 3", driver="modbus",
    address={"serial": {"device": "/dev/ttyS9", "baudrate": 9600, "parity": "N"}}, unit={"unit": 3},
    profile="modbus/eastron-sdm630",
)  # fmt: skip
OPCUA = Found(
    protocol="opcua", host="10.0.0.8", where="opc.tcp://10.0.0.8:4840", part="铣床 : {x}", driver="opcua",
    address={"endpoint": "opc.tcp://10.0.0.8:4840"}, access={"security": "none"},
    unit={"base": "nsu=http://example.com/a;s=${HOME} : x"},
    tags=({"id": "load", "path": "nsu=http://example.com/a;Load"},),
)  # fmt: skip
RECOGNISED = Found(protocol="s7", host="10.0.0.9", where="10.0.0.9:102")


def site(folder: Path, text: str, *ids: str) -> Path:
    """A site with equipment of these ids, and the snippet as a file of its own."""
    rows = "".join(f"{one},x,Hall\n" for one in ids)
    (folder / "register.csv").write_text(f"id,name,workshop\n{rows}", encoding="utf-8")
    gateway = 'gateway: {id: gw, region: "330300", enterprise: 91350100M000100Y43}\nregister: register.csv\n'
    (folder / "10.yaml").write_text(gateway, encoding="utf-8")
    (folder / "20.yaml").write_text(text, encoding="utf-8")
    return folder


def test_it_is_accepted_with_the_registers_ids(tmp_path: Path) -> None:
    found = [*GATEWAY, SERIAL, OPCUA, RECOGNISED]
    ids = ["A", "B", "no", "1e5", "E"]
    text = snippet(Line(one, name, f"about {one.part}") for one, name in zip(found, ids, strict=True))
    loaded = load_site(site(tmp_path, text, *ids))
    assert [(one.id, [each.id for each in one.equipment]) for one in loaded.connections] == [
        ("modbus-10.0.0.7-502", ["A", "B"]),
        ("modbus-ttyS9", ["no"]),
        ("opcua-10.0.0.8-4840", ["1e5"]),
    ]
    base = loaded.connections[2].equipment[0].model_dump()["base"]
    assert base == OPCUA.unit["base"]  # the environment has no say in it


def test_words_of_strangers_and_of_registers_stay_where_they_stand(tmp_path: Path) -> None:
    evil = "x\n      - {id: B, unit: 9}\n"
    wicked = replace(GATEWAY[0], profile="a: b\nc", part=evil)
    text = snippet([Line(replace(wicked, profile=""), "A", comment=evil)])
    (connection,) = load_site(site(tmp_path, text, "A", "B")).connections
    assert [one.id for one in connection.equipment] == ["A"]
    assert '        profile: "a: b\\nc"\n' in snippet([Line(wicked, "A")])


def test_what_is_out_is_not_read_and_can_be_put_in(tmp_path: Path) -> None:
    text = snippet([Line(GATEWAY[0], "A"), Line(GATEWAY[1], "B", out=True), Line(SERIAL, "C", out=True)])
    loaded = load_site(site(tmp_path, text, "A", "B", "C"))
    assert [each.id for one in loaded.connections for each in one.equipment] == ["A"]
    loaded = load_site(site(tmp_path, text.replace("# ", ""), "A", "B", "C"))
    assert [each.id for one in loaded.connections for each in one.equipment] == ["A", "B", "C"]


def test_all_of_it_out_is_no_section(tmp_path: Path) -> None:
    text = snippet([Line(GATEWAY[0], "A", out=True)])
    assert load_site(site(tmp_path, text, "A")).connections == ()
    assert [one.id for one in load_site(site(tmp_path, text.replace("# ", ""), "A")).connections]


def test_ids_of_connections_that_there_are_are_not_used_again() -> None:
    assert "- id: modbus-10.0.0.7-502-2\n" in snippet([Line(GATEWAY[0], "A")], ["modbus-10.0.0.7-502"])
    assert snippet([Line(RECOGNISED, "A")]) == ""


def test_placeholders_are_ids_all_different() -> None:
    assert placeholder_ids([*GATEWAY, GATEWAY[0], OPCUA]) == ["unit-1", "unit-2", "unit-1-2", "x"]


@given(st.text(max_size=40))
def test_scalars_are_read_back(text: str) -> None:
    cleaned = clean(text)
    value = {"a": [cleaned, 1, None, True], "b": {"c": cleaned}}
    read = YAML(typ="safe", pure=True).load(io.StringIO(f"x: {scalar(value)}\n"))
    assert read == {
        "x": {"a": [cleaned.replace("${", "$${"), 1, None, True], "b": {"c": cleaned.replace("${", "$${")}}
    }
