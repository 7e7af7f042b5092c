"""Totals of counters: what a counter that runs over or is set back has counted since it was first seen.

A total travels and not an increment, because it loses nothing when a message is repeated or missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge_agent.model.batch import Batch, Value
from edge_agent.model.options import EquipmentOptions, total_id
from edge_agent.model.quality import bad

Number = int | float

LIMIT = 2**53
"""Counters and totals end here: up to it every whole number is exact, also as a float and for receivers."""

NOT_A_COUNTER = bad("not_a_counter")
"""Of a total: its tag shows no number, or one out of all proportion."""

LAYOUTS_KEPT = 16
"""Of one equipment; a polled one has as many as it has periods."""

CounterRow = tuple[str, str, Number, Number]
"""equipment, tag, value, total"""


@dataclass(frozen=True, slots=True)
class Count:
    """The newest value of a counter, and what it has counted since it was first seen."""

    value: Number
    total: Number


def advanced(before: Count | None, value: Number, modulus: Number | None) -> tuple[Count, bool]:
    """The count after the counter showed `value`, and whether it was reset since `before`.

    A counter with a modulus may run over, and moves by less than half of it between two readings: what
    would be more is a reset. Without a modulus every step back is one. A counter that was reset has
    counted `value` since then; what it counted between the last reading and the reset nobody knows.
    """
    if before is None:
        return Count(value, 0), False
    step = value - before.value
    if modulus is not None:
        step %= modulus
    was_reset = step < 0 if modulus is None else 2 * step >= modulus
    if was_reset:
        step = max(value, 0)
    return Count(value, before.total + step), was_reset


class ToldReset(Protocol):
    def __call__(self, equipment: str, tag: str, before: Number, after: Number) -> None:
        """The counter `tag` was reset: it showed `before`, and now shows `after`."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """`tags` with the totals behind those of `source`, and at which index of `source` each counter stands."""

    source: Sequence[str]
    """Held, so that nothing else gets its identity."""
    tags: Sequence[str]
    counters: Sequence[tuple[int, str]]


@dataclass(slots=True)
class _Counted:
    """The counters of one equipment."""

    moduli: Mapping[str, Number | None]
    counts: dict[str, Count] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    layouts: dict[int, _Layout] = field(default_factory=dict)
    """By the identity of the tags, which polled batches bring as the same object each time."""

    def layout(self, tags: Sequence[str]) -> _Layout:
        known = self.layouts.get(id(tags))
        if known is not None:
            return known
        if len(self.layouts) >= LAYOUTS_KEPT:
            self.layouts.clear()
        counters = [(index, tag) for index, tag in enumerate(tags) if tag in self.moduli]
        layout = _Layout(tags, (*tags, *(total_id(tag) for _, tag in counters)), counters)
        self.layouts[id(tags)] = layout
        return layout


class Counters:
    """Adds to each batch the totals of the counters in it."""

    def __init__(
        self, equipment: Iterable[EquipmentOptions], known: Iterable[CounterRow], told_reset: ToldReset
    ) -> None:
        """`known` is what `take_changed` gave in former runs."""
        self._equipment: dict[str, _Counted] = {}
        self._told_reset = told_reset
        self.urgent = False
        """A counter was first seen or reset since the last `take_changed`: if that were forgotten, its
        total would decrease."""
        for one in equipment:
            moduli = {t.id: _whole(t.counter.modulus) for t in one.tags if t.counter is not None}
            if moduli:
                self._equipment[one.id] = _Counted(moduli)
        for name, tag, value, total in known:
            counted = self._equipment.get(name)
            if counted is not None and tag in counted.moduli:
                counted.counts[tag] = Count(value, total)

    def take_over(self, equipment: str, other: "Counters") -> None:
        """Go on with `equipment`, whose tags are the same, where `other` is with it."""
        if equipment in other._equipment:
            self._equipment[equipment] = other._equipment[equipment]

    def batch(self, batch: Batch) -> Batch:
        """`batch` with the total of each reading of a counter behind its own readings.

        A total has the times and the flaw of its reading. It is None if that is bad. Totals of batches
        with the same `tags` object have one `tags` object, too. A batch without counters is given back.
        """
        counted = self._equipment.get(batch.equipment)
        if counted is None:
            return batch
        layout = counted.layout(batch.tags)
        if not layout.counters:
            return batch
        values = list(batch.values)
        flaws = dict(batch.flaws)
        for index, tag in layout.counters:
            flaw = batch.flaws.get(index)
            total: Number | None = None
            if batch.usable(index):
                total = self._count(batch.equipment, tag, batch.values[index])
                if total is None:
                    flaw = NOT_A_COUNTER
            if flaw is not None:
                flaws[len(values)] = flaw
            values.append(total)
        source = batch.source_ms
        if source is not None:
            source = [*source, *(source[index] for index, _ in layout.counters)]
        return Batch(batch.equipment, batch.received_ms, layout.tags, values, flaws, source)

    def _count(self, equipment: str, tag: str, value: Value) -> Number | None:
        """The total after a reading; None if it is none of a counter."""
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LIMIT:
            return None
        counted = self._equipment[equipment]
        before = counted.counts.get(tag)
        count, was_reset = advanced(before, value, counted.moduli[tag])
        if count.total > LIMIT:
            return None
        if count != before:
            counted.counts[tag] = count
            counted.changed.add(tag)
        if before is None or was_reset:
            self.urgent = True
        if before is not None and was_reset:
            self._told_reset(equipment, tag, before.value, value)
        return count.total

    def take_changed(self) -> list[CounterRow]:
        """The counters that changed since the last call, to be kept."""
        rows: list[CounterRow] = []
        for name, counted in self._equipment.items():
            for tag in counted.changed:
                count = counted.counts[tag]
                rows.append((name, tag, count.value, count.total))
            counted.changed.clear()
        self.urgent = False
        return rows

    def not_kept(self, rows: Iterable[CounterRow]) -> None:
        """`rows` could not be kept; the next `take_changed` gives the same counters again."""
        for name, tag, _, _ in rows:
            self._equipment[name].changed.add(tag)


def _whole(modulus: float | None) -> Number | None:
    """An integer where it is one, so that totals of integers stay integers."""
    return int(modulus) if modulus is not None and modulus.is_integer() else modulus
