"""What a data folder has on record of shared machines: read only, also while an agent runs on it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.equipment import Register
from edge_agent.sharing.holds import Hold
from edge_agent.sharing.recording import SessionStore
from edge_agent.states.reading import HistoryReader
from edge_agent.states.tracker import Interval


class KeptRecords:
    """The records of one history file. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._history = HistoryReader.look(path)
        self._versions = RegisterVersions(path, read_only=True)
        self._sessions = SessionStore(path, read_only=True)
        self.as_of_ms = self._history.alive_ms()
        """When the agent was last known to be alive; None if none has run yet. Later nothing is known."""

    def registers(self) -> Sequence[tuple[int, Register]]:
        found = [(from_ms, self._versions.at(from_ms)) for from_ms, _ in self._versions.in_force()]
        return [(from_ms, register) for from_ms, register in found if register is not None]

    def recorded(self, equipment: str, from_ms: int, to_ms: int) -> Sequence[Hold]:
        return self._sessions.of(equipment, from_ms, to_ms)

    def intervals_of(self, equipment: str, from_ms: int, to_ms: int) -> Iterable[Interval]:
        return self._history.intervals_of(equipment, from_ms, to_ms)

    def close(self) -> None:
        self._history.close()
        self._versions.close()
        self._sessions.close()
