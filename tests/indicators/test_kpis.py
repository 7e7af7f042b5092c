"""Key figures against tables that can be checked by hand, with a pencil and no program."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.indicators.accounts import Account
from edge_agent.indicators.kpis import (
    KPIS,
    Computed,
    KeyFigure,
    Made,
    Missing,
    NotComputed,
    Production,
    Reason,
    key_figures,
)
from edge_agent.model.state import MachineState, StateWithCause

MINUTE = 60_000

# One day of one machine, in minutes. One shift of 480 minutes with a break of 30: 450 minutes are planned.
# Outside them it ran for another 60 minutes, idled for 30, and was off.
#
#            in the planned time   in the whole day
DAY = """
running      270                   330
setup         45                    45
alarm         30                    30
idle          60                    90
off            0                   900
unknown       45                    45
"""
FAILURES = 3
# 240 pieces were made at a planned run time of 1 minute each, and 228 of them were good.
# Over the whole day it made 275 pieces with 66 kWh.
PRODUCTION = Production(1 * MINUTE, Made(240, 228), Made(275, 262, 66_000))

# Worked out by hand. Times in minutes; NEE has square minutes.
EXPECTED = """
availability/iso-22400-2            270 /   450 = 0.6        APT ÷ PBT
allocation-efficiency/iso-22400-2   345 /   450 = 0.766667   AUBT ÷ PBT              running + setup + alarm
utilization-efficiency/iso-22400-2  270 /   345 = 0.782609   APT ÷ AUBT
technical-efficiency/iso-22400-2    270 /   300 = 0.9        APT ÷ APT+ADET          running + alarm
effectiveness/iso-22400-2           240 /   270 = 0.888889   PRU × PQ ÷ APT          240 pieces of 1 minute
quality-ratio/iso-22400-2           228 /   240 = 0.95       GQ ÷ PQ                 pieces
oee/iso-22400-2                     228 /   450 = 0.506667   PRU × GQ ÷ PBT          = 0.6 × 0.888889 × 0.95
nee/iso-22400-2                   71820 / 121500 = 0.591111  AUPT × PRU × GQ ÷ (PBT × APT)   = 315/450 × 0.888889 × 0.95
power-on-rate/of-calendar-time      495 /  1440 = 0.34375    powered ÷ period        all but off and unknown
power-on-rate/of-planned-time       405 /   450 = 0.9        powered_of_PBT ÷ PBT
time-rate/of-loading-time           270 /   450 = 0.6        APT ÷ PBT
mtbf/per-failure                    330 /     3 = 110        running ÷ failures
mttr/per-failure                     30 /     3 = 10         alarm ÷ failures
cycle-time/per-part                 330 /   275 = 1.2        running ÷ pieces        minutes for each
energy/per-part                   66000 /   275 = 240        energy ÷ pieces         Wh for each
"""  # noqa: E501 - a table

PIECES = {"quality-ratio/iso-22400-2", "energy/per-part"}


def accounts() -> tuple[Account, Account]:
    """The whole day and its planned time."""
    whole, planned = {}, {}
    for line in DAY.strip().splitlines():
        name, of_plan, of_day = line.split()
        state = StateWithCause(MachineState(name))
        whole[state], planned[state] = int(of_day) * MINUTE, int(of_plan) * MINUTE
    return Account({s: t for s, t in whole.items() if t}), Account({s: t for s, t in planned.items() if t})


WHOLE, PLANNED = accounts()


def by_id(figures: list[KeyFigure]) -> dict[str, KeyFigure]:
    return {figure.kpi.id: figure for figure in figures}


def test_the_day_has_24_hours_and_the_plan_450_minutes() -> None:
    assert WHOLE.total_ms == 24 * 60 * MINUTE
    assert PLANNED.total_ms == 450 * MINUTE


@pytest.mark.parametrize("line", EXPECTED.strip().splitlines(), ids=lambda line: line.split()[0])
def test_figures_are_those_worked_out_by_hand(line: str) -> None:
    match = re.match(r"(\S+) +(\d+) / +(\d+) = ([\d.]+) +(\S.*?)(?:  |$)", line)
    assert match is not None
    name, numerator, denominator, value, formula = match.groups()
    figure = by_id(key_figures(WHOLE, PLANNED, FAILURES, PRODUCTION))[name]
    assert isinstance(figure, Computed)
    factor = MINUTE ** (name not in PIECES) * MINUTE ** (name == "nee/iso-22400-2")
    assert figure.numerator == int(numerator) * factor
    for_each = figure.kpi.unit != ""
    assert figure.denominator == int(denominator) * (1 if for_each else factor)
    assert figure.value is not None
    assert figure.value / (factor if for_each else 1) == pytest.approx(float(value), abs=1e-6)
    assert figure.kpi.formula == formula


def test_every_figure_has_a_line_in_the_table() -> None:
    assert [line.split()[0] for line in EXPECTED.strip().splitlines()] == [kpi.id for kpi in KPIS]


def test_oee_is_the_product_that_the_standard_has() -> None:
    figures = by_id(key_figures(WHOLE, PLANNED, FAILURES, PRODUCTION))

    def value(name: str) -> float:
        figure = figures[f"{name}/iso-22400-2"]
        assert isinstance(figure, Computed)
        assert figure.value is not None
        return figure.value

    assert value("oee") == pytest.approx(
        value("availability") * value("effectiveness") * value("quality-ratio")
    )
    assert value("nee") == pytest.approx(315 / 450 * value("effectiveness") * value("quality-ratio"))


# What is not there -> which figures cannot be computed, and what they miss.
MISSING = """
calendar           calendar
holidays           holidays
cycle_time         cycle_time
produced           produced_quantity
good               good_quantity
gap                production_gap
energy             energy
"""
NEEDS = {
    "availability/iso-22400-2": "calendar holidays",
    "allocation-efficiency/iso-22400-2": "calendar holidays",
    "utilization-efficiency/iso-22400-2": "calendar holidays",
    "technical-efficiency/iso-22400-2": "calendar holidays",
    "effectiveness/iso-22400-2": "calendar holidays cycle_time produced gap",
    "quality-ratio/iso-22400-2": "produced good gap",
    "oee/iso-22400-2": "calendar holidays cycle_time produced good gap",
    "nee/iso-22400-2": "calendar holidays cycle_time produced good gap",
    "power-on-rate/of-calendar-time": "",
    "power-on-rate/of-planned-time": "calendar holidays",
    "time-rate/of-loading-time": "calendar holidays",
    "mtbf/per-failure": "",
    "mttr/per-failure": "",
    "cycle-time/per-part": "produced gap",
    "energy/per-part": "produced gap energy",
}


@pytest.mark.parametrize("line", MISSING.strip().splitlines(), ids=lambda line: line.split()[0])
def test_what_cannot_be_computed_names_what_is_missing(line: str) -> None:
    without, word = line.split()
    planned = Missing(word) if without in ("calendar", "holidays") else PLANNED
    parts: int | Missing = Missing(word) if without in ("produced", "gap") else 240
    made = Made(
        parts,
        Missing.GOOD if without == "good" else 228,
        Missing.ENERGY if without == "energy" else 5,
    )
    production = Production(None if without == "cycle_time" else MINUTE, made, made)
    figures = by_id(key_figures(WHOLE, planned, FAILURES, production))
    for name, needs in NEEDS.items():
        figure = figures[name]
        if without in needs.split():
            assert isinstance(figure, NotComputed), name
            assert figure.missing == (Missing(word),)
        else:
            assert isinstance(figure, Computed), name


def test_all_that_is_missing_is_named_once() -> None:
    oee = by_id(key_figures(WHOLE, Missing.CALENDAR, 0, Production()))["oee/iso-22400-2"]
    assert isinstance(oee, NotComputed)
    assert oee.missing == (
        Missing.CYCLE_TIME,
        Missing.GOOD,
        Missing.CALENDAR,
        Missing.PRODUCED,
    )


def test_a_machine_of_which_nothing_is_known_has_no_figure_and_not_zero() -> None:
    unknown = Account({StateWithCause(MachineState.UNKNOWN, "timeout"): 450 * MINUTE})
    figures = key_figures(unknown, unknown, 0, PRODUCTION)
    for figure in figures:
        if figure.kpi.id in PIECES:
            assert isinstance(figure, Computed), "pieces are counted elsewhere"
        else:
            assert isinstance(figure, NotComputed), figure.kpi.id
            assert figure.missing == (Missing.MACHINE_STATES,)


def test_unknown_time_is_told_beside_the_figure() -> None:
    figures = by_id(key_figures(WHOLE, PLANNED, FAILURES, PRODUCTION))
    for figure in figures.values():
        assert isinstance(figure, Computed)
        whole = figure.kpi.base == "period"
        assert (figure.unknown_ms, figure.base_ms) == (45 * MINUTE, (1440 if whole else 450) * MINUTE)


def test_a_day_on_which_nothing_is_planned_has_no_availability() -> None:
    figures = by_id(key_figures(WHOLE, Account({}), 0, PRODUCTION))
    for name in ("availability/iso-22400-2", "oee/iso-22400-2", "mtbf/per-failure"):
        figure = figures[name]
        assert isinstance(figure, Computed)
        assert (figure.denominator, figure.value) == (0, None)


def test_a_planned_day_without_a_piece_has_an_oee_of_zero() -> None:
    idle = Account({StateWithCause(MachineState.IDLE): 450 * MINUTE})
    figures = by_id(key_figures(idle, idle, 0, Production(MINUTE, Made(0, 0))))
    oee, effectiveness = figures["oee/iso-22400-2"], figures["effectiveness/iso-22400-2"]
    assert isinstance(oee, Computed)
    assert oee.value == 0.0
    assert isinstance(effectiveness, Computed)
    assert effectiveness.value is None, "no production time to be effective in"


@pytest.mark.parametrize(("parts", "good"), [(10, 11), (10, -1), (0, 1)])
def test_pieces_that_were_judged_in_another_time_give_no_figure_and_say_so(parts: int, good: int) -> None:
    figures = by_id(key_figures(WHOLE, PLANNED, FAILURES, Production(MINUTE, Made(parts, good))))
    for name in ("quality-ratio/iso-22400-2", "oee/iso-22400-2", "nee/iso-22400-2"):
        figure = figures[name]
        assert isinstance(figure, Computed)
        assert figure.value is None
        none_made = name == "quality-ratio/iso-22400-2" and not parts
        assert figure.reason == (Reason.DENOMINATOR_ZERO if none_made else Reason.GOOD_NOT_OF_PRODUCED)
    oee = figures["oee/iso-22400-2"]
    assert isinstance(oee, Computed)
    assert (oee.numerator, oee.denominator) == (good * MINUTE, 450 * MINUTE), "over several days it adds up"
    effectiveness = figures["effectiveness/iso-22400-2"]
    assert isinstance(effectiveness, Computed)
    assert effectiveness.value is not None, "bad ones are in it, too"


def test_what_a_figure_may_be_short_of_is_told_beside_it() -> None:
    planned, whole = Made(240, 228, spanning=3, unseen_ms=5), Made(275, 262, 66_000, 4, 6)
    figures = key_figures(WHOLE, PLANNED, FAILURES, Production(MINUTE, planned, whole))
    told = {}
    for figure in figures:
        assert isinstance(figure, Computed)
        told[figure.kpi.id] = (figure.spanning, figure.unseen_ms)
    of_planned = {"effectiveness", "quality-ratio", "oee", "nee"}
    assert {name: pair for name, pair in told.items() if pair != (0, 0)} == {
        **{f"{name}/iso-22400-2": (3, 5) for name in of_planned},
        "cycle-time/per-part": (4, 6),
        "energy/per-part": (4, 6),
    }


times = st.dictionaries(
    st.builds(StateWithCause, st.sampled_from(MachineState), st.sampled_from(("", "a", "b"))),
    st.integers(1, 10**9),
)


@given(times)
def test_shares_of_planned_time_are_never_above_one(planned: dict[StateWithCause, int]) -> None:
    account = Account(planned)
    for figure in key_figures(account, account, 1, Production()):
        if isinstance(figure, Computed) and figure.kpi.unit == "" and figure.value is not None:
            assert 0 <= figure.value <= 1


@given(st.lists(times, min_size=1, max_size=5))
def test_pooled_counts_of_parts_equal_those_of_the_whole(parts: list[dict[StateWithCause, int]]) -> None:
    accounts = [Account(part) for part in parts]
    whole = Account.pooled(accounts)
    pooled = by_id(key_figures(whole, whole, len(parts), Production()))
    each = [by_id(key_figures(account, account, 1, Production())) for account in accounts]
    for name in ("availability/iso-22400-2", "power-on-rate/of-calendar-time", "mtbf/per-failure"):
        figure, found = pooled[name], [figures[name] for figures in each]
        if isinstance(figure, Computed):
            known = [part for part in found if isinstance(part, Computed)]
            assert sum(part.numerator for part in known) == figure.numerator
