"""Gives a journal another key, its first one, or none: everything in it stays as it was, numbers too."""

import os
import sqlite3
import stat
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

from edge_agent.contract.topics import RecordClass
from edge_agent.journal import digests
from edge_agent.journal.cipher import Cipher
from edge_agent.journal.digests import Digested
from edge_agent.journal.file import key_id_of, make, open_file
from edge_agent.journal.rescue import beside, remove_beside
from edge_agent.journal.runs import DamagedRunError
from edge_agent.journal.store import Store
from edge_agent.model.clock import CLOCK
from edge_agent.transaction import all_or_nothing
from edge_agent.whole import sync_folder

_WITHOUT_CONTENT = ("places", "uplinks", "boot", "gaps")
"""Tables that are copied as they are."""


def convert(
    path: Path,
    uplinks: Mapping[str, frozenset[RecordClass]],
    old: Cipher,
    new: Cipher,
    digested: Digested | None = None,
) -> int | None:
    """Convert the journal at `path`, which no agent uses, from `old` to `new`.

    A new file takes the place of the old one at the end, so that an end at any moment leaves the one or the
    other whole. Returns how many runs were converted; None: it is as wanted already. Raises as Store does.
    """
    if key_id_of(path) == new.key_id:
        return None
    store = Store(path, uplinks, digested=digested, cipher=old)
    try:
        store.check()  # what is damaged is set aside as ever, and told
    finally:
        store.close()
    for left in (path.with_name(f"{path.name}-wal"), path.with_suffix(".tail")):
        if left.exists() and left.stat().st_size:
            raise OSError(f"{left} is not empty: another program uses the journal, or the disk is full")
    made = beside(path)
    remove_beside(path)
    try:
        count = _copy(path, made, old, new)
        _give_to_owner_of(path, made)
    except BaseException:
        remove_beside(path)
        raise
    made.replace(path)
    sync_folder(path.parent)
    return count


def _copy(path: Path, made: Path, old: Cipher, new: Cipher) -> int:
    count = 0
    with (
        closing(open_file(path, CLOCK.now_ms(), old)) as db,
        closing(sqlite3.connect(made, isolation_level=None)) as to,
    ):
        make(to, new)
        to.execute(digests.SCHEMA)
        with all_or_nothing(to):
            for *columns, content in db.execute("SELECT * FROM runs"):
                _insert(to, "runs", (*columns, new.seal(old.open(content))))
                count += 1
            for uplink, content in db.execute("SELECT * FROM days"):
                with suppress(DamagedRunError):  # it begins anew, as where a journal is opened
                    _insert(to, "days", (uplink, new.seal(old.open(content))))
            for table in _WITHOUT_CONTENT:
                for row in db.execute(f"SELECT * FROM {table}"):  # noqa: S608 - one of the names above
                    _insert(to, table, row)
    return count


def _give_to_owner_of(path: Path, made: Path) -> None:
    """Who converts may be another user than the one that the agent runs as."""
    before = path.stat()
    made.chmod(stat.S_IMODE(before.st_mode))
    owner = before.st_uid, before.st_gid
    if sys.platform != "win32" and owner != (made.stat().st_uid, made.stat().st_gid):
        os.chown(made, *owner)


def _insert(db: sqlite3.Connection, table: str, row: tuple[object, ...]) -> None:
    places = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} VALUES ({places})", row)  # noqa: S608 - names and marks of our own
