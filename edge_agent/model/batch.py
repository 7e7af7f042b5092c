"""The unit that travels: the readings of one equipment taken together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.model.quality import Quality, QualityLevel

Scalar = bool | int | float | str | None
Value = Scalar | list[Scalar]
"""An array is a flat list; its shape is the tag's business."""

NO_FLAWS: Mapping[int, Quality] = {}


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings of one equipment, column by column.

    `tags[i]`, `values[i]` and, where the controller gave it, `source_ms[i]` belong together. A tag may
    stand in a batch more than once, oldest first, when the controller queued several values of it.
    A batch without readings is a sign of life: the controller confirmed that nothing changed.

    `flaws` names the quality of each reading that is not good, by its index; a bad reading's value is
    None unless the controller gave one. Floats that are NaN or infinite never travel: they are None and
    bad. Times are epoch milliseconds, UTC: `received_ms` from `clock.CLOCK` at the answer's arrival,
    `source_ms` as the controller said, None where it said nothing.
    """

    equipment: str
    received_ms: int
    tags: Sequence[str]
    values: Sequence[Value]
    flaws: Mapping[int, Quality] = field(default_factory=lambda: NO_FLAWS)
    source_ms: Sequence[int | None] | None = None

    def good_count(self) -> int:
        """How many readings are good."""
        return len(self.tags) - len(self.flaws)

    def usable(self, index: int) -> bool:
        """Whether reading `index` may be used to derive something: not bad."""
        flaw = self.flaws.get(index)
        return flaw is None or flaw.level is not QualityLevel.BAD
