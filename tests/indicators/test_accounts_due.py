"""Every hour and day once, over restarts and outages, and again when it was amended."""

from edge_agent.contract.messages import StateTime
from edge_agent.indicators.accounts_due import MADE_UP_MS, AccountsDue, ByClock, ByShift, all_series
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import HOUR_MS, SHIFT, Period, PeriodKind
from edge_agent.model.state import UnknownCause, unknown
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from tests.indicators.machine import ALARM, EIGHT, HOUR, IDLE, MINUTE, RUNNING, SHANGHAI, minutes

HOURS = ByClock(PeriodKind.HOUR, SHANGHAI, ["M"])
DAYS = ByClock(PeriodKind.DAY, SHANGHAI, ["M"])
EARLY = {"id": "early", "days": ["mon", "tue", "sun"], "start": "08:00", "end": "16:00"}
LATE = {"id": "late", "days": ["sun"], "start": "16:00", "end": "00:30"}
PLAN = Calendar("plan", CalendarOptions.model_validate({"shifts": [EARLY, LATE]}), SHANGHAI)


def test_every_hour_and_day_is_due_once(history: History) -> None:
    accounts_due = AccountsDue(history, [HOURS, DAYS])
    start = EIGHT + 20 * MINUTE
    assert accounts_due.due(HOURS, start) == []
    assert accounts_due.due(HOURS, EIGHT + HOUR_MS - 1) == []
    assert accounts_due.due(HOURS, EIGHT + HOUR_MS) == [HOUR]
    assert accounts_due.due(HOURS, EIGHT + HOUR_MS) == [HOUR], "until it is done"
    accounts_due.done(HOURS, HOUR)
    assert accounts_due.due(HOURS, EIGHT + HOUR_MS) == []
    later = accounts_due.due(HOURS, EIGHT + 4 * HOUR_MS + 1)
    assert [p.from_ms for p in later] == [EIGHT + n * HOUR_MS for n in (1, 2, 3)]

    assert accounts_due.due(DAYS, start) == []
    (day,) = accounts_due.due(DAYS, EIGHT + 16 * HOUR_MS)
    assert (day.from_ms, day.to_ms) == (EIGHT - 8 * HOUR_MS, EIGHT + 16 * HOUR_MS)


def test_after_a_long_outage_not_every_hour_is_made_up_for(history: History) -> None:
    accounts_due = AccountsDue(history, [HOURS, DAYS])
    accounts_due.done(HOURS, HOUR)
    due = accounts_due.due(HOURS, EIGHT + 1000 * HOUR_MS)
    assert len(due) == 48
    assert due[-1].to_ms == EIGHT + 1000 * HOUR_MS
    assert due[0].from_ms >= EIGHT + 1000 * HOUR_MS - MADE_UP_MS[PeriodKind.HOUR]


def test_a_clock_that_was_wrong_does_not_silence_the_years_until_then(history: History) -> None:
    accounts_due = AccountsDue(history, [HOURS, DAYS])
    two_years = 730 * 24 * HOUR_MS
    accounts_due.done(HOURS, Period(PeriodKind.HOUR, EIGHT + two_years, EIGHT + two_years + HOUR_MS))
    assert accounts_due.due(HOURS, EIGHT + 5) == []
    assert accounts_due.due(HOURS, EIGHT + HOUR_MS) == [HOUR]


UNHEARD = unknown(UnknownCause.UNREACHABLE)


def test_what_was_filled_afterwards_is_accounted_for_again(history: History) -> None:
    accounts_due = AccountsDue(history, [HOURS, DAYS])
    history.save(
        Changes(EIGHT, minutes((-90, RUNNING), (50, UNHEARD), (130, IDLE), (150, UNHEARD), (190, IDLE)))
    )
    accounts_due.done(HOURS, Period(PeriodKind.HOUR, EIGHT + HOUR_MS, EIGHT + 2 * HOUR_MS))
    accounts_due.done(DAYS, Period(PeriodKind.DAY, EIGHT - 32 * HOUR_MS, EIGHT - 8 * HOUR_MS))
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
    accounts_due.done(DAYS, Period(PeriodKind.DAY, EIGHT - 8 * HOUR_MS, EIGHT + 16 * HOUR_MS))
    accounts, number = accounts_due.amended()
    day = Period(PeriodKind.DAY, EIGHT - 8 * HOUR_MS, EIGHT + 16 * HOUR_MS)
    assert accounts == [("M", HOUR), ("M", day)]
    assert machine_time.account("M", HOUR, [], 0).failures == 1


