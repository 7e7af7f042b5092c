"""How everything that is kept in SQLite is written: all of it or nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def all_or_nothing(db: sqlite3.Connection) -> Iterator[None]:
    """What is done within is written when it ends well, and undone if it does not. Raises sqlite3.Error.

    For a connection in autocommit mode. It begins for writing: what begins by reading cannot write any more
    if another connection has meanwhile.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
