"""The chain: numbers without holes, one digest to the next, superseded and never changed."""

import json
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.contract.canonical import canonical, signed_part
from edge_agent.statements.keys import KEY_FILE, signing_key
from edge_agent.statements.store import Kept, StatementArchive, StatementStore

DAY = 86_400_000
SCHEMA = "fta.statement/1"


@pytest.fixture
def store(tmp_path: Path) -> StatementStore:
    return StatementStore(tmp_path / "history.db", signing_key(tmp_path))


def add(store: StatementStore, rate: float, subject: str = "nc-rate/by-count", day: int = 1) -> Kept | None:
    return store.add(SCHEMA, subject, "day", day * DAY, (day + 1) * DAY, {"rate": rate}, {"lines": b"[1,2]"})


def test_what_a_statement_says(store: StatementStore) -> None:
    kept = add(store, 0.5)
    assert kept is not None
    content = json.loads(kept.signed)
    assert canonical(content) == kept.signed
    assert content.pop("time") > 0
    assert content.pop("agent")
    key = content.pop("key")
    assert content == {
        "schema": SCHEMA, "subject": "nc-rate/by-count", "period": "day", "from": DAY, "to": 2 * DAY,
        "number": 1, "previous": None, "supersedes": None, "rate": 0.5,
    }  # fmt: skip
    message = json.loads(kept.message)
    assert message["evidence"] == {"lines": [1, 2]}
    assert signed_part(message) == kept.signed
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    public.verify(bytes.fromhex(message["signature"]), kept.signed)
    assert json.loads(kept.bare) == {name: value for name, value in message.items() if name != "evidence"}


def test_the_chain_and_what_supersedes(store: StatementStore) -> None:
    first = add(store, 0.5)
    second = add(store, 0.5, day=2)
    assert add(store, 0.5) is None, "the same again is nothing new"
    third = add(store, 0.75)
    assert first is not None
    assert second is not None
    assert third is not None
    assert third.content["supersedes"] == {"number": 1, "digest": first.digest}
    assert third.content["previous"] == second.digest == sha256(second.signed).hexdigest()
    back = add(store, 0.5)
    assert back is not None, "what was superseded holds again only by being said again"
    assert back.content["supersedes"] == {"number": 3, "digest": third.digest}
    assert [one.number for one in store.in_force(SCHEMA, "day", 0, 9 * DAY)] == [2, 4]
    assert [one.superseded_by for one in store.all_of(SCHEMA)] == [3, None, 4, None]
    kept = store.of_number(1)
    assert kept is not None
    assert (kept.signed, kept.evidence) == (first.signed, first.evidence), "never changed"


def test_subjects_kinds_and_periods_are_apart(store: StatementStore) -> None:
    add(store, 0.5)
    add(store, 0.5, "nc-rate/by-value")
    store.add("fta.other/1", "nc-rate/by-count", "day", DAY, 2 * DAY, {"rate": 0.5})
    store.add(SCHEMA, "nc-rate/by-count", "month", DAY, 2 * DAY, {"rate": 0.5})
    assert store.last_number() == 4
    assert all(one.superseded_by is None for one in store.numbers(1, 4))
    assert [one.number for one in store.all_of(SCHEMA, "nc-rate/by-count")] == [1, 4]
    assert [one.number for one in store.in_force(SCHEMA, "day", DAY, 2 * DAY, "nc-rate/by-value")] == [2]
    assert list(store.in_force(SCHEMA, "day", DAY + 1, 9 * DAY)) == []


def test_what_cannot_be_said_exactly_leaves_no_trace(store: StatementStore) -> None:
    with pytest.raises(ValueError, match="safe integer"):
        add(store, 2**53)
    assert store.last_number() == 0
    assert add(store, 1) is not None


def test_the_outbox(store: StatementStore) -> None:
    for day in range(5):
        add(store, 1, day=day)
    assert [one.number for one in store.unsent(3)] == [1, 2, 3]
    assert [one.number for one in store.unsent(3)] == [1, 2, 3], "until somebody says that they are sent"
    store.sent([1, 2, 3])
    assert [one.number for one in store.unsent(3)] == [4, 5]


