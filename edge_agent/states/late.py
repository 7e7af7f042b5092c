"""Late data: what a controller kept while nobody heard its machine tells afterwards what the machine did.

It fills time that was unknown because of the link, and nothing else. A state is believed from the source time
of the reading that brought it up to the next reading; to the end of the unknown time only if readings, of any
tag, go on to less than `stale_after` before it, and otherwise up to the last of them.

Source times are those of the controller's clock, which may be wrong. They count if the readings that come in
time show that it fits the agent's: the youngest of the newest ones was not more than a second ahead when it
arrived, and not older than a second and the period in which it may have waited to be fetched.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from edge_agent.model.batch import Batch, Value
from edge_agent.model.state import NOT_HEARD, MachineState, StateWithCause
from edge_agent.states.history import GATEWAY_DOWN, History
from edge_agent.states.rules import RuleSet
from edge_agent.states.tracker import Interval

CLOCK_MS = 1000
"""So far a controller's clock may be from the agent's."""
NEWEST = 20
"""So many batches show it."""
QUIET_MS = 2000
"""Batches that come late are taken together: until none has come for so long,"""
FLOWING_MS = 600_000
"""or until they have been coming for so long,"""
MOST_READINGS = 20_000
"""or until there are so many."""
MOST_WAITING = 4
"""So many interruptions of a machine may wait until its clock is known."""
REACH_MS = 7 * 86_400_000
"""Unknown time that was over so long before the newest reading is left as it is."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A reading of a tag that the rules need."""

    value: Value
    """None if it is bad."""
    follows: bool
    """No value of the tag is missing between the one before, by source time, and this one."""


