"""Registers become the values that were put into them, whatever their type and order."""

import math
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.modbus.codec import Codec, Place
from drivers.modbus.options import ModbusTag
from drivers.modbus.types import NUMBERS
from edge_agent.model.batch import Value
from edge_agent.model.quality import Quality, bad, uncertain

FORMATS = {
    "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I",
    "int64": "q", "uint64": "Q", "float16": "e", "float32": "f", "float64": "d",
}  # fmt: skip


def tag(type_name: str, **options: Any) -> ModbusTag:
    return ModbusTag.model_validate(
        {"id": "t", "table": "holding", "address": 0, "type": type_name, **options}
    )


def decode(data: bytes, *tags: ModbusTag) -> tuple[list[Value], dict[int, Quality]]:
    """Decode `tags`, whose data follow one another."""
    places, byte = [], 0
    for one in tags:
        places.append(Place(byte))
        byte += 2 * one.extent
    return Codec(tags, places, {}).decode(data)


def value_of(data: bytes, type_name: str, **options: Any) -> Value:
    values, flaws = decode(data, tag(type_name, **options))
    assert flaws == {}
    return values[0]


def flaw_of(data: bytes, type_name: str, **options: Any) -> Quality:
    values, flaws = decode(data, tag(type_name, **options))
    assert values == [None]
    return flaws[0]


def on_the_wire(raw: bytes, byte_order: str, word_order: str) -> bytes:
    """The big-endian bytes of a value as a device with these orders sends them."""
    words = [raw[i : i + 2] for i in range(0, len(raw), 2)]
    if byte_order == "little":
        words = [word[::-1] for word in words]
    return b"".join(words[::-1] if word_order == "little" else words)


FLOATS = {
    2: st.floats(width=16, allow_nan=False, allow_infinity=False),
    4: st.floats(width=32, allow_nan=False, allow_infinity=False),
    8: st.floats(width=64, allow_nan=False, allow_infinity=False),
}
orders = st.sampled_from(["big", "little"])


@st.composite
def numbers(draw: st.DrawFn) -> tuple[ModbusTag, bytes, int | float]:
    """A numeric tag, what its device sends, and its value."""
    type_name = draw(st.sampled_from(sorted(FORMATS)))
    kind = FORMATS[type_name]
    size = struct.calcsize(kind)
    byte_order, word_order = draw(orders), draw(orders)
    options = {"byte_order": byte_order, "word_order": word_order}
    value: int | float
    if kind in "efd":
        value = draw(FLOATS[size])
    else:
        low = -(1 << 8 * size - 1) if kind.islower() else 0
        value = draw(st.integers(low, low + (1 << 8 * size) - 1))
    raw = struct.pack(">" + kind, value)
    if size == 1:
        half = draw(st.sampled_from(["low", "high"]))
        options["byte"] = half
        other = draw(st.binary(min_size=1, max_size=1))
        raw = other + raw if half == "low" else raw + other
    return tag(type_name, **options), on_the_wire(raw, byte_order, word_order), value


@given(st.lists(numbers(), min_size=1, max_size=12))
def test_every_number_comes_out_as_it_went_in(drawn: list[tuple[ModbusTag, bytes, int | float]]) -> None:
    values, flaws = decode(b"".join(data for _, data, _ in drawn), *(one for one, _, _ in drawn))
    assert values == [value for _, _, value in drawn]
    assert [type(value) for value in values] == [type(value) for _, _, value in drawn]
    assert flaws == {}


@given(st.sampled_from(["bcd16", "bcd32", "bcd64"]), st.data(), orders, orders)
def test_bcd(type_name: str, data: st.DataObject, byte_order: str, word_order: str) -> None:
    digits = 4 * NUMBERS[type_name].registers
    number = data.draw(st.integers(0, 10**digits - 1))
    raw = on_the_wire(bytes.fromhex(f"{number:0{digits}d}"), byte_order, word_order)
    assert value_of(raw, type_name, byte_order=byte_order, word_order=word_order) == number


@given(st.integers(0, 0xFFFF), orders)
def test_bits_of_a_register(register: int, byte_order: str) -> None:
    data = register.to_bytes(2, "big" if byte_order == "big" else "little")
    tags = [tag("bool", bit=bit, byte_order=byte_order) for bit in range(16)]
    values, _ = Codec(tags, [Place(0)] * 16, {}).decode(data)
    assert values == [bool(register >> bit & 1) for bit in range(16)]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 7))
