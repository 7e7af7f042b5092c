"""Production in the history file: an hour of one quantity in one row, what spans in another."""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from edge_agent.model.minutes import HOUR_MS, MINUTE_MS
from edge_agent.states.counters import Number
from edge_agent.states.production import Counts, MinuteRow, ProductionChanges, Quantity, SeenRow

log = logging.getLogger(__name__)

MINUTES = HOUR_MS // MINUTE_MS

_SEEN = "SELECT equipment, counts, tag, first_ms, seen_ms, total FROM production_counters"
_decoder = msgspec.msgpack.Decoder(list[int])


@dataclass(frozen=True, slots=True)
class Span:
    """`n` of a quantity came at some time within [from_ms, to_ms)."""

    quantity: Quantity
    from_ms: int
    to_ms: int
    n: int


@dataclass(frozen=True, slots=True)
class KeptProduction:
    """What a history file has of one equipment and some hours."""

    seen: Sequence[SeenRow] = ()
    hours: Sequence[tuple[int, Quantity, list[int]]] = ()
    """Beginning, and how much came in each minute."""
    spans: Sequence[Span] = ()


def add_production(db: sqlite3.Connection, changes: ProductionChanges) -> None:
    """Add what was made to what is there, within a transaction of the caller's. Raises sqlite3.Error."""
    for (equipment, hour_ms, quantity), minutes in _by_hour(changes.minutes).items():
        place = (equipment, hour_ms, quantity)
        row = db.execute(
            "SELECT content FROM production WHERE equipment = ? AND hour_ms = ? AND quantity = ?", place
        ).fetchone()
        content = _to_go_on_from(equipment, row)
        for minute, n in minutes:
            content[minute] += n
        db.execute(
            "INSERT OR REPLACE INTO production VALUES (?, ?, ?, ?)", (*place, msgspec.msgpack.encode(content))
        )
    db.executemany(
        "INSERT INTO production_spans (equipment, from_ms, to_ms, quantity, n) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET n = n + excluded.n",
        changes.spans,
    )
    db.executemany("INSERT OR REPLACE INTO production_counters VALUES (?, ?, ?, ?, ?, ?)", changes.seen)


def _to_go_on_from(equipment: str, row: tuple[bytes] | None) -> list[int]:
    """A damaged hour begins anew: could it not be written, nothing of any machine would be."""
    try:
        return [0] * MINUTES if row is None else _unpacked(equipment, row[0])
    except sqlite3.DatabaseError as error:
        log.error("history: %s; what it had is lost", error)
        return [0] * MINUTES


def _by_hour(rows: Sequence[MinuteRow]) -> Mapping[tuple[str, int, Quantity], list[tuple[int, int]]]:
    hours: dict[tuple[str, int, Quantity], list[tuple[int, int]]] = {}
    for equipment, minute_ms, quantity, n in rows:
        minute = minute_ms % HOUR_MS // MINUTE_MS
        hours.setdefault((equipment, minute_ms // HOUR_MS * HOUR_MS, quantity), []).append((minute, n))
    return hours


def kept_production(db: sqlite3.Connection, equipment: str, from_ms: int, to_ms: int) -> KeptProduction:
    """What overlaps [from_ms, to_ms). A file of before production was kept has nothing of it.

    Raises sqlite3.Error.
    """
    seen = list(_seen(db, f"{_SEEN} WHERE equipment = ?", equipment)) if _is_kept(db) else []
    if not seen:
        return KeptProduction()
    hours = db.execute(
        "SELECT hour_ms, quantity, content FROM production"
        " WHERE equipment = ? AND hour_ms > ? AND hour_ms < ? ORDER BY hour_ms",
        (equipment, from_ms - HOUR_MS, to_ms),
    )
    spans = db.execute(
        "SELECT quantity, from_ms, to_ms, n FROM production_spans"
        " WHERE equipment = ? AND to_ms > ? AND from_ms < ?",
        (equipment, from_ms, to_ms),
    )
    return KeptProduction(
        seen,
        [(hour, Quantity(quantity), _unpacked(equipment, content)) for hour, quantity, content in hours],
        [Span(Quantity(quantity), *times) for quantity, *times in spans],
    )


def seen_counters(db: sqlite3.Connection) -> list[SeenRow]:
    """The counters of all equipment. Raises sqlite3.Error."""
    return list(_seen(db, _SEEN))


def _seen(db: sqlite3.Connection, query: str, *arguments: str) -> Iterator[SeenRow]:
    equipment: str
    counts: str
    tag: str
    first_ms: int
    seen_ms: int
    total: Number
    for equipment, counts, tag, first_ms, seen_ms, total in db.execute(query, arguments):
        yield equipment, Counts(counts), tag, first_ms, seen_ms, total


def _is_kept(db: sqlite3.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'production_counters'"
    return db.execute(query).fetchone() is not None


def _unpacked(equipment: str, content: bytes) -> list[int]:
    """One number for each minute."""
    try:
        minutes = _decoder.decode(content)
    except msgspec.DecodeError as error:
        raise sqlite3.DatabaseError(f"an hour of {equipment}'s production: {error}") from error
    if len(minutes) != MINUTES:
        raise sqlite3.DatabaseError(f"an hour of {equipment}'s production has {len(minutes)} minutes")
    return minutes
