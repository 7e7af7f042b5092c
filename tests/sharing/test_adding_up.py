"""Whatever happened: the sessions and what is unassigned are the period, and no fen comes twice."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.sharing import RateOptions, SharedMachineOptions
from edge_agent.indicators.periods import midnight_ms
from edge_agent.model.equipment import Equipment, Register
from edge_agent.sharing.holds import Hold, Nobody, by_schedule, covering
from edge_agent.sharing.ledger import make_ledger
from edge_agent.sharing.rates import cost, parts, windows_of
from edge_agent.states.tracker import Interval
from tests.indicators.test_accounts import STATES
from tests.sharing.plant import HOUR, ZONE, CountedByHand, WrittenRecords, at, sharing

BEGIN = at("10-12 00:00")
BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
DAYS = st.dates(date(2026, 10, 1), date(2026, 10, 31))
times = st.integers(BEGIN - 50 * HOUR, BEGIN + 100 * HOUR)


@st.composite
def holds(draw: st.DrawFn) -> list[Hold]:
    """What a tag said: in order, with gaps, now and then overlapping after all."""
    time = BEGIN - 10 * HOUR
    found = []
    for tenant in draw(st.lists(st.sampled_from(["zhenghe", "lian", ""]), max_size=8)):
        time += draw(st.sampled_from((0, 0, 1, HOUR, -HOUR)))
        end = time + draw(st.integers(0, 30 * HOUR))
        found.append(Hold(time, end, tenant, "" if tenant else "bad_value"))
        time = end
    return sorted(found, key=lambda hold: hold.start_ms)


@st.composite
def windows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Windows that do not overlap: of one week, cut from one another."""
    edges = sorted(draw(st.sets(st.integers(0, 23), max_size=6)))
    return [
        {
            "tenant": draw(st.sampled_from(["zhenghe", "lian"])),
            "days": draw(st.lists(st.sampled_from(["mon", "tue", "wed", "sun"]), min_size=1, unique=True)),
            "start": f"{start:02}:00",
            "end": f"{end:02}:00",
        }
        for start, end in pairwise(edges)
    ]


@st.composite
def lives(draw: st.DrawFn) -> list[Interval]:
    edges = sorted(draw(st.sets(times, max_size=12)))
    return [
        Interval("M1", start, end, draw(st.sampled_from(STATES)))
        for start, end in pairwise(edges)
        if draw(st.booleans())
    ]


VERSIONS = [
    {"version": 1, "until": "2026-10-12", "prices": [{"per": "occupied_hour", "price": 1}]},
    {"version": 2, "from": "2026-10-14", "prices": [{"per": "running_hour", "price": 2}]},
]
machines = st.one_of(
    st.just({"sessions": "register"}),
    windows().filter(bool).map(lambda them: {"sessions": "schedule", "windows": them}),
    st.just({"sessions": "tag", "tag": "user", "tenants": {"1": "zhenghe"}}),
)
registers = st.lists(st.sampled_from(["zhenghe", "正和精密", "lian", "", "nobody"]), max_size=4)


@given(machines, holds(), registers, lives(), times, st.integers(1, 90 * HOUR))
def test_sessions_and_unassigned_time_are_the_period(
    machine: dict[str, Any],
    recorded: list[Hold],
    names: list[str],
    life: list[Interval],
    from_ms: int,
    length: int,
) -> None:
    versions = [
        (BEGIN + 20 * HOUR * n, Register((Equipment("M1", "", "", tenant=name),)))
        for n, name in enumerate(names)
    ]
    records = WrittenRecords(life, versions, {"M1": recorded})
    options = sharing(machine, VERSIONS)
    found = make_ledger(options, records, CountedByHand({}), ZONE, from_ms, from_ms + length)
    pieces = [(line.start_ms, line.end_ms) for line in found.lines]
    pieces += [(hold.start_ms, hold.end_ms) for _, hold in found.unassigned]
    reached = from_ms
    for start, end in sorted(pieces):
        assert start == reached < end
        reached = end
    assert reached == from_ms + length
    for line in found.lines:
        assert line.account.total_ms == line.end_ms - line.start_ms
        assert line.tenant
    assert all(hold.reason and not hold.tenant for _, hold in found.unassigned)


@given(holds(), times, st.lists(st.integers(1, 40 * HOUR), min_size=2, max_size=4))
def test_parts_of_a_period_say_what_the_whole_says(
    recorded: list[Hold], from_ms: int, lengths: list[int]
) -> None:
    whole = covering(recorded, from_ms, from_ms + sum(lengths), Nobody.NOT_RECORDED)
    divided = []
    for length in lengths:
        divided += covering(recorded, from_ms, from_ms + length, Nobody.NOT_RECORDED)
        from_ms += length
    assert covering(divided, whole[0].start_ms, from_ms, Nobody.NOT_RECORDED) == whole


