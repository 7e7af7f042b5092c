"""Digests as a gateway makes them, and a ledger that gets messages in any order, some late, some never."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.contract.digests import counted, hash_of
from edge_agent.contract.ledger import Held, Ledger, Verdict
from edge_agent.contract.messages import Digest, Event, Telemetry, encode, number
from edge_agent.contract.proofs import Finding, Proof

AGREES, DIFFERS, UNPROVEN = Proof.AGREES, Proof.DIFFERS, Proof.UNPROVEN


def reading(seq: int) -> bytes:
    return number(encode(Telemetry(equipment="M1", received=0, tags=["t"], values=[seq])), seq)


def event(seq: int) -> bytes:
    return number(encode(Event(time=0, kind="test", subject="", message="m")), seq)


class Gateway:
    """Numbers messages, and makes a digest of them when a day is over."""

    def __init__(self) -> None:
        self.messages: dict[int, tuple[str, bytes]] = {}
        self.digests: dict[int, Digest] = {}
        self._first = 1

    def number(self, record_class: str) -> int:
        seq = len(self.messages) + 1
        self.messages[seq] = record_class, (reading if record_class == "readings" else event)(seq)
        return seq

    def end_day(self) -> int:
        seq, first = len(self.messages) + 1, self._first
        day = {n: one for n, one in self.messages.items() if n >= first}
        classes = []
        for name in sorted({name for name, _ in day.values()}):
            own = {n: hash_of(payload) for n, (of, payload) in day.items() if of == name}
            classes.append(counted(name, min(own), max(own), own.values()))
        digest = Digest(
            time=0, day=f"2026-11-{len(self.digests) + 1:02}", timezone="UTC", first=first, last=seq - 1,
            classes=classes,
        )  # fmt: skip
        self.digests[seq] = digest
        self.messages[seq] = "digests", number(encode(digest), seq)
        self._first = seq
        return seq


def take(ledger: Ledger, gateway: Gateway, numbers: Sequence[int], upto: bool = True) -> list[Finding]:
    """The ledger gets these, and says what it finds."""
    with ledger.together():
        for seq in numbers:
            name, payload = gateway.messages[seq]
            held = Held("g", seq, "t", payload, name, starts=seq in gateway.digests)
            if ledger.take(held) is Verdict.NEW and seq in gateway.digests:
                ledger.claimed("g", gateway.digests[seq])
        return list(ledger.settle("g"))


def days(findings: Sequence[Finding]) -> list[tuple[Proof, str, str]]:
    return [(one.proof, one.day, one.record_class) for one in findings]


CLASSES = st.sampled_from(["readings", "readings", "events", "states"])


@given(st.lists(st.lists(CLASSES, max_size=8), min_size=1, max_size=4), st.data())
def test_a_day_agrees_once_when_all_of_it_is_there_however_it_came(
    plan: list[list[str]], data: st.DataObject
) -> None:
    gateway = Gateway()
    for day in plan:
        for name in ["events", *day]:
            gateway.number(name)
        gateway.end_day()
    losable = [n for n in gateway.messages if n not in {1, *gateway.digests}]
    lost = data.draw(st.sets(st.sampled_from(losable))) if losable else set()
    order = data.draw(st.permutations([n for n in gateway.messages if n not in {1, *lost}]))
    ledger = Ledger()
    found = take(ledger, gateway, [1])
    for seq in order:
        found += take(ledger, gateway, [seq])
    with ledger.together():
        for seq in sorted(lost):
            ledger.excuse("g", seq, seq, ask=True)
        found += ledger.settle("g")
    touched = {d.day for d in gateway.digests.values() if any(d.first <= seq <= d.last for seq in lost)}
    assert {(one.proof, one.day) for one in found} == {
        (DIFFERS if digest.day in touched else AGREES, digest.day) for digest in gateway.digests.values()
    }
    assert {n for first, last in ledger.to_ask_again("g") for n in range(first, last + 1)} == lost
    late = []
    for seq in data.draw(st.permutations(sorted(lost))):
        late += take(ledger, gateway, [seq])
    assert sorted(days(late)) == [(AGREES, day, "") for day in sorted(touched)]
    assert take(ledger, gateway, list(gateway.messages)) == [], "repeats change nothing"
    assert ledger.to_ask_again("g") == []
    ledger.close()


def test_what_differs_is_told_once_with_what_was_expected_and_found(tmp_path: Path) -> None:
    gateway = Gateway()
    for name in ("events", "readings", "readings", "events"):
        gateway.number(name)
    gateway.end_day()
    ledger = Ledger(tmp_path / "ledger.db")
    take(ledger, gateway, [1, 2, 4, 5])
    ledger.excuse("g", 3, 3)
    (found,) = ledger.settle("g")
    assert (found.proof, found.first, found.last, found.record_class) == (DIFFERS, 1, 4, "readings")
    assert found.expected is not None
    assert found.found is not None
    assert (found.expected.count, found.found.count, found.missing) == (2, 1, 1)
    assert ledger.to_ask_again("g") == [], "the gateway has said that it does not come"
    ledger.close()
    ledger = Ledger(tmp_path / "ledger.db")
    assert list(ledger.settle("g")) == []
    assert days(take(ledger, gateway, [3])) == [(AGREES, "2026-11-01", "")]
    ledger.close()


def test_what_was_changed_on_its_way_differs() -> None:
    gateway = Gateway()
    gateway.number("events")
    gateway.number("readings")
    gateway.end_day()
    ledger = Ledger()
    ledger.take(Held("g", 2, "t", reading(2).replace(b"[2]", b"[3]"), "readings"))
    assert days(take(ledger, gateway, [1, 3])) == [(DIFFERS, "2026-11-01", "readings")]
    ledger.close()


def test_what_a_power_cut_took_from_the_gateway_is_in_no_digest() -> None:
    gateway = Gateway()
    gateway.number("events")
    gateway.number("readings")
    ledger = Ledger()
    take(ledger, gateway, [1, 2])
    with ledger.together():
        for seq in (3, 4):  # the gateway has sent them, and forgets them
            ledger.take(Held("g", seq, "t", reading(seq), "readings"))
        list(ledger.settle("g"))
    # It goes on at 1000, and counts nothing between.
    gateway.messages[1000] = "events", event(1000)
    digest = Digest(time=0, day="d", timezone="UTC", first=1, last=1000, classes=[
        counted("events", 1, 1000, [hash_of(event(1)), hash_of(event(1000))]),
        counted("readings", 2, 2, [hash_of(reading(2))]),
    ])  # fmt: skip
    gateway.messages[1001], gateway.digests[1001] = ("digests", number(encode(digest), 1001)), digest
    with ledger.together():
        ledger.never_given("g", 3, 999)
    assert days(take(ledger, gateway, [1000, 1001])) == [(AGREES, "d", "")]
    ledger.close()


def test_what_a_digest_has_told_is_not_taken_back() -> None:
    """A journal that was deleted does not know how far it had come."""
    gateway = Gateway()
    for _ in range(3):
        gateway.number("readings")
    gateway.end_day()
    ledger = Ledger()
    assert take(ledger, gateway, [1, 2, 4]) == []
    ledger.never_given("g", 1, 1000)
    (found,) = ledger.settle("g")
    assert found.found is not None
    assert (found.proof, found.found.count) == (DIFFERS, 2)
    ledger.close()


def test_a_day_whose_beginning_was_not_seen_is_not_proven_and_the_next_is() -> None:
    gateway = Gateway()
    for _ in range(2):
        for name in ("readings", "readings", "events"):
            gateway.number(name)
        gateway.end_day()
    ledger = Ledger()
    found = take(ledger, gateway, [seq for seq in gateway.messages if seq > 1])
    assert days(found) == [(UNPROVEN, "2026-11-01", ""), (AGREES, "2026-11-02", "")]
    ledger.close()


def test_numbers_of_which_there_is_no_digest_are_told() -> None:
    gateway = Gateway()
    gateway.number("readings")
    ledger = Ledger()
    take(ledger, gateway, [1])
    # The journal was damaged: the gateway counts anew from the event that says so.
    gateway._first = gateway.number("events")
    gateway.end_day()
    ledger.take(Held("g", 2, "t", event(2), "events", starts=True))
    found = take(ledger, gateway, [3])
    assert [(one.proof, one.first, one.last) for one in found] == [(UNPROVEN, 1, 1), (AGREES, 2, 2)]
    ledger.close()
