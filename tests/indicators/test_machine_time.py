"""From the history on disk to the accounts of machines."""

import pytest

from edge_agent.contract.messages import AlarmTime, StateTime, decode, encode
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind
from edge_agent.model.state import UnknownCause, unknown
from edge_agent.states.history import GATEWAY_DOWN, Changes, History
from edge_agent.states.production import CountedTag, Counting, Counts, ProductionChanges, Quantity
from edge_agent.states.tracker import Interval
from tests.indicators.machine import ALARM, EIGHT, HOUR, IDLE, MINUTE, RUNNING, SHANGHAI, minutes

NO_DATA = unknown(UnknownCause.NO_DATA)

SHIFT = {
    "id": "early",
    "days": ["sun"],
    "start": "08:00",
    "end": "16:00",
    "breaks": [{"start": "08:50", "end": "09:00"}],
}
PLAN = Calendar("plan", CalendarOptions.model_validate({"shifts": [SHIFT]}), SHANGHAI)


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


COUNTING = Counting(
    (CountedTag(Counts.PARTS, "parts"), CountedTag(Counts.REJECTS, "bad"), CountedTag(Counts.ENERGY, "wh")),
    limit_ms=3 * MINUTE,
    cycle_time_ms=2 * MINUTE,
)
# Of M, minutes after eight; its planned time is 08:00 to 08:50 of this hour. It runs all the time.
#
#   minutes        parts   bad   Wh
#   -10 until 3    link lost: 2 parts and 90 Wh, on an edge of the hour
#    3 to  9         5      1    300
#   10 to 15       link lost: 2 parts more after it, within the hour
#   48 until 53    link lost: 1 part, on the edge of the planned time
#   53 to 60         1      1    100
MADE = ProductionChanges(
    seen=[
        ("M", Counts.PARTS, "parts", EIGHT - HOUR_MS, EIGHT + HOUR_MS, 20),
        ("M", Counts.REJECTS, "bad", EIGHT - HOUR_MS, EIGHT + HOUR_MS, 3),
        ("M", Counts.ENERGY, "wh", EIGHT - HOUR_MS, EIGHT + HOUR_MS, 900),
    ],
    minutes=[
        *(("M", EIGHT + minute * MINUTE, Quantity.PARTS, 1) for minute in (3, 4, 6, 7, 9, 54)),
        *(("M", EIGHT + minute * MINUTE, Quantity.GOOD, 1) for minute in (3, 4, 6, 7)),
        ("M", EIGHT + 9 * MINUTE, Quantity.ENERGY, 300),
        ("M", EIGHT + 59 * MINUTE, Quantity.ENERGY, 100),
        ("M", EIGHT + 59 * MINUTE, Quantity.RESETS, 1),
    ],
    spans=[
        ("M", EIGHT - 10 * MINUTE, EIGHT + 3 * MINUTE, Quantity.PARTS, 2),
        ("M", EIGHT - 10 * MINUTE, EIGHT + 3 * MINUTE, Quantity.GOOD, 2),
        ("M", EIGHT - 10 * MINUTE, EIGHT + 3 * MINUTE, Quantity.ENERGY, 90),
        ("M", EIGHT + 10 * MINUTE, EIGHT + 15 * MINUTE, Quantity.PARTS, 2),
        ("M", EIGHT + 10 * MINUTE, EIGHT + 15 * MINUTE, Quantity.GOOD, 2),
        ("M", EIGHT + 48 * MINUTE, EIGHT + 53 * MINUTE, Quantity.PARTS, 1),
        ("M", EIGHT + 48 * MINUTE, EIGHT + 53 * MINUTE, Quantity.GOOD, 1),
    ],
)
# Worked out by hand: 7 parts in the planned time, 6 of them good, 2 min each; 3 that may belong to it. In the
# whole hour 9 parts and 400 Wh; 2 that may belong to it.
OF_PRODUCTION = """
effectiveness/iso-22400-2   14 /   50 = 0.28       3
quality-ratio/iso-22400-2    6 /    7 = 0.857143   3
oee/iso-22400-2             12 /   50 = 0.24       3
nee/iso-22400-2            600 / 2500 = 0.24       3
cycle-time/per-part         60 /    9 = 6.666667   2
energy/per-part            400 /    9 = 44.444444  2
"""


def test_an_hour_of_pieces(history: History) -> None:
    history.save(Changes(EIGHT + HOUR_MS, minutes((-30, RUNNING)), production=MADE))
    machine_time = MachineTime(history, SHANGHAI, {"M": PLAN}, {"M": COUNTING})
    account = machine_time.account("M", HOUR, [], EIGHT + HOUR_MS + 5)
    assert encode(decode(encode(account))) == encode(account)
    assert (account.parts, account.good, account.energy_wh, account.cycle_time) == (9, 7, 400, 2 * MINUTE)
    assert (account.spanning_parts, account.spanning_good, account.spanning_energy_wh) == (2, 2, 90)
    assert (account.counter_resets, account.unseen) == (1, 0)
    figures = {figure.id: figure for figure in account.figures}
    for line in OF_PRODUCTION.strip().splitlines():
        name, numerator, _, denominator, _, value, spanning = line.split()
        unit = {"quality-ratio/iso-22400-2": 1, "energy/per-part": 1, "nee/iso-22400-2": MINUTE**2}
        each = unit.get(name, MINUTE)
        figure = figures[name]
        assert figure.numerator == int(numerator) * each, name
        assert figure.denominator == int(denominator) * (1 if "per-part" in name else each), name
        assert figure.value is not None
        of_each = MINUTE if name == "cycle-time/per-part" else 1
        assert figure.value / of_each == pytest.approx(float(value), abs=1e-6)
        assert (figure.spanning, figure.unseen) == (int(spanning), 0), name


@pytest.mark.parametrize(
    ("counting", "missing"),
    [
        (Counting((), MINUTE), ["cycle_time", "good_quantity", "produced_quantity"]),
        (Counting((), MINUTE, cycle_time_ms=MINUTE), ["good_quantity", "produced_quantity"]),
        (COUNTING, ["production_gap"]),
    ],
)
def test_a_counter_that_was_not_seen_is_not_one_that_is_not_there(
    history: History, counting: Counting, missing: list[str]
) -> None:
    history.save(Changes(EIGHT, minutes((-30, RUNNING))))
    machine_time = MachineTime(history, SHANGHAI, {"M": PLAN}, {"M": counting})
    account = machine_time.account("M", HOUR, [], EIGHT + HOUR_MS)
    figures = {figure.id: figure for figure in account.figures}
    assert list(figures["oee/iso-22400-2"].missing) == missing
    assert account.parts is None


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
