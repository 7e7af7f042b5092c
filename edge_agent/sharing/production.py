"""What a machine made within some windows of time: asked of whoever counts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_agent.config.site import Site, counting
from edge_agent.states.produced import ProductionRecord
from edge_agent.states.production import Counting
from edge_agent.states.reading import HistoryReader


class Produced(Protocol):
    """What was made within windows. None: nobody counts it, or the counter was not seen in all that time."""

    @property
    def parts(self) -> int | None: ...

    @property
    def good(self) -> int | None:
        """Below 0 if some were found bad after the windows that they were made in."""

    @property
    def energy_kwh(self) -> float | None: ...

    @property
    def spanning_parts(self) -> int:
        """Counted over a time in which the counter was not seen, and in which an edge of the windows lies. On
        which side of it they were made nobody knows; they are not in `parts`.
        """

    @property
    def spanning_energy_wh(self) -> int:
        """The same of the energy, in Wh."""


class Production(Protocol):
    def produced(self, equipment: str, windows: Sequence[tuple[int, int]]) -> Produced:
        """What `equipment` made within `windows`: [start, end) in ms, ascending, not overlapping. Without
        windows 0 of what is counted.
        """


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts that are at hand."""

    parts: int | None = None
    good: int | None = None
    energy_kwh: float | None = None
    spanning_parts: int = 0
    spanning_energy_wh: int = 0


class KeptProduction:
    """What the agent's history has of it. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path, counting: Mapping[str, Counting]) -> None:
        self._path = path
        self._counting = counting

    def produced(self, equipment: str, windows: Sequence[tuple[int, int]]) -> Produced:
        if equipment not in self._counting:
            return Counts()
        history = HistoryReader.look(self._path)
        try:
            record = ProductionRecord(history, self._counting[equipment].limit_ms)
            return record.produced(equipment, windows)
        finally:
            history.close()


def production_of(site: Site) -> Production:
    """What counts the pieces and the energy of a site's machines."""
    return KeptProduction(site.data_dir / "history.db", counting(site))
