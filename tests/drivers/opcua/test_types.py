"""Every built-in type, structures and enumerations of the server's own, units."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua

from drivers.opcua.looking import find, look
from drivers.opcua.session import Session
from drivers.opcua.units import unit_text
from drivers.opcua.values import STRUCTURE_UNDEFINED, STRUCTURE_UNKNOWN, Conversion, elements, plain, reading
from edge_agent.model.quality import bad
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.harness import connection, driver_for, tag
from tests.drivers.opcua.life import Life

NAMESPACES = ("http://opcfoundation.org/UA/", "urn:server", "http://example.com/m;1")
CONVERSION = Conversion(namespaces=NAMESPACES)
GUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"\x00\xff", "AP8="),
        (datetime(2026, 11, 22, 4, 5, 6, 789_000, tzinfo=UTC), "2026-11-22T04:05:06.789Z"),
        (GUID, str(GUID)),
        (ua.LocalizedText("运行", "zh"), "运行"),
        (ua.LocalizedText(None), ""),
        (ua.QualifiedName("Speed", 0), "Speed"),
        (ua.QualifiedName("Speed", 2), "nsu=http://example.com/m%3B1;Speed"),
        (ua.QualifiedName("Speed", 9), "9:Speed"),
        (ua.NodeId(2258, 0), "i=2258"),  # type: ignore[arg-type]  # the library's own kinds of int
        (ua.NodeId("a;b", 2), "nsu=http://example.com/m%3B1;s=a;b"),  # type: ignore[arg-type]  # as above
        (ua.NodeId(GUID, 1), f"nsu=urn:server;g={GUID}"),  # type: ignore[arg-type]  # as above
        (ua.NodeId(b"\x01", 7), "ns=7;b=AQ=="),  # type: ignore[arg-type]  # as above
        (ua.StatusCode(ua.StatusCodes.BadSensorFailure), "BadSensorFailure"),  # type: ignore[arg-type, attr-defined]
        (ua.XmlElement("<a/>"), "<a/>"),  # type: ignore[arg-type]  # as above
        (ua.NodeClass.Variable, 2),
        (ua.Variant(7, ua.VariantType.Int16), 7),
        ([ua.Variant(7), ua.Variant("x")], [7, "x"]),
        ([[1, 2], [3, 4]], [1, 2, 3, 4]),
        ([GUID], [str(GUID)]),
    ],
)
def test_each_type_has_its_form(raw: Any, told: Any) -> None:
    value, flaw = plain(raw, CONVERSION)
    assert (value, flaw) == (told, None)
    assert type(value) is type(told)


def test_elements_of_standard_structures_and_arrays() -> None:
    data = ua.DataValue(ua.Variant(ua.Range(1.0, 2.0)))
    assert reading(data, Conversion(field=("High",), scale=10.0)).value == 20.0
    assert reading(data, Conversion(field=("Middle",))).flaw == bad("no_such_field")
    array = ua.DataValue(ua.Variant([5, 6]))
    assert reading(array, Conversion(field=("1",))).value == 6
    assert reading(array, Conversion(field=("2",))).flaw == bad("no_such_field")
    text = ua.DataValue(ua.Variant(ua.LocalizedText("hi", "en")))
    assert reading(text, Conversion(field=("Locale",))).value == "en"
    assert dict(elements(ua.Range(1.0, 2.0), lambda _: None)) == {"Low": 1.0, "High": 2.0}


def test_structures_that_nobody_can_read() -> None:
    unread = ua.ExtensionObject(ua.NodeId(5, 2), b"\x01")  # type: ignore[arg-type]  # the library's own kinds

    def never_asked(_: object) -> None:
        raise LookupError

    assert plain(unread, Conversion(field=("X",), decode=lambda _: None)) == (None, STRUCTURE_UNDEFINED)
    assert plain(unread, Conversion(field=("X",), decode=never_asked)) == (None, STRUCTURE_UNKNOWN)
    assert plain(unread, CONVERSION) == (None, bad("structure"))


def test_texts_of_enumerations() -> None:
    texts = Conversion(texts={0: "Hand", 1: "Auto"})
    assert plain(1, texts) == ("Auto", None)
    assert plain(7, texts) == ("7", None), "a number without a text is still told"
    assert plain([0, 1], texts) == (["Hand", "Auto"], None)


@pytest.mark.parametrize(
    ("code", "shown", "unit"),
    [
        ("CEL", "°C", "Cel"),
        ("RPM", "rpm", "/min"),
        ("P1", "%", "%"),
        ("ZZZ", "Stück", "Stück"),
        ("", "mm", "mm"),
    ],
)
def test_units(code: str, shown: str, unit: str) -> None:
    uri = "http://www.opcfoundation.org/UA/units/un/cefact"
    number: Any = int.from_bytes(code.encode(), "big")
    assert unit_text(ua.EUInformation(uri, number, ua.LocalizedText(shown))) == unit


def test_units_that_the_configuration_gets_wrong_are_told(start_server: StartServer) -> None:
    server = start_server()
    server.ask("put_structures")
    tags = [
        tag("right", "A.speed", unit="/min"),
        tag("wrong", "A.speed", unit="mm"),
        tag("without", "A.speed"),
        tag("scaled", "A.speed", unit="/s", scale=1 / 60),
        tag("none", "A.mode", unit="A"),
    ]

    async def body() -> None:
        driver = driver_for(connection(server.port, {"A": tags}))
        try:
            await driver.open()
            identity = (await driver.probe()).identity
        finally:
            await driver.close()
        assert {name: text for name, text in identity.items() if name.startswith("unit")} == {
            "unit of A wrong": "the server says /min, the configuration says mm",
            "unit of A without": "the server says /min, the configuration says nothing",
        }

    asyncio.run(body())


def test_types_of_the_servers_own(start_server: StartServer) -> None:
    server = start_server()
    server.ask("put_structures")
    fields = {
        "name": ("Name", "Welle 轴"),
        "x": ("At.X", 1.5),
        "corner": ("Corners.2.Y", 4.0),
        "kind": ("Mode", 1),
    }
    tags = [tag(name, "A.part", field=field) for name, (field, _) in fields.items()]
    tags += [
        tag("absent", "A.part", field="Weight"),
        tag("whole", "A.part"),
        tag("mode", "A.mode"),
        tag("mode_text", "A.mode", text=True),
    ]
    options = connection(server.port, {"A": tags})

    async def body() -> None:
        async with Life(driver_for(options)) as life:
            await life.until(lambda: bool(life.batches))
            told = {name: reading for (_, name), reading in life.latest.items()}
            expected = {name: (value, None) for name, (_, value) in fields.items()}
            assert told == expected | {
                "absent": (None, bad("no_such_field")),
                "whole": (None, bad("structure")),
                "mode": (1, None),
                "mode_text": ("Auto 自动", None),
            }
            assert life.failures == []
        session = Session(options)
        try:
            await session.open()
            ways = [way for name in ("speed", "part") for way in await find(session, f"A.{name}")]
            speed, part = await look(session, [way[-1].node for way in ways])
        finally:
            await session.close()
        assert (speed.value, speed.unit, speed.type, speed.quality) == ("12.5", "/min", "Double", "good")
        assert part.type == "Part"
        assert part.fields["Corners.1.X"] == "1.0"
        assert part.fields["Name"] == "Welle 轴"

    asyncio.run(body())
