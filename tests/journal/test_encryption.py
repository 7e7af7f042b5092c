"""What lies on the card is unreadable without the key, and a key that does not fit stops before anything."""

import os
import sqlite3
import stat
import zlib
from contextlib import closing, suppress
from pathlib import Path

import pytest

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.cipher import PLAIN, Cipher, JournalKeyError, KeyCipher, cipher_of, make_key
from edge_agent.journal.convert import convert
from edge_agent.journal.runs import DamagedRunError
from edge_agent.journal.store import Record, Store

UPLINKS = {"plant": frozenset(RecordClass)}
KEY, OTHER = KeyCipher(b"k" * 32), KeyCipher(b"o" * 32)
SECRET = b'{"spindle": "CONFIDENTIAL-4711"}'


def filled(path: Path, cipher: Cipher) -> None:
    """A journal with two records in the file and two in the tail, as a kill leaves it."""
    store = Store(path, UPLINKS, cipher=cipher)
    store.commit([Record(RecordClass.STATES, "M1", SECRET)] * 2, {}, sync=True)
    store.commit([Record(RecordClass.READINGS, "M1", SECRET)] * 2, {}, sync=False)
    store._db.close()
    store._tail.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files but SQLite's own notes about who reads."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}


def holds_secret(content: bytes) -> bool:
    """Whether it can be read there, or in what zlib has made of it, wherever that begins."""
    places = [at for at in range(len(content)) if content[at : at + 1] == b"\x78"]
    return SECRET in content or any(SECRET in inflated(content[at:]) for at in places)


def inflated(content: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(content)
    return b""


def bodies(path: Path, cipher: Cipher) -> list[tuple[int, bytes]]:
    store = Store(path, UPLINKS, cipher=cipher)
    try:
        return [(entry.seq, entry.record.body) for entry in store.read("plant", 0, 100)]
    finally:
        store.close()


FOUR = [(seq, SECRET) for seq in (1, 2, 3, 4)]


def test_nothing_of_a_message_is_on_the_disk(tmp_path: Path) -> None:
    for name, cipher in (("plain", PLAIN), ("encrypted", KEY)):
        (tmp_path / name).mkdir()
        filled(tmp_path / name / "j.db", cipher)
    assert holds_secret(contents(tmp_path / "plain")["j.tail"])
    assert not any(map(holds_secret, contents(tmp_path / "encrypted").values()))
    (row,) = sqlite3.connect(tmp_path / "encrypted" / "j.db").execute("SELECT content FROM runs")
    with pytest.raises(DamagedRunError):
        OTHER.open(row[0])
    assert bodies(tmp_path / "encrypted" / "j.db", KEY) == FOUR


@pytest.mark.parametrize(
    ("was", "given", "said"),
    [
        (KEY, OTHER, "is encrypted with another key than the one given.*convert"),
        (KEY, PLAIN, "is encrypted, and no key is given.*--old-key"),
        (PLAIN, KEY, "is not encrypted, and journal.key_file names a key.*convert CONFIG"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_untouched(
    tmp_path: Path, was: Cipher, given: Cipher, said: str
) -> None:
    filled(tmp_path / "j.db", was)
    before = contents(tmp_path)
    with pytest.raises(JournalKeyError, match=said):
        Store(tmp_path / "j.db", UPLINKS, cipher=given)
    assert contents(tmp_path) == before
    assert bodies(tmp_path / "j.db", was) == FOUR


@pytest.mark.parametrize(("was", "given"), [(KEY, OTHER), (KEY, PLAIN), (PLAIN, KEY)])
def test_a_tail_of_another_key_is_not_taken_for_a_torn_one(
    tmp_path: Path, was: Cipher, given: Cipher
) -> None:
    filled(tmp_path / "j.db", was)
    (tmp_path / "j.db").unlink()
    before = contents(tmp_path)
    with pytest.raises(JournalKeyError, match="was written with another key, or without one"):
        Store(tmp_path / "j.db", UPLINKS, cipher=given)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("was", "wanted"), [(PLAIN, KEY), (KEY, OTHER), (KEY, PLAIN)])
def test_a_journal_is_converted_with_its_numbers(tmp_path: Path, was: Cipher, wanted: Cipher) -> None:
    path = tmp_path / "j.db"
    filled(path, was)
    path.chmod(0o640)
    assert convert(path, UPLINKS, was, wanted) == 2
    assert convert(path, UPLINKS, was, wanted) is None, (
        "done already, as after an end right before it was said"
    )
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o640
    store = Store(path, UPLINKS, "another boot", cipher=wanted)
    assert [(entry.seq, entry.record.body) for entry in store.read("plant", 0, 100)] == FOUR
    given = store.commit([Record(RecordClass.STATES, "M1", b"next")], {}, sync=True)
    assert given["plant"][0].seq == 5, "no number is skipped or given again"
    store.close()


def test_an_end_amid_a_conversion_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j.db"
    filled(path, KEY)
    with monkeypatch.context() as ended:
        ended.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="the disk is full"):
            convert(path, UPLINKS, KEY, OTHER)
    assert bodies(path, KEY) == FOUR
    for left in ("j.db.new", "j.db.new-journal"):  # as a kill leaves them
        (tmp_path / left).write_bytes(b"half of it")
    assert bodies(path, KEY) == FOUR
    assert sorted(file.name for file in tmp_path.iterdir()) == ["j.db", "j.numbers", "j.tail"]


def test_a_damaged_journal_is_saved_before_it_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    filled(path, KEY)
    bodies(path, KEY)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE runs SET content = x'00' WHERE id = 1")
        db.commit()
    filled(path, KEY)
    convert(path, UPLINKS, KEY, OTHER)
    seqs = [seq for seq, _ in bodies(path, OTHER)]
    assert seqs[:2] == [3, 4]
    assert b"journal_damaged" in bodies(path, OTHER)[-1][1]
    assert [file.name for file in tmp_path.glob("j.db.damaged-*")]
    store = Store(path, UPLINKS, cipher=OTHER)
    _, gone = store.again("plant", 1, 2)
    assert [gap.kind for gap in gone] == ["journal_damaged"], "why they do not come is still known"
    store.close()


def test_a_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    make_key(path)
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o600
    assert cipher_of(path).key_id == cipher_of(path).key_id != 0
    with pytest.raises(FileExistsError):
        make_key(path)
    make_key(tmp_path / "other.key")
    assert cipher_of(tmp_path / "other.key").key_id != cipher_of(path).key_id


@pytest.mark.parametrize("content", [b"", b"secret", b"ab" * 31, b"ab" * 33, b"\xff" * 64, "密钥".encode()])
def test_what_is_no_key_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.key"
    path.write_bytes(content)
    with pytest.raises(JournalKeyError, match=r"no key for the journal: .*expected 64 hexadecimal digits"):
        cipher_of(path)


def test_a_key_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(JournalKeyError, match=r"is not there: .*make one: edge-agent journal key"):
        cipher_of(tmp_path / "gone.key")
    with pytest.raises(JournalKeyError, match=r"cannot be read: .*The user that the agent runs as"):
        cipher_of(tmp_path)  # a folder, as nothing is closed to root


def test_the_same_is_never_sealed_the_same_way() -> None:
    assert KEY.seal(SECRET) != KEY.seal(SECRET)
    assert KEY.open(KEY.seal(SECRET)) == SECRET
