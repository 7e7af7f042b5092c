"""Planned busy time, against the calendar on the wall."""

import itertools
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import WEEKDAYS, CalendarOptions
from edge_agent.indicators.holidays import DayKind, HolidaysUnknownError, chinese_day
from edge_agent.indicators.periods import HOUR_MS, PeriodKind, local_ms, midnight_ms, period_at

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
WEEK = ["mon", "tue", "wed", "thu", "fri"]

EARLY = {
    "id": "early",
    "days": WEEK,
    "start": "08:00",
    "end": "16:00",
    "breaks": [{"start": "11:30", "end": "12:00"}],
}
NIGHT = {
    "id": "night",
    "days": WEEK,
    "start": "22:00",
    "end": "06:00",
    "breaks": [{"start": "23:45", "end": "00:15"}],
}


def calendar(*shifts: dict[str, Any], zone: ZoneInfo = SHANGHAI, **more: Any) -> Calendar:
    return Calendar("plan", CalendarOptions.model_validate({"shifts": shifts, **more}), zone)


def hours(plan: Calendar, day: str) -> float:
    """Planned busy time of a day, midnight to midnight."""
    period = period_at(PeriodKind.DAY, midnight_ms(date.fromisoformat(day), plan.zone), plan.zone)
    return sum(end - start for start, end in plan.busy(period.from_ms, period.to_ms)) / HOUR_MS


# One shift from Monday to Friday, 7.5 hours without the break. By the State Council's notice for 2026,
# National Day is 1 to 7 October, and Sunday 20 September and Saturday 10 October are worked for it.
NATIONAL_DAY = """
2026-09-18  Friday                       7.5
2026-09-19  Saturday                     0
2026-09-20  Sunday, worked in exchange   7.5
2026-09-21  Monday                       7.5
2026-09-25  Friday, Mid-autumn           0
2026-09-30  Wednesday                    7.5
2026-10-01  Thursday, National Day       0
2026-10-02  Friday, National Day         0
2026-10-05  Monday, National Day         0
2026-10-07  Wednesday, National Day      0
2026-10-08  Thursday                     7.5
2026-10-10  Saturday, worked in exchange 7.5
2026-10-11  Sunday                       0
"""


@pytest.mark.parametrize("line", NATIONAL_DAY.strip().splitlines())
def test_public_holidays_and_the_weekends_worked_for_them(line: str) -> None:
    day, *words, expected = line.split()
    assert date.fromisoformat(day).strftime("%A") == words[0].rstrip(",")
    assert hours(calendar(EARLY), day) == float(expected)


def test_a_plant_that_works_through_has_no_holidays() -> None:
    plan = calendar(EARLY, holidays="none")
    assert [hours(plan, f"2026-10-0{day}") for day in range(1, 8)] == [7.5, 7.5, 0, 0, 7.5, 7.5, 7.5]
    assert hours(plan, "2026-09-20") == 0


def test_a_saturday_that_is_worked_every_week_is_off_on_a_holiday() -> None:
    plan = calendar({**EARLY, "days": [*WEEK, "sat"]})
    assert hours(plan, "2026-09-19") == 7.5
    assert hours(plan, "2026-10-03") == 0


def test_a_shift_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    plan = calendar(NIGHT, holidays="none")
    # Friday night ends on Saturday; on Monday nothing is left over from Sunday.
    expected = {
        "2026-11-20": 2 - 0.25 + 6 - 0.25,
        "2026-11-21": 6 - 0.25,
        "2026-11-22": 0,
        "2026-11-23": 1.75,
    }
    assert {day: hours(plan, day) for day in expected} == expected
    (friday,) = plan.shifts(at("2026-11-21T03:00"), at("2026-11-21T04:00"))
    assert (friday.id, friday.day) == ("night", date(2026, 11, 20))
    assert (friday.from_ms, friday.to_ms) == (at("2026-11-20T22:00"), at("2026-11-21T06:00"))


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    moment = datetime.fromisoformat(text)
    return local_ms(moment.date(), moment.time(), zone)


