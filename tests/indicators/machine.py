"""One machine, M, in Shanghai on a Sunday morning."""

from zoneinfo import ZoneInfo

from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.tracker import Interval

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000
EIGHT = 1_795_305_600_000
"""08:00 on Sunday 22 November 2026 in Shanghai."""
HOUR = Period(PeriodKind.HOUR, EIGHT, EIGHT + HOUR_MS)

RUNNING = StateWithCause(MachineState.RUNNING, "auto")
IDLE = StateWithCause(MachineState.IDLE)
ALARM = StateWithCause(MachineState.ALARM, "door open")


def minutes(*states: tuple[int, StateWithCause]) -> list[Interval]:
    """States of M from so many minutes after eight on, each until the next; the last is still so."""
    starts = [EIGHT + minute * MINUTE for minute, _ in states]
    return [
        Interval("M", start, end, state)
        for start, end, (_, state) in zip(starts, [*starts[1:], None], states, strict=True)
    ]
