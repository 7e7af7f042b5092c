"""From a DataValue of the protocol to a plain value, its quality and its source time."""

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, cast

from asyncua import ua
from asyncua.ua.status_codes import code_to_name_doc

from edge_agent.model.batch import Value
from edge_agent.model.quality import Quality, QualityLevel, bad, uncertain

NOT_A_NUMBER = bad("not_a_number")
"""A float that is NaN or infinite, or became so by scaling."""
UNSUPPORTED_TYPE = bad("unsupported_type")
"""Neither a boolean, a number, a text nor an array of these; or no number where there is a scale."""
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


class Scaling(NamedTuple):
    """value = raw * scale + offset"""

    scale: float = 1.0
    offset: float = 0.0


UNSCALED = Scaling()


def reading(data: ua.DataValue, scaling: Scaling = UNSCALED) -> Reading:
    """What `data` says, with the status in the server's own words.

    A bad status keeps the value that the server gave with it. A value that cannot be told makes the
    reading bad, whatever its status.
    """
    raw = data.Value.Value if data.Value is not None else None
    value, unfit = _plain(raw, scaling)
    status = status_code(data)
    flaw = _flaw(status) if status else None
    if flaw is None or flaw.level is not QualityLevel.BAD:
        if unfit is not None:
            flaw = unfit
        elif raw is None:
            flaw = NO_VALUE
    return Reading(value, flaw, _epoch_ms(data.SourceTimestamp))


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


def _plain(raw: object, scaling: Scaling) -> tuple[Value, Quality | None]:
    """`raw` as it may travel, and why it may not."""
    if isinstance(raw, bool | str):
        if scaling is not UNSCALED:
            return None, UNSUPPORTED_TYPE
        if isinstance(raw, str) and not raw.isascii() and not _is_unicode(raw):
            return None, INVALID_TEXT
        return raw, None
    if isinstance(raw, int | float):
        number = raw if scaling is UNSCALED else raw * scaling.scale + scaling.offset
        return (number, None) if math.isfinite(number) else (None, NOT_A_NUMBER)
    if isinstance(raw, list):
        elements = [_plain(element, scaling) for element in raw]
        first_unfit = next((unfit for _, unfit in elements if unfit is not None), None)
        if first_unfit is UNSUPPORTED_TYPE:
            return None, UNSUPPORTED_TYPE
        plain = [value for value, _ in elements]
        return cast(Value, plain), first_unfit  # mypy loses the recursion of the alias
    return None, None if raw is None else UNSUPPORTED_TYPE


def _is_unicode(text: str) -> bool:
    """The library hands on bytes that are not UTF-8 as lone surrogates, which nobody can encode again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _epoch_ms(time: datetime | None) -> int | None:
    """None for no time; a server that has none may send the zero of its own epoch instead."""
    return None if time is None or time == _FILETIME_ZERO else (time - _EPOCH) // _MILLISECOND
