"""What a machine made within some windows of time, as the history has it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_agent.model.minutes import HOUR_MS, MINUTE_MS
from edge_agent.states.production import Counts, Quantity, SeenRow
from edge_agent.states.production_rows import KeptProduction
from edge_agent.states.reading import HistoryReader

Window = tuple[int, int]
"""[start, end) in ms"""


@dataclass(frozen=True, slots=True)
class Produced:
    """What was made within windows. None: nobody counts it, or the counter was not seen in all that time."""

    parts: int | None = None
    good: int | None = None
    """Below 0 if more were found bad than were made."""
    energy_wh: int | None = None
    spanning_parts: int = 0
    """Counted over a time in which the counter was not seen, and in which an edge of the windows lies. On
    which side of it they were made nobody knows; they are not in `parts`."""
    spanning_good: int = 0
    spanning_energy_wh: int = 0
    unseen_ms: int = 0
    """How much of the windows lies before a counter of pieces was first seen, or after it was last seen."""
    resets: int = 0
    """How often a counter was reset: what it counted between its last reading and that is in nothing here."""

    @property
    def energy_kwh(self) -> float | None:
        return None if self.energy_wh is None else self.energy_wh / 1000


@dataclass(frozen=True, slots=True)
class _Sum:
    n: int | None
    spanning: int
    unseen_ms: int


class ProductionRecord:
    """The production of machines, out of a history file.

    A minute counts for the window in which it begins. What spans counts where all of it lies in windows that
    follow each other without a gap.
    """

    def __init__(self, history: HistoryReader, limit_ms: int) -> None:
        """After a reading a counter is taken to be in sight for up to `limit_ms`."""
        self._history = history
        self._limit_ms = limit_ms

    def produced(self, equipment: str, windows: Sequence[Window]) -> Produced:
        """What `equipment` made within `windows`, which ascend and do not overlap. Without windows 0 of what
        is counted.

        Raises sqlite3.Error.
        """
        begin, end = (windows[0][0], windows[-1][1]) if windows else (0, 0)
        kept = self._history.production(equipment, begin, end)
        parts = self._sum(kept, Quantity.PARTS, windows)
        good = self._sum(kept, Quantity.GOOD, windows)
        energy = self._sum(kept, Quantity.ENERGY, windows)
        return Produced(
            parts=parts.n,
            good=good.n,
            energy_wh=energy.n,
            spanning_parts=parts.spanning,
            spanning_good=good.spanning,
            spanning_energy_wh=energy.spanning,
            unseen_ms=max(parts.unseen_ms, good.unseen_ms),
            resets=_in_minutes(kept, Quantity.RESETS, windows),
        )

    def _sum(self, kept: KeptProduction, quantity: Quantity, windows: Sequence[Window]) -> _Sum:
        sight = _in_sight(kept.seen, quantity, self._limit_ms)
        if sight is None:
            return _Sum(None, 0, 0)
        joined = _joined(windows)
        n, spanning = _in_minutes(kept, quantity, windows), 0
        divided: list[Window] = []
        for span in kept.spans:
            if span.quantity is not quantity:
                continue
            if any(start <= span.from_ms and span.to_ms <= end for start, end in joined):
                n += span.n
            elif any(start < span.to_ms and span.from_ms < end for start, end in joined):
                spanning += span.n
                divided.append((span.from_ms, span.to_ms))
        seen = _common(joined, [sight])
        hidden = _common(seen, _joined(sorted(divided)))
        none_seen = bool(windows) and _length(seen) == _length(hidden)
        unseen_ms = _length(joined) - _length(seen)
        return _Sum(None if none_seen and not n else n, spanning, unseen_ms)


def _in_sight(seen: Iterable[SeenRow], quantity: Quantity, limit_ms: int) -> Window | None:
    """From when until when `quantity` was counted, whether the counters were seen all that time or not."""
    ranges: dict[Counts, Window] = {}
    for _, counts, _, first_ms, seen_ms, _ in seen:
        before = ranges.get(counts, (first_ms, 0))
        ranges[counts] = (min(before[0], first_ms), max(before[1], seen_ms + limit_ms))
    if quantity is Quantity.GOOD and Counts.GOOD not in ranges:
        parts, rejects = ranges.get(Counts.PARTS), ranges.get(Counts.REJECTS)
        if parts is None or rejects is None:
            return None
        return max(parts[0], rejects[0]), min(parts[1], rejects[1])
    return ranges.get(Counts(quantity.value))


def _in_minutes(kept: KeptProduction, quantity: Quantity, windows: Sequence[Window]) -> int:
    total = 0
    for hour_ms, what, minutes in kept.hours:
        if what is not quantity:
            continue
        for start, end in windows:
            if start < hour_ms + HOUR_MS and hour_ms < end:
                first, last = (max(0, -(-(edge - hour_ms) // MINUTE_MS)) for edge in (start, end))
                total += sum(minutes[first:last])
    return total


def _joined(windows: Iterable[Window]) -> list[Window]:
    """The same time, in windows that do not touch; `windows` ascend."""
    found: list[Window] = []
    for start, end in windows:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif start < end:
            found.append((start, end))
    return found


def _common(one: Iterable[Window], other: Iterable[Window]) -> list[Window]:
    """The time that is in both; the windows of each ascend and do not touch."""
    others = list(other)
    both = [(max(a[0], b[0]), min(a[1], b[1])) for a in one for b in others]
    return [(start, end) for start, end in both if start < end]


def _length(windows: Iterable[Window]) -> int:
    return sum(end - start for start, end in windows)
