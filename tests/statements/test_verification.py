"""What is kept of statements is checked where it lies, and each is told whether it is right."""

import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edge_agent.statements import verification
from edge_agent.statements.keys import signing_key
from edge_agent.statements.record import keep
from edge_agent.statements.store import StatementStore
from edge_agent.statements.verification import (
    ChainTooLongError,
    Verification,
    anything_stated,
    verify_kept,
)
from tests.statements.plant import MARCH, day, maker, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two days and a month of every definition."""
    path = write(tmp_path)
    with closing(StatementStore(path, signing_key(tmp_path))) as store, closing(maker(path)) as records:
        for period in (day("2026-03-30"), day("2026-03-31"), MARCH):
            for draft in records.drafts(period):
                keep(store, draft)
    return tmp_path


def changed(folder: Path, number: int, column: str, old: bytes, new: bytes) -> None:
    with closing(sqlite3.connect(folder / "history.db")) as db:
        (kept,) = db.execute(f"SELECT {column} FROM statements WHERE number = ?", (number,)).fetchone()  # noqa: S608
        content = zlib.decompress(kept)
        assert old in content
        forged = zlib.compress(content.replace(old, new, 1))
        db.execute(f"UPDATE statements SET {column} = ? WHERE number = ?", (forged, number))  # noqa: S608
        db.commit()


def march(folder: Path) -> Verification:
    return verify_kept(folder, MARCH.from_ms, MARCH.to_ms)


def test_what_is_as_it_was_made_is_right(folder: Path) -> None:
    found = march(folder)
    assert len(found.statements) >= 6
    assert [one.wrong for one in found.statements] == [[]] * len(found.statements)
    assert (found.texts, found.left) == ([], [])
    assert found.checks["signature"] >= len(found.statements)
    assert found.checks["judgement"] > 20


def test_only_those_of_the_time_are_told(folder: Path) -> None:
    last = day("2026-03-31")
    numbers = {one.number for one in verify_kept(folder, last.from_ms, last.to_ms).statements}
    assert numbers < {one.number for one in march(folder).statements}
    assert verify_kept(folder, 0, 1) == Verification(())


@pytest.mark.parametrize(
    ("column", "old", "new", "wrong"),
    [
        ("signed", b'"numerator":', b'"numerator":1', {"signature", "count"}),
        ("evidence", b'"in_numerator":false', b'"in_numerator":true', {"root", "count", "judgement"}),
    ],
)
def test_the_statement_that_was_changed_is_named_and_what_is_wrong(
    folder: Path, column: str, old: bytes, new: bytes, wrong: set[str]
) -> None:
    changed(folder, 2, column, old, new)
    found = {one.number: set(one.wrong) for one in march(folder).statements}
    assert found[2] == wrong
    # The next one of the chain names what stood there before.
    assert {number for number, kinds in found.items() if kinds} == ({2, 3} if column == "signed" else {2})


def test_a_statement_that_was_taken_out_leaves_a_gap(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "history.db")) as db:
        db.execute("DELETE FROM statements WHERE number = 3")
        db.commit()
    assert [one.number for one in march(folder).statements if "chain" in one.wrong] == [4]


def test_a_chain_that_no_gateway_can_hold_is_left_to_another_computer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "LONGEST_CHAIN", 3)
    with pytest.raises(ChainTooLongError, match="export the month"):
        march(folder)
    last = day("2026-03-31")
    assert anything_stated(folder, last.from_ms, last.to_ms)
    assert not anything_stated(folder, 0, last.from_ms - 86_400_000)


def test_it_runs_as_a_process_of_its_own(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "edge_agent.statements.verification"]
    span = [str(MARCH.from_ms), str(MARCH.to_ms)]
    done = subprocess.run([*command, folder, *span], capture_output=True, check=True, timeout=60)
    assert msgspec.json.decode(done.stdout, type=Verification) == march(folder)
    nothing = subprocess.run([*command, tmp_path / "none", *span], capture_output=True, timeout=60)
    assert (nothing.returncode, b"Traceback" in nothing.stderr) == (1, False)
