"""What may be configured of shared machines: windows that never meet, prices that are exact."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_agent.config.sharing import PriceOptions, SharedMachineOptions

FIRST, LAST = date(2026, 9, 28), date(2026, 11, 15)
"""What is looked at begins before every `from` below, and ends more than a week after every `until`."""
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

days = st.dates(date(2026, 10, 5), date(2026, 10, 30))
clock = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    first, last = sorted((draw(days), draw(days)))
    window: dict[str, Any] = {
        "tenant": "zhenghe",
        "days": draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)),
        "start": draw(clock),
        "end": draw(clock),
    }
    if draw(st.booleans()):
        window["from"] = first.isoformat()
    if draw(st.booleans()):
        window["until"] = last.isoformat()
    return window


def stretches(window: dict[str, Any]) -> list[tuple[datetime, datetime]]:
    """Each time that the window comes, as one would write it into a diary."""
    found = []
    for number in range((LAST - FIRST).days):
        day = FIRST + timedelta(days=number)
        if NAMES[day.weekday()] not in window["days"]:
            continue
        if not window.get("from", "0") <= day.isoformat() <= window.get("until", "9"):
            continue
        begin, end = (datetime.fromisoformat(f"{day}T{window[key]}") for key in ("start", "end"))
        found.append((begin, end if begin < end else end + timedelta(days=1)))
    return found


def is_taken(*those: dict[str, Any]) -> bool:
    try:
        SharedMachineOptions.model_validate({"equipment": "M1", "sessions": "schedule", "windows": those})
    except ValidationError as error:
        if "overlaps" not in str(error):
            raise
        return False
    return True


NIGHT = {"tenant": "zhenghe", "days": ["sun"], "start": "22:00", "end": "06:00"}
MORNING = {"tenant": "lian", "days": ["mon"], "start": "05:30", "end": "06:00"}


ALL_MONDAY = {"tenant": "zhenghe", "days": ["mon"], "start": "00:30", "end": "00:30"}


@given(windows(), windows())
@example(NIGHT, MORNING)
@example({**ALL_MONDAY, "start": "00:00"}, ALL_MONDAY)  # the first day there is, is a Monday
@example(NIGHT, {**MORNING, "start": "06:00", "end": "07:00"})
@example({**NIGHT, "until": "2026-10-11"}, {**MORNING, "from": "2026-10-12"})  # the very last night
@example({**NIGHT, "until": "2026-10-10"}, {**MORNING, "from": "2026-10-12"})
@example({**NIGHT, "from": "2026-10-12"}, {**MORNING, "until": "2026-10-12"})
def test_windows_are_refused_if_they_ever_overlap(one: dict[str, Any], other: dict[str, Any]) -> None:
    overlap = any(a < d and c < b for a, b in stretches(one) for c, d in stretches(other))
    assert is_taken(one, other) is not overlap
    assert is_taken(other, one) is not overlap


@pytest.mark.parametrize("days", [{"from": "0001-01-01"}, {"until": "9999-12-31"}, {}])
def test_the_first_and_the_last_day_there_are(days: dict[str, str]) -> None:
    whole = {"tenant": "zhenghe", **days}
    assert not is_taken(whole, {"tenant": "lian", **days})
    assert is_taken(whole)


@pytest.mark.parametrize(
    ("written", "exact"), [(0, "0"), (60, "60"), (0.07, "0.07"), (1.15, "1.15"), (999999.9999, "999999.9999")]
)
def test_a_price_is_what_was_written(written: float, exact: str) -> None:
    assert PriceOptions.model_validate({"per": "piece", "price": written}).price == Decimal(exact)


@pytest.mark.parametrize(
    "written", [-0.01, 0.00001, 1_000_001, True, "0.85", None, float("nan"), float("inf")]
)
def test_what_is_no_price_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="expected yuan from 0 to 1000000"):
        PriceOptions.model_validate({"per": "piece", "price": written})