def test_coils(coils: list[bool], first: int) -> None:
    packed = sum(coil << first + i for i, coil in enumerate(coils)).to_bytes(7, "little")
    tags = [ModbusTag(id="t", table="coil", address=i, type="bool") for i in range(len(coils))]
    places = [Place((first + i) // 8, (first + i) % 8) for i in range(len(coils))]
    assert Codec(tags, places, {}).decode(packed) == (coils, {})
    array = ModbusTag(id="t", table="coil", address=0, type="bool", count=len(coils))
    assert Codec([array], [Place(0, first)], {}).decode(packed) == ([coils], {})


@given(st.text(st.characters(codec="gbk", exclude_characters="\x00 "), max_size=10), orders)
def test_strings(text: str, byte_order: str) -> None:
    for encoding in ("gbk", "utf-8"):
        raw = text.encode(encoding).ljust(60, b"\x00")
        data = on_the_wire(raw, byte_order, "big")
        assert value_of(data, "string", length=30, encoding=encoding, byte_order=byte_order) == text


def test_a_string_ends_at_its_padding() -> None:
    assert value_of(b"AB12  \x00\x00", "string", length=4) == "AB12"
    assert value_of(b"AB\x00\x00CD", "string", length=3) == "AB"
    assert flaw_of(b"\xff\xfe", "string", length=1) == bad("not_text")


@given(st.lists(st.integers(-(1 << 15), (1 << 15) - 1), min_size=2, max_size=20))
def test_arrays_between_other_tags(elements: list[int]) -> None:
    data = struct.pack(f">H{len(elements)}hH", 7, *elements, 8)
    tags = (tag("uint16"), tag("int16", count=len(elements)), tag("uint16"))
    assert decode(data, *tags) == ([7, elements, 8], {})


@pytest.mark.parametrize(
    ("raw", "scale", "offset", "value"),
    [
        (215, 0.1, 0.0, 21.5),
        (3, 0.1, 0.0, 0.3),
        (7, 0.001, 0.0, 0.007),
        (40, 0.25, -4.0, 6.0),
        (3, 2.5, 0, 7.5),
    ],
)
def test_scaled_values_are_the_nearest_decimal(raw: int, scale: float, offset: float, value: float) -> None:
    assert value_of(raw.to_bytes(2, "big"), "uint16", scale=scale, offset=offset) == value


def test_raw_and_scaled_tags_of_a_type_keep_their_order() -> None:
    tags = [tag("uint16", scale=0.5 if i % 2 else 1.0) for i in range(6)]
    assert decode(struct.pack(">6H", *range(6)), *tags) == ([0, 0.5, 2, 1.5, 4, 2.5], {})


@pytest.mark.parametrize(
    ("data", "type_name", "invalid"),
    [
        (b"\x7f\xff", "int16", 0x7FFF),
        (b"\x80\x00", "int16", 0x8000),
        (b"\x80\x00", "int16", -0x8000),
        (b"\xff\xff\xff\xff", "uint32", 0xFFFFFFFF),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff", "uint64", 0xFFFFFFFFFFFFFFFF),
        (struct.pack(">f", -9999.0), "float32", -9999.0),
    ],
)
def test_declared_invalid_values(data: bytes, type_name: str, invalid: float) -> None:
    assert flaw_of(data, type_name, invalid=(1, invalid), scale=0.1) == bad("invalid_value")
    assert decode(data, tag(type_name, invalid=(1,)))[1] == {}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("type_name", ["float16", "float32", "float64"])
def test_what_is_no_number_does_not_travel(number: float, type_name: str) -> None:
    data = struct.pack(">" + FORMATS[type_name], number)
    assert flaw_of(data, type_name) == bad("not_finite")
    assert flaw_of(data, type_name, scale=2.0, minimum=0) == bad("not_finite")


@pytest.mark.parametrize("type_name", ["float16", "float32", "float64"])
def test_a_signalling_nan_is_one_more_bad_value(type_name: str) -> None:
    data = {
        "float16": b"\x7c\x01",
        "float32": b"\x7f\x80\x00\x01",
        "float64": b"\x7f\xf0" + bytes(5) + b"\x01",
    }
    for options in ({}, {"scale": 3.0, "minimum": -1.0}, {"maximum": 1.0}, {"invalid": (-1.0,)}):
        assert flaw_of(data[type_name], type_name, **options) == bad("not_finite")


def test_what_scaling_makes_too_large_is_bad() -> None:
    assert flaw_of(struct.pack(">d", 1e308), "float64", scale=100.0) == bad("not_finite")


def test_range() -> None:
    limits = {"minimum": 10, "maximum": 20, "scale": 0.1}
    for raw, flaw in {99: True, 100: False, 200: False, 201: True}.items():
        _, flaws = decode(raw.to_bytes(2, "big"), tag("uint16", **limits))
        assert flaws == ({0: bad("out_of_range")} if flaw else {})


def test_one_bad_element_makes_an_array_bad() -> None:
    data = struct.pack(">3H", 1, 0xFFFF, 3)
    assert flaw_of(data, "uint16", count=3, invalid=(0xFFFF,)) == bad("invalid_value")


def test_texts() -> None:
    texts = {1: "auto", 2: "manual"}
    assert value_of(b"\x00\x02", "uint16", texts=texts) == "manual"
    assert decode(b"\x00\x07", tag("uint16", texts=texts)) == (["7"], {0: uncertain("not_listed")})
    assert flaw_of(b"\xff\xff", "uint16", texts=texts, invalid=(0xFFFF,)) == bad("invalid_value")


def test_bcd_that_is_none() -> None:
    assert flaw_of(b"\x12\x3a", "bcd16") == bad("not_bcd")


@given(st.datetimes(datetime(2001, 1, 1), datetime(2099, 12, 31)))
def test_times_of_meters(moment: datetime) -> None:
    second = moment.replace(microsecond=0)
    unix = int(second.replace(tzinfo=UTC).timestamp())
    assert value_of(unix.to_bytes(4, "big"), "time_unix") == f"{second.isoformat()}Z"
    parts = (second.year, second.month, second.day, second.hour, second.minute, second.second)
    assert value_of(struct.pack(">6H", *parts), "time_words") == second.isoformat()
    assert value_of(bytes.fromhex(f"{second:%y%m%d%H%M%S}"), "time_bcd") == second.isoformat()
    milliseconds = second.second * 1000 + 250
    iec = struct.pack(
        ">4H",
        second.year - 2000,
        second.month << 8 | second.isoweekday() << 5 | second.day,
        second.hour << 8 | second.minute,
        milliseconds,
    )
    assert value_of(iec, "time_iec870") == f"{second.isoformat()}.250"


@pytest.mark.parametrize(
    ("data", "type_name"),
    [
        (struct.pack(">4H", 26, 13 << 8 | 1, 0, 0), "time_iec870"),
        (struct.pack(">4H", 26, 1 << 8 | 1, 0x80, 0), "time_iec870"),
        (struct.pack(">4H", 26, 1 << 8 | 1, 0, 60_000), "time_iec870"),
        (struct.pack(">6H", 0, 0, 0, 0, 0, 0), "time_words"),
        (bytes.fromhex("2613019999ff"), "time_bcd"),
    ],
)
def test_times_that_are_none(data: bytes, type_name: str) -> None:
    assert flaw_of(data, type_name) == bad("not_a_time")


def test_a_refused_tag_keeps_its_reason() -> None:
    codec = Codec([tag("uint16"), tag("uint16")], [None, Place(0)], {0: bad("illegal_data_address")})
    assert codec.decode(b"\x00\x05") == ([None, 5], {0: bad("illegal_data_address")})


SIGNALLING_NAN = b"\x7f\x80\x00\x01"


@given(st.binary(min_size=40, max_size=40))
@example(SIGNALLING_NAN.ljust(40, b"\0"))
def test_no_content_of_registers_breaks_the_decoding(data: bytes) -> None:
    tags = [
        tag("float32", scale=3.0, minimum=-1), tag("bcd32"), tag("string", length=4, encoding="gbk"),
        tag("time_iec870"), tag("time_bcd"), tag("int64"), tag("uint8", texts={1: "on"}),
    ]  # fmt: skip
    values, flaws = decode(data, *tags)
    for index, value in enumerate(values):
        assert (value is None) == (index in flaws and flaws[index].level == "bad")
        assert not isinstance(value, float) or math.isfinite(value)
