"""How far an indicator is on its way to a policy's target: pure functions over plain points."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from edge_agent.contract.messages import Figure
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.policies import Baseline, Change, Level, Policy, Reading, Target

AT_DEADLINE = timedelta(days=31)
"""A figure of these days up to the deadline is one of the deadline."""
PACE_OVER = timedelta(days=92)
"""The last three months: what the pace is taken over, where there are figures of them."""
PACE_LEAST = timedelta(days=28)
"""Over fewer days there is no pace."""
DAYS_A_MONTH = Fraction(487, 16)
"""365.25 days by 12."""


class Verdict(StrEnum):
    MET = "met"
    ON_COURSE = "on_course"
    """Not met yet, and the pace is at least the one that is needed."""
    BEHIND = "behind"
    PASSED_MET = "deadline_passed_met"
    PASSED_MISSED = "deadline_passed_missed"
    CANNOT_BE_JUDGED = "cannot_be_judged"
    """`Judgement.reason` says why."""


class WhyNot(StrEnum):
    """Why a target cannot be judged; a figure without a rate has its own reason beside these."""

    NOT_COMPUTED = "not_computed"
    """There is no definition for what the target is about."""
    NO_BASELINE = "no_baseline"
    """It asks for a change, and nobody has recorded what there was before."""
    BASELINE_ZERO = "baseline_zero"
    """Some percent more than nothing is nothing."""
    ABOVE_WHOLE = "above_whole"
    """Baseline and change together are more than 100 %."""
    NO_FIGURE = "no_figure"
    PACE_UNKNOWN = "pace_unknown"
    """Not met yet, and there are no two figures far enough apart to say whether it will be."""


@dataclass(frozen=True, slots=True)
class Point:
    """What an indicator was on a day: its counts, and with `reason` why they give no rate."""

    day: date
    numerator: int
    denominator: int
    reason: str = ""

    @property
    def rate(self) -> Fraction | None:
        if self.reason or not self.denominator:
            return None
        return Fraction(self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much the rate went up in a month, on an average from `since` up to `to`."""

    since: date
    to: date
    per_month: Fraction


@dataclass(frozen=True, slots=True)
class Judgement:
    """One target by one definition, in one reading, from one baseline.

    All rates are quotients: 0 to 1 for a share; times `definition.scale` they are what people say.
    Whether the target is `met` or not says nothing of the policy where `target.applies_to` is `region`:
    then it is a comparison of one enterprise with what is asked of all together.
    """

    policy: Policy
    target: Target
    reading: Reading
    definition: Definition | None
    """None if there is none to judge it by."""
    baseline: Baseline | None = None
    goal: Fraction | None = None
    """The rate from which on the target is met."""
    now: Point | None = None
    """The newest figure."""
    judged: Point | None = None
    """The figure that the verdict is about: the newest; after the deadline that of the deadline, if kept."""
    distance: Fraction | None = None
    """Rate less goal: below zero as long as it is not met."""
    progress: Fraction | None = None
    """Of a level the rate by the goal, of a change the change so far by the one asked for. 1 is met."""
    needed: Fraction | None = None
    """By how much the rate has to go up each month from now to the deadline."""
    pace: Pace | None = None
    verdict: Verdict = Verdict.CANNOT_BE_JUDGED
    reason: str = ""

    @property
    def of_deadline(self) -> bool:
        """Whether what is judged is a figure of the deadline."""
        return self.judged is not None and _of_deadline(self.judged, self.target.deadline)


def point(figure: Figure, day: date) -> Point:
    """A figure as it was sent, as one of `day`."""
    return Point(day, figure.numerator, figure.denominator, figure.reason)


def judge(
    policies: Iterable[Policy],
    definitions: Mapping[str, Definition],
    points: Mapping[str, Sequence[Point]],
    baselines: Sequence[Baseline],
    today: date,
) -> list[Judgement]:
    """Every target of `policies`, in order: a line for each definition, reading and baseline.

    `points`: figures of one scope by definition id, in any order; of several of one day the last counts.
    What is later than `today` is not looked at. `baselines` are of the same scope. `definitions` has all
    that the targets name.
    """
    series = {name: _in_order(some, today) for name, some in points.items()}
    recorded = sorted((one for one in baselines if one.day <= today), key=lambda one: one.day)
    return [
        _judge(line, series.get(line.definition.id, ()) if line.definition else (), today)
        for policy in policies
        for target in policy.targets
        for line in _lines(policy, target, definitions, recorded)
    ]


