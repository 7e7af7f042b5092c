"""Intervals, evidence and counters on disk: figures survive a restart, and the gap itself is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.model.state import UnknownCause, unknown
from edge_agent.states.columns import STILL_SO_MS, Columns
from edge_agent.states.counters import CounterRow
from edge_agent.states.history_file import open_history
from edge_agent.states.packing import pack
from edge_agent.states.production import ProductionChanges
from edge_agent.states.production_rows import add_production
from edge_agent.states.reading import HOUR_MS, EvidenceRow, HistoryReader, unpacked
from edge_agent.states.tracker import Interval
from edge_agent.transaction import all_or_nothing

GATEWAY_DOWN = unknown(UnknownCause.GATEWAY_DOWN)

NOTHING_MADE = ProductionChanges()

DAY_MS = 24 * HOUR_MS
PACK_ROWS = 5000
"""At most so many intervals make a pack: it takes some 20 ms, which a `save` can wait for."""
KEEP_YEARS = 5
KEEP_MS = (365 * KEEP_YEARS + 2) * DAY_MS
"""Five years have at most two leap days."""
_OLDEST = {
    "packs": "DELETE FROM packs WHERE equipment = ?1 AND to_ms <= ?2"
    " AND from_ms = (SELECT min(from_ms) FROM packs WHERE equipment = ?1)",
    "intervals": "DELETE FROM intervals WHERE equipment = ?1 AND start_ms IN (SELECT start_ms FROM intervals"
    " WHERE equipment = ?1 AND start_ms < ?2 AND end_ms <= ?2 ORDER BY start_ms LIMIT 500)",
    "evidence": "DELETE FROM evidence WHERE equipment = ?1 AND hour_ms IN (SELECT hour_ms FROM evidence"
    " WHERE equipment = ?1 AND last_good_ms < ?2 ORDER BY hour_ms LIMIT 2)",
    "production": "DELETE FROM production WHERE equipment = ?1 AND hour_ms IN (SELECT DISTINCT hour_ms"
    " FROM production WHERE equipment = ?1 AND hour_ms <= ?2 - 3600000 ORDER BY hour_ms LIMIT 2)",
    "production_spans": "DELETE FROM production_spans WHERE equipment = ?1 AND to_ms IN (SELECT to_ms"
    " FROM production_spans WHERE equipment = ?1 AND to_ms <= ?2 ORDER BY to_ms LIMIT 500)",
}
"""The oldest of an equipment (?1) in each table, if it is of before ?2."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is written together: either all of it is on disk afterwards, or nothing."""

    alive_ms: int
    """The agent was alive then."""
    intervals: Sequence[Interval] = ()
    evidence: Sequence[EvidenceRow] = ()
    counters: Sequence[CounterRow] = ()
    production: ProductionChanges = NOTHING_MADE


