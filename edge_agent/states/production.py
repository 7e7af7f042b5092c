"""What machines make, minute by minute, out of the totals of their counters."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.model.batch import Batch
from edge_agent.model.minutes import MINUTE_MS
from edge_agent.model.options import WATT_HOURS, EquipmentOptions, total_id
from edge_agent.states.counters import Number

FLOAT_ERROR = 1e-6
"""Of a piece or a Wh: a total of floats that is less than a whole one by this is taken for it."""


class Quantity(StrEnum):
    """What is kept of a machine's production: whole numbers."""

    PARTS = "parts"
    GOOD = "good"
    """Below 0 where more pieces were found bad than were made."""
    ENERGY = "energy"
    """In Wh."""
    RESETS = "resets"
    """How often one of the counters was reset. What it counted between its last reading and that, nobody
    knows."""


class Counts(StrEnum):
    """What a counter counts."""

    PARTS = "parts"
    GOOD = "good"
    REJECTS = "rejects"
    ENERGY = "energy"


SeenRow = tuple[str, Counts, str, int, int, Number]
"""equipment, what the counter counts, its tag, first_ms, seen_ms, total: when it was seen first and last, and
its total then"""

MinuteRow = tuple[str, int, Quantity, int]
"""equipment, minute_ms, quantity, how much of it came in that minute"""

SpanRow = tuple[str, int, int, Quantity, int]
"""equipment, from_ms, to_ms, quantity, how much of it came in that time, in which the counter was not seen"""


@dataclass(frozen=True, slots=True)
class ProductionChanges:
    """What has to be kept: of minutes and spans what is to be added to what was kept before."""

    seen: Sequence[SeenRow] = ()
    minutes: Sequence[MinuteRow] = ()
    spans: Sequence[SpanRow] = ()


@dataclass(frozen=True, slots=True)
class CountedTag:
    """One counter. Its total times `factor` is in pieces or Wh."""

    counts: Counts
    tag: str
    factor: int = 1


@dataclass(frozen=True, slots=True)
class Counting:
    """How the production of one equipment is counted."""

    tags: tuple[CountedTag, ...]
    limit_ms: int
    """Readings no further apart than this have the counter in sight between them."""
    tells_changes: bool = False
    """Its batches have only what changed: a counter that is not in one stands where it stood."""
    cycle_time_ms: int | None = None
    """Planned run time per piece."""

    @classmethod
    def of(cls, equipment: EquipmentOptions, limit_ms: int, *, tells_changes: bool) -> "Counting | None":
        """As it is configured; None if nothing is."""
        production = equipment.production
        if production is None:
            return None
        units = {tag.id: tag.unit for tag in equipment.tags}
        tags = {
            Counts.PARTS: production.parts,
            Counts.GOOD: production.good,
            Counts.REJECTS: production.rejects,
            Counts.ENERGY: production.energy,
        }
        return cls(
            tuple(
                CountedTag(counts, tag, WATT_HOURS[units[tag]] if counts is Counts.ENERGY else 1)
                for counts, tag in tags.items()
                if tag is not None
            ),
            limit_ms,
            tells_changes,
            None if production.cycle_time is None else round(1000 * production.cycle_time),
        )

    def counts(self, quantity: Quantity) -> bool:
        """Whether `quantity` is counted."""
        there = {tag.counts for tag in self.tags}
        return quantity.value in there or (quantity is Quantity.GOOD and Counts.REJECTS in there)


@dataclass(slots=True)
class _Counter:
    of: CountedTag
    adds: tuple[tuple[Quantity, int], ...]
    """What is added to for each piece that it counts, and with which sign."""
    first_ms: int = 0
    seen_ms: int = 0
    total: Number | None = None
    """None before it was first seen."""
    in_sight: bool = False
    """Nothing has been missed since it was last seen."""
    was_reset: bool = False
    changed: bool = False

    def whole(self, total: Number) -> int:
        """Pieces or Wh that are complete; what is left of one is counted when it is whole."""
        return math.floor(total * self.of.factor + FLOAT_ERROR)


@dataclass(slots=True)
class _Machine:
    counting: Counting
    counters: tuple[_Counter, ...]
    heard_ms: int | None = None
    layout: Sequence[str] = ()
    """The tags of the newest batch; polled batches bring the same object each time."""
    places: Sequence[tuple[_Counter, int]] = ()
    """Which totals stand where in `layout`."""

    def lose_sight(self) -> None:
        for counter in self.counters:
            counter.in_sight = False

    def place(self, tags: Sequence[str]) -> None:
        # The last of several readings of a tag is the current one.
        at = {name: index for index, name in enumerate(tags)}
        totals = [(counter, at.get(total_id(counter.of.tag))) for counter in self.counters]
        self.layout = tags
        self.places = [(counter, index) for counter, index in totals if index is not None]


@dataclass(slots=True)
class _Gathered:
    """What has come since it was last taken."""

    minutes: dict[tuple[str, int, Quantity], int] = field(default_factory=dict)
    spans: dict[tuple[str, int, int, Quantity], int] = field(default_factory=dict)

    def add(self, minutes: Iterable[MinuteRow], spans: Iterable[SpanRow]) -> None:
        for equipment, minute_ms, quantity, n in minutes:
            key = (equipment, minute_ms, quantity)
            self.minutes[key] = self.minutes.get(key, 0) + n
        for equipment, from_ms, to_ms, quantity, n in spans:
            span = (equipment, from_ms, to_ms, quantity)
            self.spans[span] = self.spans.get(span, 0) + n


