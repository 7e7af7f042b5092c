"""Intervals, evidence and counters on disk: figures survive a restart, and the gap itself is known."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.counters import CounterRow
from edge_agent.states.tracker import Interval

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intervals (
    equipment TEXT NOT NULL,
    start_ms  INTEGER NOT NULL,
    end_ms    INTEGER,
    state     TEXT NOT NULL,
    cause     TEXT NOT NULL,
    PRIMARY KEY (equipment, start_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (
    equipment     TEXT NOT NULL,
    hour_ms       INTEGER NOT NULL,
    good_readings INTEGER NOT NULL,
    last_good_ms  INTEGER NOT NULL,
    minutes       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (equipment, hour_ms)
) WITHOUT ROWID;
-- Columns without a type keep integers as integers and floats as floats.
CREATE TABLE IF NOT EXISTS counters (
    equipment TEXT NOT NULL,
    tag       TEXT NOT NULL,
    value     NOT NULL,
    total     NOT NULL,
    PRIMARY KEY (equipment, tag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounted (
    period TEXT PRIMARY KEY,
    to_ms  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alive (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    time_ms  INTEGER NOT NULL
);
"""

_INTERVALS_OF = """
SELECT start_ms, end_ms, state, cause FROM intervals
WHERE equipment = :equipment AND start_ms < :to_ms AND start_ms >= coalesce(
    (SELECT start_ms FROM intervals WHERE equipment = :equipment AND start_ms <= :from_ms
     AND state <> 'unknown' ORDER BY start_ms DESC LIMIT 1),
    (SELECT start_ms FROM intervals WHERE equipment = :equipment AND start_ms <= :from_ms
     ORDER BY start_ms DESC LIMIT 1),
    :from_ms)
ORDER BY start_ms
"""

EvidenceRow = tuple[str, int, int, int, int]
"""equipment, hour_ms, good_readings, last_good_ms, minutes: a bit for each of the hour's 60"""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is written together: either all of it is on disk afterwards, or nothing."""

    alive_ms: int
    """The agent was alive then."""
    intervals: Sequence[Interval] = ()
    evidence: Sequence[EvidenceRow] = ()
    counters: Sequence[CounterRow] = ()


class History:
    """One open history file, used from one thread at a time. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        # The agent calls from a worker thread of its own, but always one call at a time.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            self._migrate()
        except BaseException:
            self._db.close()
            raise

    def _migrate(self) -> None:
        """Files of before have no minutes in their evidence: of those hours none is proved."""
        if "minutes" not in {column[1] for column in self._db.execute("PRAGMA table_info(evidence)")}:
            self._db.execute("ALTER TABLE evidence ADD COLUMN minutes INTEGER NOT NULL DEFAULT 0")

    def resume(self, now_ms: int) -> int:
        """Close what a former run left open; returns from when on the new run has to account for time.

        That is the moment at which the former run was last known to be alive, `now_ms` if there was none.
        It lies in the future if the clock was set back in between: time already accounted for stays so.
        """
        row = self._db.execute("SELECT time_ms FROM alive").fetchone()
        if row is None:
            return now_ms
        alive_ms: int = row[0]
        self._db.execute("BEGIN")
        self._db.execute("UPDATE intervals SET end_ms = max(start_ms, ?) WHERE end_ms IS NULL", (alive_ms,))
        self._db.execute("DELETE FROM intervals WHERE end_ms = start_ms")
        self._db.execute("COMMIT")
        return alive_ms

    def save(self, changes: Changes) -> None:
        """Write or overwrite what `changes` has."""
        self._db.execute("BEGIN")
        try:
            self._db.executemany(
                "INSERT OR REPLACE INTO intervals VALUES (?, ?, ?, ?, ?)",
                [
                    (i.equipment, i.start_ms, i.end_ms, i.state.state.value, i.state.cause)
                    for i in changes.intervals
                ],
            )
            self._db.executemany("INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?)", changes.evidence)
            self._db.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?)", changes.counters)
            self._db.execute("INSERT OR REPLACE INTO alive VALUES (1, ?)", (changes.alive_ms,))
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def intervals(self, from_ms: int, to_ms: int) -> list[Interval]:
        """Intervals that overlap [from_ms, to_ms), by equipment and start."""
        rows = self._db.execute(
            "SELECT equipment, start_ms, end_ms, state, cause FROM intervals"
            " WHERE start_ms < ? AND (end_ms IS NULL OR end_ms > ?) ORDER BY equipment, start_ms",
            (to_ms, from_ms),
        )
        return [
            Interval(equipment, start, end, StateWithCause(MachineState(state), cause))
            for equipment, start, end, state, cause in rows
        ]

    def intervals_of(self, equipment: str, from_ms: int, to_ms: int) -> list[Interval]:
        """Intervals of one equipment that overlap [from_ms, to_ms), and those before them back to the last
        whose state was known; by start. What it costs does not grow with the history.
        """
        rows = self._db.execute(_INTERVALS_OF, {"equipment": equipment, "from_ms": from_ms, "to_ms": to_ms})
        return [
            Interval(equipment, start, end, StateWithCause(MachineState(state), cause))
            for start, end, state, cause in rows
        ]

    def accounted(self, period: str) -> int | None:
        """Up to when accounts of this kind of period were made; None before the first."""
        row = self._db.execute("SELECT to_ms FROM accounted WHERE period = ?", (period,)).fetchone()
        return None if row is None else int(row[0])

    def set_accounted(self, period: str, to_ms: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO accounted VALUES (?, ?)", (period, to_ms))

    def evidence(self, from_ms: int) -> list[EvidenceRow]:
        """Evidence of all hours with a good reading since `from_ms`."""
        return self._db.execute(
            "SELECT equipment, hour_ms, good_readings, last_good_ms, minutes FROM evidence"
            " WHERE last_good_ms >= ?",
            (from_ms,),
        ).fetchall()

    def counters(self) -> list[CounterRow]:
        """All counters as they were last saved, also those that are configured no more."""
        return self._db.execute("SELECT equipment, tag, value, total FROM counters").fetchall()

    def close(self) -> None:
        self._db.close()


GATEWAY_DOWN = unknown(UnknownCause.GATEWAY_DOWN)
