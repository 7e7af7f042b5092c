"""The journal's file: numbers without holes, nothing lost, nothing kept for ever."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge_agent.contract.messages import Event, decode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.file import PAGE_BYTES
from edge_agent.journal.limits import HOUR_MS, Limits
from edge_agent.journal.lock import DataDirBusyError, DataDirLock
from edge_agent.journal.store import JournalFormatError, Record, Store
from edge_agent.model.clock import CLOCK

ALL = frozenset(RecordClass)
NO_READINGS = ALL - {RecordClass.READINGS}
UPLINKS = {"plant": ALL, "region": NO_READINGS}


def record(text: str, record_class: RecordClass = RecordClass.READINGS) -> Record:
    return Record(record_class, "M1", text.encode())


class Hours:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms

    def pass_hours(self, hours: float) -> None:
        self.now_ms += round(hours * HOUR_MS)


def kept(store: Store) -> int:
    """How many records are in the file."""
    return int(store._db.execute("SELECT coalesce(sum(count), 0) FROM runs").fetchone()[0])


def events(store: Store, uplink: str, after: int = 0) -> list[Event]:
    """The events that the store made itself, for one uplink."""
    own = [entry.record for entry in store.read(uplink, after, 10_000) if entry.record.only]
    assert all(one.only == uplink for one in own)
    found = [decode(one.body) for one in own]
    assert all(isinstance(event, Event) for event in found)
    return [event for event in found if isinstance(event, Event)]


def test_records_go_when_all_uplinks_have_them_for_long_enough(tmp_path: Path) -> None:
    clock = Hours()
    store = Store(tmp_path / "j.db", {"a": ALL, "b": ALL}, now_ms=clock)
    for text in ("1", "2"):
        store.commit([record(text)], {}, sync=True)
    store.commit([], {"a": 2, "b": 1}, sync=False)
    store.tidy()
    assert kept(store) == 2, "for a receiver that asks again"
    clock.pass_hours(1.1)
    store.tidy()
    assert kept(store) == 1, "b waits for it"
    store.commit([], {"b": 2}, sync=False)
    store.tidy()
    assert kept(store) == 0
    store.close()


def test_an_uplink_holds_only_what_it_carries(tmp_path: Path) -> None:
    clock = Hours()
    store = Store(tmp_path / "j.db", UPLINKS, now_ms=clock)
    store.commit([record("state", RecordClass.STATES), record("reading")], {"plant": 2}, sync=True)
    clock.pass_hours(2)
    store.commit([], {"plant": 2}, sync=True)
    store.tidy()
    assert [e.record.body for e in store.read("region", 0, 10)] == [b"state"]
    assert kept(store) == 1
    store.close()


def test_numbers_go_on_after_everything_was_acknowledged_and_the_file_reopened(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", {"a": ALL})
    store.commit([record("1"), record("2")], {"a": 0}, sync=True)
    store.commit([], {"a": 2}, sync=True)
    store.close()
    store = Store(tmp_path / "j.db", {"a": ALL})
    store.commit([record("3")], {}, sync=True)
    assert [e.seq for e in store.read("a", 2, 10)] == [3]
    store.close()


def test_an_uplink_that_left_does_not_hold_records_and_keeps_its_counter(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", {"a": ALL, "b": ALL})
    store.commit([record("1"), record("2")], {}, sync=True)
    store.close()
    store = Store(tmp_path / "j.db", {"a": ALL}, now_ms=lambda: CLOCK.now_ms() + 2 * HOUR_MS)
    store.commit([], {"a": 2}, sync=True)
    store.tidy()
    assert kept(store) == 0
    store.close()
    store = Store(tmp_path / "j.db", {"a": ALL, "b": ALL})
    store.commit([record("3")], {}, sync=True)
    assert [(e.seq, e.record.body) for e in store.read("b", 0, 10)] == [(3, b"3")]
    assert [(e.seq, e.record.body) for e in store.read("a", 2, 10)] == [(3, b"3")]
    store.close()


def cut_power(folder: Path, name: str) -> Path:
    """What a power cut now would leave: the files as they were synced last."""
    target = folder / name
    target.mkdir()
    for file in folder.glob("j.*"):
        if file.suffix != ".tail":
            shutil.copy(file, target)
    return target / "j.db"


def kill(folder: Path, name: str) -> Path:
    """What a kill now would leave: the files as they are."""
    path = cut_power(folder, name)
    shutil.copy(folder / "j.tail", path.parent)
    return path


def test_numbers_that_a_power_cut_took_are_never_given_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", UPLINKS, boot="monday")
    store.commit([record("1"), record("2")], {}, sync=True)
    left = cut_power(tmp_path, "after")
    given = store.commit([record(str(i)) for i in range(50)], {}, sync=False)["plant"]
    store.close()

    store = Store(left, UPLINKS, boot="tuesday")
    (event,) = events(store, "plant")
    first, last = event.detail["first"], event.detail["last"]
    assert (event.kind, event.subject, first) == ("numbers_lost", "plant", 3)
    assert isinstance(last, int)
    assert last >= given[-1].seq
    assert events(store, "region") == [], "nothing had been given to it"
    new = store.commit([record("new")], {}, sync=True)["plant"]
    assert new[0].seq == last + 2
    assert [e.seq for e in store.read("plant", 0, 10)] == [1, 2, last + 1, last + 2]
    store.close()


def test_what_survives_a_power_cut_is_not_announced_as_lost_again(tmp_path: Path) -> None:
    """Ending between the opening and anything else must neither forget the event nor make it twice."""
    store = Store(tmp_path / "j.db", UPLINKS, boot="monday")
    store.commit([record("1")], {}, sync=True)
    left = cut_power(tmp_path, "after")
    store.close()
    Store(left, UPLINKS, boot="tuesday")  # killed at once
    store = Store(left, UPLINKS, boot="tuesday")
    assert [event.kind for event in events(store, "plant")] == ["numbers_lost"]
    store.close()


@pytest.mark.parametrize("boot", ["monday", "tuesday"])
def test_a_stop_in_good_order_or_a_kill_leaves_no_hole(tmp_path: Path, boot: str) -> None:
    store = Store(tmp_path / "j.db", UPLINKS, boot="monday")
    store.commit([record("1")], {}, sync=False)
    path = kill(tmp_path, "after") if boot == "monday" else tmp_path / "j.db"
    store.close()
    store = Store(path, UPLINKS, boot=boot)
    assert events(store, "plant") == []
    assert [e.record.body for e in store.read("plant", 0, 10)] == [b"1"]
    assert store.commit([record("2")], {}, sync=True)["plant"][0].seq == 2
    store.close()


def test_many_numbers_are_reserved_again_and_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", UPLINKS, boot="monday")
    highest = 0
    for _ in range(30):
        highest = store.commit([record("x")] * 100, {}, sync=False)["plant"][-1].seq
        assert store.cursors["plant"].reserved_seq >= highest
    store.close()


def test_reserving_numbers_takes_no_transaction_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", {"plant": ALL})
    store.commit([record("first")], {}, sync=True)
    for _ in range(40):
        store.commit([record("reading")] * 100, {}, sync=False)
        assert (tmp_path / "j.tail").stat().st_size > 0, "the file was written for want of numbers"
        store.commit([], {}, sync=True)
    store.close()
    reopened = Store(tmp_path / "j.db", {"plant": ALL})
    assert reopened.cursors["plant"].last_seq == 4001
    reopened.close()


def test_a_failed_commit_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", {"a": ALL})
    store.commit([record("1")], {}, sync=True)
    store._db.execute("PRAGMA max_page_count = 1")  # stands in for a full disk
    with pytest.raises(sqlite3.OperationalError):
        store.commit([Record(RecordClass.READINGS, "M1", os.urandom(100_000))], {}, sync=True)
    store._db.execute("PRAGMA max_page_count = 100000")
    store.commit([record("2")], {}, sync=True)
    assert [(e.seq, e.record.body) for e in store.read("a", 0, 10)] == [(1, b"1"), (2, b"2")]
    store.close()


@pytest.mark.parametrize("killed", [False, True])
def test_a_file_of_a_newer_format_is_refused_untouched(tmp_path: Path, killed: bool) -> None:
    path = tmp_path / "j.db"
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA journal_mode = WAL")
    newer.execute("PRAGMA user_version = 99")
    if killed:  # what was written last is beside the file, and would go into it if it were opened to write
        for name in ("j.db", "j.db-wal"):
            (tmp_path / f"new-{name}").write_bytes((tmp_path / name).read_bytes())
    newer.close()
    if killed:
        for name in ("j.db", "j.db-wal"):
            (tmp_path / f"new-{name}").replace(tmp_path / name)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert ("j.db-wal" in before) is killed
    with pytest.raises(JournalFormatError, match="journal format 99"):
        Store(path, {"a": ALL})
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


OLD_SCHEMA = """
CREATE TABLE records (id INTEGER PRIMARY KEY, class TEXT NOT NULL, subject TEXT NOT NULL,
    readings INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE uplinks (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL DEFAULT 0,
    acked_seq INTEGER NOT NULL DEFAULT 0, reserved_seq INTEGER NOT NULL DEFAULT 0);
CREATE TABLE boot (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), id TEXT NOT NULL);
CREATE TABLE outbox (uplink INTEGER NOT NULL, seq INTEGER NOT NULL, record INTEGER NOT NULL,
    PRIMARY KEY (uplink, seq)) WITHOUT ROWID;
