"""What a connection and its units did, as plain figures."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

WINDOW = 512
"""How many of the latest response times the percentiles are taken from."""


@dataclass(slots=True)
class UnitStatistics:
    """Counts since the driver was made; response times in seconds, the latest `WINDOW` of them."""

    requests: int = 0
    answers: int = 0
    timeouts: int = 0
    exceptions: Counter[str] = field(default_factory=Counter)
    """Exception answers by name (`illegal_data_address`)."""
    errors: Counter[str] = field(default_factory=Counter)
    """Answers that are none, by kind: wrong_unit, wrong_function, wrong_length, late."""
    response_times: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def response_time(self, quantile: float) -> float | None:
        """The response time that `quantile` (0 to 1) of the latest answers kept below; None before any."""
        times = sorted(self.response_times)
        return times[min(int(quantile * len(times)), len(times) - 1)] if times else None


@dataclass(slots=True)
class ConnectionStatistics:
    """Counts over all units. `damaged` are frames with a wrong checksum (CRC, LRC)."""

    units: dict[int, UnitStatistics] = field(default_factory=dict)
    bytes_out: int = 0
    bytes_in: int = 0
    damaged: int = 0
    since: float = field(default_factory=time.monotonic)

    def unit(self, unit: int) -> UnitStatistics:
        return self.units.setdefault(unit, UnitStatistics())

    def bus_load(self, character: float) -> float:
        """Share of the time since the start in which the line was busy, for a serial line whose
        characters take `character` seconds."""
        elapsed = time.monotonic() - self.since
        return min(1.0, (self.bytes_out + self.bytes_in) * character / elapsed) if elapsed > 0 else 0.0
