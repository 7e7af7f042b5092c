"""What is kept in SQLite is written as a whole, and what fails leaves the connection as it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.transaction import all_or_nothing


def test_what_fails_is_undone_and_the_next_one_is_written(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as db,
        closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other,
    ):
        db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        with pytest.raises(sqlite3.IntegrityError), all_or_nothing(db):
            db.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])
        with all_or_nothing(db):
            db.execute("INSERT INTO t VALUES (3)")
        assert other.execute("SELECT n FROM t").fetchall() == [(3,)]


def test_it_holds_off_other_writers_from_the_beginning(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as db,
        closing(sqlite3.connect(tmp_path / "a.db", 0, isolation_level=None)) as other,
    ):
        db.execute("CREATE TABLE t (n INTEGER)")
        with all_or_nothing(db):
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("INSERT INTO t VALUES (1)")
            db.execute("INSERT INTO t VALUES (2)")
        assert other.execute("SELECT n FROM t").fetchall() == [(2,)]
