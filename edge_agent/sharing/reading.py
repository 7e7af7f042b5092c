"""What a data folder has on record of shared machines: read only, also while an agent runs on it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_agent.indicators.kept import open_read_only
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.equipment import Register
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.sharing.holds import Hold
from edge_agent.sharing.recording import SessionStore
from edge_agent.states.tracker import Interval

_INTERVALS_OF = """
SELECT start_ms, end_ms, state, cause FROM intervals
WHERE equipment = :equipment AND start_ms < :to_ms AND start_ms >= coalesce(
    (SELECT max(start_ms) FROM intervals WHERE equipment = :equipment AND start_ms <= :from_ms), :from_ms)
ORDER BY start_ms
"""


class KeptRecords:
    """The records of one history file. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._db = open_read_only(path)
        self._versions = RegisterVersions(path, read_only=True)
        self._sessions = SessionStore(path, read_only=True)
        row = self._db.execute("SELECT time_ms FROM alive").fetchone()
        self.as_of_ms: int | None = row[0] if row is not None else None
        """When the agent was last known to be alive; None if none has run yet. Later nothing is known."""

    def registers(self) -> Sequence[tuple[int, Register]]:
        found = [(from_ms, self._versions.at(from_ms)) for from_ms, _ in self._versions.in_force()]
        return [(from_ms, register) for from_ms, register in found if register is not None]

    def recorded(self, equipment: str, from_ms: int, to_ms: int) -> Sequence[Hold]:
        return self._sessions.of(equipment, from_ms, to_ms)

    def intervals_of(self, equipment: str, from_ms: int, to_ms: int) -> Iterable[Interval]:
        rows = self._db.execute(_INTERVALS_OF, {"equipment": equipment, "from_ms": from_ms, "to_ms": to_ms})
        for start, end, state, cause in rows:
            yield Interval(equipment, start, end, StateWithCause(MachineState(state), cause))

    def close(self) -> None:
        self._db.close()
        self._versions.close()
        self._sessions.close()
