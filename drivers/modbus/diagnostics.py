"""What the statistics of a connection say, as the figures that a technician is shown."""

from collections.abc import Iterator

from drivers.modbus.statistics import ConnectionStatistics, UnitStatistics
from edge_agent.driver import ANSWERS, REQUESTS, RESPONSE_P99, Diagnostic, Responses


def diagnostics_of(statistics: ConnectionStatistics, character: float | None) -> Iterator[Diagnostic]:
    """The connection's figures, then those of each unit.

    `character` is how many seconds one takes on a serial line; None if there is no such line at hand.
    """
    yield Diagnostic("", "bytes_out", statistics.bytes_out, "By")
    yield Diagnostic("", "bytes_in", statistics.bytes_in, "By")
    yield Diagnostic("", "damaged_frames", statistics.damaged)
    if character is not None:
        yield Diagnostic("", "bus_load", 100 * statistics.bus_load(character), "%")
    for unit in sorted(statistics.units):
        yield from _of_unit(_subject(unit), statistics.units[unit])


def responses_of(statistics: ConnectionStatistics) -> list[Responses]:
    """Of each unit that has answered."""
    return [
        Responses(_subject(unit), "read", one.response_times)
        for unit, one in sorted(statistics.units.items())
        if one.response_times.count
    ]


def _subject(unit: int) -> str:
    return f"unit {unit}"


def _of_unit(subject: str, unit: UnitStatistics) -> Iterator[Diagnostic]:
    yield Diagnostic(subject, REQUESTS, unit.requests)
    yield Diagnostic(subject, ANSWERS, unit.answers)
    yield Diagnostic(subject, "timeouts", unit.timeouts)
    for name, quantile in (("response_p50", 0.5), (RESPONSE_P99, 0.99)):
        seconds = unit.response_times.quantile(quantile)
        if seconds is not None:
            yield Diagnostic(subject, name, 1000 * seconds, "ms")
    for counts in (unit.exceptions, unit.errors):
        for name in sorted(counts):
            yield Diagnostic(subject, name, counts[name])
