"""What the history file says, whether it lies in rows or in packs."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_agent.model.state import NOT_HEARD
from edge_agent.states.columns import STILL_SO_MS, Columns, state_of
from edge_agent.states.counters import CounterRow
from edge_agent.states.history_file import open_read_only
from edge_agent.states.packing import DamagedPackError, unpack
from edge_agent.states.production import SeenRow
from edge_agent.states.production_rows import KeptProduction, kept_production, seen_counters
from edge_agent.states.tracker import Interval

EvidenceRow = tuple[str, int, int, int, int]
"""equipment, hour_ms, good_readings, last_good_ms, minutes: a bit for each of the hour's 60"""

_KNOWN_BEFORE = """
SELECT
    (SELECT start_ms FROM intervals WHERE equipment = ?1 AND start_ms <= ?2 AND state <> 'unknown'
     ORDER BY start_ms DESC LIMIT 1),
    (SELECT from_ms FROM packs WHERE equipment = ?1 AND from_ms <= ?2 AND known_ms <= ?2
     ORDER BY from_ms DESC LIMIT 1)
"""
_ANY_BEFORE = """
SELECT
    (SELECT start_ms FROM intervals WHERE equipment = ?1 AND start_ms <= ?2 ORDER BY start_ms DESC LIMIT 1),
    (SELECT from_ms FROM packs WHERE equipment = ?1 AND from_ms <= ?2 ORDER BY from_ms DESC LIMIT 1)
"""
_PACKS_OF = """
SELECT content FROM packs WHERE equipment = ?1 AND from_ms < ?3 AND from_ms >= coalesce(
    (SELECT from_ms FROM packs WHERE equipment = ?1 AND from_ms <= ?2 ORDER BY from_ms DESC LIMIT 1), ?2)
ORDER BY from_ms
"""
_ROWS_OF = """
SELECT start_ms, end_ms, state, cause FROM intervals
WHERE equipment = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms
"""
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Amendment:
    """Unknown time of an equipment within [from_ms, to_ms) was filled; later ones have greater numbers."""

    number: int
    equipment: str
    from_ms: int
    to_ms: int


