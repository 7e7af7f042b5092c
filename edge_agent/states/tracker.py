"""What each equipment does now, since when, and the intervals that are over."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.model.batch import Batch, Value
from edge_agent.model.options import StateRule
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.rules import RuleSet


@dataclass(frozen=True, slots=True)
class Interval:
    """`state` of one equipment from `start_ms` up to, not including, `end_ms` (None: still so)."""

    equipment: str
    start_ms: int
    end_ms: int | None
    state: StateWithCause


@dataclass(slots=True)
class _Machine:
    rules: RuleSet
    stale_after_ms: int
    now: StateWithCause
    since_ms: int
    values: dict[str, Value] = field(default_factory=dict)
    decided: StateWithCause | None = None
    """What the rules said of `values`; None when that has to be asked anew."""
    heard_ms: int | None = None
    layout: Sequence[str] = ()
    """The tags of the newest batch; polled batches bring the same object each time."""
    places: list[tuple[str, int]] = field(default_factory=list)
    """Which tags that the rules need stand where in `layout`."""


@dataclass(frozen=True, slots=True)
class Current:
    state: StateWithCause
    since_ms: int
    heard_ms: int | None
    """When its newest batch arrived; None before the first."""


class StateTracker:
    """States of all registered equipment.

    Intervals of one equipment follow each other without gap or overlap, in the time of the agent's
    steady clock. `changed` is told of each change, with the interval that ended and the new one.
    """

    def __init__(self, changed: Callable[[Interval, Interval], None]) -> None:
        self._machines: dict[str, _Machine] = {}
        self._changed = changed

    def add(
        self,
        equipment: str,
        rules: Sequence[StateRule],
        stale_after_ms: int,
        initial: StateWithCause,
        since_ms: int,
    ) -> None:
        """Track `equipment`, which is `initial` since `since_ms`."""
        self._machines[equipment] = _Machine(RuleSet(rules), stale_after_ms, initial, since_ms)

    def take_over(self, equipment: str, other: "StateTracker") -> None:
        """Go on with `equipment` where `other` is with it."""
        self._machines[equipment] = other._machines[equipment]

    def rules(self, equipment: str) -> RuleSet:
        return self._machines[equipment].rules

    def current(self, equipment: str) -> Current:
        machine = self._machines[equipment]
        return Current(machine.now, machine.since_ms, machine.heard_ms)

    def open_intervals(self) -> list[Interval]:
        return [Interval(name, m.since_ms, None, m.now) for name, m in self._machines.items()]

    def batch(self, batch: Batch) -> None:
        """Take a batch; a sign of life brings back what was last decided."""
        machine = self._machines[batch.equipment]
        machine.heard_ms = batch.received_ms
        if batch.tags and self._take(machine, batch):
            machine.decided = None
        if machine.decided is None:
            machine.decided = machine.rules.decide(machine.values)
        self._set(batch.equipment, machine.decided, batch.received_ms)

    def _take(self, machine: _Machine, batch: Batch) -> bool:
        """Whether a value that the rules need is now another one."""
        if batch.tags is not machine.layout:
            # The last of several values of a tag is the current one.
            at = {name: index for index, name in enumerate(batch.tags)}
            machine.layout = batch.tags
            machine.places = [(name, at[name]) for name in machine.rules.tags if name in at]
        changed = False
        for name, index in machine.places:
            value = batch.values[index] if batch.usable(index) else None
            if value is None:
                changed |= machine.values.pop(name, None) is not None
            elif machine.values.get(name) != value:
                machine.values[name] = value
                changed = True
        return changed

    def lost(self, equipment: Iterable[str], cause: UnknownCause, time_ms: int) -> None:
        """The equipment cannot be heard; what it said before says nothing about now."""
        for name in equipment:
            machine = self._machines[name]
            machine.values.clear()
            machine.decided = None
            self._set(name, unknown(cause), time_ms)

    def check_stale(self, time_ms: int) -> None:
        """Equipment that has been silent for too long is unknown."""
        for name, machine in self._machines.items():
            if (
                machine.heard_ms is not None
                and machine.now.state is not MachineState.UNKNOWN
                and time_ms - machine.heard_ms > machine.stale_after_ms
            ):
                self._set(name, unknown(UnknownCause.STALE), time_ms)

    def clock_stepped(self, from_ms: int, to_ms: int) -> None:
        """The clock was set forward: nobody lived through the time between."""
        for name, machine in self._machines.items():
            before = machine.now
            self._set(name, unknown(UnknownCause.CLOCK_STEP), from_ms)
            self._set(name, before, to_ms)

    def _set(self, equipment: str, state: StateWithCause, time_ms: int) -> None:
        machine = self._machines[equipment]
        if state == machine.now:
            return
        time_ms = max(time_ms, machine.since_ms)
        ended = Interval(equipment, machine.since_ms, time_ms, machine.now)
        machine.now, machine.since_ms = state, time_ms
        self._changed(ended, Interval(equipment, time_ms, None, state))


def totals_ms(intervals: Iterable[Interval], from_ms: int, to_ms: int) -> Mapping[StateWithCause, int]:
    """Time in each state within [from_ms, to_ms), in milliseconds; open intervals last until `to_ms`."""
    totals: dict[StateWithCause, int] = {}
    for interval in intervals:
        end = to_ms if interval.end_ms is None else min(interval.end_ms, to_ms)
        duration = end - max(interval.start_ms, from_ms)
        if duration > 0:
            totals[interval.state] = totals.get(interval.state, 0) + duration
    return totals
