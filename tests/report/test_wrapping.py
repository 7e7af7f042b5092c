"""Lines of text: nothing is lost, nothing is too wide, and Chinese punctuation does not begin a line."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.report.wrapping import wrapped

TEXTS = st.text(st.sampled_from("ab-/_.,12 设备联网率，。（）《》\n"), max_size=60)


def width_of(text: str) -> float:
    """Two for a Chinese character, as on a terminal."""
    return sum(2 if ord(character) > 0x2FFF else 1 for character in text)


@given(TEXTS, st.integers(2, 30))
def test_nothing_is_lost_and_nothing_too_wide(text: str, width: int) -> None:
    lines = wrapped(text, width, width_of)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width_of(line) <= width for line in lines)
    assert len(lines) >= len(text.split("\n"))


@given(st.text(st.sampled_from("设备联网率，。）"), min_size=1, max_size=40), st.integers(8, 30))
def test_what_fits_stays_in_one_line(text: str, width: int) -> None:
    if width_of(text) <= width:
        assert wrapped(text, width, width_of) == [text]


def test_lines_end_where_a_reader_expects_it() -> None:
    assert wrapped("networked by digital equipment", 12, width_of) == ["networked by", "digital", "equipment"]
    assert wrapped("CNC-01, CNC-02, CNC-03", 16, width_of) == ["CNC-01, CNC-02,", "CNC-03"]
    assert wrapped("key-process-nc-rate/process-industry", 20, width_of) == [
        "key-process-nc-rate/",
        "process-industry",
    ]
    assert wrapped("设备联网率，数控", 10, width_of) == ["设备联网", "率，数控"]
    assert wrapped("联网率（实时）", 8, width_of) == ["联网率", "（实时）"]
    assert wrapped("f" * 10, 4, width_of) == ["ffff", "ffff", "ff"]
    assert wrapped("", 4, width_of) == [""]
