"""Codes of authorities, and durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from edge_agent.config.identity import credit_code, credit_code_check_digit, region_code
from edge_agent.model.options import Duration

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
codes = st.text(ALPHABET, min_size=17, max_size=17).map(lambda first: first + credit_code_check_digit(first))


@pytest.mark.parametrize("code", ["91350100M000100Y43", "914403001922038216", "9144030071526726XG"])
def test_codes_of_real_enterprises(code: str) -> None:
    assert credit_code(code) == code


@given(codes, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_mistyped_character_shows(code: str, place: int, char: str) -> None:
    typed = code[:place] + char + code[place + 1 :]
    if typed == code:
        assert credit_code(typed) == code
    else:
        with pytest.raises(ValueError, match="check digit"):
            credit_code(typed)


@given(codes, st.integers(0, 16))
def test_two_neighbours_exchanged_show(code: str, place: int) -> None:
    typed = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if typed != code:
        with pytest.raises(ValueError, match="check digit"):
            credit_code(typed)


@pytest.mark.parametrize("code", ["", "91350100M000100Y4", "91350100m000100Y43", "91350100M0OO100Y43"])
def test_what_is_no_credit_code(code: str) -> None:
    with pytest.raises(ValueError, match="GB 32100"):
        credit_code(code)


@pytest.mark.parametrize("code", ["33030", "3303000", "33030a", "٣٣٠٣٠٠", "000000", "990300"])
def test_what_is_no_region(code: str) -> None:
    with pytest.raises(ValueError, match="administrative division code"):
        region_code(code)


def test_a_region() -> None:
    assert region_code("330300") == "330300"


duration = TypeAdapter[float](Duration)
UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}


@given(
    st.integers(1, 10_000), st.integers(0, 999), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "])
)
def test_durations_are_seconds(whole: int, thousandths: int, unit: str, blank: str) -> None:
    seconds = duration.validate_python(f"{whole}.{thousandths:03}{blank}{unit}")
    assert seconds == pytest.approx((whole + thousandths / 1000) * UNITS[unit])


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_nothing_else_is_a_duration(written: object) -> None:
    try:
        seconds = duration.validate_python(written)
    except ValidationError:
        return
    assert isinstance(written, str)
    assert written.strip()[-1] in "smhdn"
    assert seconds > 0
