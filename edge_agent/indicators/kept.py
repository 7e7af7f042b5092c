"""Evidence and states as of any moment, as the history file has them: read only, also beside an agent."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.indicators.periods import HOUR_MS
from edge_agent.model.link import LinkLevel
from edge_agent.model.minutes import Minutes, count_common
from edge_agent.model.state import MachineState
from edge_agent.states.history_file import open_read_only
from edge_agent.states.reading import HistoryReader


@dataclass(frozen=True, slots=True)
class KeptEvidence:
    """What equipment had proved as of a moment, out of the hours on record before it."""

    hours: Mapping[str, list[tuple[int, int]]]
    """By equipment: good readings and the time of the newest, of each hour that was asked for."""
    last_good: Mapping[str, int]
    """Time of the newest good reading on record; equipment without one is not in it."""
    stale_after_ms: Mapping[str, int]
    """How long an equipment is live after a good reading."""
    minutes: Mapping[str, Minutes]
    """By equipment: the minutes in which it was provably delivering, of each hour that was asked for."""

    def level(self, equipment: str, now_ms: int) -> LinkLevel:
        """`live` if readings came to the last; what the endpoint accepted is not on record."""
        last_ms = self.last_good.get(equipment)
        limit_ms = self.stale_after_ms.get(equipment, 0)
        return (
            LinkLevel.LIVE if last_ms is not None and now_ms - last_ms <= limit_ms else LinkLevel.REGISTERED
        )

    def good_readings(self, equipment: str, from_ms: int) -> int:
        return sum(good for good, last_ms in self.hours.get(equipment, ()) if last_ms >= from_ms)

    def proved_minutes(self, equipment: str, planned: Minutes) -> int:
        """In how many of the planned minutes the equipment was provably delivering."""
        return count_common(self.minutes.get(equipment, {}), planned)

    def last_good_ms(self, equipment: str) -> int | None:
        return self.last_good.get(equipment)


_HOURS = """
SELECT equipment, good_readings, last_good_ms, hour_ms, {minutes} FROM json_each(?) AS wanted
JOIN evidence ON equipment = wanted.value AND hour_ms >= ? AND hour_ms < ?
"""

_LAST_GOOD = """
SELECT value, (SELECT last_good_ms FROM evidence WHERE equipment = value AND hour_ms < ?2
               ORDER BY hour_ms DESC LIMIT 1)
FROM json_each(?1)
"""


class KeptHistory:
    """A history file. What a question costs does not grow with the history. All methods may raise
    sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._db = open_read_only(path)
        self._reader = HistoryReader(self._db)
        columns = {row[1] for row in self._db.execute("PRAGMA table_info(evidence)")}
        # A file that no agent of now has opened has none.
        self._hours = _HOURS.format(minutes="minutes" if "minutes" in columns else "0")

    def alive_ms(self) -> int | None:
        """When the agent last noted that it was alive, with all that it knew by then; None before that."""
        return self._reader.alive_ms()

    def evidence(
        self, equipment: Collection[str], from_ms: int, to_ms: int, stale_after_ms: Mapping[str, int]
    ) -> KeptEvidence:
        """What `equipment` proved in the clock hours (UTC) that begin before `to_ms`, with those from
        `from_ms` on at hand to be counted."""
        wanted = json.dumps(list(equipment))
        hours: dict[str, list[tuple[int, int]]] = {}
        minutes: dict[str, dict[int, int]] = {}
        begin = from_ms // HOUR_MS * HOUR_MS
        for name, good, last_ms, hour_ms, bits in self._db.execute(self._hours, (wanted, begin, to_ms)):
            hours.setdefault(name, []).append((good, last_ms))
            minutes.setdefault(name, {})[hour_ms] = bits
        newest = dict(self._db.execute(_LAST_GOOD, (wanted, to_ms)))
        last_good = {name: last_ms for name, last_ms in newest.items() if last_ms is not None}
        return KeptEvidence(hours, last_good, stale_after_ms, minutes)

    def states(self, equipment: Collection[str], to_ms: int) -> dict[str, MachineState]:
        """What each did at the end of the time up to `to_ms`; unknown where nothing is on record."""
        found = {}
        for name in equipment:
            columns = self._reader.columns(name, to_ms - 1, to_ms)
            found[name] = (
                columns.states[columns.codes[-1]].state if len(columns.codes) else MachineState.UNKNOWN
            )
        return found

    def close(self) -> None:
        self._db.close()
