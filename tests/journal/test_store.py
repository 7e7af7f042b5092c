"""The journal's file: numbers without holes, nothing lost, nothing kept for ever."""

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.lock import DataDirBusyError, DataDirLock
from edge_agent.journal.store import JournalFormatError, Record, Store

ALL = frozenset(RecordClass)
NO_READINGS = ALL - {RecordClass.READINGS}
UPLINKS = {"plant": ALL, "region": NO_READINGS}


def record(text: str, record_class: RecordClass = RecordClass.READINGS) -> Record:
    return Record(record_class, "M1", text.encode())


class StoreAgainstModel(RuleBasedStateMachine):
    """Random histories of the real file beside lists in memory; reopening without closing is the crash."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name) / "j.db", UPLINKS)
        self.sent: dict[str, list[Record]] = {name: [] for name in UPLINKS}
        self.acked = dict.fromkeys(UPLINKS, 0)
        self.count = 0

    @rule(classes=st.lists(st.sampled_from(sorted(RecordClass)), max_size=6), sync=st.booleans())
    def commit(self, classes: list[RecordClass], sync: bool) -> None:
        group = []
        for record_class in classes:
            self.count += 1
            group.append(record(str(self.count), record_class))
        self.store.commit(group, {}, sync=sync)
        for name, carried in UPLINKS.items():
            self.sent[name] += [r for r in group if r.record_class in carried]

    @rule(name=st.sampled_from(sorted(UPLINKS)), part=st.floats(0, 1))
    def acknowledge(self, name: str, part: float) -> None:
        seq = self.acked[name] + round(part * (len(self.sent[name]) - self.acked[name]))
        self.store.commit([], {name: seq}, sync=False)
        self.acked[name] = seq

    @rule()
    def crash_and_reopen(self) -> None:
        abandoned, self.store = self.store, Store(Path(self.folder.name) / "j.db", UPLINKS)
        abandoned.close()

    @invariant()
    def every_uplink_gets_the_rest_in_order(self) -> None:
        for name in UPLINKS:
            entries = self.store.read(name, self.acked[name], 1000)
            assert [e.seq for e in entries] == list(range(self.acked[name] + 1, len(self.sent[name]) + 1))
            assert [e.record for e in entries] == self.sent[name][self.acked[name] :]
            assert self.store.cursors[name].last_seq == len(self.sent[name])

    @invariant()
    def what_everybody_has_is_gone(self) -> None:
        waiting = {r.body for n in UPLINKS for r in self.sent[n][self.acked[n] :]}
        kept = {row[0] for row in self.store._db.execute("SELECT body FROM records")}
        assert waiting <= kept
        if not waiting and any(self.acked.values()):
            assert len(kept) <= 6  # at most a group that nobody carries is waiting for the next move

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestStoreAgainstModel = StoreAgainstModel.TestCase
TestStoreAgainstModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_records_go_when_all_uplinks_acknowledged_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", {"a": ALL, "b": ALL})
    store.commit([record(str(i)) for i in range(10)], {}, sync=False)
    store.commit([], {"a": 10}, sync=False)
    assert store._db.execute("SELECT count(*) FROM records").fetchone() == (10,)
    store.commit([], {"b": 4}, sync=False)
    assert store._db.execute("SELECT count(*) FROM records").fetchone() == (6,)
    store.commit([], {"b": 10}, sync=False)
    assert store._db.execute("SELECT count(*) FROM records").fetchone() == (0,)
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
    store = Store(tmp_path / "j.db", {"a": ALL})
    store.commit([], {"a": 2}, sync=True)
    assert store._db.execute("SELECT count(*) FROM records").fetchone() == (0,)
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
    for file in folder.glob("j.db*"):
        shutil.copy(file, target)
    return target / "j.db"


def test_numbers_that_a_power_cut_took_are_never_given_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", UPLINKS, boot="monday")
    store.commit([record("1"), record("2")], {}, sync=True)
    left = cut_power(tmp_path, "after")
    given = store.commit([record(str(i)) for i in range(50)], {}, sync=False)["plant"]
    store.close()

    store = Store(left, UPLINKS, boot="tuesday")
    first, last = store.lost_numbers["plant"]
    assert first == 3
    assert last >= given[-1].seq
    assert "region" not in store.lost_numbers, "nothing had been given to it"
    new = store.commit([record("new")], {}, sync=True)["plant"]
    assert new[0].seq == last + 1
    assert [e.seq for e in store.read("plant", 0, 10)] == [1, 2, last + 1]
    store.close()


@pytest.mark.parametrize("boot", ["monday", "tuesday"])
def test_a_stop_in_good_order_or_a_kill_leaves_no_hole(tmp_path: Path, boot: str) -> None:
    store = Store(tmp_path / "j.db", UPLINKS, boot="monday")
    store.commit([record("1")], {}, sync=False)
    path = cut_power(tmp_path, "after") if boot == "monday" else tmp_path / "j.db"  # a kill loses nothing
    store.close()
    store = Store(path, UPLINKS, boot=boot)
    assert store.lost_numbers == {}
    assert store.commit([record("2")], {}, sync=True)["plant"][0].seq == 2
    store.close()


def test_many_numbers_are_reserved_again_and_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", UPLINKS, boot="monday")
    highest = 0
    for _ in range(30):
        highest = store.commit([record("x")] * 100, {}, sync=False)["plant"][-1].seq
        assert store.cursors["plant"].reserved_seq >= highest
    store.close()


def test_a_failed_commit_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "j.db", {"a": ALL})
    store.commit([record("1")], {}, sync=True)
    store._db.execute("PRAGMA max_page_count = 1")  # stands in for a full disk
    with pytest.raises(sqlite3.OperationalError):
        store.commit([record("x" * 100_000)], {}, sync=True)
    store._db.execute("PRAGMA max_page_count = 100000")
    store.commit([record("2")], {}, sync=True)
    assert [(e.seq, e.record.body) for e in store.read("a", 0, 10)] == [(1, b"1"), (2, b"2")]
    store.close()


def test_a_file_of_another_format_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"this is not a database, and long enough to be looked at" * 100)
    with pytest.raises(JournalFormatError, match="cannot be read as a journal"):
        Store(path, {"a": ALL})
    assert path.read_bytes().startswith(b"this is not")

    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(JournalFormatError, match="journal format 99"):
        Store(tmp_path / "newer.db", {"a": ALL})


def test_a_second_agent_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = DataDirLock(tmp_path / "data")
    with pytest.raises(DataDirBusyError, match="another agent"):
        DataDirLock(tmp_path / "data")
    first.release()
    DataDirLock(tmp_path / "data").release()
