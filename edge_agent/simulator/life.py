"""The life of a simulated machine: a pure function of the seed, the machine and the tick.

Nothing is remembered between two calls except what could be worked out again, so a simulator that was
killed goes on with the same history, and a test can tell from the tick alone what every tag must have been.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from random import Random

SHIFT_TICKS = 18_000
"""A shift: an hour of 200 ms ticks. Each begins anew, parts counters too, so any tick is found at once."""

DEFAULT_SEED = 134
"""With it every state is seen, and nearly every machine finishes a part, in the first 20 s."""

Value = bool | int | float | str
Ticks = tuple[int, int]
"""Shortest and longest duration."""


class Doing(Enum):
    """What a machine is busy with. Each kind of machine tells it in codes of its own."""

    RUN = auto()
    IDLE = auto()
    WAIT = auto()
    """A part is done and the operator who should change it is late."""
    SETUP = auto()
    ALARM = auto()
    OFF = auto()
    """Switched off at the main switch; what reports it has a supply of its own."""


AFTER_A_BATCH = ((Doing.IDLE, 3), (Doing.WAIT, 2), (Doing.SETUP, 2), (Doing.ALARM, 2), (Doing.OFF, 1))


@dataclass(frozen=True, slots=True)
class Habits:
    """How a kind of machine spends its time: durations in ticks, `batch` in parts."""

    cycle: Ticks
    batch: Ticks
    idle: Ticks = (8, 30)
    wait: Ticks = (15, 60)
    setup: Ticks = (20, 60)
    alarm: Ticks = (15, 50)
    off: Ticks = (40, 150)
    alarms: tuple[int, ...] = (1,)
    after: tuple[tuple[Doing, int], ...] = AFTER_A_BATCH
    """What follows a batch, with its weight."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of doing one thing, from tick `start` of its shift."""

    start: int
    doing: Doing
    cycle: int
    """Ticks per part."""
    parts: int
    """Counted before the phase."""
    alarm: int
    """The alarm's code; 0 without one."""
    number: int
    """A random number that gives the phase its own loads and speeds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What there is to know about a machine at one tick."""

    tick: int
    doing: Doing
    parts: int
    """Finished this shift."""
    progress: float
    """Of the cycle, 0 to 1; 0 when not running."""
    alarm: int
    number: int

    def jitter(self, steps: int) -> int:
        """A number from 0 to `steps` - 1 that looks random and changes from tick to tick."""
        return ((self.tick * 0x9E3779B1 ^ self.number) >> 7) % steps


@dataclass(frozen=True, slots=True)
class Machine:
    """`show` turns a moment into the values of the machine's tags, in their units (after scaling)."""

    id: str
    habits: Habits
    show: Callable[[Moment], Mapping[str, Value]]


def moment(machine: Machine, tick: int, seed: int = DEFAULT_SEED) -> Moment:
    """What the machine does at `tick`, which is not negative."""
    shift, tick_of_shift = divmod(tick, SHIFT_TICKS)
    starts, phases = _phases(machine.id, machine.habits, seed, shift)
    phase = phases[bisect_right(starts, tick_of_shift) - 1]
    if phase.doing is not Doing.RUN:
        return Moment(tick, phase.doing, phase.parts, 0.0, phase.alarm, phase.number)
    done, into = divmod(tick_of_shift - phase.start, phase.cycle)
    return Moment(tick, phase.doing, phase.parts + done, into / phase.cycle, 0, phase.number)


def values(machine: Machine, tick: int, seed: int = DEFAULT_SEED) -> dict[str, Value]:
    """Every tag of `machine` at `tick`; the tag `tick` says which it was."""
    return {"tick": tick, **machine.show(moment(machine, tick, seed))}


@lru_cache(maxsize=64)
def _phases(name: str, habits: Habits, seed: int, shift: int) -> tuple[list[int], list[Phase]]:
    """The phases of one shift and their start ticks; the cache holds two shifts of a whole workshop."""
    random = Random(f"{seed}/{name}/{shift}")  # noqa: S311 - a story, not a secret
    durations = {
        Doing.IDLE: habits.idle,
        Doing.WAIT: habits.wait,
        Doing.SETUP: habits.setup,
        Doing.ALARM: habits.alarm,
        Doing.OFF: habits.off,
    }
    after_a_batch = [doing for doing, _ in habits.after]
    weights = [weight for _, weight in habits.after]
    phases: list[Phase] = []
    start = parts = 0
    doing = random.choice([*after_a_batch, Doing.RUN])
    while start < SHIFT_TICKS:
        number = random.getrandbits(32)
        if doing is Doing.RUN:
            following = random.choices(after_a_batch, weights)[0]
            cycle, batch = random.randint(*habits.cycle), random.randint(*habits.batch)
            # An alarm breaks the last part off: it is not counted.
            length = cycle * batch - (random.randint(1, cycle - 1) if following is Doing.ALARM else 0)
            phases.append(Phase(start, doing, cycle, parts, 0, number))
            parts += length // cycle
        else:
            following = _following(doing, Doing.SETUP in after_a_batch, random)
            length = random.randint(*durations[doing])
            alarm = random.choice(habits.alarms) if doing is Doing.ALARM else 0
            phases.append(Phase(start, doing, 1, parts, alarm, number))
        start += length
        doing = following
    return [phase.start for phase in phases], phases


def _following(doing: Doing, has_setup: bool, random: Random) -> Doing:
    """What follows anything but a batch."""
    if doing is Doing.OFF:
        return Doing.IDLE
    if doing is Doing.ALARM and has_setup and random.random() < 0.3:
        return Doing.SETUP
    return Doing.RUN