def _in_order(points: Iterable[Point], today: date) -> list[Point]:
    by_day = {one.day: one for one in points if one.day <= today}
    return [by_day[day] for day in sorted(by_day)]


def _lines(
    policy: Policy, target: Target, definitions: Mapping[str, Definition], baselines: Sequence[Baseline]
) -> Iterator[Judgement]:
    if not target.indicators:
        for reading in target.readings:
            yield Judgement(policy, target, reading, None, reason=WhyNot.NOT_COMPUTED)
    for name in target.indicators:
        for reading in target.readings:
            for baseline in _baselines(target, reading, name, baselines) or [None]:
                yield Judgement(policy, target, reading, definitions[name], baseline)


def _baselines(
    target: Target, reading: Reading, definition: str, known: Sequence[Baseline]
) -> list[Baseline | None]:
    """What a change may be counted from: on the day that the reading says, on any if it says none."""
    if not isinstance(reading, Change):
        return []
    return [
        one
        for one in known
        if one.definition == definition and one.day < target.deadline and reading.since in (None, one.day)
    ]


def _judge(line: Judgement, points: Sequence[Point], today: date) -> Judgement:
    """`line` with its figures and its verdict; `points` in order, none of them later than today."""
    definition, deadline = line.definition, line.target.deadline
    if definition is None:
        return line
    judged = _judged(points, deadline, today)
    line = replace(line, now=points[-1] if points else None, judged=judged)
    start = line.baseline.rate(definition) if line.baseline is not None else None
    goal = _goal(line.reading, start, definition)
    if isinstance(goal, WhyNot):
        return replace(line, reason=goal)
    line = replace(line, goal=goal)
    if judged is None:
        return replace(line, reason=WhyNot.NO_FIGURE)
    rate = judged.rate
    if rate is None:
        return replace(line, reason=judged.reason or "denominator_zero")
    distance, from_ = rate - goal, start or Fraction(0)
    line = replace(line, distance=distance, progress=(rate - from_) / (goal - from_))
    if today > deadline:
        return replace(line, verdict=Verdict.PASSED_MET if distance >= 0 else Verdict.PASSED_MISSED)
    line = replace(line, pace=_pace(points, line.baseline, start))
    if distance >= 0:
        return replace(line, verdict=Verdict.MET)
    # Today and the day of the deadline are days on which something can still be done.
    needed = -distance / ((deadline - today).days + 1) * DAYS_A_MONTH
    line = replace(line, needed=needed)
    if line.pace is None:
        return replace(line, reason=WhyNot.PACE_UNKNOWN)
    return replace(line, verdict=Verdict.ON_COURSE if line.pace.per_month >= needed else Verdict.BEHIND)


def _judged(points: Sequence[Point], deadline: date, today: date) -> Point | None:
    """What the verdict is about: after the deadline the newest figure of it, otherwise the newest of all."""
    if today > deadline:
        of_deadline = [one for one in points if _of_deadline(one, deadline) and one.rate is not None]
        if of_deadline:
            return of_deadline[-1]
    return points[-1] if points else None


def _of_deadline(one: Point, deadline: date) -> bool:
    return deadline - AT_DEADLINE < one.day <= deadline


def _goal(reading: Reading, start: Fraction | None, definition: Definition) -> Fraction | WhyNot:
    """The rate that is asked for; `start` is that of the baseline."""
    asked = Fraction(reading.value)
    if isinstance(reading, Level):
        return asked / definition.scale
    if start is None:
        return WhyNot.NO_BASELINE
    if reading.unit == "relative_percent" and not start:
        return WhyNot.BASELINE_ZERO
    goal = start * (1 + asked / 100) if reading.unit == "relative_percent" else start + asked / 100
    return WhyNot.ABOVE_WHOLE if definition.unit == "share" and goal > 1 else goal


def _pace(points: Sequence[Point], baseline: Baseline | None, start: Fraction | None) -> Pace | None:
    """Up to the newest rate, from the oldest of the three months before it; if there is none that old, from
    the newest of before, which may be the baseline."""
    rates = {one.day: one.rate for one in points if one.rate is not None}
    to = max(rates)
    if baseline is not None and start is not None:
        rates.setdefault(baseline.day, start)
    earlier = sorted(day for day in rates if to - day >= PACE_LEAST)
    if not earlier:
        return None
    since = next((day for day in earlier if to - day <= PACE_OVER), earlier[-1])
    return Pace(since, to, (rates[to] - rates[since]) / (to - since).days * DAYS_A_MONTH)
