"""From a DataValue of the protocol to a plain value, its quality and its source time.

How each type travels: booleans, numbers and texts as they are; times as ISO 8601 in UTC; byte strings as
Base64; localized texts as the text; qualified names, NodeIds with the URI of their namespace; GUIDs as text;
status codes by their name; arrays as flat lists of these. Of a structure one element is told, along the
tag's `field`.
"""

import base64
import math
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from asyncua import ua
from asyncua.ua.status_codes import code_to_name_doc

from drivers.opcua.nodes import NodeName, encoded_uri
from edge_agent.model.batch import Scalar, Value
from edge_agent.model.quality import Quality, QualityLevel, bad, uncertain

NOT_A_NUMBER = bad("not_a_number")
"""A float that is NaN or infinite, or became so by scaling."""
UNSUPPORTED_TYPE = bad("unsupported_type")
"""No number where there is a scale, or something that the protocol gives no form that could travel."""
STRUCTURE = bad("structure")
"""A structure: the tag's `field` must say which element of it is meant."""
NO_SUCH_FIELD = bad("no_such_field")
"""The value has no element by the name in the tag's `field`."""
STRUCTURE_UNKNOWN = bad("structure_unknown")
"""A structure whose definition has not been asked for yet."""
STRUCTURE_UNDEFINED = bad("structure_undefined")
"""A structure whose definition the server does not give, or that is not encoded as it says."""
INVALID_TEXT = bad("invalid_text")
"""A text that is not UTF-8."""
NO_VALUE = bad("no_value")
"""The server says good, and gives nothing."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FILETIME_ZERO = datetime(1601, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CODE = 0xFFFF0000
_OVERFLOW = 0x0480
"""Info type "data value" (bits 10-11 = 01) with the overflow bit (bit 7): OPC 10000-4, 7.39."""


class Reading(NamedTuple):
    value: Value
    flaw: Quality | None
    """None for good."""
    source_ms: int | None


Decode = Callable[[ua.ExtensionObject], Mapping[str, object] | None]
"""The fields of a structure that the library does not know; None if the server does not define it. Raises
LookupError if the server has not been asked."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What becomes of a raw value: the element at `field`; of a number, number * scale + offset, or the text
    in `texts` if there are any. `namespaces` and `decode` are those of the server."""

    scale: float = 1.0
    offset: float = 0.0
    field: tuple[str, ...] = ()
    texts: Mapping[int, str] | None = None
    namespaces: Sequence[str] = ()
    decode: Decode | None = None

    @property
    def is_scaled(self) -> bool:
        return self.scale != 1.0 or self.offset != 0.0

    @property
    def keeps_plain(self) -> bool:
        """Whether booleans, numbers and texts stay as they are."""
        return not (self.is_scaled or self.field or self.texts)


AS_IS = Conversion()


def reading(data: ua.DataValue, conversion: Conversion = AS_IS) -> Reading:
    """What `data` says, with the status in the server's own words.

    A bad status keeps the value that the server gave with it. A value that cannot be told makes the
    reading bad, whatever its status.
    """
    raw = data.Value.Value if data.Value is not None else None
    value, unfit = plain(raw, conversion)
    status = status_code(data)
    flaw = _flaw(status) if status else None
    if flaw is None or flaw.level is not QualityLevel.BAD:
        if unfit is not None:
            flaw = unfit
        elif value is None:
            flaw = NO_VALUE
    return Reading(value, flaw, epoch_ms(data.SourceTimestamp))


def status_code(data: ua.DataValue) -> int:
    """The status with all its bits; 0, which is good, if there is none."""
    return int(data.StatusCode.value) if data.StatusCode is not None else 0


def status_name(code: int) -> str:
    """The name of a status code, as in OPC 10000-6, A.2; the code itself if it has none."""
    known = code_to_name_doc.get(code & _CODE)
    return known[0] if known else f"0x{code:08X}"


@lru_cache(maxsize=1024)
def _flaw(status: int) -> Quality | None:
    """The quality that goes with a status code; None for good.

    The overflow bit says that values before this one were dropped at the server: this one is true, the
    history is not.
    """
    overflow = status & _OVERFLOW == _OVERFLOW
    severity = status >> 30
    if severity == 0:
        return uncertain("overflow") if overflow else None
    reason = status_name(status) + ("+overflow" if overflow else "")
    return uncertain(reason) if severity == 1 else bad(reason)


def plain(raw: object, conversion: Conversion = AS_IS) -> tuple[Value, Quality | None]:
    """`raw` as it may travel, and why it may not."""
    if conversion.field and raw is not None:
        raw, unfit = _element(raw, conversion)
        if unfit is not None:
            return None, unfit
    if not isinstance(raw, list | tuple):
        return _scalar(raw, conversion)
    told = [_scalar(element, conversion) for element in _flat(raw)]
    unfit = next((unfit for _, unfit in told if unfit is not None), None)
    if unfit is not None and unfit not in (NOT_A_NUMBER, INVALID_TEXT):
        return None, unfit
    return [value for value, _ in told], unfit


def _scalar(raw: object, conversion: Conversion) -> tuple[Scalar, Quality | None]:
    if not isinstance(raw, bool | int | float | str):
        raw, unfit = _rendered(raw, conversion)
        if unfit is not None:
            return None, unfit
    if conversion.texts is not None and isinstance(raw, int):
        return conversion.texts.get(int(raw), str(int(raw))), None
    match raw:
        case None:
            return None, None
        case bool() | str() if conversion.is_scaled:
            return None, UNSUPPORTED_TYPE
        case bool():
            return raw, None
        case str():
            return (raw, None) if raw.isascii() or _is_unicode(raw) else (None, INVALID_TEXT)
        case int() if not conversion.is_scaled:
            return int(raw) if isinstance(raw, IntEnum) else raw, None
    number = raw * conversion.scale + conversion.offset if conversion.is_scaled else raw
    return (number, None) if math.isfinite(number) else (None, NOT_A_NUMBER)


def _rendered(raw: object, conversion: Conversion) -> tuple[bool | int | float | str | None, Quality | None]:
    """A value of one of the protocol's own types as a plain one."""
    match raw:
        case None:
            return None, None
        case ua.Variant() | ua.DataValue():
            inner = raw.Value.Value if isinstance(raw, ua.DataValue) and raw.Value is not None else raw.Value
            return _rendered(inner, conversion) if not isinstance(inner, list) else (None, UNSUPPORTED_TYPE)
        case bool() | int() | float() | str():
            return raw, None
        case bytes():
            return base64.b64encode(raw).decode(), None
        case datetime():
            if raw == _FILETIME_ZERO:
                return None, None
            return raw.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), None
        case uuid.UUID():
            return str(raw), None
        case ua.LocalizedText():
            return raw.Text or "", None
        case ua.QualifiedName():
            return _qualified(raw, conversion.namespaces), None
        case ua.NodeId():
            return str(NodeName.of(raw, conversion.namespaces)), None
        case ua.StatusCode():
            return status_name(int(raw.value)), None
        case ua.XmlElement():
            return raw.Value or "", None
        case ua.ExtensionObject() if raw.Body is None:
            return None, None
    return None, STRUCTURE if is_dataclass(raw) or isinstance(raw, Mapping) else UNSUPPORTED_TYPE


