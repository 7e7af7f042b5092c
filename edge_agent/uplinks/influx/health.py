"""How a gateway does: what no record of the journal says, and is written beside them every few seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.contract.messages import Status
from edge_agent.driver import Diagnostic


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """One connection. Counts are since the start of the agent, `figures` what its driver counts."""

    id: str
    open: bool
    opened: int
    failures: int
    reads: int
    missed_ticks: int
    figures: Sequence[Diagnostic]


@dataclass(frozen=True, slots=True)
class UplinkHealth:
    """One uplink. `waiting`: records of the journal that it has still to deliver; counts since the start."""

    id: str
    state: str
    waiting: int
    connects: int
    published: int
    acknowledged: int


@dataclass(frozen=True, slots=True)
class Health:
    """The gateway itself, its connections and its uplinks."""

    status: Status
    connections: Sequence[ConnectionHealth] = ()
    uplinks: Sequence[UplinkHealth] = ()
