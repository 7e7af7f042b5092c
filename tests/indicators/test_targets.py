"""Targets of the shipped policies, worked out by hand."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.definitions import known_definitions
from edge_agent.config.policies import known_policies
from edge_agent.contract.messages import Figure, Scope
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.policies import Baseline, Policy
from edge_agent.indicators.targets import AT_DEADLINE, Judgement, Point, Verdict, judge, point
from tests.indicators.plant import table

DEFINITIONS = known_definitions()
POLICIES = known_policies(DEFINITIONS)

# Each row: what is known on a day (`today`), and what has to come out. `figures`: day:numerator/denominator,
# so is `baseline`, or it is day:value%. `goal`, `distance`, `needed` and `pace` are percent and percentage
# points, of robot density per 10,000; `needed` and `pace` are of a month of 30.4375 days. `-`: none.
CASES = """
target                         reading   by                                today       figures                              baseline        goal    distance  progress  needed  pace   verdict                 reason
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2021-12-31  2021-12-31:67/100                    -               67.00   0.00      100.00    -       -      met                     -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2021-12-31  2021-12-31:69/100                    -               67.00   2.00      102.99    -       -      met                     -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2022-07-01  2022-07-01:61/100                    -               67.00   -6.00     91.04     0.99    -      cannot_be_judged        pace_unknown
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2022-07-01  2022-04-01:60/100,2022-07-01:61/100  -               67.00   -6.00     91.04     0.99    0.33   behind                  -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2022-07-01  2022-05-16:119/200,2022-07-01:61/100 -               67.00   -6.00     91.04     0.99    0.99   on_course               -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2022-07-01  2022-05-15:119/200,2022-07-01:61/100 -               67.00   -6.00     91.04     0.99    0.97   behind                  -
wenzhou-2020-93/nc-rate        -         nc-rate/by-asset-value            2022-12-31  2022-12-31:66/100                    -               67.00   -1.00     98.51     30.44   -      cannot_be_judged        pace_unknown
wenzhou-2020-93/nc-rate        -         nc-rate/by-asset-value            2022-12-31  2022-12-31:67/100                    -               67.00   0.00      100.00    -       -      met                     -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2023-01-01  2022-12-31:67/100                    -               67.00   0.00      100.00    -       -      deadline_passed_met     -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2023-01-01  2022-12-31:66/100                    -               67.00   -1.00     98.51     -       -      deadline_passed_missed  -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2026-11-25  2022-12-31:66/100,2026-11-25:99/100  -               67.00   -1.00     98.51     -       -      deadline_passed_missed  -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2026-11-25  2026-11-25:99/100                    -               67.00   32.00     147.76    -       -      deadline_passed_met     -
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2022-07-01  2022-07-01:0/0                       -               67.00   -         -         -       -      cannot_be_judged        denominator_zero
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2023-07-01  2023-07-01:0/0                       -               67.00   -         -         -       -      cannot_be_judged        denominator_zero
wenzhou-2020-93/nc-rate        -         nc-rate/by-count                  2022-07-01  -                                    -               67.00   -         -         -       -      cannot_be_judged        no_figure
wenzhou-2020-93/networked-rate -         networked-rate/miit-sme-2024      2022-07-01  2022-07-01:13/25                     -               52.00   0.00      100.00    -       -      met                     -
wenzhou-2020-93/networked-rate -         networked-rate/of-digital         2022-07-01  2022-07-01:129/250                   -               52.00   -0.40     99.23     0.07    -      cannot_be_judged        pace_unknown
wenzhou-2020-93/networked-rate -         networked-rate/of-should-connect  2023-01-01  2022-12-31:0/7                       -               52.00   -52.00    0.00      -       -      deadline_passed_missed  -
wenzhou-2020-93/robot-density  -         robot-density/ifr                 2022-07-01  2022-07-01:37/2500                   -               148.00  0.00      100.00    -       -      met                     -
wenzhou-2020-93/robot-density  -         robot-density/ifr                 2022-12-31  2022-11-30:3/250,2022-12-31:36/2500  -               148.00  -4.00     97.30     121.75  23.56  behind                  -
wenzhou-2020-93/robot-density  -         robot-density/ifr                 2023-01-01  2023-01-01:2/96                      -               148.00  60.33     140.77    -       -      deadline_passed_met     -
wenzhou-2020-93/robot-density  -         robot-density/ifr                 2023-01-01  2023-01-01:2/0                       -               148.00  -         -         -       -      cannot_be_judged        denominator_zero
hangzhou-2021/nc-rate          -         nc-rate/by-count                  2025-12-31  2025-12-31:11/20                     -               -       -         -         -       -      cannot_be_judged        no_baseline
hangzhou-2021/nc-rate          -         nc-rate/by-count                  2025-12-31  2025-12-31:11/20                     2020-12-31:8/20 55.00   0.00      100.00    -       0.25   met                     -
hangzhou-2021/nc-rate          -         nc-rate/by-count                  2025-12-31  2025-12-31:11/20                     2020-12-31:40.1% 55.10  -0.10     99.33     3.04    0.25   behind                  -
hangzhou-2021/nc-rate          -         nc-rate/by-count                  2026-01-01  2025-12-31:11/20                     2020-12-31:40.1% 55.10  -0.10     99.33     -       -      deadline_passed_missed  -
hangzhou-2021/nc-rate          -         nc-rate/by-asset-value            2023-06-30  2023-06-30:9/20                      2020-12-31:10/20 65.00  -20.00    -33.33    0.66    -0.17  behind                  -
hangzhou-2021/nc-rate          -         nc-rate/by-count                  2023-06-30  2023-06-30:9/10                      2020-12-31:9/10 -       -         -         -       -      cannot_be_judged        above_whole
hangzhou-2021/nc-rate          -         nc-rate/by-count                  2023-06-30  2023-06-30:20/20                     2020-12-31:17/20 100.00 0.00      100.00    -       0.50   met                     -
hangzhou-2021/networked-rate   -         networked-rate/miit-sme-2024      2025-06-30  2025-06-30:3/20                      2021-12-31:0/20 15.00   0.00      100.00    -       0.36   met                     -
hangzhou-2021/networked-rate   -         networked-rate/of-digital         2025-06-30  2025-06-30:0/0                       2021-12-31:0/20 15.00   -         -         -       -      cannot_be_judged        denominator_zero
hebei-2024/key-process-nc-rate points    key-process-nc-rate/discrete      2026-12-31  2026-12-31:23/40                     2024-12-31:1/2  65.00   -7.50     50.00     0.31    0.31   on_course               -
hebei-2024/key-process-nc-rate relative  key-process-nc-rate/discrete      2026-12-31  2026-12-31:23/40                     2024-12-31:1/2  57.50   0.00      100.00    -       0.31   met                     -
hebei-2024/key-process-nc-rate points    key-process-nc-rate/discrete      2029-01-01  2028-12-31:13/20                     2024-12-31:1/2  65.00   0.00      100.00    -       -      deadline_passed_met     -
hebei-2024/key-process-nc-rate relative  key-process-nc-rate/discrete      2026-12-31  2026-12-31:2/40                      2024-12-31:0/2  -       -         -         -       -      cannot_be_judged        baseline_zero
hebei-2024/key-process-nc-rate points    key-process-nc-rate/discrete      2026-12-31  2026-12-31:2/40                      2024-12-31:0/2  15.00   -10.00    33.33     0.42    0.21   behind                  -
hebei-2024/key-process-nc-rate relative  key-process-nc-rate/discrete      2026-12-31  2026-12-31:9/10                      2024-12-31:9/10 -       -         -         -       -      cannot_be_judged        above_whole
hebei-2024/key-process-nc-rate points    key-process-nc-rate/process-industry 2026-12-31 2026-12-31:1/2                     -               -       -         -         -       -      cannot_be_judged        no_baseline
hebei-2024/platform-adoption   -         -                                 2026-12-31  -                                    -               -       -         -         -       -      cannot_be_judged        not_computed
hebei-2024/cloud-adoption      -         -                                 2029-01-01  -                                    -               -       -         -         -       -      cannot_be_judged        not_computed
"""  # noqa: E501 - a table


def points(text: str) -> list[Point]:
    found = []
    for entry in text.split(",") if text != "-" else ():
        day, _, counts = entry.partition(":")
        numerator, denominator = map(int, counts.split("/"))
        found.append(Point(date.fromisoformat(day), numerator, denominator))
    return found


def baseline(definition: str, text: str) -> Baseline:
    day, _, value = text.partition(":")
    numerator, _, denominator = value.partition("/")
    figure = {"numerator": Decimal(numerator), "denominator": Decimal(denominator)} if denominator else {}
    figure = figure or {"value": Decimal(value.removesuffix("%"))}
    return Baseline.model_validate({"definition": definition, "day": day, "source": "records", **figure})


def name(one: Judgement) -> str:
    return f"{one.policy.id}/{one.target.id}"


def said(one: Judgement, rate: Fraction | None) -> str:
    if rate is None:
        return "-"
    assert one.definition is not None
    return f"{float(rate * one.definition.scale):.2f}"


@pytest.mark.parametrize("row", table(CASES), ids=lambda row: f"{row['target']}-{row['verdict']}")
def test_a_target_is_judged_as_worked_out_by_hand(row: dict[str, str]) -> None:
    definition = row["by"]
    known = [] if row["baseline"] == "-" else [baseline(definition, row["baseline"])]
    figures = {definition: points(row["figures"])}
    judged = judge(POLICIES.values(), DEFINITIONS, figures, known, date.fromisoformat(row["today"]))
    (one,) = [
        one
        for one in judged
        if name(one) == row["target"]
        and (one.reading.id or "-") == row["reading"]
        and (one.definition.id if one.definition else "-") == definition
    ]
    found = {
        "goal": said(one, one.goal),
        "distance": said(one, one.distance),
        "progress": "-" if one.progress is None else f"{float(one.progress * 100):.2f}",
        "needed": said(one, one.needed),
        "pace": said(one, one.pace.per_month if one.pace else None),
        "verdict": one.verdict,
        "reason": one.reason or "-",
    }
    assert found == {key: row[key] for key in found}


def test_every_shipped_target_is_worked_out() -> None:
    shipped = {f"{policy.id}/{target.id}" for policy in POLICIES.values() for target in policy.targets}
    assert {row["target"] for row in table(CASES)} == shipped
    readings = {
        (f"{policy.id}/{target.id}", one.id or "-")
        for policy in POLICIES.values()
        for target in policy.targets
        for one in target.readings
    }
    assert {(row["target"], row["reading"]) for row in table(CASES)} == readings


NC, DEADLINE = "nc-rate/by-count", date(2022, 12, 31)


def of_wenzhou(figures: list[Point], today: date) -> Judgement:
    lines = judge([POLICIES["wenzhou-2020-93"]], DEFINITIONS, {NC: figures}, [], today)
    return next(one for one in lines if one.target.id == "nc-rate" and one.definition == DEFINITIONS[NC])


def test_a_figure_of_the_deadline_is_at_most_a_month_older() -> None:
    later = Point(DEADLINE + timedelta(1), 1, 4)
    for days, kept in ((0, True), (30, True), (31, False)):
        old = Point(DEADLINE - timedelta(days), 3, 4)
        one = of_wenzhou([old, later], DEADLINE + timedelta(9))
        assert (one.judged, one.of_deadline, one.now) == (old if kept else later, kept, later)
    assert timedelta(days=31) == AT_DEADLINE


def test_before_the_deadline_the_newest_figure_is_judged_and_none_that_is_still_to_come() -> None:
    first, second = Point(date(2022, 12, 5), 3, 4), Point(date(2022, 12, 9), 1, 4)
    assert of_wenzhou([second, first], date(2022, 12, 9)).judged == second
    assert of_wenzhou([second, first], date(2022, 12, 8)).judged == first
    again = replace(second, numerator=2)
    assert of_wenzhou([second, again], date(2022, 12, 9)).judged == again, "the last one of a day"


def test_the_pace_is_of_the_last_three_months_if_there_are_figures_of_them() -> None:
    today = date(2022, 7, 1)

    def since(*days_ago: int) -> date | None:
        ago = [Point(today - timedelta(days), 50, 100) for days in days_ago]
        one = of_wenzhou([*ago, Point(today, 51, 100)], today)
        return None if one.pace is None else one.pace.since

    assert since(200, 93, 92, 60, 20) == today - timedelta(92)
    assert since(200, 60, 20) == today - timedelta(60)
    assert since(200, 93, 27) == today - timedelta(93)
    assert since(28) == today - timedelta(28)
    assert since(27) is None


def test_without_a_figure_of_now_nothing_is_said_of_the_pace() -> None:
    day = date(2022, 7, 1)
    one = of_wenzhou([Point(date(2022, 5, 1), 1, 2), Point(day, 0, 0, "denominator_zero")], day)
    assert (one.verdict, one.reason, one.pace) == (Verdict.CANNOT_BE_JUDGED, "denominator_zero", None)


def test_each_baseline_is_a_line_of_its_own() -> None:
    days = ["2021-06-30", "2020-12-31", "2025-12-31", "2025-06-01"]
    known = [baseline(NC, f"{day}:40%") for day in days]
    lines = judge([POLICIES["hangzhou-2021"]], DEFINITIONS, {}, known, date(2025, 5, 31))
    of_nc = [one for one in lines if one.definition is not None and one.definition.id == NC]
    # Neither the one that is still to come, nor the one of the deadline.
    assert [one.baseline.day for one in of_nc if one.baseline] == [date(2020, 12, 31), date(2021, 6, 30)]
    others = [one for one in lines if one.definition is not None and one.definition.id != NC]
    assert {one.baseline for one in others} == {None}, "a baseline is of one definition"


def test_a_reading_that_names_its_day_is_judged_by_the_baseline_of_that_day_alone() -> None:
    (reading,) = POLICIES["hangzhou-2021"].targets[0].readings
    dated = reading.model_copy(update={"since": date(2020, 12, 31)})
    target = POLICIES["hangzhou-2021"].targets[0].model_copy(update={"readings": (dated,)})
    policy = POLICIES["hangzhou-2021"].model_copy(update={"targets": (target,)})
    other, right = baseline(NC, "2021-06-30:40%"), baseline(NC, "2020-12-31:40%")

    def by_count(*known: Baseline) -> list[Baseline | None]:
        lines = judge([policy], DEFINITIONS, {}, known, date(2025, 5, 31))
        return [one.baseline for one in lines if one.definition is DEFINITIONS[NC]]

    assert by_count(other, right) == [right]
    assert by_count(other) == [None]


def test_a_point_is_a_figure_as_it_was_sent() -> None:
    figure = Figure(Scope("enterprise", "x"), 3, 4, 0.75, 0, "digest")
    assert point(figure, DEADLINE) == Point(DEADLINE, 3, 4)
    assert point(figure, DEADLINE).rate == Fraction(3, 4)
    without = Figure(Scope("enterprise", "x"), 3, 0, None, 0, "digest", "headcount_missing")
    assert point(without, DEADLINE) == Point(DEADLINE, 3, 0, "headcount_missing")
    assert point(without, DEADLINE).rate is None


def policy_of(percent: Decimal, deadline: date) -> Policy:
    target = {
        "id": "own",
        "title": {"zh": "甲", "en": "a"},
        "quote": "q",
        "indicators": [NC],
        "readings": [{"kind": "level", "value": percent, "unit": "percent"}],
        "deadline": deadline.isoformat(),
        "scope": "us",
        "applies_to": "enterprise",
    }
    return Policy.model_validate(
        {"id": "own", "title": {"zh": "甲", "en": "a"}, "document": "d", "targets": [target]}
    )


@given(
    percent=st.decimals(1, 100, places=2),
    counts=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=8),
    left=st.integers(0, 900),
)
def test_going_on_at_the_needed_pace_meets_the_target_on_its_last_day(
    percent: Decimal, counts: list[tuple[int, int]], left: int
) -> None:
    today = date(2024, 2, 29)
    deadline = today + timedelta(left)
    figures = [
        Point(today - timedelta(30 * ago), min(numerator, denominator), denominator)
        for ago, (numerator, denominator) in enumerate(counts)
    ]
    (one,) = judge([policy_of(percent, deadline)], DEFINITIONS, {NC: figures}, [], today)
    assert one.now == figures[0]
    rate = figures[0].rate
    assert rate is not None
    assert one.distance == rate - Fraction(percent) / 100
    assert (one.verdict is Verdict.MET) == (one.distance >= 0) == (one.needed is None)
    if one.needed is not None:
        at_the_end = rate + one.needed * (left + 1) / Fraction("30.4375")
        assert at_the_end == one.goal
        faster = one.pace is not None and one.pace.per_month >= one.needed
        assert (one.verdict is Verdict.ON_COURSE) == faster


def test_definitions_are_the_ones_that_were_given() -> None:
    own: Definition = DEFINITIONS[NC].model_copy(update={"version": 9})
    lines = judge([policy_of(Decimal(50), DEADLINE)], {NC: own}, {}, [], DEADLINE)
    assert [one.definition for one in lines] == [own]
