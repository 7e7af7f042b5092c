"""Values as Sparkplug carries them: which datatype one has, and how it is written."""

import json
import struct
from enum import IntEnum
from functools import reduce
from types import NoneType
from typing import Any

from edge_agent.model.batch import Scalar, Value


class DataType(IntEnum):
    """The datatypes that the agent uses, by their numbers in chapter 6.4.16 of the specification."""

    INT32 = 3
    INT64 = 4
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    INT64_ARRAY = 25
    UINT64_ARRAY = 29
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33


_ARRAYS = {
    DataType.INT64: DataType.INT64_ARRAY,
    DataType.UINT64: DataType.UINT64_ARRAY,
    DataType.DOUBLE: DataType.DOUBLE_ARRAY,
    DataType.BOOLEAN: DataType.BOOLEAN_ARRAY,
    DataType.STRING: DataType.STRING_ARRAY,
}
_ELEMENTS = {array: element for element, array in _ARRAYS.items()}
_BY_TYPE = {bool: DataType.BOOLEAN, float: DataType.DOUBLE, str: DataType.STRING, NoneType: None}
_NUMBERS = frozenset({DataType.INT64, DataType.UINT64, DataType.DOUBLE})
_PACKED = {DataType.INT64_ARRAY: "q", DataType.UINT64_ARRAY: "Q", DataType.DOUBLE_ARRAY: "d"}
_64_BITS = (1 << 64) - 1


def datatype_of(value: Value) -> DataType | None:
    """The narrowest datatype for `value`; None if the value does not tell: it is None, or an empty list."""
    if isinstance(value, list):
        known = [one for one in map(datatype_of, value) if one is not None]
        return _ARRAYS[reduce(widened, known)] if known else None
    if type(value) is int:
        if -(1 << 63) <= value < 1 << 63:
            return DataType.INT64
        return DataType.UINT64 if 0 <= value < 1 << 64 else DataType.DOUBLE
    return _BY_TYPE[type(value)]


def widened(one: DataType, other: DataType) -> DataType:
    """The narrowest datatype that can carry the values of both."""
    if one is other:
        return one
    if {one, other} <= _NUMBERS:
        return DataType.DOUBLE
    if one in _ELEMENTS and other in _ELEMENTS:
        return _ARRAYS[widened(_ELEMENTS[one], _ELEMENTS[other])]
    return DataType.STRING


def put(metric: Any, datatype: DataType, value: Value) -> None:
    """Write `value` into a metric whose datatype is `datatype`, or a wider one than the value's own.

    A value that is None, or a list with an element that is, becomes null.
    """
    if value is None or (isinstance(value, list) and None in value):
        metric.is_null = True
        return
    match datatype:
        case DataType.INT64 | DataType.UINT64 | DataType.DATETIME:
            metric.long_value = int(value) & _64_BITS  # type: ignore[arg-type]  # its datatype says so
        case DataType.DOUBLE:
            metric.double_value = float(value)  # type: ignore[arg-type]
        case DataType.BOOLEAN:
            metric.boolean_value = value
        case DataType.STRING:
            metric.string_value = _text(value)
        case _:
            metric.bytes_value = _packed(datatype, value if isinstance(value, list) else [value])


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _packed(datatype: DataType, values: list[Scalar]) -> bytes:
    if datatype is DataType.BOOLEAN_ARRAY:
        bits = "".join("1" if value else "0" for value in values)
        whole = bits.ljust(-(-len(bits) // 8) * 8, "0")
        octets = bytes(int(whole[start : start + 8], 2) for start in range(0, len(whole), 8))
        return struct.pack("<I", len(values)) + octets
    if datatype is DataType.STRING_ARRAY:
        return b"".join(_text(value).replace("\0", "").encode() + b"\0" for value in values)
    return struct.pack(f"<{len(values)}{_PACKED[datatype]}", *values)
