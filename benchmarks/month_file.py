"""A month of a whole workshop in a history file, and the same in bare arrays beside it.

The file is what an agent leaves behind that has run all the month: a pack for each machine and day, in the
order in which the days came. The arrays are the least that can be read: a distance and a code each.
"""

from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.indicators.periods import Period, PeriodKind, period_at
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.columns import Columns, code_type
from edge_agent.states.history import DAY_MS, History

ZONE = ZoneInfo("Asia/Shanghai")
MONTH: Period = period_at(PeriodKind.MONTH, 1_792_800_000_000, ZONE)
"""October 2026."""

STATES = tuple(
    sorted(
        (
            StateWithCause(MachineState.RUNNING, "auto"),
            StateWithCause(MachineState.RUNNING, "manual"),
            StateWithCause(MachineState.IDLE),
            StateWithCause(MachineState.IDLE, "waiting for the operator 等待操作工"),
            StateWithCause(MachineState.SETUP, "tool change 换刀"),
            StateWithCause(MachineState.OFF),
            *(StateWithCause(MachineState.ALARM, f"{1000 + n} alarm 报警") for n in range(10)),
            unknown(UnknownCause.TIMEOUT),
            unknown(UnknownCause.STALE),
        ),
        key=lambda state: (state.state, state.cause),
    )
)
_SHARES = {MachineState.RUNNING: 5.0, MachineState.IDLE: 3.0, MachineState.ALARM: 0.2}
_WEIGHTS = np.array([_SHARES.get(state.state, 0.5) for state in STATES])
_WEIGHTS /= _WEIGHTS.sum()


def plan() -> Calendar:
    """Two shifts with breaks on five days, and Chinese holidays."""
    pauses = [{"start": "11:30", "end": "12:15"}], [{"start": "19:00", "end": "19:45"}]
    days = ["mon", "tue", "wed", "thu", "fri"]
    shifts = [
        {"id": "early", "days": days, "start": "07:00", "end": "15:30", "breaks": pauses[0]},
        {"id": "late", "days": days, "start": "15:30", "end": "23:30", "breaks": pauses[1]},
    ]
    return Calendar(
        "two-shifts", CalendarOptions.model_validate({"holidays": "china", "shifts": shifts}), ZONE
    )


def machines(count: int) -> list[str]:
    return [f"M-{number:03}" for number in range(1, count + 1)]


def write(folder: Path, count: int, changes: int) -> None:
    """`history.db` and `bare-<machine>.bin` for `count` machines of `changes` changes a day.

    Every day begins with a change, so that the bare sums need not be cut.
    """
    chance = np.random.default_rng(139)
    names = machines(count)
    with closing(History(folder / "history.db")) as history:
        for day_ms in range(MONTH.from_ms, MONTH.to_ms, DAY_MS):
            for name in names:
                starts = day_ms + np.sort(chance.choice(DAY_MS, changes, replace=False, shuffle=False))
                starts[0] = day_ms
                ends = np.append(starts[1:], day_ms + DAY_MS)
                codes = chance.choice(len(STATES), changes, p=_WEIGHTS).astype(code_type(STATES))
                history.add_pack(name, Columns(starts, ends, codes, STATES))
                with bare_file(folder, name).open("ab") as bare:
                    bare.write((ends - starts).astype("<u4").tobytes() + codes.tobytes())


def bare_file(folder: Path, machine: str) -> Path:
    """For each day the durations, as 4 bytes each, and behind them the codes, as one byte each."""
    return folder / f"bare-{machine}.bin"
