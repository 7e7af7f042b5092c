"""Evidence as the history file has it: read only, for figures that are worked out beside the agent."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from edge_agent.model.link import LinkLevel
from edge_agent.model.minutes import Minutes, count_common
from edge_agent.model.state import MachineState


def open_read_only(path: Path) -> sqlite3.Connection:
    """A history file to look at, whether an agent is running on it or not. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if not path.with_name(f"{path.name}-wal").exists():
        # Nobody has it open. Without this, looking would leave files beside it.
        uri += "&immutable=1"
    return sqlite3.connect(uri, uri=True)


class KeptEvidence:
    """What a data folder proves, as of the moment at which its agent last noted that it was alive."""

    def __init__(self, path: Path, stale_after_ms: Mapping[str, int]) -> None:
        """`path` is the history file; `stale_after_ms` how long an equipment is live after a good reading.

        Raises sqlite3.Error.
        """
        self._stale_after_ms = stale_after_ms
        db = open_read_only(path)
        try:
            row = db.execute("SELECT time_ms FROM alive").fetchone()
            self.as_of_ms: int | None = row[0] if row is not None else None
            """None if no agent has run on the folder yet."""
            self._hours: dict[str, list[tuple[int, int]]] = {}
            self._minutes: dict[str, dict[int, int]] = {}
            for equipment, hour_ms, good, last_ms, *minutes in db.execute("SELECT * FROM evidence"):
                self._hours.setdefault(equipment, []).append((good, last_ms))
                # A file that no agent of now has opened has none.
                self._minutes.setdefault(equipment, {})[hour_ms] = minutes[0] if minutes else 0
            self.states: dict[str, MachineState] = {
                equipment: MachineState(state)
                for equipment, state, _ in db.execute(
                    "SELECT equipment, state, max(start_ms) FROM intervals GROUP BY equipment"
                )
            }
            """The newest state of each equipment."""
        finally:
            db.close()

    def level(self, equipment: str, now_ms: int) -> LinkLevel:
        """`live` if readings came to the last; what the endpoint accepted is not on record."""
        last_ms = self.last_good_ms(equipment)
        limit_ms = self._stale_after_ms.get(equipment, 0)
        return (
            LinkLevel.LIVE if last_ms is not None and now_ms - last_ms <= limit_ms else LinkLevel.REGISTERED
        )

    def good_readings(self, equipment: str, from_ms: int) -> int:
        return sum(good for good, last_ms in self._hours.get(equipment, ()) if last_ms >= from_ms)

    def proved_minutes(self, equipment: str, planned: Minutes) -> int:
        """In how many of the planned minutes the equipment was provably delivering."""
        return count_common(self._minutes.get(equipment, {}), planned)

    def last_good_ms(self, equipment: str) -> int | None:
        return max((last_ms for _, last_ms in self._hours.get(equipment, ())), default=None)
