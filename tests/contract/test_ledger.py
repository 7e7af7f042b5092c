"""The ledger against a set of numbers: each counted once, holes are what is not there, order is kept."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.contract.ledger import Held, Ledger, Range, Verdict

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
    waiting: set[int] = set()
    for what, first, length in steps:
        if what == "take":
            expected = Verdict.REPEAT if first in known else Verdict.NEW
            assert ledger.take(held(first)) is expected
            waiting |= {first} - known
            known.add(first)
        else:
            ledger.excuse("g", first, first + length)
            known |= set(range(first, first + length + 1))
    newest = max(known, default=0)
    assert spread(ledger.missing("g")) == holes(known, newest)
    assert spread(ledger.missing("g", last)) == (holes(known, max(last, newest)) if known else [])
    assert [one.seq for one in ledger.ready(in_order=False)] == sorted(waiting)
    first_hole = min(holes(known, newest), default=newest + 1)
    assert [one.seq for one in ledger.ready(in_order=True)] == sorted(n for n in waiting if n < first_hole)
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
