"""What was connected when: how long readings counted as live, and which tags there were."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edge_agent.states.history_file import open_beside, open_read_only

_SCHEMA = """
CREATE TABLE IF NOT EXISTS connected (
    from_ms INTEGER PRIMARY KEY,
    content BLOB NOT NULL
);
"""


class Connected(msgspec.Struct, frozen=True):
    """What the configuration said of one equipment."""

    stale_after_ms: int
    tags: tuple[str, ...]


class ConnectedVersions:
    """The versions kept in one history file. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """With `read_only` nothing is written, and the file may be that of a running agent."""
        self._db = open_read_only(path) if read_only else open_beside(path)
        if not read_only:
            self._db.executescript(_SCHEMA)

    def keep(self, connected: Mapping[str, Connected], now_ms: int) -> None:
        """Note that this holds from now on, by equipment, if it is not what held before.

        One that was noted at a later time, before the clock was set back, is followed a millisecond later.
        """
        row = self._db.execute("SELECT from_ms, content FROM connected ORDER BY from_ms DESC").fetchone()
        content = msgspec.json.encode(connected, order="sorted")
        if row is not None and zlib.decompress(row[1]) == content:
            return
        from_ms = now_ms if row is None else max(now_ms, row[0] + 1)
        self._db.execute("INSERT INTO connected VALUES (?, ?)", (from_ms, zlib.compress(content)))

    def at(self, time_ms: int) -> dict[str, Connected]:
        """What held then, by equipment; before the first that was noted, what that says."""
        row = self._db.execute(
            "SELECT content FROM connected ORDER BY from_ms > ?1, abs(from_ms - ?1) LIMIT 1", (time_ms,)
        ).fetchone()
        return {} if row is None else msgspec.json.decode(zlib.decompress(row[0]), type=dict[str, Connected])

    def close(self) -> None:
        self._db.close()