@given(windows().filter(bool), DAYS, st.integers(1, 6))
def test_windows_are_where_the_clock_says(them: list[dict[str, Any]], first: date, days: int) -> None:
    """Asked at each hour, with the day and hour of the week."""
    machine = SharedMachineOptions.model_validate(
        {"equipment": "M1", "sessions": "schedule", "windows": them}
    )
    begin, end = midnight_ms(first, ZONE), midnight_ms(first + timedelta(days=days), ZONE)
    found = by_schedule(machine.windows, begin, end, ZONE)
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    for hour in range(24 * days):
        day, clock = first + timedelta(days=hour // 24), hour % 24
        wanted = ""
        for one in them:
            if names[day.weekday()] in one["days"] and int(one["start"][:2]) <= clock < int(one["end"][:2]):
                wanted = one["tenant"]
        time = begin + hour * HOUR
        (there,) = [hold for hold in found if hold.start_ms <= time < hold.end_ms]
        assert there.tenant == wanted


def test_windows_over_midnight_of_the_day_before_and_a_night_of_25_hours() -> None:
    machine = SharedMachineOptions.model_validate(
        {
            "equipment": "M1",
            "sessions": "schedule",
            "windows": [{"tenant": "zhenghe", "days": ["sat"], "start": "22:00", "end": "06:00"}],
        }
    )
    # In Berlin the clocks are set back in the night to Sunday, 25 October 2026.
    sunday = midnight_ms(date(2026, 10, 25), BERLIN)
    first, _ = by_schedule(machine.windows, sunday, sunday + 24 * HOUR, BERLIN)
    assert (first.tenant, first.start_ms, first.end_ms) == ("zhenghe", sunday, sunday + 7 * HOUR)


@st.composite
def bands(draw: st.DrawFn) -> RateOptions:
    """A version whose kilowatt-hours have another price in each part of the day."""
    edges = sorted(draw(st.sets(st.integers(0, 47), min_size=2, max_size=6)))
    hours = [f"{edge // 2:02}:{edge % 2 * 30:02}" for edge in edges]
    prices = [
        {"per": "kwh", "price": number, "hours": [{"start": start, "end": end}]}
        for number, (start, end) in enumerate(zip(hours, [*hours[1:], hours[0]], strict=True))
    ]
    return RateOptions.model_validate({"version": 1, "prices": prices})


@given(
    bands(),
    st.sampled_from([ZONE, BERLIN, LORD_HOWE]),
    st.sampled_from([date(2026, 3, 28), date(2026, 4, 4), date(2026, 10, 3), date(2026, 10, 24)]),
    st.integers(0, 40 * HOUR),
    st.integers(1, 60 * HOUR),
)
def test_hours_of_the_day_divide_a_session_without_gap_or_overlap(
    version: RateOptions, zone: ZoneInfo, day: date, offset: int, length: int
) -> None:
    """Also where the clocks are set, by an hour or by half of one."""
    start = midnight_ms(day, zone) + offset
    pieces: list[tuple[int, int]] = []
    for price in version.prices:
        found = windows_of(price, version.prices, start, start + length, zone)
        assert all(a[1] < b[0] for a, b in pairwise(found))
        pieces += found
    reached = start
    for begin, end in sorted(pieces):
        assert begin == reached < end
        reached = end
    assert reached == start + length


@given(times, st.integers(1, 90 * HOUR))
def test_versions_divide_a_session_without_gap_or_overlap(start: int, length: int) -> None:
    table = [RateOptions.model_validate(one) for one in reversed(VERSIONS)]
    found = parts(table, start, start + length, ZONE)
    reached = start
    for part in found:
        assert part.start_ms == reached < part.end_ms
        reached = part.end_ms
    assert reached == start + length
    for part in found:
        middle = part.start_ms
        wanted = 1 if middle < at("10-13 00:00") else None if middle < at("10-14 00:00") else 2
        assert (part.version.version if part.version is not None else None) == wanted


@pytest.mark.parametrize(
    ("price", "per", "quantity", "fen"),
    [
        # 1 ms of an hour of 60 yuan is a 600th of a fen.
        ("60", "running_hour", 1, 0),
        ("60", "running_hour", 299, 0),
        ("60", "running_hour", 300, 1),  # half a fen goes up
        ("60", "running_hour", 899, 1),
        ("60", "running_hour", 900, 2),
        ("0.005", "piece", 1, 1),
        ("0.0049", "piece", 1, 0),
        ("0.0001", "piece", 49, 0),
        ("0.0001", "piece", 50, 1),
        ("1.15", "kwh", 10_070, 1158),
        ("0", "kwh", 10_070, 0),
        ("1000000", "running_hour", 31 * 24 * HOUR, 74_400_000_000),
    ],
)
def test_each_amount_is_rounded_once_half_a_fen_up(price: str, per: Any, quantity: int, fen: int) -> None:
    assert cost(Decimal(price), per, quantity) == fen


@given(st.decimals(0, 1000, places=4), st.integers(0, 10**12))
def test_an_amount_is_the_nearest_fen(price: Decimal, quantity: int) -> None:
    exact = Fraction(price) * 100 * quantity / 3_600_000
    over = cost(price, "occupied_hour", quantity) - exact
    assert -Fraction(1, 2) < over <= Fraction(1, 2)
