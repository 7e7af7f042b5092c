"""Which history is told, from when, and how fast."""

from dataclasses import dataclass

from edge_agent.model.clock import CLOCK
from edge_agent.simulator import life
from edge_agent.simulator.life import DEFAULT_SEED, Machine, Value

DEFAULT_TICK_MS = 200


@dataclass(frozen=True, slots=True)
class Story:
    """Two processes with an equal story serve the same values at the same time. Times in epoch ms."""

    since_ms: int
    seed: int = DEFAULT_SEED
    tick_ms: int = DEFAULT_TICK_MS

    def tick(self) -> int:
        """The tick that holds now; tick 0 begins at `since_ms`."""
        return (CLOCK.now_ms() - self.since_ms) // self.tick_ms

    def time_of(self, tick: int) -> int:
        """When `tick` begins."""
        return self.since_ms + tick * self.tick_ms

    def values(self, machine: Machine, tick: int) -> dict[str, Value]:
        """Every tag of `machine` at `tick`, in its unit."""
        return life.values(machine, tick, self.seed)

    def current(self, machine: Machine) -> dict[str, Value]:
        """Every tag of `machine` at this very tick."""
        return self.values(machine, self.tick())