def test_the_night_before_a_holiday_is_worked_to_its_end() -> None:
    plan = calendar(NIGHT)
    assert hours(plan, "2026-10-01") == 5.75
    assert hours(plan, "2026-10-02") == 0


def test_exceptions_come_before_holidays_and_weekdays() -> None:
    overtime = {"id": "overtime", "days": [], "start": "16:00", "end": "20:00"}
    exceptions = [
        {"day": "2026-10-03", "shifts": ["early"]},  # a holiday on which there is work to do
        {"day": "2026-11-21", "shifts": ["early", "overtime"]},  # a Saturday, long
        {"day": "2026-11-23", "to": "2026-11-24", "shifts": []},  # stocktaking
    ]
    plan = calendar(EARLY, overtime, exceptions=exceptions)
    days = ["2026-10-02", "2026-10-03", "2026-11-20", "2026-11-21", "2026-11-23", "2026-11-24", "2026-11-25"]
    assert [hours(plan, day) for day in days] == [0, 7.5, 7.5, 11.5, 0, 0, 7.5]


def test_a_year_without_a_notice_is_not_guessed() -> None:
    plan = calendar(EARLY, exceptions=[{"day": "2031-03-04", "shifts": ["early"]}])
    with pytest.raises(HolidaysUnknownError, match="2031-03-03"):
        hours(plan, "2031-03-03")
    assert hours(plan, "2031-03-04") == 7.5, "the plant says so itself"
    assert hours(calendar(EARLY, holidays="none"), "2031-03-03") == 7.5


def test_the_end_of_the_last_year_waits_for_the_next_notice() -> None:
    """As in 2018, when 29 December, a Saturday, was worked for New Year's Day of 2019."""
    assert chinese_day(date(2018, 12, 29)) is DayKind.WORKING_WEEKEND
    last = 2026
    while True:
        try:
            chinese_day(date(last + 1, 6, 1))
        except HolidaysUnknownError:
            break
        last += 1
    assert chinese_day(date(last, 12, 24)) is not DayKind.HOLIDAY
    with pytest.raises(HolidaysUnknownError):
        chinese_day(date(last, 12, 25))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-03-28", 8.0),  # the clocks are set forward in the night before the 29th
        ("2026-03-29", 7.0),
        ("2026-10-25", 9.0),
    ],
)
def test_a_night_in_which_the_clocks_are_set_is_as_long_as_it_is(day: str, expected: float) -> None:
    night = {"id": "night", "days": list(WEEKDAYS), "start": "00:00", "end": "08:00"}
    assert hours(calendar(night, zone=BERLIN, holidays="none"), day) == expected


def test_a_break_in_the_hour_that_the_clocks_leave_out_takes_no_time() -> None:
    night = {
        "id": "night",
        "days": ["sun"],
        "start": "00:00",
        "end": "08:00",
        "breaks": [{"start": "02:00", "end": "03:00"}],
    }
    assert hours(calendar(night, zone=BERLIN, holidays="none"), "2026-03-29") == 7.0
    assert hours(calendar(night, zone=BERLIN, holidays="none"), "2026-03-22") == 7.0


def test_around_the_clock() -> None:
    always = {"id": "all", "days": list(WEEKDAYS), "start": "07:00", "end": "07:00"}
    plan = calendar(always, zone=BERLIN, holidays="none")
    assert [hours(plan, day) for day in ("2026-11-21", "2026-03-29", "2026-10-25")] == [24, 23, 25]


def test_a_shift_of_an_exception_does_not_count_the_night_before_twice() -> None:
    sunrise = {"id": "sunrise", "days": [], "start": "04:00", "end": "12:00"}
    plan = calendar(
        NIGHT, sunrise, holidays="none", exceptions=[{"day": "2026-11-21", "shifts": ["sunrise"]}]
    )
    assert hours(plan, "2026-11-21") == 6 - 0.25 + 6
    night, after = plan.shifts(at("2026-11-21T00:00"), at("2026-11-22T00:00"))
    assert night.to_ms == after.from_ms == at("2026-11-21T06:00")


