"""From the history on disk to the accounts of machines."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.contract.messages import AlarmTime, StateTime, decode, encode
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.history import GATEWAY_DOWN, Changes, History
from edge_agent.states.tracker import Interval

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000
EIGHT = 1_795_305_600_000
"""08:00 on Sunday 22 November 2026 in Shanghai."""
HOUR = Period(PeriodKind.HOUR, EIGHT, EIGHT + HOUR_MS)

RUNNING = StateWithCause(MachineState.RUNNING, "auto")
IDLE = StateWithCause(MachineState.IDLE)
ALARM = StateWithCause(MachineState.ALARM, "door open")
NO_DATA = unknown(UnknownCause.NO_DATA)

SHIFT = {
    "id": "early",
    "days": ["sun"],
    "start": "08:00",
    "end": "16:00",
    "breaks": [{"start": "08:50", "end": "09:00"}],
}
PLAN = Calendar("plan", CalendarOptions.model_validate({"shifts": [SHIFT]}), SHANGHAI)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = History(tmp_path / "history.db")
    yield found
    found.close()


def minutes(*states: tuple[int, StateWithCause]) -> list[Interval]:
    """States of M from so many minutes after eight on, each until the next; the last is still so."""
    starts = [EIGHT + minute * MINUTE for minute, _ in states]
    return [
        Interval("M", start, end, state)
        for start, end, (_, state) in zip(starts, [*starts[1:], None], states, strict=True)
    ]


def test_an_hour_with_a_restart_in_it(history: History) -> None:
    first = minutes((-30, RUNNING), (10, ALARM), (15, RUNNING))
    history.save(Changes(EIGHT + 20 * MINUTE, first))
    # Killed; the next run is there at 08:25.
    assert history.resume(EIGHT + 25 * MINUTE) == EIGHT + 20 * MINUTE
    second = minutes((20, GATEWAY_DOWN), (25, NO_DATA), (26, IDLE), (30, RUNNING))
    was_open = Interval("M", second[1].start_ms, None, NO_DATA)
    history.save(Changes(EIGHT + 26 * MINUTE, [second[0], was_open]))
    machine_time = MachineTime(history, SHANGHAI, {"M": PLAN})
    account = machine_time.account("M", HOUR, second[1:], EIGHT + HOUR_MS + 5)
    assert encode(decode(encode(account))) == encode(account)
    assert account.times == [
        StateTime("running", 45 * MINUTE, "auto"),
        StateTime("idle", 4 * MINUTE),
        StateTime("alarm", 5 * MINUTE, "door open"),
        StateTime("unknown", 5 * MINUTE, "gateway_down"),
        StateTime("unknown", 1 * MINUTE, "no_data"),
    ]
    assert account.planned is not None
    assert sum(time.ms for time in account.planned) == 50 * MINUTE
    assert account.planned[0] == StateTime("running", 35 * MINUTE, "auto")
    assert account.alarms == [AlarmTime("door open", 1, 5 * MINUTE)]
    assert (account.failures, account.calendar, account.timezone) == (1, "plan", "Asia/Shanghai")
    figures = {figure.id: figure for figure in account.figures}
    availability = figures["availability/iso-22400-2"]
    assert (availability.numerator, availability.denominator) == (35 * MINUTE, 50 * MINUTE)
    assert (availability.value, availability.unknown) == (0.7, 6 * MINUTE)
    oee = figures["oee/iso-22400-2"]
    assert (oee.value, oee.numerator) == (None, None)
    assert list(oee.missing) == ["cycle_time", "good_quantity", "produced_quantity"]


def test_a_machine_without_a_calendar(history: History) -> None:
    history.save(Changes(EIGHT, minutes((0, RUNNING))))
    account = MachineTime(history, SHANGHAI, {}).account("M", HOUR, [], EIGHT + HOUR_MS)
    assert (account.planned, account.calendar) == (None, "")
    figures = {figure.id: figure for figure in account.figures}
    assert list(figures["availability/iso-22400-2"].missing) == ["calendar"]
    assert figures["power-on-rate/of-calendar-time"].value == 1.0
    assert figures["mtbf/per-failure"].reason == "denominator_zero"


def test_a_year_whose_holidays_are_not_known(history: History) -> None:
    ten_years = 3653 * 24 * HOUR_MS
    period = Period(PeriodKind.HOUR, EIGHT + ten_years, EIGHT + ten_years + HOUR_MS)
    account = MachineTime(history, SHANGHAI, {"M": PLAN}).account("M", period, [], period.to_ms)
    assert account.planned is None
    figures = {figure.id: figure for figure in account.figures}
    assert list(figures["availability/iso-22400-2"].missing) == ["holidays"]


def test_the_cost_of_an_hour_does_not_grow_with_the_history(history: History) -> None:
    life = [
        Interval(machine, start, start + 1000, RUNNING if start % 2000 else IDLE)
        for machine in ("L", "M", "N")
        for start in range(0, 20_000_000, 1000)
    ]
    history.save(Changes(20_000_000, life))
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    history._db.set_progress_handler(step, 100)
    found = history.intervals_of("M", 19_000_000, 19_010_000)
    history._db.set_progress_handler(None, 0)
    assert [i.start_ms for i in found] == list(range(19_000_000, 19_010_000, 1000))
    assert steps < 20, "60,000 rows would take thousands of these"
