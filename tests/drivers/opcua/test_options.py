"""What may be written, and what is refused."""

import base64
import uuid

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.opcua.nodes import NodeName
from drivers.opcua.options import OpcuaConnection, ServerAccess
from tests.drivers.opcua.harness import connection

NAMESPACES = ["http://opcfoundation.org/UA/", "urn:server", "http://example.com/machines"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i=2258", ua.NodeId(2258, 0)),  # type: ignore[arg-type]
        ("ns=2;i=1001", ua.NodeId(1001, 2)),  # type: ignore[arg-type]
        ("ns=2;s=Axis.Load", ua.NodeId("Axis.Load", 2)),  # type: ignore[arg-type]
        ('ns=3;s="DB";x=1;y', ua.NodeId('"DB";x=1;y', 3)),  # type: ignore[arg-type]
        ("nsu=http://example.com/machines;s=通道.状态", ua.NodeId("通道.状态", 2)),  # type: ignore[arg-type]
        ("nsu=urn:server;b=AQI=", ua.NodeId(b"\x01\x02", 1)),  # type: ignore[arg-type]
    ],
)
def test_nodes_by_name(text: str, expected: ua.NodeId) -> None:
    assert NodeName.parse(text).resolve(NAMESPACES) == expected


def test_an_unknown_namespace_has_no_node() -> None:
    assert NodeName.parse("nsu=http://example.com/gone;i=1").resolve(NAMESPACES) is None
    assert NodeName.parse("nsu=http://a/%3Bb%25;i=1").namespace == "http://a/;b%"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Axis.Load",
        "s=",
        "ns=2",
        "ns=x;i=1",
        "ns=70000;i=1",
        "i=x",
        "i=4294967296",
        "nsu=;i=1",
        "g=1",
        "b=*",
        "q=1",
    ],
)
def test_what_is_no_node(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        NodeName.parse(text)
    with pytest.raises(ValidationError):
        connection(4840, {"A": [{"id": "t", "node": text}]})


_IDENTIFIERS = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda n: (f"i={n}", n)),
    st.text(min_size=1).map(lambda s: (f"s={s}", s)).filter(lambda pair: pair[0].strip() == pair[0]),
    st.uuids().map(lambda u: (f"g={u}", u)),
    st.binary(min_size=1).map(lambda b: (f"b={base64.b64encode(b).decode()}", b)),
)


@given(_IDENTIFIERS, st.integers(0, 0xFFFF))
def test_every_identifier_comes_back(pair: tuple[str, int | str | uuid.UUID | bytes], namespace: int) -> None:
    text, identifier = pair
    assert NodeName.parse(f"ns={namespace};{text}") == NodeName(namespace, identifier)


def test_a_port_is_filled_in() -> None:
    options = connection(0, {"A": []}, endpoint="opc.tcp://plc.local/path")
    assert options.endpoint == "opc.tcp://plc.local:4840/path"
    assert connection(0, {"A": []}, endpoint="opc.tcp://[::1]").endpoint == "opc.tcp://[::1]:4840"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"endpoint": "http://plc:4840"}, "opc.tcp://"),
        ({"endpoint": "opc.tcp://"}, "opc.tcp://"),
        ({"endpoint": "opc.tcp://plc:99999"}, "opc.tcp://"),
        ({"endpoint": "opc.tcp://me:secret@plc:4840"}, "username and password"),
        ({"username": "me"}, "together"),
        ({"password": "secret"}, "together"),
        ({"plain_password": True}, "plain_password"),
        (
            {"plain_password": True, "username": "a", "password": "b", "security": "strongest"},
            "plain_password",
        ),
        ({"security": "Basic256"}, "strongest"),
        ({"security": "None"}, "strongest"),
        ({"mode": "Sign"}, "remove mode or security"),
        ({"mode": "None", "security": "strongest"}, "Sign"),
        ({"user_certificate": __file__}, "user_key"),
        ({"user_certificate": __file__, "user_key": __file__, "username": "a", "password": "b"}, "either"),
        ({"user_certificate": "/nowhere", "user_key": __file__}, "file"),
    ],
)
def test_connections_that_are_refused(more: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        connection(4840, {"A": []}, **more)


def test_the_schema_can_be_made() -> None:
    schema = OpcuaConnection.model_json_schema()
    assert schema["properties"]["password"]["anyOf"][0]["writeOnly"] is True


def test_security_is_left_out_by_nobody_but_the_user() -> None:
    assert ServerAccess(endpoint="opc.tcp://plc").security == "strongest"
    assert not ServerAccess(endpoint="opc.tcp://plc").plain_password