class HistoryReader:
    """One history file to read from. All methods may raise sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def look(cls, path: Path) -> "HistoryReader":
        """At a file that an agent may be writing. Raises HistoryFormatError, sqlite3.Error."""
        return HistoryReader(open_read_only(path))

    def intervals(self, from_ms: int, to_ms: int) -> list[Interval]:
        """Intervals that overlap [from_ms, to_ms), by equipment and start."""
        with self._at_one_time():
            rows = self._db.execute(
                "SELECT equipment, start_ms, end_ms, state, cause FROM intervals"
                " WHERE start_ms < ? AND (end_ms IS NULL OR end_ms > ?)",
                (to_ms, from_ms),
            )
            found = [
                Interval(equipment, start, end, state_of(state, cause))
                for equipment, start, end, state, cause in rows
            ]
            packs = self._db.execute(
                "SELECT equipment, content FROM packs WHERE from_ms < ? AND to_ms > ?", (to_ms, from_ms)
            )
            for equipment, content in packs:
                columns = unpacked(equipment, [content])
                overlap = np.flatnonzero((columns.starts < to_ms) & (columns.ends > from_ms))
                found += columns.part(overlap).intervals(equipment)
        return sorted(found, key=lambda interval: (interval.equipment, interval.start_ms))

    def intervals_of(self, equipment: str, from_ms: int, to_ms: int) -> list[Interval]:
        """Intervals of one equipment that overlap [from_ms, to_ms), and those before them back to the last
        whose state was known; by start. What it costs does not grow with the history.
        """
        return self.columns(equipment, from_ms, to_ms).intervals(equipment)

    def columns(self, equipment: str, from_ms: int, to_ms: int, newest: Iterable[Interval] = ()) -> Columns:
        """What `intervals_of` gives, in columns; behind it those of `newest`, which the file has not got yet,
        that are of this equipment. As in the file, one takes the place of that with the same start.
        """
        stored = self._stored(equipment, from_ms, to_ms)
        before = int(stored.starts.searchsorted(from_ms, "right"))
        known = np.flatnonzero(stored.part(slice(0, before)).known())
        first = int(known[-1]) if len(known) else max(before - 1, 0)
        wanted = stored.part(slice(first, int(stored.starts.searchsorted(to_ms, "left"))))
        unsaved = {interval.start_ms: interval for interval in newest if interval.equipment == equipment}
        if not unsaved:
            return wanted
        stays = np.flatnonzero(~np.isin(wanted.starts, list(unsaved)))
        return Columns.joined([wanted.part(stays), Columns.of(unsaved.values())])

    def unheard(self, equipment: str, from_ms: int, to_ms: int) -> list[Interval]:
        """The intervals that overlap [from_ms, to_ms), are over, and in which the machine was not heard."""
        columns = self.columns(equipment, from_ms, to_ms)
        by_code = np.array([state in NOT_HEARD for state in columns.states], np.bool_)
        wanted = by_code[columns.codes] & (columns.ends > from_ms) & (columns.ends < STILL_SO_MS)
        return columns.part(np.flatnonzero(wanted)).intervals(equipment)

    def _stored(self, equipment: str, from_ms: int, to_ms: int) -> Columns:
        """What is needed for [from_ms, to_ms), by start, and perhaps some more before it."""
        with self._at_one_time():
            begin = self._start_before(_KNOWN_BEFORE, equipment, from_ms)
            if begin is None:
                begin = self._start_before(_ANY_BEFORE, equipment, from_ms)
            if begin is None:
                begin = from_ms
            # Those at `from_ms` as well, or what is before it would not be seen to be over.
            end = max(to_ms, from_ms + 1)
            packs = self._db.execute(_PACKS_OF, (equipment, begin, end)).fetchall()
            rows = self._db.execute(_ROWS_OF, (equipment, begin, end)).fetchall()
        packed = unpacked(equipment, [content for (content,) in packs])
        return Columns.joined([packed, Columns.of_rows(rows)]).by_start() if rows else packed

    def _start_before(self, query: str, equipment: str, time_ms: int) -> int | None:
        starts = self._db.execute(query, (equipment, time_ms)).fetchone()
        return max((start for start in starts if start is not None), default=None)

    def alive_ms(self) -> int | None:
        """When the agent last noted that it was alive, with all that it knew by then; None before that."""
        row = self._db.execute("SELECT time_ms FROM alive").fetchone()
        return None if row is None else int(row[0])

    def accounted(self, period: str) -> int | None:
        """Up to when accounts of this kind of period were made; None before the first."""
        row = self._db.execute("SELECT to_ms FROM accounted WHERE period = ?", (period,)).fetchone()
        return None if row is None else int(row[0])

    def amendments(self, reader: str) -> list[Amendment]:
        """Those that `reader` has not taken into account yet, in their order."""
        rows = self._db.execute(
            "SELECT number, equipment, from_ms, to_ms FROM amendments WHERE number > coalesce("
            " (SELECT number FROM amendments_taken WHERE reader = ?), 0) ORDER BY number",
            (reader,),
        )
        return [Amendment(*row) for row in rows]

    def evidence(self, from_ms: int) -> Iterator[EvidenceRow]:
        """Evidence of all hours with a good reading since `from_ms`; of each equipment in order."""
        for equipment in self._names("evidence"):
            yield from self._db.execute(
                "SELECT equipment, hour_ms, good_readings, last_good_ms, minutes FROM evidence"
                " WHERE equipment = ? AND hour_ms > ? AND last_good_ms >= ? ORDER BY hour_ms",
                (equipment, from_ms - HOUR_MS, from_ms),
            )

    def evidence_of(self, equipment: str, from_ms: int, to_ms: int) -> list[EvidenceRow]:
        """Evidence of one equipment of the clock hours (UTC) that overlap [from_ms, to_ms), in order."""
        return self._db.execute(
            "SELECT equipment, hour_ms, good_readings, last_good_ms, minutes FROM evidence"
            " WHERE equipment = ? AND hour_ms > ? AND hour_ms < ? ORDER BY hour_ms",
            (equipment, from_ms - HOUR_MS, to_ms),
        ).fetchall()

    def counters(self) -> list[CounterRow]:
        """All counters as they were last saved, also those that are configured no more."""
        return self._db.execute("SELECT equipment, tag, value, total FROM counters").fetchall()

    def production_counters(self) -> list[SeenRow]:
        """All counters of production as they were last saved, also those that are configured no more."""
        return seen_counters(self._db)

    def production(self, equipment: str, from_ms: int, to_ms: int) -> KeptProduction:
        """What `equipment` made in the hours (UTC) that overlap [from_ms, to_ms)."""
        with self._at_one_time():
            return kept_production(self._db, equipment, from_ms, to_ms)

    def close(self) -> None:
        self._db.close()

    def _names(self, table: str) -> list[str]:
        """The equipment of a table whose key begins with it; takes one step for each of them."""
        rows = self._db.execute(
            f"WITH RECURSIVE names(name) AS (SELECT min(equipment) FROM {table} UNION ALL"  # noqa: S608 - a table of ours
            f" SELECT (SELECT min(equipment) FROM {table} WHERE equipment > name)"
            " FROM names WHERE name IS NOT NULL) SELECT name FROM names WHERE name IS NOT NULL"
        )
        return [name for (name,) in rows]

    @contextmanager
    def _at_one_time(self) -> Iterator[None]:
        """Everything that is read within is of one moment: a pack appears when its rows are gone."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("COMMIT")


def unpacked(equipment: str, contents: Sequence[bytes]) -> Columns:
    """The intervals in packs of one equipment. Raises sqlite3.DatabaseError."""
    try:
        return unpack(contents)
    except DamagedPackError as error:
        raise sqlite3.DatabaseError(f"a pack of {equipment}: {error}") from error