class History(HistoryReader):
    """One open history file, used from one thread at a time. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        """Raises HistoryFormatError, sqlite3.Error."""
        super().__init__(open_history(path))

    def resume(self, now_ms: int) -> int:
        """Close what a former run left open; returns from when on the new run has to account for time.

        That is the moment at which the former run was last known to be alive, `now_ms` if there was none.
        It lies in the future if the clock was set back in between: time already accounted for stays so.
        """
        row = self._db.execute("SELECT time_ms FROM alive").fetchone()
        if row is None:
            return now_ms
        alive_ms: int = row[0]
        with all_or_nothing(self._db):
            self._db.execute("DELETE FROM intervals WHERE end_ms IS NULL AND start_ms >= ?", (alive_ms,))
            self._db.execute("UPDATE intervals SET end_ms = ? WHERE end_ms IS NULL", (alive_ms,))
        return alive_ms

    def save(self, changes: Changes) -> None:
        """Write or overwrite what `changes` has; what was produced is added to what is there."""
        with all_or_nothing(self._db):
            self._write(changes.intervals)
            self._db.executemany("INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?)", changes.evidence)
            self._db.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?)", changes.counters)
            add_production(self._db, changes.production)
            self._db.execute("INSERT OR REPLACE INTO alive VALUES (1, ?)", (changes.alive_ms,))

    def set_accounted(self, period: str, to_ms: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO accounted VALUES (?, ?)", (period, to_ms))

    def pack(self, now_ms: int) -> bool:
        """Pack the rows of one equipment and one finished day (UTC), or a part of them if it has too many;
        returns whether there were any. A day of which an interval lasts still is left for later.
        """
        return any(self._pack_oldest_day(equipment, now_ms) for equipment in self._names("intervals"))

    def _pack_oldest_day(self, equipment: str, now_ms: int) -> bool:
        (first_ms,) = self._db.execute(
            "SELECT min(start_ms) FROM intervals WHERE equipment = ?", (equipment,)
        ).fetchone()
        end_ms = (first_ms // DAY_MS + 1) * DAY_MS
        if end_ms > now_ms:
            return False
        # A pack has all that begins in its time, so this one ends where there is one already.
        (next_ms,) = self._db.execute(
            "SELECT min(from_ms) FROM packs WHERE equipment = ? AND from_ms > ?", (equipment, first_ms)
        ).fetchone()
        rows = self._db.execute(
            "SELECT start_ms, end_ms, state, cause FROM intervals WHERE equipment = ? AND start_ms < ?"
            " ORDER BY start_ms LIMIT ?",
            (equipment, end_ms if next_ms is None else min(end_ms, next_ms), PACK_ROWS),
        ).fetchall()
        if any(end is None for _, end, _, _ in rows):
            return False
        with all_or_nothing(self._db):
            self.add_pack(equipment, Columns.of_rows(rows))
            self._db.execute(
                "DELETE FROM intervals WHERE equipment = ? AND start_ms <= ?", (equipment, rows[-1][0])
            )
        return True

    def add_pack(self, equipment: str, columns: Columns) -> None:
        """Write intervals of a time in which the file has none that begins; see `packing.pack`."""
        known = columns.starts[columns.known()]
        self._db.execute(
            "INSERT INTO packs (equipment, from_ms, last_ms, to_ms, known_ms, content)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                equipment,
                int(columns.starts[0]),
                int(columns.starts[-1]),
                int(columns.ends.max()),
                int(known[0]) if len(known) else None,
                pack(columns),
            ),
        )

    def amend(self, equipment: str, states: Sequence[Interval]) -> list[Interval]:
        """Fill time in which the machine was not heard with `states`, which ascend and do not overlap;
        returns what was filled, which is noted in the amendments.

        Time of any other state stays as it is.
        """
        from_ms = min((one.start_ms for one in states), default=0)
        to_ms = max(map(_end, states), default=0)
        divided = [(gap, _filled(gap, states)) for gap in self.unheard(equipment, from_ms, to_ms)]
        filled = []
        with all_or_nothing(self._db):
            for gap, pieces in divided:
                known = [piece for piece in pieces if piece.state != gap.state]
                if known:
                    self._write(pieces)
                    self._db.execute(
                        "INSERT INTO amendments (equipment, from_ms, to_ms) VALUES (?, ?, ?)",
                        (equipment, known[0].start_ms, known[-1].end_ms),
                    )
                filled += known
        return filled

    def set_amendments_taken(self, reader: str, number: int) -> None:
        """`reader` has taken the amendments up to this one into account."""
        self._db.execute("INSERT OR REPLACE INTO amendments_taken VALUES (?, ?)", (reader, number))

    def forget(self, now_ms: int) -> None:
        """Remove some of what is older than `KEEP_YEARS`, the oldest first.

        It is little more than what comes in within an hour, in which this is to be called once: should the
        clock be wrong by years for a day, that costs some weeks of the oldest history and not all of it.
        """
        keep_from_ms = now_ms - KEEP_MS
        with all_or_nothing(self._db):
            for table, query in _OLDEST.items():
                self._db.executemany(query, [(name, keep_from_ms) for name in self._names(table)])
            self._db.execute("DELETE FROM amendments WHERE to_ms <= ?", (keep_from_ms,))

    def _write(self, intervals: Sequence[Interval]) -> None:
        for interval in intervals:
            self._unpack_at(interval.equipment, interval.start_ms)
        self._db.executemany(
            "INSERT OR REPLACE INTO intervals VALUES (?, ?, ?, ?, ?)",
            map(_row, intervals),
        )

    def _unpack_at(self, equipment: str, start_ms: int) -> None:
        """Make rows again of the pack that has what begins at `start_ms`, if there is one."""
        found = self._db.execute(
            "SELECT id, last_ms FROM packs WHERE equipment = ? AND from_ms <= ?"
            " ORDER BY from_ms DESC LIMIT 1",
            (equipment, start_ms),
        ).fetchone()
        if found is None or found[1] < start_ms:
            return
        pack_id = found[0]
        (content,) = self._db.execute("SELECT content FROM packs WHERE id = ?", (pack_id,)).fetchone()
        self._db.execute("DELETE FROM packs WHERE id = ?", (pack_id,))
        self._db.executemany(
            "INSERT INTO intervals VALUES (?, ?, ?, ?, ?)",
            map(_row, unpacked(equipment, [content]).intervals(equipment)),
        )


def _row(interval: Interval) -> tuple[str, int, int | None, str, str]:
    state = interval.state
    return (interval.equipment, interval.start_ms, interval.end_ms, state.state.value, state.cause)


def _filled(gap: Interval, states: Sequence[Interval]) -> list[Interval]:
    """`gap` divided: `states` where they lie in it, itself where they do not."""
    found: list[Interval] = []
    done_ms, to_ms = gap.start_ms, _end(gap)
    for one in states:
        start_ms, end_ms = max(one.start_ms, done_ms), min(_end(one), to_ms)
        if start_ms >= end_ms:
            continue
        if done_ms < start_ms:
            found.append(Interval(gap.equipment, done_ms, start_ms, gap.state))
        found.append(Interval(gap.equipment, start_ms, end_ms, one.state))
        done_ms = end_ms
    if done_ms < to_ms:
        found.append(Interval(gap.equipment, done_ms, to_ms, gap.state))
    return found


def _end(interval: Interval) -> int:
    return STILL_SO_MS if interval.end_ms is None else interval.end_ms
