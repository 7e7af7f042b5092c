"""Every hour and day once, over restarts and outages, and again when it was amended."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.contract.messages import StateTime
from edge_agent.indicators.accounts_due import MADE_UP_MS, AccountsDue
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000
EIGHT = 1_795_305_600_000
"""08:00 on Sunday 22 November 2026 in Shanghai."""
HOUR = Period(PeriodKind.HOUR, EIGHT, EIGHT + HOUR_MS)

RUNNING = StateWithCause(MachineState.RUNNING, "auto")
IDLE = StateWithCause(MachineState.IDLE)
ALARM = StateWithCause(MachineState.ALARM, "door open")


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


def test_every_hour_and_day_is_due_once(history: History) -> None:
    accounts_due = AccountsDue(history, SHANGHAI)
    start = EIGHT + 20 * MINUTE
    assert accounts_due.due(PeriodKind.HOUR, start) == []
    assert accounts_due.due(PeriodKind.HOUR, EIGHT + HOUR_MS - 1) == []
    assert accounts_due.due(PeriodKind.HOUR, EIGHT + HOUR_MS) == [HOUR]
    assert accounts_due.due(PeriodKind.HOUR, EIGHT + HOUR_MS) == [HOUR], "until it is done"
    accounts_due.done(HOUR)
    assert accounts_due.due(PeriodKind.HOUR, EIGHT + HOUR_MS) == []
    later = accounts_due.due(PeriodKind.HOUR, EIGHT + 4 * HOUR_MS + 1)
    assert [p.from_ms for p in later] == [EIGHT + n * HOUR_MS for n in (1, 2, 3)]

    assert accounts_due.due(PeriodKind.DAY, start) == []
    (day,) = accounts_due.due(PeriodKind.DAY, EIGHT + 16 * HOUR_MS)
    assert (day.from_ms, day.to_ms) == (EIGHT - 8 * HOUR_MS, EIGHT + 16 * HOUR_MS)


def test_after_a_long_outage_not_every_hour_is_made_up_for(history: History) -> None:
    accounts_due = AccountsDue(history, SHANGHAI)
    accounts_due.done(HOUR)
    due = accounts_due.due(PeriodKind.HOUR, EIGHT + 1000 * HOUR_MS)
    assert len(due) == 48
    assert due[-1].to_ms == EIGHT + 1000 * HOUR_MS
    assert due[0].from_ms >= EIGHT + 1000 * HOUR_MS - MADE_UP_MS[PeriodKind.HOUR]


def test_a_clock_that_was_wrong_does_not_silence_the_years_until_then(history: History) -> None:
    accounts_due = AccountsDue(history, SHANGHAI)
    two_years = 730 * 24 * HOUR_MS
    accounts_due.done(Period(PeriodKind.HOUR, EIGHT + two_years, EIGHT + two_years + HOUR_MS))
    assert accounts_due.due(PeriodKind.HOUR, EIGHT + 5) == []
    assert accounts_due.due(PeriodKind.HOUR, EIGHT + HOUR_MS) == [HOUR]


UNHEARD = unknown(UnknownCause.UNREACHABLE)


def test_what_was_filled_afterwards_is_accounted_for_again(history: History) -> None:
    accounts_due = AccountsDue(history, SHANGHAI)
    history.save(
        Changes(EIGHT, minutes((-90, RUNNING), (50, UNHEARD), (130, IDLE), (150, UNHEARD), (190, IDLE)))
    )
    accounts_due.done(Period(PeriodKind.HOUR, EIGHT + HOUR_MS, EIGHT + 2 * HOUR_MS))
    accounts_due.done(Period(PeriodKind.DAY, EIGHT - 32 * HOUR_MS, EIGHT - 8 * HOUR_MS))
    assert accounts_due.amended() == ([], 0)
    late = [Interval("M", EIGHT + 55 * MINUTE, EIGHT + 180 * MINUTE, IDLE)]
    assert len(history.amend("M", late)) == 2
    second = Period(PeriodKind.HOUR, EIGHT + HOUR_MS, EIGHT + 2 * HOUR_MS)
    accounts, number = accounts_due.amended()
    assert accounts == [("M", HOUR), ("M", second)], "the third hour and the day are still to be sent"
    assert accounts_due.amended() == (accounts, number), "until they have been"
    machine_time = MachineTime(history, SHANGHAI, {})
    account = machine_time.account("M", second, [], EIGHT + 4 * HOUR_MS)
    assert account.times == [StateTime("idle", HOUR_MS)]
    accounts_due.made_again(number)
    assert accounts_due.amended() == ([], 0)

    history.amend("M", [Interval("M", EIGHT + 50 * MINUTE, EIGHT + 51 * MINUTE, ALARM)])
    accounts_due.done(Period(PeriodKind.DAY, EIGHT - 8 * HOUR_MS, EIGHT + 16 * HOUR_MS))
    accounts, number = accounts_due.amended()
    day = Period(PeriodKind.DAY, EIGHT - 8 * HOUR_MS, EIGHT + 16 * HOUR_MS)
    assert accounts == [("M", HOUR), ("M", day)]
    assert machine_time.account("M", HOUR, [], 0).failures == 1


def test_an_hour_that_only_touches_what_was_filled_stays(history: History) -> None:
    accounts_due = AccountsDue(history, SHANGHAI)
    history.save(Changes(EIGHT, minutes((-90, RUNNING), (-60, UNHEARD), (60, IDLE))))
    accounts_due.done(Period(PeriodKind.HOUR, EIGHT + HOUR_MS, EIGHT + 2 * HOUR_MS))
    history.amend("M", [Interval("M", EIGHT, EIGHT + HOUR_MS, IDLE)])
    assert accounts_due.amended()[0] == [("M", HOUR)]
