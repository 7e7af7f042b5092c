"""What a machine made within some windows of time: asked of whoever counts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Produced:
    """What was made within windows. None: nothing counts that on this machine."""

    parts: int | None = None
    good: int | None = None
    energy_kwh: float | None = None
    spanning_parts: int = 0
    """Pieces that were counted over a time part of which lies outside, or in which the machine was not
    heard. When they were made nobody knows; they are not in `parts`."""


class Production(Protocol):
    def produced(self, equipment: str, windows: Sequence[tuple[int, int]]) -> Produced:
        """What `equipment` made within `windows`: [start, end) in ms, ascending, not overlapping; none at
        all if there are none, where it is counted."""


class NothingCounted:
    """A `Production` for a site on which nobody counts."""

    def produced(self, equipment: str, windows: Sequence[tuple[int, int]]) -> Produced:  # noqa: ARG002 - as above
        return Produced()