def test_a_lost_key_is_noticed_and_the_chain_goes_on(tmp_path: Path, store: StatementStore) -> None:
    assert store.note_key() is None
    first = add(store, 0.5)
    store.close()
    (tmp_path / KEY_FILE).unlink()
    key = signing_key(tmp_path)
    store = StatementStore(tmp_path / "history.db", key)
    assert first is not None
    assert store.note_key() == first.content["key"] != key.public
    assert store.note_key() is None, "told once"
    second = add(store, 0.5, day=2)
    assert second is not None
    assert (second.number, second.content["previous"]) == (2, first.digest)
    assert second.content["key"] == key.public
    assert add(store, 0.5) is None, "the old one stays as it is"


@settings(max_examples=25, deadline=None)
@given(said=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=20))
def test_any_order_leaves_one_chain(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("chain")
    store = StatementStore(folder / "history.db", signing_key(folder))
    newest: dict[int, int] = {}
    for day, value in said:
        kept = add(store, value, day=day)
        assert (kept is None) == (newest.get(day) == value)
        newest[day] = value
    chain = list(store.numbers(1, 10**6))
    assert [one.number for one in chain] == list(range(1, len(chain) + 1))
    previous = None
    for one in chain:
        assert one.content["previous"] == previous
        previous = one.digest
    in_force = {one.from_ms // DAY: one.content["rate"] for one in store.in_force(SCHEMA, "day", 0, 9 * DAY)}
    assert in_force == newest
    store.close()


_ADD_MANY = """
import sys
from pathlib import Path
from edge_agent.statements.keys import signing_key
from edge_agent.statements.store import StatementStore

folder, value = Path(sys.argv[1]), float(sys.argv[2])
store = StatementStore(folder / "history.db", signing_key(folder))
print("ready", flush=True)
for day in range(int(sys.argv[3])):
    store.add("fta.statement/1", "a/b", "day", day, day + 1, {"rate": value})
    print(day, flush=True)
"""


def start(folder: Path, value: float, days: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _ADD_MANY, str(folder), str(value), str(days)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def chain_is_whole(folder: Path) -> list[Kept]:
    archive = StatementArchive(folder / "history.db")
    chain = list(archive.numbers(1, 10**6))
    archive.close()
    assert [one.number for one in chain] == list(range(1, len(chain) + 1))
    digests = [None, *(one.digest for one in chain)]
    assert [one.content["previous"] for one in chain] == digests[:-1]
    return chain


def test_two_processes_add_at_once(tmp_path: Path) -> None:
    both = [start(tmp_path, value, 60) for value in (0.25, 0.75)]
    for process in both:
        process.communicate(timeout=120)
        assert process.returncode == 0
    chain = chain_is_whole(tmp_path)
    assert len(chain) == 120, "each said something else of each day"
    assert sum(one.superseded_by is None for one in chain) == 60
    for one in chain:
        if one.superseded_by is not None:
            by = chain[one.superseded_by - 1]
            assert by.content["supersedes"] == {"number": one.number, "digest": one.digest}
            assert by.from_ms == one.from_ms


def test_a_kill_leaves_a_whole_chain(tmp_path: Path) -> None:
    process = start(tmp_path, 0.5, 100_000)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(20)]
    process.kill()
    rest = process.communicate(timeout=60)[0].splitlines()
    assert process.returncode != 0, "it did not come to its end"
    last = int([*told, *rest][-1])
    assert len(chain_is_whole(tmp_path)) >= last + 1, "what was added is there"


def test_the_archive_only_looks(tmp_path: Path, store: StatementStore) -> None:
    add(store, 0.5)
    archive = StatementArchive(tmp_path / "history.db")
    assert [one.number for one in archive.all_of(SCHEMA)] == [1]
    with pytest.raises(sqlite3.OperationalError):
        archive._db.execute("DELETE FROM statements")
    archive.close()
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.db", KEY_FILE]
