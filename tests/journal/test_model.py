"""Random histories of the real files beside a model in memory: what docs/journal.md promises, held to."""

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.contract.digests import counted, hash_of
from edge_agent.contract.messages import Digest, Event, decode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal import thinning
from edge_agent.journal.cipher import PLAIN, Cipher, JournalKeyError, KeyCipher
from edge_agent.journal.convert import convert
from edge_agent.journal.digests import Digested
from edge_agent.journal.lanes import URGENT_CLASSES
from edge_agent.journal.limits import DAY_MS, HOUR_MS, Limits
from edge_agent.journal.store import Entry, Record, Store

CARRIES = {
    "plant": frozenset(RecordClass),
    "region": frozenset(RecordClass) - {RecordClass.READINGS},
}
CLASSES = sorted(RecordClass)
NEVER_THINNED = frozenset(
    {
        RecordClass.STATEMENTS,
        RecordClass.ASSETS,
        RecordClass.ACCOUNTS,
        RecordClass.SETTLEMENTS,
        RecordClass.REGISTER,
        RecordClass.DIGESTS,
    }
)
LIMITS = Limits(
    max_bytes=400_000,
    keep_ms={RecordClass.READINGS: 7 * DAY_MS, RecordClass.STATES: 30 * DAY_MS},
    delivered_ms=HOUR_MS,
)
DIGESTED = Digested(dict.fromkeys(CARRIES, attrgetter("body")), ZoneInfo("Asia/Shanghai"))
GAP_KINDS = ("numbers_lost", "thinned", "journal_damaged")


@dataclass
class Uplink:
    """What the model knows of one: all that it was ever told."""

    given: dict[int, bytes] = field(default_factory=dict)
    """By number, what it was said to be."""
    sent: dict[int, tuple[RecordClass, bytes]] = field(default_factory=dict)
    """By number, its class and the message as it is sent."""
    never_given: set[int] = field(default_factory=set)
    """Numbers of which the journal does not know any more what they were given to."""
    newest: dict[RecordClass, int] = field(default_factory=dict)
    """By class, the newest number of what may overtake."""
    digests: list[Digest] = field(default_factory=list)
    synced: set[int] = field(default_factory=set)
    """Numbers of records that no power cut may take."""
    acked: int = 0
    excused: set[int] = field(default_factory=set)
    """Numbers of which an event has said that they do not come."""


CIPHERS = (PLAIN, KeyCipher(b"1" * 32), KeyCipher(b"2" * 32))


