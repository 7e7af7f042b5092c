"""Which register was in force when: a figure for March is counted on March's register."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_agent.model.equipment import Equipment, Process, Register
from edge_agent.states.history_file import open_beside, open_read_only

_SCHEMA = """
CREATE TABLE IF NOT EXISTS registers (
    from_ms INTEGER PRIMARY KEY,
    digest  TEXT NOT NULL,
    version TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS register_corrections (
    id       INTEGER PRIMARY KEY,
    from_ms  INTEGER NOT NULL,
    to_ms    INTEGER NOT NULL,
    noted_ms INTEGER NOT NULL,
    file     TEXT NOT NULL,
    digest   TEXT NOT NULL,
    version  TEXT NOT NULL,
    content  BLOB NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """From `from_ms` up to `to_ms` another register was right than the one in force at the time."""

    from_ms: int
    to_ms: int
    noted_ms: int
    file: str
    """Where it was read from."""
    version: str


class _Content(msgspec.Struct):
    """A register as it is kept: JSON, compressed."""

    equipment: tuple[Equipment, ...]
    processes: tuple[Process, ...]
    headcount: int | None


class RegisterVersions:
    """The versions kept in one history file. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """With `read_only` nothing is written, and the file may be that of a running agent."""
        self._db = open_read_only(path) if read_only else open_beside(path)
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
        self._db.execute(
            "INSERT INTO registers VALUES (?, ?, ?, ?)",
            (from_ms, register.digest, register.version, _content(register)),
        )
        return True

    def correct(self, register: Register, from_ms: int, to_ms: int, file: str, now_ms: int) -> None:
        """Note that this register holds from `from_ms` up to `to_ms`, whatever was in force then.

        Of several corrections the newest holds; the same one again is not noted again.
        """
        within = [one for one in self.corrections() if one.from_ms < to_ms and one.to_ms > from_ms]
        newest = within[-1] if within else None
        if newest and (newest.from_ms, newest.to_ms, newest.version) == (from_ms, to_ms, register.version):
            return
        self._db.execute(
            "INSERT INTO register_corrections (from_ms, to_ms, noted_ms, file, digest, version, content)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (from_ms, to_ms, now_ms, file, register.digest, register.version, _content(register)),
        )

    def at(self, time_ms: int) -> Register | None:
        """The register that was in force, corrected as far as is known; None for a time before the first."""
        return self._one(
            "register_corrections WHERE from_ms <= ?1 AND to_ms > ?1 ORDER BY id DESC", time_ms
        ) or self._one("registers WHERE from_ms <= ? ORDER BY from_ms DESC", time_ms)

    def of(self, version: str) -> Register | None:
        """The register of a version, or of a digest where a statement names no version."""
        condition = "WHERE version = ?1 OR digest = ?1 ORDER BY from_ms DESC"
        return self._one(f"registers {condition}", version) or self._one(
            f"register_corrections {condition}", version
        )

    def in_force(self) -> list[tuple[int, str]]:
        """From when on which version was in force, oldest first, without corrections."""
        return self._db.execute("SELECT from_ms, version FROM registers ORDER BY from_ms").fetchall()

    def corrections(self) -> list[Correction]:
        """All that were noted, oldest first."""
        rows = self._db.execute(
            "SELECT from_ms, to_ms, noted_ms, file, version FROM register_corrections ORDER BY id"
        )
        return [Correction(*row) for row in rows]

    def _one(self, rows: str, value: int | str) -> Register | None:
        row = self._db.execute(f"SELECT content FROM {rows} LIMIT 1", (value,)).fetchone()  # noqa: S608 - from above
        if row is None:
            return None
        content = msgspec.json.decode(zlib.decompress(row[0]), type=_Content)
        return Register(content.equipment, content.processes, content.headcount)

    def close(self) -> None:
        self._db.close()


def _content(register: Register) -> bytes:
    content = _Content(register.equipment, register.processes, register.headcount)
    return zlib.compress(msgspec.json.encode(content))
