"""What a machine made within some windows of time: asked of whoever counts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_agent.config.site import Site


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


class NothingCounted:
    """A `Production` for a site on which nobody counts."""

    def produced(self, equipment: str, windows: Sequence[tuple[int, int]]) -> Produced:  # noqa: ARG002 - as above
        return Counts()


def production_of(site: Site) -> Production:  # noqa: ARG001 - nothing is counted yet
    """What counts the pieces and the energy of a site's machines."""
    return NothingCounted()