class JournalAgainstModel(RuleBasedStateMachine):
    """A power cut is the files as they were at the last sync; a kill is what is there, amid any write."""

    @initialize(seed=st.integers(0, 2**32), cipher=st.sampled_from(CIPHERS))
    def start(self, seed: int, cipher: Cipher) -> None:
        self.random = random.Random(seed)  # noqa: S311  # bytes that do not compress
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name) / "0"
        self.folder.mkdir()
        self.cipher = cipher
        self.boot = 0
        self.now_ms = 1_800_000_000_000
        self.carries = dict(CARRIES)
        self.uplinks = {name: Uplink() for name in CARRIES}
        self.damaged = False
        """Whether anything may be missing, as long as it is said."""
        self.count = 0
        self.classes: dict[bytes, RecordClass] = {}
        self.open()

    def open(self) -> None:
        self.store = Store(
            self.folder / "j.db",
            self.carries,
            f"boot {self.boot}",
            LIMITS,
            now_ms=lambda: self.now_ms,
            digested=DIGESTED,
            cipher=self.cipher,
        )
        self.learn()
        self.keep_synced()

    def learn(self) -> None:
        """What can be read is what is given; an event excuses what it names."""
        for name in 2 * list(self.carries):  # reading for one may find damage, which is told to all
            for entry in self.store.read(name, 0, 10**6):
                self.take(self.uplinks[name], entry)

    def take(self, uplink: Uplink, entry: Entry) -> None:
        body = entry.record.body
        assert uplink.given.setdefault(entry.seq, body) == body, f"{entry.seq} came with other content"
        payload = entry.payload(attrgetter("body"))
        sent = uplink.sent.setdefault(entry.seq, (entry.record.record_class, payload))
        assert sent[1] == payload, "the same bytes each time"
        if entry.record.only:
            event = decode(body)
            if isinstance(event, Digest):
                if event not in uplink.digests:
                    uplink.digests.append(event)
                return
            assert isinstance(event, Event)
            assert event.kind in GAP_KINDS
            first, last = event.detail["first"], event.detail["last"]
            assert isinstance(first, int)
            assert isinstance(last, int)
            uplink.excused.update(range(first, last + 1))
            if event.kind == "numbers_lost":
                told = max((digest.last for digest in uplink.digests), default=0)
                uplink.never_given.update(range(max(first, told + 1), last + 1))
        elif entry.record.record_class in URGENT_CLASSES:
            newest = uplink.newest.get(entry.record.record_class, 0)
            if entry.seq > newest:
                assert entry.after == newest or self.damaged or not entry.after, "in the order of its class"
                uplink.newest[entry.record.record_class] = entry.seq

    def keep_synced(self) -> None:
        """From here on, no power cut may take what is there now."""
        self.safe = Path(self.temporary.name) / "safe"
        shutil.rmtree(self.safe, ignore_errors=True)
        self.safe.mkdir()
        for path in self.folder.iterdir():
            if path.suffix != ".tail":
                shutil.copy(path, self.safe)
        for uplink in self.uplinks.values():
            uplink.synced = set(uplink.given)

    def record(self, record_class: RecordClass, size: int) -> Record:
        self.count += 1
        made = Record(record_class, "M1", b"%d " % self.count + self.random.randbytes(size))
        self.classes[made.body] = record_class
        return made

    @rule(
        classes=st.lists(st.sampled_from(CLASSES), max_size=6),
        size=st.sampled_from((0, 100, 5_000, 30_000)),
        sync=st.booleans(),
    )
    def append(self, classes: list[RecordClass], size: int, sync: bool) -> None:
        sync = sync or any(one is not RecordClass.READINGS for one in classes)
        self.commit([self.record(one, size) for one in classes], {}, sync=sync)

    def commit(self, records: list[Record], acked: dict[str, int], *, sync: bool) -> None:
        self.given(self.store.commit(records, acked, sync=sync))
        # An empty tail shows that the file was written, for numbers to be reserved or a digest that was due.
        if sync or (self.folder / "j.tail").stat().st_size == 0:
            self.keep_synced()

    def given(self, entries: dict[str, list[Entry]]) -> None:
        for name, own in entries.items():
            for entry in own:
                highest = max(self.uplinks[name].given, default=0)
                assert entry.seq > highest, "numbers only grow"
                self.take(self.uplinks[name], entry)

    @rule(name=st.sampled_from(sorted(CARRIES)), part=st.floats(0, 1), sync=st.booleans())
    def acknowledge(self, name: str, part: float, sync: bool) -> None:
        if name not in self.carries:
            return
        uplink = self.uplinks[name]
        entries = self.store.read(name, uplink.acked, 10**6)
        if entries:
            uplink.acked = entries[round(part * (len(entries) - 1))].seq
            self.commit([], {name: uplink.acked}, sync=sync)

    @rule(hours=st.sampled_from((0.5, 2, 24, 200)))
    def time_passes(self, hours: float) -> None:
        self.now_ms += round(hours * HOUR_MS)

    @rule()
    def tidy(self) -> None:
        while self.store.tidy():
            pass
        self.learn()
        self.keep_synced()
        assert self.store.over_limit or thinning.used_bytes(self.store._db) <= LIMITS.max_bytes + 50_000

    # How it may end.

    def end(self, *, tail: bool, source: Path | None = None) -> None:
        """Go on with a copy of the files as they are, or were."""
        folder = Path(self.temporary.name) / str(int(self.folder.name) + 1)
        shutil.copytree(source or self.folder, folder)
        if not tail:
            (folder / "j.tail").unlink(missing_ok=True)
        self.store._db.close()
        self.store._tail.close()
        self.folder = folder

    @rule()
    def stop_in_good_order(self) -> None:
        self.store.close()
        self.open()

    @rule()
    def kill(self) -> None:
        last = {name: self.store.cursors[name].last_seq for name in self.carries}
        self.end(tail=True)
        self.open()
        assert last == {name: self.store.cursors[name].last_seq for name in self.carries}, "no number is lost"

    @rule(at=st.integers(0, 12), classes=st.lists(st.sampled_from(CLASSES), min_size=1, max_size=3))
    def kill_amid_a_write(self, at: int, classes: list[RecordClass]) -> None:
        """At the `at`-th statement or system call of a commit that syncs, or right after it."""
        left = at
        moment = Path(self.temporary.name) / f"moment {self.count}"

        def step(*_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0 and not moment.exists():
                shutil.copytree(self.folder, moment)

        self.store._db.set_trace_callback(step)
        self.store._tail.clear = before(step, self.store._tail.clear)  # type: ignore[method-assign]
        self.store._numbers.write = before(step, self.store._numbers.write)  # type: ignore[method-assign]
        self.store.commit([self.record(one, 100) for one in classes], {}, sync=True)
        self.end(tail=True, source=moment if moment.exists() else None)
        self.open()  # what was not said to be recorded may be there or not; what is there is learned

    @rule()
    def power_cut(self) -> None:
        self.end(tail=False, source=self.safe)
        self.boot += 1
        self.open()
        for name in self.carries:
            uplink = self.uplinks[name]
            there = {entry.seq for entry in self.store.read(name, uplink.acked, 10**6)}
            gone = {seq for seq in uplink.synced if seq > uplink.acked} - there
            assert gone <= uplink.excused

    # What may happen to it.

    @rule(place=st.floats(0, 0.999), length=st.sampled_from((1, 100, 4096)))
    def damage(self, place: float, length: int) -> None:
        """Bytes of the file are others, as a worn card gives them back; found at the next start."""
        self.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.end(tail=True)
        path = self.folder / "j.db"
        content = bytearray(path.read_bytes())
        at = 100 + int(place * (len(content) - 100))  # the version of the format is not guessed at
        for index in range(at, min(at + length, len(content))):
            content[index] ^= 0xFF
        path.write_bytes(content)
        self.damaged = True
        self.open()

    @rule()
    def lose_the_file(self) -> None:
        self.end(tail=True)
        for path in self.folder.glob("j.db*"):
            path.unlink()
        self.damaged = True
        self.open()

    @rule(classes=st.lists(st.sampled_from(CLASSES), min_size=1, max_size=4))
    def disk_is_full(self, classes: list[RecordClass]) -> None:
        (pages,) = self.store._db.execute("PRAGMA page_count").fetchone()
        self.store._db.execute(f"PRAGMA max_page_count = {pages}")
        records = [self.record(one, 200_000) for one in classes]
        with suppress(sqlite3.OperationalError):
            self.given(self.store.commit(records, {}, sync=True))
        self.store._db.execute("PRAGMA max_page_count = 1000000")
        self.keep_synced()

    @rule(name=st.sampled_from(sorted(CARRIES)))
    def change_the_configuration(self, name: str) -> None:
        self.store.close()
        if name in self.carries:
            del self.carries[name]
            # Its queue is dropped: nobody waits for it any more.
            uplink = self.uplinks[name]
            uplink.acked = max(uplink.given, default=0)
        else:
            self.carries[name] = CARRIES[name]
        self.open()

    @rule(cipher=st.sampled_from(CIPHERS))
    def convert(self, cipher: Cipher) -> None:
        self.store.close()
        self.boot += 1  # whatever is done at another start must not matter
        with suppress(JournalKeyError):
            Store(self.folder / "j.db", self.carries, digested=DIGESTED, cipher=cipher).close()
            assert cipher is self.cipher, "opened with a key that is not its own"
        convert(self.folder / "j.db", self.carries, self.cipher, cipher, DIGESTED)
        self.cipher = cipher
        self.open()

    # What holds always.

    @invariant()
    def what_was_given_is_there_or_is_answered_for(self) -> None:
        self.learn()
        for name in self.carries:
            uplink = self.uplinks[name]
            entries = self.store.read(name, uplink.acked, 10**6)
            numbers = [entry.seq for entry in entries]
            assert numbers == sorted(set(numbers)), "in order, each once"
            for entry in entries:
                assert uplink.given[entry.seq] == entry.record.body, "the same bytes"
                assert entry.record.only or entry.record.record_class in CARRIES[name]
            missing = {seq for seq in uplink.given if seq > uplink.acked} - set(numbers)
            assert missing <= uplink.excused, "gone, and nobody says so"
            last = self.store.cursors[name].last_seq
            assert last >= max(uplink.given, default=0)
            skipped = set(range(uplink.acked + 1, last + 1)) - uplink.given.keys()
            assert skipped <= uplink.excused, "skipped, and nobody says so"

    @invariant()
    def digests_are_of_what_was_numbered(self) -> None:
        for uplink in self.uplinks.values():
            last = 0
            for digest in uplink.digests:
                assert last < digest.first <= digest.last, "each number is in one digest at most"
                last = digest.last
                by_class: dict[RecordClass, dict[int, bytes]] = {}
                for seq in sorted(
                    set(range(digest.first, last + 1)) & uplink.sent.keys() - uplink.never_given
                ):
                    by_class.setdefault(uplink.sent[seq][0], {})[seq] = hash_of(uplink.sent[seq][1])
                expected = [
                    counted(one.value, min(hashes), max(hashes), hashes.values())
                    for one, hashes in sorted(by_class.items())
                ]
                assert list(digest.classes) == expected

    @precondition(lambda self: not self.damaged)
    @invariant()
    def some_are_never_thinned(self) -> None:
        for name in self.carries:
            uplink = self.uplinks[name]
            there = {e.seq for e in self.store.read(name, uplink.acked, 10**6)}
            for seq, body in uplink.given.items():
                if seq > uplink.acked and seq in uplink.synced and seq not in there:
                    assert self.classes.get(body) not in NEVER_THINNED

    def teardown(self) -> None:
        if hasattr(self, "store"):
            with suppress(sqlite3.Error, OSError):  # it may have failed to open
                self.store.close()
            self.temporary.cleanup()


def before(step: Callable[[], None], work: Callable[..., None]) -> Callable[..., None]:
    def both(*args: object) -> None:
        step()
        work(*args)

    return both


TestJournalAgainstModel = JournalAgainstModel.TestCase
TestJournalAgainstModel.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