@dataclass(frozen=True, slots=True)
class Late:
    """Readings of one equipment that came late, to be made into states in the history's thread."""

    equipment: str
    rules: RuleSet
    stale_after_ms: int
    readings: Mapping[int, Mapping[str, _Told]]
    """By source time and tag; without tags where only such were read that the rules do not need."""
    cut_off: frozenset[str]
    """Tags of which values are missing after the last one."""

    def fill(self, history: History) -> list[Interval]:
        """Fill unknown time with what the readings tell; returns what was filled. Raises sqlite3.Error."""
        times = sorted(self.readings)
        states = list(self._states(times))
        unheard = history.unheard(self.equipment, max(times[0], times[-1] - REACH_MS), times[-1] + 1)
        pieces = [piece for span in _spans(unheard) for piece in self._within(span, times, states)]
        return history.amend(self.equipment, pieces)

    def _states(self, times: Sequence[int]) -> Iterator[tuple[int, StateWithCause]]:
        """From when on which state follows from the readings."""
        holding = self._holding(times)
        values: dict[str, Value] = {}
        before: StateWithCause | None = None
        for time in times:
            for tag in self.readings[time]:
                value = holding[time, tag]
                if value is None:
                    values.pop(tag, None)
                else:
                    values[tag] = value
            state = self.rules.decide(values)
            if state != before:
                yield time, state
            before = state

    def _holding(self, times: Sequence[int]) -> dict[tuple[int, str], Value]:
        """The value of each reading; None if it is bad, or if there is one missing before the next."""
        found: dict[tuple[int, str], Value] = {}
        newest: dict[str, tuple[int, str]] = {}
        for time in times:
            for tag, told in self.readings[time].items():
                if not told.follows and tag in newest:
                    found[newest[tag]] = None
                newest[tag] = time, tag
                found[time, tag] = told.value
        for tag in self.cut_off & newest.keys():
            found[newest[tag]] = None
        return found

    def _within(
        self, span: "_Span", times: Sequence[int], states: Sequence[tuple[int, StateWithCause]]
    ) -> Iterator[Interval]:
        """What `states` say of the time in which the machine was not heard."""
        from_ms, to_ms = span.from_ms, span.to_ms
        count = bisect_left(times, to_ms)
        if count == 0:
            return
        heard_ms = times[count - 1]
        if span.asked_anew:
            first = bisect_left(times, from_ms)
            from_ms = times[first] if first < count else to_ms
        believed_ms = to_ms if to_ms - heard_ms <= self.stale_after_ms else heard_ms
        for (start_ms, state), (end_ms, _) in pairwise([*states, (believed_ms, None)]):
            begin_ms, finish_ms = max(start_ms, from_ms), min(end_ms, believed_ms)
            if begin_ms < finish_ms and state is not None and state.state is not MachineState.UNKNOWN:
                yield Interval(self.equipment, begin_ms, finish_ms, state)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Readings of an equipment came late, and were not used because its clock does not fit."""

    equipment: str
    offset_ms: int
    """Source time minus received time of the youngest reading that came in time."""


@dataclass(slots=True)
class _Machine:
    equipment: str
    rules: RuleSet
    stale_after_ms: int
    period_ms: int
    unheard_until_ms: int | None = None
    """The end of the newest time in which it was not heard."""
    newest_ms: int = 0
    """The greatest source time."""
    offset_ms: int = 0
    """Source time of the youngest reading minus received time, of the newest batch."""
    offsets: deque[int] = field(default_factory=lambda: deque(maxlen=NEWEST))
    """The same of the newest batches that came in time."""
    readings: dict[int, dict[str, _Told]] = field(default_factory=dict)
    cut_off: set[str] = field(default_factory=set)
    news_ms: tuple[int, int] | None = None
    """When the first and the newest of the readings came that are not in `complete` yet."""
    complete: deque[Late] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    refused: bool = False
    """And that was told."""

    def take(self, batch: Batch, source_ms: Sequence[int | None], until_ms: int) -> bool:
        """Take the readings of before `until_ms`; returns whether there were any that were not known."""
        newest_ms = max(self.readings, default=0)
        news = False
        for index, (tag, time) in enumerate(zip(batch.tags, source_ms, strict=True)):
            if time is None:
                # Nobody knows when it was: after the reading before it, and before the one that follows.
                self.cut_off.add(tag)
            elif time < until_ms:
                usable = batch.usable(index) and batch.values[index] is not None
                if tag in self.rules.tags:
                    # Uncertain may mean that a queue ran over before this one.
                    sure = not usable or index not in batch.flaws
                    told = _Told(batch.values[index] if usable else None, sure and tag not in self.cut_off)
                    self.cut_off.discard(tag)
                    of_time = self.readings.setdefault(time, {})
                    news |= tag not in of_time
                    of_time[tag] = told
                elif usable:
                    self.readings.setdefault(time, {})
                    news |= time > newest_ms
        return news

    def completed(self) -> None:
        """What was collected is complete; of it the newest is kept, as more may follow on it."""
        if self.news_ms is not None:
            readings = {time: dict(told) for time, told in self.readings.items()}
            self.complete.append(
                Late(self.equipment, self.rules, self.stale_after_ms, readings, frozenset(self.cut_off))
            )
        self.news_ms = None
        newest = {tag: time for time in sorted(self.readings) for tag in self.readings[time]}
        last = max(self.readings, default=0)
        for time, of_time in list(self.readings.items()):
            self.readings[time] = {tag: told for tag, told in of_time.items() if newest[tag] == time}
            if not self.readings[time] and time != last:
                del self.readings[time]


class LateReadings:
    """Collects what comes late, by equipment."""

    def __init__(self) -> None:
        self._machines: dict[str, _Machine] = {}

    def add(self, equipment: str, rules: RuleSet, stale_after_ms: int, period_ms: int) -> None:
        """`period_ms`: that of the tags that are read most often."""
        self._machines[equipment] = _Machine(equipment, rules, stale_after_ms, period_ms)

    def take_over(self, equipment: str, other: "LateReadings") -> None:
        """Go on with `equipment` where `other` is with it."""
        if equipment in other._machines:
            self._machines[equipment] = other._machines[equipment]

    def ended(self, interval: Interval) -> None:
        """An interval of the live states is over."""
        machine = self._machines.get(interval.equipment)
        if machine is not None and interval.state in NOT_HEARD:
            # What was read since the time before this one is not known here, so nothing follows on it.
            machine.completed()
            machine.readings.clear()
            machine.cut_off.clear()
            machine.unheard_until_ms = interval.end_ms

    def batch(self, batch: Batch) -> None:
        """Take a batch, after it has ended what it ends."""
        machine = self._machines[batch.equipment]
        times = [time for time in batch.source_ms or () if time is not None]
        until_ms = machine.unheard_until_ms
        if batch.source_ms is None or not times:
            return
        newest_ms = max(times)
        machine.offset_ms = offset_ms = newest_ms - batch.received_ms
        if newest_ms > machine.newest_ms:
            machine.newest_ms = newest_ms
            if until_ms is None or newest_ms >= until_ms:
                machine.offsets.append(offset_ms)
        if until_ms is None or min(times) >= until_ms or offset_ms > CLOCK_MS:
            return
        if machine.take(batch, batch.source_ms, until_ms):
            first_ms = machine.news_ms[0] if machine.news_ms is not None else batch.received_ms
            machine.news_ms = first_ms, batch.received_ms

    def due(self, now_ms: int) -> list[Late | Refusal]:
        """What is complete, again and again until it is `done`; a refusal once, until the clock fits."""
        found: list[Late | Refusal] = []
        for machine in self._machines.values():
            flowing = False
            if machine.news_ms is not None:
                first_ms, last_ms = machine.news_ms
                quiet = now_ms - last_ms >= QUIET_MS
                many = now_ms - first_ms >= FLOWING_MS or len(machine.readings) >= MOST_READINGS
                flowing = many and not quiet
                if quiet or many:
                    machine.completed()
            if not machine.complete or not (machine.offsets or flowing):
                continue  # without a reading that came in time nobody knows how the clock goes
            offset_ms = max(machine.offsets, default=machine.offset_ms)
            if -(CLOCK_MS + machine.period_ms) <= offset_ms <= CLOCK_MS:
                machine.refused = False
                found += machine.complete
            else:
                machine.complete.clear()
                if not machine.refused:
                    found.append(Refusal(machine.equipment, offset_ms))
                machine.refused = True
        return found

    def done(self, late: Late) -> None:
        self._machines[late.equipment].complete.remove(late)


@dataclass(frozen=True, slots=True)
class _Span:
    """A time in which the machine was not heard."""

    from_ms: int
    to_ms: int
    asked_anew: bool
    """It begins with an outage of the gateway: nobody had asked a server to keep anything, and the newest
    values are asked for anew. That one of before the outage is among them does not prove that it held."""


def _spans(intervals: Sequence[Interval]) -> list[_Span]:
    """The time of intervals that have ended; those that follow each other are one, up to an outage."""
    found: list[_Span] = []
    for interval in intervals:
        if interval.end_ms is None:
            continue
        down = interval.state == GATEWAY_DOWN
        if found and found[-1].to_ms == interval.start_ms and not down:
            found[-1] = replace(found[-1], to_ms=interval.end_ms)
        else:
            found.append(_Span(interval.start_ms, interval.end_ms, down))
    return found
