"""Line protocol as the encoder writes it, read by a database that knows nothing of the encoder."""

from collections.abc import Iterator
from itertools import count
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.uplinks.influx.database import Database
from edge_agent.uplinks.influx.lines import FieldValue, line, one_line, series
from tests.field.influx.bench import Bench
from tests.field.influx.influxd import Influxd

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
awkward = st.text(st.sampled_from(list(" ,=\"\\\n\r\t#'机\u2028a")), max_size=8)
texts = st.one_of(words, awkward)
floats = st.floats(allow_nan=True, allow_infinity=True)
points = st.lists(
    st.tuples(texts, texts, floats, st.integers(-(2**63), 2**63 - 1), st.one_of(st.none(), texts)),
    min_size=1,
    max_size=20,
)
_numbers = count()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Influxd, Database]]:
    folder = tmp_path_factory.mktemp("lines")
    with Influxd(folder / "db") as server:
        server.create()
        writing = Database(Bench(folder, server.url).uplink.options)
        yield server, writing
        writing.close()


def as_tag(value: str) -> str | None:
    """What a tag can carry of it."""
    return one_line(value).replace("\\", "/").strip() or None


@settings(max_examples=60, deadline=None)
@given(points)
def test_what_is_written_is_read_as_it_was(
    database: tuple[Influxd, Database],
    rows: list[tuple[str, str, float, int, str | None]],
) -> None:
    server, writing = database
    measurement = f"m {next(_numbers)}"
    lines = []
    for index, (place, said, number, whole, maybe) in enumerate(rows):
        fields: dict[str, FieldValue] = {"said": said, "number": number, "whole": whole, "may be": maybe}
        written = line(series(measurement, {"the place": place}), fields, index)
        assert written is not None
        lines.append(written)
    writing.write(lines)
    everything = f'SELECT * FROM "{measurement}"'  # noqa: S608 - our own words
    found = {row["time"]: row for row in server.query(everything, "plant")}
    assert len(found) == len(rows)
    for index, (place, said, number, whole, maybe) in enumerate(rows):
        row = found[index]
        assert row.get("the place") == as_tag(place)
        assert row["said"] == one_line(said)
        told = row.get("number")  # JSON shows a whole float without its point
        assert (None if told is None else float(told)) == (number if isfinite(number) else None)
        assert row["whole"] == whole
        assert row.get("may be") == (None if maybe is None else one_line(maybe))


@given(texts)
def test_ordinary_text_is_not_changed_and_a_line_is_one_line(value: str) -> None:
    if value.isprintable():
        assert one_line(value) == value
    written = line(series("m", {"t": value}), {"f": value}, 1)
    assert written is not None
    assert len(written.splitlines()) == 1
    assert written.endswith(" 1")


def test_a_point_without_a_field_is_none() -> None:
    assert line(series("m", {}), {"a": None, "b": float("nan")}, 1) is None


def test_long_texts_are_cut_to_what_a_database_takes(database: tuple[Influxd, Database]) -> None:
    server, writing = database
    written = line(series("long", {"t": "机" * 1000}), {"f": "𠀀" * 20_000}, 1)
    assert written is not None
    writing.write([written])
    (row,) = server.query("SELECT * FROM long", "plant")
    assert (len(row["t"]), len(row["f"])) == (256, 8192)
