"""What a connection and its units did, as plain figures."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from edge_agent.model.response_times import ResponseTimes


@dataclass(slots=True)
class UnitStatistics:
    """Counts since the driver was made."""

    requests: int = 0
    answers: int = 0
    timeouts: int = 0
    exceptions: Counter[str] = field(default_factory=Counter)
    """Exception answers by name (`illegal_data_address`)."""
    errors: Counter[str] = field(default_factory=Counter)
    """Answers that are none, by kind: wrong_unit, wrong_function, wrong_length, late."""
    response_times: ResponseTimes = field(default_factory=ResponseTimes)


@dataclass(slots=True)
class ConnectionStatistics:
    """Counts over all units. `damaged` are frames with a wrong checksum (CRC, LRC)."""

    units: defaultdict[int, UnitStatistics] = field(default_factory=lambda: defaultdict(UnitStatistics))
    bytes_out: int = 0
    bytes_in: int = 0
    damaged: int = 0
    since: float = field(default_factory=time.monotonic)

    def bus_load(self, character: float) -> float:
        """Share of the time since the start in which the line was busy, for a serial line whose
        characters take `character` seconds."""
        elapsed = time.monotonic() - self.since
        return min(1.0, (self.bytes_out + self.bytes_in) * character / elapsed) if elapsed > 0 else 0.0
