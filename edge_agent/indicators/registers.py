"""Which register was in force when: a figure for March is counted on March's register."""

import sqlite3
import zlib
from pathlib import Path

import msgspec

from edge_agent.model.equipment import Equipment, Process, Register
from edge_agent.states.history_file import open_read_only

_SCHEMA = """
CREATE TABLE IF NOT EXISTS registers (
    from_ms INTEGER PRIMARY KEY,
    digest  TEXT NOT NULL,
    version TEXT NOT NULL,
    content BLOB NOT NULL
);
"""


class _Content(msgspec.Struct):
    """A register as it is kept: JSON, compressed."""

    equipment: tuple[Equipment, ...]
    processes: tuple[Process, ...]
    headcount: int | None


class RegisterVersions:
    """The versions kept in one history file. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """With `read_only` nothing is written, and the file may be that of a running agent."""
        self._db = open_read_only(path) if read_only else sqlite3.connect(path)
        self._db.isolation_level = None
        if not read_only:
            self._db.executescript(_SCHEMA)

    def keep(self, register: Register, now_ms: int) -> bool:
        """Note that the register is in force from now on; returns whether that is new.

        One that was noted at a later time, before the clock was set back, is followed a millisecond later.
        """
        row = self._db.execute("SELECT from_ms, version FROM registers ORDER BY from_ms DESC").fetchone()
        if row is not None and row[1] == register.version:
            return False
        from_ms = now_ms if row is None else max(now_ms, row[0] + 1)
        content = msgspec.json.encode(_Content(register.equipment, register.processes, register.headcount))
        self._db.execute(
            "INSERT INTO registers VALUES (?, ?, ?, ?)",
            (from_ms, register.digest, register.version, zlib.compress(content)),
        )
        return True

    def at(self, time_ms: int) -> Register | None:
        """The register that was in force; None for a time before the first."""
        return self._one("WHERE from_ms <= ? ORDER BY from_ms DESC", time_ms)

    def of(self, version: str) -> Register | None:
        """The register of a version, or of a digest where a statement names no version."""
        return self._one("WHERE version = ?1 OR digest = ?1 ORDER BY from_ms DESC", version)

    def in_force(self) -> list[tuple[int, str]]:
        """From when on which version was in force, oldest first."""
        return self._db.execute("SELECT from_ms, version FROM registers ORDER BY from_ms").fetchall()

    def _one(self, condition: str, value: int | str) -> Register | None:
        row = self._db.execute(f"SELECT content FROM registers {condition} LIMIT 1", (value,)).fetchone()  # noqa: S608 - from above
        if row is None:
            return None
        content = msgspec.json.decode(zlib.decompress(row[0]), type=_Content)
        return Register(content.equipment, content.processes, content.headcount)

    def close(self) -> None:
        self._db.close()