def test_an_hour_that_only_touches_what_was_filled_stays(history: History) -> None:
    accounts_due = AccountsDue(history, [HOURS, DAYS])
    history.save(Changes(EIGHT, minutes((-90, RUNNING), (-60, UNHEARD), (60, IDLE))))
    accounts_due.done(HOURS, Period(PeriodKind.HOUR, EIGHT + HOUR_MS, EIGHT + 2 * HOUR_MS))
    history.amend("M", [Interval("M", EIGHT, EIGHT + HOUR_MS, IDLE)])
    assert accounts_due.amended()[0] == [("M", HOUR)]


def test_each_shift_is_due_once_with_its_name(history: History) -> None:
    series = ByShift(PLAN, ["M"])
    accounts_due = AccountsDue(history, [series])
    assert accounts_due.due(series, EIGHT + HOUR_MS) == []
    assert accounts_due.due(series, EIGHT + 8 * HOUR_MS - 1) == []
    early = Period(SHIFT, EIGHT, EIGHT + 8 * HOUR_MS, "early")
    assert accounts_due.due(series, EIGHT + 8 * HOUR_MS) == [early], (
        "from its beginning, before the first start"
    )
    accounts_due.done(series, early)
    late = Period(SHIFT, EIGHT + 8 * HOUR_MS, EIGHT + 16 * HOUR_MS + HOUR_MS // 2, "late")
    monday = Period(SHIFT, EIGHT + 24 * HOUR_MS, EIGHT + 32 * HOUR_MS, "early")
    assert accounts_due.due(series, monday.to_ms) == [late, monday]


def test_a_first_start_between_two_shifts_makes_no_account_of_the_one_before(history: History) -> None:
    series = ByShift(PLAN, ["M"])
    accounts_due = AccountsDue(history, [series])
    assert accounts_due.due(series, EIGHT + 20 * HOUR_MS) == []
    assert accounts_due.due(series, EIGHT + 24 * HOUR_MS) == []
    (monday,) = accounts_due.due(series, EIGHT + 32 * HOUR_MS)
    assert monday.from_ms == EIGHT + 24 * HOUR_MS


def test_what_was_filled_in_a_shift_is_accounted_for_again(history: History) -> None:
    series = ByShift(PLAN, ["M"])
    accounts_due = AccountsDue(history, [series])
    history.save(Changes(EIGHT, minutes((-90, RUNNING), (50, UNHEARD), (130, IDLE))))
    early = Period(SHIFT, EIGHT, EIGHT + 8 * HOUR_MS, "early")
    accounts_due.done(series, early)
    history.amend("M", [Interval("M", EIGHT + 55 * MINUTE, EIGHT + 60 * MINUTE, IDLE)])
    assert accounts_due.amended()[0] == [("M", early)]


def test_two_calendars_are_done_each_for_itself(history: History) -> None:
    other = Calendar("other", CalendarOptions.model_validate({"shifts": [EARLY]}), SHANGHAI)
    series = all_series(SHANGHAI, ["M", "N", "O", "P"], {"M": PLAN, "N": other, "P": PLAN})
    shifts = [one for one in series if one.kind == SHIFT]
    assert [list(one.equipment) for one in shifts] == [["M", "P"], ["N"]]
    accounts_due = AccountsDue(history, shifts)
    assert [accounts_due.due(one, EIGHT) for one in shifts] == [[], []]
    first, second = shifts
    accounts_due.done(first, accounts_due.due(first, EIGHT + 8 * HOUR_MS)[0])
    assert len(accounts_due.due(second, EIGHT + 8 * HOUR_MS)) == 1
    assert all(list(one.equipment) == ["M", "N", "O", "P"] for one in series if one.kind != SHIFT)


def test_the_month_is_due_when_it_is_over(history: History) -> None:
    months = ByClock(PeriodKind.MONTH, SHANGHAI, ["M"])
    accounts_due = AccountsDue(history, [months])
    assert accounts_due.due(months, EIGHT) == []
    (november,) = accounts_due.due(months, EIGHT + 9 * 24 * HOUR_MS)
    assert november.to_ms - november.from_ms == 30 * 24 * HOUR_MS
