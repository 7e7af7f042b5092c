"""The ledger against a set of numbers: each counted once, holes are what is not there, order is kept."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cli.receive import receive
from edge_agent.contract.ledger import FORMAT, Held, Ledger, LedgerFormatError, Verdict
from edge_agent.contract.proofs import Range

NUMBERS = st.integers(1, 30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), NUMBERS, st.just(0)),
        st.tuples(st.just("excuse"), NUMBERS, st.integers(0, 5)),
    ),
    max_size=40,
)


def held(seq: int, payload: bytes = b"{}", gateway: str = "g") -> Held:
    return Held(gateway, seq, "event", payload)


def holes(known: set[int], last: int) -> list[int]:
    return [n for n in range(min(known, default=last + 1), last + 1) if n not in known]


def spread(ranges: list[Range]) -> list[int]:
    return [number for first, last in ranges for number in range(first, last + 1)]


@given(STEPS, st.integers(0, 40))
def test_it_counts_as_a_set_does(steps: list[tuple[str, int, int]], last: int) -> None:
    ledger = Ledger()
    known: set[int] = set()
    came: set[int] = set()
    for what, first, length in steps:
        if what == "take":
            # What was excused and comes all the same is taken.
            expected = Verdict.REPEAT if first in came else Verdict.NEW
            assert ledger.take(held(first)) is expected
            came.add(first)
            known.add(first)
        else:
            ledger.excuse("g", first, first + length)
            known |= set(range(first, first + length + 1))
    newest = max(known, default=0)
    assert spread(ledger.missing("g")) == holes(known, newest)
    assert spread(ledger.missing("g", last)) == (holes(known, max(last, newest)) if known else [])
    assert [one.seq for one in ledger.ready(in_order=False)] == sorted(came)
    first_hole = min(holes(known, newest), default=newest + 1)
    assert [one.seq for one in ledger.ready(in_order=True)] == sorted(n for n in came if n < first_hole)
    ledger.close()


def test_a_number_with_other_content_is_a_conflict_and_gateways_do_not_mix() -> None:
    ledger = Ledger()
    assert ledger.take(held(1, b"a")) is Verdict.NEW
    assert ledger.take(held(1, b"a")) is Verdict.REPEAT
    assert ledger.take(held(1, b"b")) is Verdict.CONFLICT
    assert ledger.take(held(1, b"b", "other")) is Verdict.NEW
    assert ledger.take(held(3, b"c", "other")) is Verdict.NEW
    assert (ledger.missing("g"), ledger.missing("other")) == ([], [(2, 2)])
    assert [(one.gateway, one.payload) for one in ledger.ready(in_order=True)] == [
        ("g", b"a"),
        ("other", b"b"),
    ]
    ledger.close()


def test_what_was_not_handed_over_is_there_after_a_restart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    with ledger.together():
        for seq in (1, 2, 4):
            ledger.take(held(seq))
    ledger.handed_over(held(1))
    ledger.close()
    ledger = Ledger(tmp_path / "ledger.db")
    assert [one.seq for one in ledger.ready(in_order=True)] == [2]
    assert ledger.take(held(1)) is Verdict.REPEAT
    assert ledger.take(held(3)) is Verdict.NEW
    assert [one.seq for one in ledger.ready(in_order=True)] == [2, 3, 4]
    ledger.close()


READING = "telemetry/M1"


@given(
    st.sets(st.integers(1, 10), min_size=1),
    st.sets(st.integers(11, 20)),
    st.sets(st.integers(1, 20)),
)
def test_what_came_of_two_streams_is_missing_where_they_passed(
    old: set[int], live: set[int], urgent: set[int]
) -> None:
    """Readings up to 10 are a backlog, those above it overtake them; what is urgent overtakes both."""
    ledger = Ledger()
    ledger.excuse("g", 0, 0)
    ledger.report("g", 0, 20, 10)
    for seq in sorted(urgent):
        ledger.take(held(seq))
    for seq in [*sorted(live - urgent), *sorted(old - urgent)]:
        ledger.take(Held("g", seq, READING, b"{}", "readings"))
        ledger.reach("g", seq, overtakes=True)
    passed = [max(old - urgent, default=0), max(live - urgent, default=10)]
    on_its_way = {n for first, last in ledger.on_its_way("g") for n in range(first, min(last, 20) + 1)}
    assert on_its_way == {*range(passed[0] + 1, 11), *range(passed[1] + 1, 21)}
    came = old | live | urgent
    ready = {one.seq for one in ledger.ready(in_order=True)}
    first_hole = min({*range(1, 22)} - came)
    assert {n for n in came if n < first_hole} <= ready
    first_live_hole = min({*range(11, 22)} - came)
    overtaken = {n for n in live - urgent if n < first_live_hole}
    if first_hole > passed[0]:
        assert ready >= overtaken | urgent
        assert ready - urgent - {n for n in came if n < first_hole} == overtaken - {
            n for n in came if n < first_hole
        }
    ledger.report("g", 20, 20)
    assert ledger.on_its_way("g") == []
    ledger.close()


def test_an_event_lost_amid_live_readings_holds_back_those_behind_it() -> None:
    ledger = Ledger()
    ledger.report("g", 0, 9, 9)
    for seq in (1, 10, 11, 13, 15):
        ledger.take(Held("g", seq, READING, b"{}", "readings"))
        ledger.reach("g", seq, overtakes=True)
    ledger.take(Held("g", 14, "event", b"{}", "events", 12))
    ledger.take(Held("g", 16, "state/M1", b"{}", "states"))
    assert [one.seq for one in ledger.ready(in_order=True)] == [1, 10, 11, 16]
    assert ledger.waited_for("g") == [(12, "events")]
    assert not any(first <= 12 <= last for first, last in ledger.on_its_way("g")), "it is a hole as any"
    ledger.take(Held("g", 12, "event", b"{}", "events"))
    assert [one.seq for one in ledger.ready(in_order=True)] == [1, *range(10, 17)]
    assert ledger.waited_for("g") == []
    ledger.close()


def test_what_must_overtake_nothing_says_that_both_streams_are_there() -> None:
    ledger = Ledger()
    ledger.report("g", 0, 30, 10)
    ledger.reach("g", 15)
    assert ledger.on_its_way("g")[0][0] == 16
    ledger.report("g", 0, 30, 20)  # another connection
    assert [first for first, _ in ledger.on_its_way("g")] == [11, 21]
    ledger.report("g", 0, 30)  # the backlog is through
    assert [first for first, _ in ledger.on_its_way("g")] == [21]
    ledger.close()


def test_what_fails_half_way_has_not_happened() -> None:
    ledger = Ledger()
    try:
        with ledger.together():
            ledger.take(held(1))
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert ledger.gateways() == []
    assert ledger.take(held(1)) is Verdict.NEW
    ledger.close()


def test_what_overtakes_readings_keeps_the_order_of_its_class() -> None:
    ledger = Ledger()

    def take(seq: int, record_class: str, after: int = 0) -> None:
        assert ledger.take(Held("g", seq, "t", b"%d" % seq, record_class, after)) is Verdict.NEW

    def handed_over() -> list[int]:
        ready = ledger.ready(in_order=True)
        for one in ready:
            ledger.handed_over(one)
        return [one.seq for one in ready]

    take(1, "readings")
    ledger.report("g", acknowledged=0, last=100)
    take(5, "states", after=0)
    take(9, "states", after=7)
    take(10, "events", after=0)
    take(11, "states", after=9)
    assert handed_over() == [1, 5, 10], "7 got lost: 9 waits for it, and 11 for 9"
    assert ledger.waited_for("g") == [(7, "states")]
    take(7, "states", after=5)
    assert handed_over() == [7, 9, 11]
    assert ledger.waited_for("g") == []
    take(20, "states", after=15)
    assert handed_over() == []
    ledger.excuse("g", 15, 15)
    assert handed_over() == [20], "15 does not come"
    ledger.close()


def test_a_file_from_before_there_were_digests_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE numbers (gateway TEXT, first INTEGER, last INTEGER, PRIMARY KEY (gateway, first));"
            "CREATE TABLE digests (gateway TEXT, seq INTEGER, digest BLOB, PRIMARY KEY (gateway, seq));"
            "CREATE TABLE inbox (gateway TEXT, seq INTEGER, topic TEXT, payload BLOB, worker TEXT,"
            " PRIMARY KEY (gateway, seq));"
            "INSERT INTO numbers VALUES ('g', 1, 1); INSERT INTO digests VALUES ('g', 1, x'00');"
            "INSERT INTO inbox VALUES ('g', 1, 'event', '{}', '');"
        )
    for _ in range(2):
        ledger = Ledger(path)
        assert [one.seq for one in ledger.ready(in_order=True)] == [1]
        ledger.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (FORMAT,)


def test_a_file_says_its_format_and_a_newer_one_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (FORMAT,)
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    before = path.read_bytes()
    with pytest.raises(LedgerFormatError) as refused:
        Ledger(path)
    assert str(refused.value).startswith(
        f"{path}: ledger format {FORMAT + 1}, this version knows formats up to"
    )
    assert path.read_bytes() == before
    told = CliRunner().invoke(receive, ["--host", "127.0.0.1", "--port", "1", "--ledger", str(path)])
    assert told.exit_code == 1
    assert f"cannot receive: {refused.value}" in told.output
