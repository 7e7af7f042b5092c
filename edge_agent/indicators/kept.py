"""Evidence as the history file has it: read only, for figures that are worked out beside the agent."""

from collections.abc import Mapping
from pathlib import Path

from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState
from edge_agent.states.history_file import open_read_only


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
            for equipment, good, last_ms in db.execute(
                "SELECT equipment, good_readings, last_good_ms FROM evidence"
            ):
                self._hours.setdefault(equipment, []).append((good, last_ms))
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

    def last_good_ms(self, equipment: str) -> int | None:
        return max((last_ms for _, last_ms in self._hours.get(equipment, ())), default=None)
