"""Values are written so that whoever knows the datatype reads them back."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.model.batch import Scalar, Value
from edge_agent.uplinks.sparkplug.schema import Payload
from edge_agent.uplinks.sparkplug.values import DataType, datatype_of, put, widened

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS: st.SearchStrategy[Any] = st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | FLOATS | st.text()
LISTS: st.SearchStrategy[Any] = (
    st.lists(st.booleans(), min_size=1)
    | st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1)
    | st.lists(FLOATS, min_size=1)
    | st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1)
)
VALUES = SCALARS | LISTS


def written(value: Value, datatype: DataType) -> Any:
    """The metric as it arrives."""
    payload = Payload(seq=0)
    put(payload.metrics.add(), datatype, value)
    return Payload.FromString(payload.SerializeToString()).metrics[0]


def read(metric: Any, datatype: DataType) -> Value:
    """As chapter 6.4.16 tells a host to read it."""
    match datatype:
        case DataType.INT64:
            return int.from_bytes(metric.long_value.to_bytes(8, "little"), "little", signed=True)
        case DataType.UINT64 | DataType.DATETIME:
            return int(metric.long_value)
        case DataType.DOUBLE:
            return float(metric.double_value)
        case DataType.BOOLEAN:
            return bool(metric.boolean_value)
        case DataType.STRING:
            return str(metric.string_value)
        case DataType.STRING_ARRAY:
            return [one.decode() for one in metric.bytes_value.split(b"\0")[:-1]]
        case DataType.BOOLEAN_ARRAY:
            (count,) = struct.unpack_from("<I", metric.bytes_value)
            octets = metric.bytes_value[4:]
            return [bool(octets[at // 8] >> (7 - at % 8) & 1) for at in range(count)]
        case _:
            code = {DataType.INT64_ARRAY: "q", DataType.UINT64_ARRAY: "Q", DataType.DOUBLE_ARRAY: "d"}[
                datatype
            ]
            return [one for (one,) in struct.iter_unpack(f"<{code}", metric.bytes_value)]


@given(VALUES)
def test_a_value_is_read_back(value: Value) -> None:
    datatype = datatype_of(value)
    assert datatype is not None
    assert read(written(value, datatype), datatype) == value


@given(VALUES, VALUES)
def test_both_values_fit_the_wider_datatype(one: Value, other: Value) -> None:
    first, second = datatype_of(one), datatype_of(other)
    assert first is not None
    assert second is not None
    wider = widened(first, second)
    assert wider is widened(second, first), "the order does not matter"
    assert widened(wider, first) is wider, "it does not become wider again"
    for value in (one, other):
        back = read(written(value, wider), wider)
        if wider is DataType.DOUBLE:
            assert isinstance(value, int | float)
            assert back == float(value)
        elif wider is DataType.STRING and not isinstance(value, str):
            assert isinstance(back, str)
            assert back


def test_the_examples_of_the_specification() -> None:
    bits: list[Scalar] = [False, False, True, True, False, True, False, False, True, True, False, True]
    assert written(bits, DataType.BOOLEAN_ARRAY).bytes_value == bytes([0x0C, 0, 0, 0, 0x34, 0xD0])
    assert written(["ABC", "hello"], DataType.STRING_ARRAY).bytes_value == b"ABC\0hello\0"


@pytest.mark.parametrize("value", [None, [1, None]])
def test_what_has_no_value_is_null(value: Value) -> None:
    metric = written(value, DataType.INT64)
    assert metric.is_null
    assert metric.WhichOneof("value") is None


@pytest.mark.parametrize(
    ("value", "datatype"),
    [
        (None, None),
        ([], None),
        (True, DataType.BOOLEAN),
        (1, DataType.INT64),
        (1 << 63, DataType.UINT64),
        (1 << 64, DataType.DOUBLE),
        (1.0, DataType.DOUBLE),
        ("1", DataType.STRING),
        ([1, 2.5], DataType.DOUBLE_ARRAY),
        ([None, True], DataType.BOOLEAN_ARRAY),
        ([True, 1], DataType.STRING_ARRAY),
    ],
)
def test_the_narrowest_datatype(value: Value, datatype: DataType | None) -> None:
    assert datatype_of(value) is datatype


def test_a_long_integer_that_becomes_a_double_keeps_its_size() -> None:
    assert math.isclose(written(1 << 64, DataType.DOUBLE).double_value, 2.0**64)
