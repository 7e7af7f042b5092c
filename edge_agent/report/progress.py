"""The chapter of trends: the enterprise's figures by month, and how far they are from policy targets."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

from edge_agent.contract.messages import DefinitionReference
from edge_agent.indicators.targets import Judgement, Point, Verdict
from edge_agent.report import words
from edge_agent.report.content import (
    Block,
    Cell,
    Column,
    Goal,
    Heading,
    Points,
    Rate,
    Row,
    Section,
    Table,
    Text,
    Trend,
    Trends,
)
from edge_agent.report.gather import Month, Stated
from edge_agent.report.parts import Tell, count, rate, title_of
from edge_agent.words import BY_FIGURE, NONE_OF_DEADLINE, POINTS, REASONS, VERDICTS, Words, asked_for, why_not

_FEWEST_MONTHS = 6
"""A trend shows at least so many, with or without figures."""


def progress(month: Month, tell: Tell) -> Section:
    months = _months(month)
    goals = _goals(month.judgements, tell)
    charts = [_trend(number, one, month, months, goals, tell) for number, one in enumerate(month.stated, 1)]
    blocks: list[Block] = [
        Text(tell(words.TREND_EXPLAINED), "small"),
        Trends([chart for chart in charts if any(value is not None for value in chart.values)]),
        _history(month, tell),
    ]
    stated = {one.message.definition.id for one in month.stated}
    judged = [one for one in month.judgements if one.definition is None or one.definition.id in stated]
    if judged:
        blocks += [
            Heading(tell(words.TARGETS)),
            Text(tell(words.TARGETS_EXPLAINED), "small"),
            _targets(judged, tell),
        ]
    return Section(tell(words.TREND), blocks)


def _months(month: Month) -> Sequence[date]:
    """The last days of the months from the first that has a figure."""
    days = {at.day for one in month.stated for at in month.points.get(one.message.definition.id, ())}
    first = next((place for place, day in enumerate(month.months) if day in days), len(month.months))
    return month.months[min(first, len(month.months) - _FEWEST_MONTHS) :]


def _goals(judgements: Sequence[Judgement], tell: Tell) -> dict[str, list[Goal]]:
    """By definition, the rates that policies ask for."""
    found: dict[str, dict[Goal, None]] = defaultdict(dict)
    for one in judgements:
        if one.definition is not None and one.goal is not None:
            asked, unit = asked_for(one.reading)
            name = f"{asked} {tell(unit)}".rstrip()
            found[one.definition.id][
                Goal(f"{name} · {one.policy.id} {one.target.deadline:%Y}", float(one.goal))
            ] = None
    return {definition: list(goals) for definition, goals in found.items()}


def _trend(
    number: int, one: Stated, month: Month, months: Sequence[date], goals: dict[str, list[Goal]], tell: Tell
) -> Trend:
    definition = one.message.definition
    by_day = {at.day: at.rate for at in month.points.get(definition.id, ())}
    rates = [by_day.get(day) for day in months]
    return Trend(
        f"{number}  {title_of(definition, tell)}",
        [f"{day:%y-%m}" for day in months],
        [None if value is None else float(value) for value in rates],
        rate(definition.unit, 0).per,
        goals.get(definition.id, []),
    )


def _history(month: Month, tell: Tell) -> Table:
    """What the charts show, with the counts: for the workbook."""
    return Table(
        [
            Column(tell(words.DEFINITION), 34),
            Column(tell(words.INDICATOR), 30),
            Column(tell(words.MONTH), 10),
            Column(tell(words.NUMERATOR), 16, align="right"),
            Column(tell(words.DENOMINATOR), 16, align="right"),
            Column(tell(words.RATE), 10, align="right"),
            Column(tell(words.REASON), 24),
        ],
        [
            Row(
                [
                    one.message.definition.id,
                    title_of(one.message.definition, tell),
                    f"{at.day:%Y-%m}",
                    count(one.message.definition, at.numerator),
                    count(one.message.definition, at.denominator),
                    _rate(one.message.definition, at),
                    tell(REASONS[at.reason]) if at.reason else "",
                ]
            )
            for one in month.stated
            for at in month.points.get(one.message.definition.id, ())
            if at.day in month.months
        ],
        sheet=tell(words.SHEET_TREND),
        printed=False,
    )


def _rate(definition: DefinitionReference, at: Point) -> Cell:
    return None if at.rate is None else rate(definition.unit, float(at.rate))


def _targets(judgements: Sequence[Judgement], tell: Tell) -> Table:
    return Table(
        [
            Column(tell(words.TARGET), 32),
            Column(tell(words.ASKED), 17),
            Column(tell(words.UNTIL), 16),
            Column(tell(words.DEFINITION), 26),
            Column(tell(words.NOW), 9, align="right"),
            Column(tell(words.GOAL), 10, align="right"),
            Column(tell(words.DISTANCE), 12, align="right"),
            Column(tell(words.PROGRESS), 11, align="right"),
            Column(tell(words.VERDICT), 24),
        ],
        [Row(list(_judgement(one, tell))) for one in judgements],
        sheet=tell(words.SHEET_TARGETS),
    )


def _judgement(one: Judgement, tell: Tell) -> Iterator[Cell]:
    title = one.target.title
    comparison = tell(words.COMPARISON) if one.target.applies_to == "region" and one.definition else ""
    yield f"{tell(Words(title['zh'], title['en']))}{comparison}\n{one.policy.id}/{one.target.id}"
    asked, unit = asked_for(one.reading)
    means = one.reading.means
    meaning = "" if means is None else f"\n{tell(Words(means['zh'], means['en']))}"
    yield f"{asked} {tell(unit)}".rstrip() + meaning
    yield one.target.deadline.isoformat()
    definition = one.definition
    if definition is None:
        yield from ("", None, None, None, None, _verdict(one, tell))
        return
    yield definition.id
    yield None if one.now is None or one.now.rate is None else rate(definition.unit, float(one.now.rate))
    yield None if one.goal is None else rate(definition.unit, float(one.goal))
    yield None if one.distance is None else Points(float(one.distance * definition.scale))
    yield None if one.progress is None else Rate(float(one.progress))
    yield _verdict(one, tell)


def _verdict(one: Judgement, tell: Tell) -> str:
    text = tell(VERDICTS[one.verdict])
    if one.verdict is Verdict.CANNOT_BE_JUDGED:
        return f"{text}: {tell(why_not(one.reason))}"
    if one.definition is None or one.distance is None:
        return text
    by = f"{float(-one.distance * one.definition.scale):.2f} {tell(POINTS[one.definition.unit])}"
    text = text.format(zh=by, en=by)
    if one.verdict in (Verdict.PASSED_MET, Verdict.PASSED_MISSED) and one.judged is not None:
        kept = "" if one.of_deadline else tell(Words("，", ", ")) + tell(NONE_OF_DEADLINE)
        text += tell(Words("（{by}）", " ({by})")).format(by=f"{tell(BY_FIGURE)} {one.judged.day}{kept}")
    return text