class ProductionTally:
    """Takes what counters counted from their totals, and says when that was.

    What a counter counted between two readings of it that are no further apart than the limit came in the
    minute of the later one. What it counted while it was not seen (the link was lost, the agent did not run)
    came at some time in between: that is a span, which is never divided.
    """

    def __init__(self, counting: Mapping[str, Counting], known: Iterable[SeenRow]) -> None:
        """`counting` by equipment; `known` is what was kept in former runs."""
        self._machines = {name: _machine(one) for name, one in counting.items()}
        self._gathered = _Gathered()
        for name, counts, tag, first_ms, seen_ms, total in known:
            for counter in self._counters(name, tag):
                if counter.of.counts == counts:
                    counter.first_ms, counter.seen_ms, counter.total = first_ms, seen_ms, total

    def take_over(self, equipment: Iterable[str], other: "ProductionTally") -> None:
        """Go on with `equipment`, counted as before, where `other` is with it, and with what it gathered."""
        self._machines |= {name: other._machines[name] for name in equipment if name in other._machines}
        self._gathered = other._gathered

    def batch(self, batch: Batch) -> None:
        """Take a batch in which totals stand behind the readings of counters."""
        machine = self._machines.get(batch.equipment)
        if machine is None:
            return
        now_ms, limit_ms = batch.received_ms, machine.counting.limit_ms
        if machine.heard_ms is not None and not 0 <= now_ms - machine.heard_ms <= limit_ms:
            machine.lose_sight()
        machine.heard_ms = now_ms
        if batch.tags is not machine.layout:
            machine.place(batch.tags)
        for counter, index in machine.places:
            total = batch.values[index] if batch.usable(index) else None
            if isinstance(total, int | float):
                self._shown(batch.equipment, machine, counter, total, now_ms)
            else:
                counter.in_sight = False
        if machine.counting.tells_changes or not batch.tags:
            for counter in machine.counters:
                if counter.in_sight:
                    counter.seen_ms, counter.changed = now_ms, True

    def _shown(
        self, equipment: str, machine: _Machine, counter: _Counter, total: Number, now_ms: int
    ) -> None:
        minute_ms, seen_ms = now_ms // MINUTE_MS * MINUTE_MS, counter.seen_ms
        minutes: list[MinuteRow] = []
        spans: list[SpanRow] = []
        if counter.total is None:
            counter.first_ms = now_ms
        elif n := counter.whole(total) - counter.whole(counter.total):
            if 0 <= now_ms - seen_ms <= machine.counting.limit_ms:
                minutes = [(equipment, minute_ms, what, sign * n) for what, sign in counter.adds]
            else:
                from_ms, to_ms = sorted((seen_ms, now_ms))  # after the clock was set back, now is before
                spans = [(equipment, from_ms, to_ms, what, sign * n) for what, sign in counter.adds]
        if counter.was_reset:
            minutes.append((equipment, minute_ms, Quantity.RESETS, 1))
        self._gathered.add(minutes, spans)
        counter.seen_ms, counter.total = now_ms, total
        counter.in_sight, counter.was_reset, counter.changed = True, False, True

    def reset(self, equipment: str, tag: str) -> None:
        """The counter `tag` was reset, as the next batch shows."""
        for counter in self._counters(equipment, tag):
            counter.was_reset = True

    def lost(self, equipment: Iterable[str]) -> None:
        """The equipment cannot be heard."""
        for name in equipment:
            if name in self._machines:
                self._machines[name].lose_sight()

    def _counters(self, equipment: str, tag: str) -> list[_Counter]:
        machine = self._machines.get(equipment)
        return [] if machine is None else [one for one in machine.counters if one.of.tag == tag]

    def take_changed(self) -> ProductionChanges:
        """What has come since the last call, to be kept together with the counters."""
        seen: list[SeenRow] = []
        for name, machine in self._machines.items():
            for counter in machine.counters:
                if counter.changed and counter.total is not None:
                    of, counter.changed = counter.of, False
                    seen.append((name, of.counts, of.tag, counter.first_ms, counter.seen_ms, counter.total))
        gathered, self._gathered = self._gathered, _Gathered()
        return ProductionChanges(
            seen,
            [(*key, n) for key, n in gathered.minutes.items()],
            [(*key, n) for key, n in gathered.spans.items()],
        )

    def not_kept(self, changes: ProductionChanges) -> None:
        """`changes` could not be kept; the next `take_changed` gives them again, with what came meanwhile."""
        self._gathered.add(changes.minutes, changes.spans)
        for name, counts, tag, *_ in changes.seen:
            for counter in self._counters(name, tag):
                counter.changed |= counter.of.counts == counts


def _machine(counting: Counting) -> _Machine:
    less_rejects = any(tag.counts is Counts.REJECTS for tag in counting.tags)
    adds: Mapping[Counts, tuple[tuple[Quantity, int], ...]] = {
        Counts.PARTS: ((Quantity.PARTS, 1), (Quantity.GOOD, 1)) if less_rejects else ((Quantity.PARTS, 1),),
        Counts.GOOD: ((Quantity.GOOD, 1),),
        Counts.REJECTS: ((Quantity.GOOD, -1),),
        Counts.ENERGY: ((Quantity.ENERGY, 1),),
    }
    return _Machine(counting, tuple(_Counter(tag, adds[tag.counts]) for tag in counting.tags))
