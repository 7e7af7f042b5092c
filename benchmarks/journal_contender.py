"""Appends and drains by the journal's store, encrypted or not, or by SQLite alone; a process of its own.

    python -m benchmarks.journal_contender journal|encrypted|sqlite MESSAGES FOLDER

Both record groups of a hundred messages so that a kill takes none, and sync after each fifty of them. Prints
two lines of JSON: what appending cost, with the bytes of the files, and what draining cost.
"""

import os
import sqlite3
import sys
from pathlib import Path

from benchmarks.common import Cost
from benchmarks.uplink_contender import CLASSES, GROUP, records
from edge_agent.contract.messages import number
from edge_agent.journal.cipher import KEY_BYTES, PLAIN, Cipher, KeyCipher
from edge_agent.journal.store import Record, Store

GROUPS_A_SYNC = 50
ACKNOWLEDGED_AT_ONCE = 5000


def by_journal(groups: list[list[Record]], folder: Path, cipher: Cipher) -> None:
    store = Store(folder / "journal.db", CLASSES, cipher=cipher)
    cost = Cost()
    for index, group in enumerate(groups, 1):
        store.commit(group, {}, sync=index % GROUPS_A_SYNC == 0)
    store.commit([], {}, sync=True)
    cost.tell(bytes=_size(folder))
    cost, seq, acknowledged = Cost(), 0, 0
    while entries := store.read("region", seq, GROUP):
        for entry in entries:
            number(entry.record.body, entry.seq)
        seq = entries[-1].seq
        if seq - acknowledged >= ACKNOWLEDGED_AT_ONCE:
            acknowledged = seq
            store.commit([], {"region": seq}, sync=True)
    cost.tell(last=seq)
    store.close()


def by_sqlite(groups: list[list[Record]], folder: Path) -> None:
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY, class TEXT, subject TEXT, body BLOB)")
    db.execute("CREATE TABLE cursor (seq INTEGER)")
    db.execute("INSERT INTO cursor VALUES (0)")
    insert = "INSERT INTO records (class, subject, body) VALUES (?, ?, ?)"
    cost = Cost()
    for index, group in enumerate(groups, 1):
        db.execute(f"PRAGMA synchronous = {'FULL' if index % GROUPS_A_SYNC == 0 else 'NORMAL'}")
        db.execute("BEGIN")
        db.executemany(insert, [(record.record_class, record.subject, record.body) for record in group])
        db.execute("COMMIT")
    cost.tell(bytes=_size(folder))
    db.execute("PRAGMA synchronous = FULL")
    cost, seq, acknowledged = Cost(), 0, 0
    select = "SELECT seq, class, subject, body FROM records WHERE seq > ? ORDER BY seq LIMIT ?"
    while rows := db.execute(select, (seq, GROUP)).fetchall():
        for row in rows:
            number(row[3], row[0])
        seq = rows[-1][0]
        if seq - acknowledged >= ACKNOWLEDGED_AT_ONCE:
            acknowledged = seq
            db.execute("UPDATE cursor SET seq = ?", (seq,))
    cost.tell(last=seq)
    db.close()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if not file.name.endswith("-shm"))


if __name__ == "__main__":
    prepared = list(records(int(sys.argv[2])))
    made = [prepared[start : start + GROUP] for start in range(0, len(prepared), GROUP)]
    kind, where = sys.argv[1], Path(sys.argv[3])
    if kind == "sqlite":
        by_sqlite(made, where)
    else:
        by_journal(made, where, KeyCipher(os.urandom(KEY_BYTES)) if kind == "encrypted" else PLAIN)
