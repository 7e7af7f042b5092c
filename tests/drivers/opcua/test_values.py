"""DataValues to readings."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.values import Conversion, reading
from edge_agent.model.quality import Quality, bad, uncertain

OVERFLOW = 0x480


def data(value: Any, status: Any = 0, source: Any = None) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value), ua.StatusCode(status), source)


@pytest.mark.parametrize(
    "value", [True, False, 0, -(2**63), 2**64 - 1, 1.5, "", "läuft 运行", [1, 2], ["a"], []]
)
def test_plain_values_travel_as_they_are(value: Any) -> None:
    variant = ua.Variant(value, ua.VariantType.Int64) if value == [] else ua.Variant(value)
    told, flaw, source_ms = reading(ua.DataValue(variant))
    assert (told, flaw, source_ms) == (value, None, None)
    assert type(told) is type(value)


@pytest.mark.parametrize(
    ("value", "travels", "reason"),
    [
        (math.nan, None, "not_a_number"),
        (-math.inf, None, "not_a_number"),
        ([1.0, math.nan], [1.0, None], "not_a_number"),
        (ua.Range(1.0, 2.0), None, "structure"),
        ([ua.Range(1.0, 2.0)], None, "structure"),
        (datetime(1601, 1, 1, tzinfo=UTC), None, "no_value"),
        (b"\xc2\xcc".decode("utf-8", "surrogateescape"), None, "invalid_text"),
        (None, None, "no_value"),
    ],
)
def test_what_cannot_be_told_is_bad(value: Any, travels: Any, reason: str) -> None:
    assert reading(data(value)) == (travels, bad(reason), None)


@pytest.mark.parametrize(
    ("status", "flaw"),
    [
        (StatusCodes.Good, None),
        (StatusCodes.GoodLocalOverride, None),
        (StatusCodes.UncertainLastUsableValue, uncertain("UncertainLastUsableValue")),
        (StatusCodes.BadSensorFailure, bad("BadSensorFailure")),
        (StatusCodes.BadSensorFailure | 0x400, bad("BadSensorFailure")),
        (0x80FE0000, bad("0x80FE0000")),
        (0xC0000000, bad("0xC0000000")),
        (OVERFLOW, uncertain("overflow")),
        (0x80, None),  # the overflow bit counts only with the info type that gives it a meaning
        (StatusCodes.UncertainLastUsableValue | OVERFLOW, uncertain("UncertainLastUsableValue+overflow")),
        (StatusCodes.BadSensorFailure | OVERFLOW, bad("BadSensorFailure+overflow")),
    ],
)
def test_the_status_keeps_its_name(status: int, flaw: Quality | None) -> None:
    assert reading(data(5, status)) == (5, flaw, None)


def test_a_bad_status_is_told_before_a_value_that_does_not_fit() -> None:
    assert reading(data(None, StatusCodes.BadNoCommunication)).flaw == bad("BadNoCommunication")
    assert reading(data(math.nan, StatusCodes.BadNoCommunication)) == (None, bad("BadNoCommunication"), None)
    assert reading(data(math.nan, StatusCodes.UncertainLastUsableValue)).flaw == bad("not_a_number")


@given(
    st.integers(-(2**31), 2**31 - 1) | st.floats(-1e300, 1e300), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)
)
def test_scaling(raw: float, scale: float, offset: float) -> None:
    told = reading(data(raw), Conversion(scale, offset))
    assert told == (raw * scale + offset, None, None)


def test_scaling_where_it_cannot_be() -> None:
    assert reading(data("12"), Conversion(2.0)).flaw == bad("unsupported_type")
    assert reading(data(True), Conversion(2.0)).flaw == bad("unsupported_type")
    assert reading(data(1e308), Conversion(10.0)) == (None, bad("not_a_number"), None)
    assert reading(data([1, 2]), Conversion(2.0)).value == [2.0, 4.0]


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))
def test_source_times(time: datetime) -> None:
    aware = time.replace(tzinfo=UTC)
    told = reading(data(1, 0, aware)).source_ms
    assert told is not None
    assert 0 <= (aware - datetime.fromtimestamp(told / 1000, UTC)).total_seconds() + 1e-6 < 0.001 + 2e-6


def test_no_source_time() -> None:
    assert reading(data(1, 0, None)).source_ms is None
    assert reading(data(1, 0, datetime(1601, 1, 1, tzinfo=UTC))).source_ms is None