def _element(raw: object, conversion: Conversion) -> tuple[object, Quality | None]:
    """What `conversion.field` leads to."""
    for name in conversion.field:
        if isinstance(raw, ua.Variant):
            raw = raw.Value
        if isinstance(raw, ua.ExtensionObject) and raw.Body is not None:
            try:
                raw = conversion.decode(raw) if conversion.decode is not None else None
            except LookupError:
                return None, STRUCTURE_UNKNOWN
            if raw is None:
                return None, STRUCTURE_UNDEFINED
        if isinstance(raw, list | tuple) and name.isdecimal() and int(name) < len(raw):
            raw = raw[int(name)]
        elif isinstance(raw, Mapping) and name in raw:
            raw = raw[name]
        elif is_dataclass(raw) and name in {field.name for field in fields(raw)}:
            raw = getattr(raw, name)
        else:
            return None, NO_SUCH_FIELD
    return raw, None


def elements(raw: object, decode: Decode, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every element of a structure that is none itself, with its `field`."""
    if isinstance(raw, ua.Variant):
        raw = raw.Value
    if isinstance(raw, ua.ExtensionObject):
        try:
            raw = decode(raw)
        except LookupError:
            raw = None
    if isinstance(raw, list) and any(isinstance(one, Mapping | ua.ExtensionObject) for one in raw):
        raw = {str(index): one for index, one in enumerate(raw)}
    elif is_dataclass(raw) and not isinstance(raw, _LEAVES):
        raw = {field.name: getattr(raw, field.name) for field in fields(raw) if field.name != "Encoding"}
    if not isinstance(raw, Mapping):
        if prefix:
            yield prefix, raw
        return
    for name, inner in raw.items():
        yield from elements(inner, decode, f"{prefix}.{name}" if prefix else name)


_LEAVES = (ua.LocalizedText, ua.QualifiedName, ua.NodeId, ua.StatusCode, ua.XmlElement, ua.DataValue)


def _flat(raw: Sequence[object]) -> Iterator[object]:
    """The elements of an array of any number of dimensions, the last index running fastest."""
    for element in raw:
        if isinstance(element, list | tuple):
            yield from _flat(element)
        else:
            yield element


def _qualified(name: ua.QualifiedName, namespaces: Sequence[str]) -> str:
    index = int(name.NamespaceIndex)
    if index == 0:
        return name.Name or ""
    prefix = f"nsu={encoded_uri(namespaces[index])};" if index < len(namespaces) else f"{index}:"
    return f"{prefix}{name.Name or ''}"


def _is_unicode(text: str) -> bool:
    """The library hands on bytes that are not UTF-8 as lone surrogates, which nobody can encode again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def epoch_ms(time: datetime | None) -> int | None:
    """None for no time; a server that has none may send the zero of its own epoch instead."""
    return None if time is None or time == _FILETIME_ZERO else (time - _EPOCH) // _MILLISECOND
