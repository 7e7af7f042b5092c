"""Days of one uplink over a real file: the digest is of what was sent, whatever happened in between."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.contract.digests import counted, hash_of
from edge_agent.contract.messages import Digest, Event, decode, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.cipher import PLAIN, KeyCipher
from edge_agent.journal.convert import convert
from edge_agent.journal.digests import BEHIND, Digested
from edge_agent.journal.limits import Limits
from edge_agent.journal.store import Record, Store
from edge_agent.uplinks.disclosure import told_to

SHANGHAI = ZoneInfo("Asia/Shanghai")
PLANT, REGION = told_to("plant"), told_to("region")
CARRIES = {"plant": frozenset(RecordClass), "region": frozenset({RecordClass.EVENTS})}


def record(record_class: RecordClass = RecordClass.EVENTS) -> Record:
    event = Event(time=0, kind="agent_started", subject="", message="secret", detail={"down_ms": 1})
    return Record(record_class, "", encode(event))


class Life:
    """A journal whose clock is set by hand, over kills and stops."""

    def __init__(self, folder: Path, carries: dict[str, frozenset[RecordClass]] | None = None) -> None:
        self._folder = folder
        self.carries = carries or dict(CARRIES)
        self.now = datetime(2026, 11, 27, 15, 0, tzinfo=UTC)
        self.limits = Limits()
        self.cipher = PLAIN
        self.open()

    def open(self) -> None:
        told = {name: REGION if name == "region" else PLANT for name in self.carries}
        self.digested = Digested(told, SHANGHAI)
        self.store = Store(
            self._folder / "journal.db", self.carries, "boot", self.limits,
            lambda: round(1000 * self.now.timestamp()), self.digested, self.cipher,
        )  # fmt: skip

    def add(self, *classes: RecordClass, sync: bool = True) -> None:
        self.store.commit([record(one) for one in classes], {}, sync=sync)

    def kill(self) -> None:
        self.store._db.close()
        self.store._tail.close()
        self.open()

    def written(self) -> list[tuple[str, bytes]]:
        """What the file has of days that are not over."""
        return self.store._db.execute("SELECT * FROM days").fetchall()

    def digests(self, uplink: str) -> list[Digest]:
        entries = self.store.read(uplink, 0, 10**6)
        found = [decode(one.record.body) for one in entries if one.record.record_class is RecordClass.DIGESTS]
        return [one for one in found if isinstance(one, Digest)]

    def expected(self, uplink: str, digest: Digest) -> list[object]:
        """What a receiver of all these numbers counts."""
        told = REGION if uplink == "region" else PLANT
        by_class: dict[str, dict[int, bytes]] = {}
        for entry in self.store.read(uplink, digest.first - 1, digest.last - digest.first + 1):
            if entry.seq > digest.last:
                break  # where numbers were skipped
            of_class = by_class.setdefault(entry.record.record_class.value, {})
            of_class[entry.seq] = hash_of(entry.payload(told))
        return [counted(name, min(one), max(one), one.values()) for name, one in sorted(by_class.items())]


def test_each_uplink_has_a_digest_of_each_day_of_the_plant(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.add(RecordClass.EVENTS, RecordClass.READINGS, RecordClass.READINGS)
    life.add(RecordClass.READINGS, sync=False)
    life.kill()
    life.add(RecordClass.EVENTS, sync=True)
    life.now = life.now.replace(hour=15, minute=59, second=59)
    life.store.tidy()
    assert life.digests("plant") == [], "in Shanghai the day is not over"
    life.now = life.now.replace(hour=16, minute=0, second=0)
    life.add(RecordClass.EVENTS)
    life.kill()
    (digest,) = life.digests("plant")
    assert (digest.day, digest.timezone, digest.first, digest.last) == ("2026-11-27", "Asia/Shanghai", 1, 5)
    assert [(one.class_, one.count) for one in digest.classes] == [("events", 2), ("readings", 3)]
    (told,) = life.digests("region")
    assert [(one.class_, one.count, one.last) for one in told.classes] == [("events", 2, 2)]
    life.now = life.now.replace(day=29)
    assert not life.store.tidy(), "nothing else comes, and the day ends all the same"
    for uplink in CARRIES:
        first, second = life.digests(uplink)
        assert (second.day, second.first) == ("2026-11-28", first.last + 1), "not one number is in none"
        assert "digests" in [one.class_ for one in second.classes], "the digest of the day before"
        for digest in (first, second):
            assert list(digest.classes) == life.expected(uplink, digest)
    assert b"secret" not in REGION(record())
    life.store.close()


def test_a_day_goes_on_in_a_journal_that_gets_a_key(tmp_path: Path) -> None:
    life, file = Life(tmp_path), tmp_path / "journal.db"
    life.add(RecordClass.EVENTS, RecordClass.READINGS)
    life.add(RecordClass.READINGS, sync=False)
    life.store._db.close()  # a kill: the last reading is in the tail alone
    life.store._tail.close()
    for key in (KeyCipher(bytes(32)), KeyCipher(b"1" * 32), PLAIN):
        convert(file, life.carries, life.cipher, key, life.digested)
        life.cipher = key
    life.open()
    life.now = life.now.replace(day=28)
    life.store.tidy()
    digest = life.digests("plant")[0]
    assert digest.first == 1
    assert ("readings", 2) in [(one.class_, one.count) for one in digest.classes]
    assert list(digest.classes) == life.expected("plant", digest)
    life.store.close()


def test_what_was_thinned_was_numbered(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.limits = Limits(keep_ms={RecordClass.READINGS: 1000})
    life.kill()
    life.add(RecordClass.READINGS, RecordClass.READINGS)
    life.now = life.now.replace(minute=30)
    life.store.tidy()
    life.now = life.now.replace(hour=20)
    life.store.tidy()
    (digest,) = life.digests("plant")
    assert [(one.class_, one.count) for one in digest.classes] == [("events", 1), ("readings", 2)]
    life.store.close()


def test_an_uplink_that_is_added_amid_a_day_has_a_digest_from_its_first_number_on(tmp_path: Path) -> None:
    life = Life(tmp_path, {"plant": CARRIES["plant"]})
    life.add(RecordClass.EVENTS, RecordClass.READINGS)
    life.store.close()
    life.carries = dict(CARRIES)
    life.open()
    life.add(RecordClass.EVENTS)
    life.now = life.now.replace(day=28)
    life.store.tidy()
    (digest,) = life.digests("region")
    assert (digest.first, digest.last) == (1, 1)
    (digest,) = life.digests("plant")
    assert (digest.first, digest.last) == (1, 3)
    life.store.close()


def test_what_is_written_of_a_day_may_be_behind(tmp_path: Path) -> None:
    """The runs that came since are counted again; from what is written alone they would be missing."""
    life = Life(tmp_path)
    life.add(RecordClass.EVENTS, RecordClass.READINGS)
    before = life.written()
    for sync in (True, True, False):
        life.add(RecordClass.READINGS, RecordClass.EVENTS, sync=sync)
    assert life.written() == before, "it takes no pages in each transaction"
    life.kill()
    life.add(RecordClass.EVENTS)
    life.now = life.now.replace(day=28)
    life.store.tidy()
    for uplink, count in (("plant", 9), ("region", 5)):
        (digest,) = life.digests(uplink)
        assert (digest.first, digest.last) == (1, count)
        assert list(digest.classes) == life.expected(uplink, digest)
    life.store.close()


def test_what_is_written_of_a_day_is_not_left_behind_by_more_than_a_start_can_count(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.add(RecordClass.EVENTS)
    before = life.written()
    life.add(*[RecordClass.READINGS] * BEHIND)
    assert life.written() == before
    life.add(RecordClass.READINGS)
    assert life.written() != before
    life.store.close()


def test_what_is_thinned_has_been_counted_before_and_stays_so(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.limits = Limits(keep_ms={RecordClass.READINGS: 1000})
    life.kill()
    life.add(RecordClass.EVENTS)
    life.add(RecordClass.READINGS)
    life.now = life.now.replace(minute=30)
    life.store.tidy()
    assert not [e for e in life.store.read("plant", 0, 9) if e.record.record_class is RecordClass.READINGS]
    life.kill()
    life.now = life.now.replace(day=28)
    life.store.tidy()
    (digest,) = life.digests("plant")
    assert [(one.class_, one.count) for one in digest.classes] == [("events", 2), ("readings", 1)]
    life.store.close()


def test_what_could_not_be_written_is_not_taken_for_written(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.limits = Limits(keep_ms={RecordClass.READINGS: 1000})
    life.kill()
    life.add(RecordClass.EVENTS)
    life.add(RecordClass.READINGS)
    before = life.written()
    life.store._db.set_authorizer(
        lambda action, what, *_: (
            sqlite3.SQLITE_DENY
            if (action, what) == (sqlite3.SQLITE_TRANSACTION, "COMMIT")
            else sqlite3.SQLITE_OK
        )
    )
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        life.store.tidy()
    life.store._db.set_authorizer(None)
    assert life.written() == before
    life.store.tidy()
    assert life.written() != before
    life.store.close()


def test_a_day_goes_on_in_the_file_that_takes_the_place_of_a_damaged_one(tmp_path: Path) -> None:
    life = Life(tmp_path, {"plant": frozenset({RecordClass.READINGS, RecordClass.DIGESTS})})
    life.add(RecordClass.READINGS)
    life.add(RecordClass.READINGS)
    life.store.tidy()
    life.store._db.execute("UPDATE runs SET content = x'00' WHERE id = 1")
    life.store.check()
    assert list(tmp_path.glob("journal.db.damaged-*"))
    life.add(RecordClass.READINGS)
    life.kill()
    life.now = life.now.replace(day=28)
    life.store.tidy()
    (digest,) = life.digests("plant")
    assert (digest.first, digest.last) == (1, 4)
    counts = [(one.class_, one.count) for one in digest.classes]
    assert counts == [("events", 1), ("readings", 3)], "the event tells of the damage"
    life.store.close()


@pytest.mark.parametrize("damage", ["a hole", "no count"])
def test_a_count_that_does_not_lead_to_what_was_numbered_last_is_not_gone_on_with(
    tmp_path: Path, damage: str
) -> None:
    """As when an agent from before there were digests ran in between, or the file is damaged."""
    life = Life(tmp_path)
    life.add(RecordClass.EVENTS)
    life.add(RecordClass.READINGS)
    life.add(RecordClass.EVENTS)
    life.store._db.close()
    life.store._tail.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db, db:
        if damage == "a hole":
            db.execute("DELETE FROM runs WHERE class = 'readings'")
            db.execute("DELETE FROM places WHERE uplink = 'plant' AND first = 2")
        else:
            db.execute("UPDATE days SET content = x'00' WHERE uplink = 'plant'")
    life.open()
    life.add(RecordClass.EVENTS)
    life.now = life.now.replace(day=28)
    life.store.tidy()
    (digest,) = life.digests("plant")
    assert (digest.first, digest.last) == (4, 4)
    (digest,) = life.digests("region")
    assert (digest.first, digest.last) == (1, 3), "of the other nothing is missing"
    life.store.close()


def test_damage_to_what_was_counted_is_found_when_the_file_is_opened(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.add(RecordClass.EVENTS, RecordClass.READINGS)
    path = tmp_path / "journal.db"
    life.store.close()
    with closing(sqlite3.connect(path)) as db:
        pages = [row[0] for row in db.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'days'")]
        (size,) = db.execute("PRAGMA page_size").fetchone()
    assert pages
    sound = path.read_bytes()
    for number in pages:
        damaged = bytearray(sound)
        damaged[(number - 1) * size : number * size] = b"\xa5" * size
        path.write_bytes(damaged)
        life.open()
        life.add(RecordClass.EVENTS)
        assert life.store.cursors["plant"].last_seq > 2, "no number is given again"
        life.store.close()
        assert list(tmp_path.glob("journal.db.damaged-*"))
        for aside in tmp_path.glob("journal.db.damaged-*"):
            aside.unlink()


def test_what_was_counted_and_is_damaged_does_not_stop_a_conversion(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.cipher = KeyCipher(b"k" * 32)
    life.store.close()
    path = tmp_path / "journal.db"
    convert(path, life.carries, PLAIN, life.cipher, life.digested)
    life.open()
    life.add(RecordClass.EVENTS)
    life.store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE days SET content = zeroblob(length(content))")
        db.commit()
    assert convert(path, life.carries, life.cipher, PLAIN, life.digested) == 1
    life.cipher = PLAIN
    life.open()
    assert life.store.cursors["plant"].last_seq == 1
    life.store.close()