@given(
    st.sampled_from((SHANGHAI, BERLIN)),
    st.integers(at("2026-02-01T00:00"), at("2026-11-01T00:00")),
    st.lists(st.integers(0, 40 * HOUR_MS), min_size=1, max_size=6),
)
def test_planned_time_of_parts_adds_up_to_that_of_the_whole(
    zone: ZoneInfo, from_ms: int, lengths: list[int]
) -> None:
    plan = calendar(EARLY, NIGHT, zone=zone)
    edges = [from_ms]
    for length in lengths:
        edges.append(edges[-1] + length)

    def planned(a: int, b: int) -> int:
        return sum(end - start for start, end in plan.busy(a, b))

    parts = sum(planned(a, b) for a, b in itertools.pairwise(edges))
    assert parts == planned(edges[0], edges[-1])
    windows = plan.busy(edges[0], edges[-1])
    assert all(edges[0] <= start < end <= edges[-1] for start, end in windows)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(windows))


@pytest.mark.parametrize(
    ("shifts", "more", "complaint"),
    [
        (
            [EARLY, {**EARLY, "id": "late", "start": "15:30", "end": "23:00", "breaks": []}],
            {},
            r"early \(mon 08:00 to 16:00\) overlaps late \(mon 15:30 to 23:00\)",
        ),
        (
            [NIGHT, {**EARLY, "start": "05:00"}],
            {},
            r"night \(mon .*\) overlaps early \(tue",
        ),
        (
            [{**NIGHT, "days": ["sun"]}, {**EARLY, "days": ["mon"], "start": "05:59"}],
            {},
            r"night \(sun .*\) overlaps early \(mon",
        ),
        ([EARLY, EARLY], {}, "each shift with an id of its own"),
        ([{**EARLY, "end": "24:00"}], {}, "a time of day, 00:00 to 23:59"),
        ([{**EARLY, "breaks": [{"start": "07:30", "end": "08:30"}]}], {}, "07:30 to 08:30 is not within"),
        ([{**EARLY, "breaks": [{"start": "15:30", "end": "16:30"}]}], {}, "15:30 to 16:30 is not within"),
        ([{**EARLY, "breaks": [{"start": "12:00", "end": "11:30"}]}], {}, "12:00 to 11:30 is not within"),
        (
            [{**EARLY, "breaks": [{"start": "11:00", "end": "12:00"}, {"start": "11:30", "end": "12:30"}]}],
            {},
            "the break 11:30 to 12:30 begins before the break above it has ended",
        ),
        (
            [EARLY],
            {"exceptions": [{"day": "2026-11-21", "shifts": ["late"]}]},
            "late, which is no shift",
        ),
        ([EARLY], {"exceptions": [{"day": "2026-11-31", "shifts": []}]}, "a day, such as 2026-10-01"),
        (
            [EARLY],
            {"exceptions": [{"day": "2026-11-21", "to": "2026-11-20", "shifts": []}]},
            "ends on 2026-11-20, before it begins",
        ),
        (
            [EARLY],
            {
                "exceptions": [
                    {"day": "2026-11-01", "to": "2026-11-09", "shifts": []},
                    {"day": "2026-11-09", "shifts": ["early"]},
                ]
            },
            "two exceptions for 2026-11-09",
        ),
        (
            [EARLY, {**EARLY, "id": "long", "days": [], "end": "20:00"}],
            {"exceptions": [{"day": "2026-11-21", "shifts": ["early", "long"]}]},
            "the exception of 2026-11-21: early and long overlap",
        ),
        ([], {}, "at least 1 item"),
    ],
)
def test_a_calendar_that_cannot_be_right_is_refused_with_the_reason(
    shifts: list[dict[str, Any]], more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        calendar(*shifts, **more)


def test_shifts_that_follow_each_other_are_fine() -> None:
    late = {"id": "late", "days": WEEK, "start": "16:00", "end": "22:00"}
    assert hours(calendar(EARLY, late, NIGHT, holidays="none"), "2026-11-18") == 7.5 + 6 + 7.5