INSERT INTO uplinks VALUES (1, 'plant', 13, 10, 13), (2, 'region', 4, 3, 4);
INSERT INTO records VALUES (7, 'readings', 'M1', 3, x'61'), (8, 'readings', 'M2', 2, x'62'),
    (9, 'events', '', 0, x'63');
INSERT INTO outbox VALUES (1, 11, 7), (1, 12, 8), (1, 13, 9), (2, 4, 9);
PRAGMA user_version = 1;
"""


def test_a_journal_of_the_first_format_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    old = sqlite3.connect(path)
    old.execute("PRAGMA journal_mode = WAL")
    old.executescript(OLD_SCHEMA)
    old.close()
    store = Store(path, UPLINKS)
    plant = store.read("plant", 10, 10)
    assert [(e.seq, e.record.subject, e.record.body, e.record.readings) for e in plant] == [
        (11, "M1", b"a", 3),
        (12, "M2", b"b", 2),
        (13, "", b"c", 0),
    ]
    assert [(e.seq, e.record.body) for e in store.read("region", 3, 10)] == [(4, b"c")]
    assert store.cursors["plant"].acked_seq == 10
    assert store.commit([record("new")], {}, sync=True)["plant"][0].seq == 14
    assert store._db.execute("PRAGMA user_version").fetchone() == (2,)
    store.close()


SMALL = Limits(max_bytes=300_000, keep_ms={RecordClass.READINGS: 7 * 24 * HOUR_MS})


def noise(record_class: RecordClass, size: int = 10_000) -> Record:
    """A record that does not compress."""
    return Record(record_class, "M1", os.urandom(size))


def test_readings_go_first_then_states_and_statements_never(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", UPLINKS, limits=SMALL)
    for record_class in (RecordClass.STATEMENTS, RecordClass.STATES, RecordClass.READINGS):
        for _ in range(10):
            store.commit([noise(record_class)], {}, sync=True)
    store.tidy()
    classes = [entry.record.record_class for entry in store.read("plant", 0, 100)]
    assert classes.count(RecordClass.STATES) == 10
    assert 0 < classes.count(RecordClass.READINGS) < 10
    (event,) = events(store, "plant")
    gone = 10 - classes.count(RecordClass.READINGS)
    assert event.kind == "thinned"
    assert {
        "class": "readings",
        "first": 21,
        "last": 20 + gone,
        "count": gone,
    }.items() <= event.detail.items()
    assert events(store, "region") == [], "it does not carry them"

    for _ in range(40):
        store.commit([noise(RecordClass.STATEMENTS)], {}, sync=True)
    store.tidy()
    classes = [entry.record.record_class for entry in store.read("plant", 0, 100)]
    assert classes.count(RecordClass.STATEMENTS) == 50
    assert RecordClass.STATES not in classes
    assert store.over_limit
    (event,) = events(store, "region")
    assert {"class": "states", "first": 11, "last": 20, "count": 10}.items() <= event.detail.items()
    store.close()


def test_what_is_too_old_is_thinned_as_a_range_and_told_after_a_restart(tmp_path: Path) -> None:
    clock = Hours()
    store = Store(tmp_path / "j.db", UPLINKS, limits=SMALL, now_ms=clock)
    for _ in range(10):
        store.commit([record("reading"), record("state", RecordClass.STATES)], {"plant": 1}, sync=True)
        clock.pass_hours(24)
    store.tidy()
    store.close()
    store = Store(tmp_path / "j.db", UPLINKS, limits=SMALL, now_ms=clock)
    numbers = [entry.seq for entry in store.read("plant", 1, 100)]
    assert numbers == [2, 4, *range(6, 22)], "3 and 5 were older than a week; 1 was delivered"
    (event,) = events(store, "plant", 1)
    assert {"first": 3, "last": 5, "count": 2}.items() <= event.detail.items()
    assert [gap.count for gap in store.gaps["plant"]] == [2]
    store.close()


def test_what_a_clock_recorded_that_was_not_set_yet_is_not_old(tmp_path: Path) -> None:
    clock = Hours()
    now, clock.now_ms = clock.now_ms, 0
    store = Store(tmp_path / "j.db", {"plant": ALL}, limits=SMALL, now_ms=clock)
    store.commit([record("1")], {}, sync=True)
    clock.now_ms = now
    store.tidy()
    assert [e.record.body for e in store.read("plant", 0, 10)] == [b"1"]
    store.close()


def test_the_file_stays_within_its_limit_while_nobody_takes_anything(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", {"plant": ALL}, limits=SMALL)
    for _ in range(200):
        store.commit([noise(RecordClass.READINGS)], {}, sync=True)
        store.tidy()
    assert (tmp_path / "j.db").stat().st_size < 1.2 * SMALL.max_bytes
    told = sum(int(str(event.detail["count"])) for event in events(store, "plant"))
    readings = [e for e in store.read("plant", 0, 1000) if not e.record.only]
    assert told + len(readings) == 200
    assert len(events(store, "plant")) < 150, "not one for each"
    store.close()


def test_a_damaged_file_is_set_aside_and_what_can_be_read_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    store = Store(path, UPLINKS)
    for _ in range(20):
        store.commit([noise(RecordClass.EVENTS)], {}, sync=True)
    before = {entry.seq: entry.record.body for entry in store.read("plant", 0, 100)}
    tables = store._db.execute("SELECT rootpage FROM sqlite_master WHERE name IN ('uplinks', 'boot')")
    written = {page for (page,) in tables}
    store.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(content)

    store = Store(path, UPLINKS)
    after = {e.seq: e.record.body for e in store.read("plant", 0, 100) if not e.record.only}
    assert 15 <= len(after) < 20
    assert after.items() <= before.items()
    (event,) = events(store, "plant")
    assert {"first": 1, "last": 20, "count": 20 - len(after)}.items() <= event.detail.items()
    aside = tmp_path / str(event.detail["file"])
    kept, size = aside.read_bytes(), PAGE_BYTES
    assert len(kept) == len(content)
    touched = {
        at // size + 1 for at in range(0, len(kept), size) if kept[at : at + size] != content[at : at + size]
    }
    assert touched <= written, (
        "nobody has touched it but to note where uplinks are, before the damage was met"
    )
    assert store.commit([record("next")], {}, sync=True)["plant"][0].seq > 20
    store.close()


def test_a_tail_from_before_tails_were_compressed_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.journal.tail.framed", msgspec.msgpack.encode)
    store = Store(tmp_path / "j.db", UPLINKS)
    store.commit([record("1")], {}, sync=True)
    store.commit([record("2")], {}, sync=False)
    assert b"2" in (tmp_path / "j.tail").read_bytes()
    store._db.close()
    store._tail.close()
    store = Store(tmp_path / "j.db", UPLINKS)
    assert [entry.record.body for entry in store.read("plant", 0, 9)] == [b"1", b"2"]
    store.close()


@pytest.mark.parametrize("whole", [True, False])
def test_a_rescue_that_was_cut_off_is_finished_or_forgotten(tmp_path: Path, whole: bool) -> None:
    path, new = tmp_path / "j.db", tmp_path / "j.db.new"
    store = Store(path, UPLINKS)
    store.commit([record("1")], {}, sync=True)
    store.close()
    if whole:
        path.rename(new)
    else:
        new.write_bytes(path.read_bytes()[:5000])
    store = Store(path, UPLINKS)
    assert [e.record.body for e in store.read("plant", 0, 10)] == [b"1"]
    assert not new.exists()
    store.close()


def test_no_number_is_given_twice_when_the_file_is_no_journal_any_more(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    store = Store(path, UPLINKS)
    store.commit([record(str(i)) for i in range(50)], {}, sync=True)
    store.close()
    path.write_bytes(b"this is not a database, and long enough to be looked at" * 100)
    store = Store(path, UPLINKS)
    (event,) = events(store, "plant")
    assert (event.kind, event.detail["last"]) == ("journal_damaged", 50)
    assert store.commit([record("next")], {}, sync=True)["plant"][0].seq == 52
    assert [p.read_bytes()[:4] for p in tmp_path.glob("j.db.damaged-*")] == [b"this"]
    store.close()


def test_a_gap_is_told_to_the_uplink_whose_numbers_it_names_and_to_no_other(tmp_path: Path) -> None:
    """To another one its numbers would be those of other records, which it would then not wait for."""
    store = Store(tmp_path / "j.db", {"plant": ALL, "region": frozenset({RecordClass.STATES})}, boot="monday")
    store.commit([record("1"), record("2", RecordClass.STATES)], {}, sync=True)
    left = cut_power(tmp_path, "after")
    store.close()
    store = Store(left, {"plant": ALL, "region": frozenset({RecordClass.STATES})}, boot="tuesday")
    assert [event.detail["first"] for event in events(store, "plant")] == [3]
    assert [event.detail["first"] for event in events(store, "region")] == [2], "though it carries no events"
    store.close()


def test_a_full_disk_loses_nothing_of_what_was_recorded(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", {"plant": ALL})
    store.commit([record("1")], {}, sync=True)
    store.commit([record("2")], {}, sync=False)
    store._db.execute("PRAGMA max_page_count = 1")
    for _ in range(3):
        with pytest.raises(sqlite3.OperationalError):
            store.commit([noise(RecordClass.EVENTS, 100_000)], {}, sync=True)
    assert [e.seq for e in store.read("plant", 0, 10)] == [1, 2]
    store.close()
    store = Store(tmp_path / "j.db", {"plant": ALL})
    assert [e.record.body for e in store.read("plant", 0, 10)] == [b"1", b"2"]
    store.close()


def test_a_second_agent_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = DataDirLock(tmp_path / "data")
    with pytest.raises(DataDirBusyError, match="another agent"):
        DataDirLock(tmp_path / "data")
    first.release()
    DataDirLock(tmp_path / "data").release()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_is_not_told_as_another_agent(tmp_path: Path) -> None:
    """In a process of its own that can write no byte into a file."""
    program = (
        "import resource, sys; from pathlib import Path; from edge_agent.journal.lock import DataDirLock;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); DataDirLock(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "sqlite3.OperationalError" in done.stderr
    assert "another agent" not in done.stderr
