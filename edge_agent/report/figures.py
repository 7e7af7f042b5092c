"""The chapter of figures: each definition, its source, its counts by scope, and what is not counted."""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any

from edge_agent.contract.messages import EquipmentEvidence, Figure, ProcessEvidence
from edge_agent.model.link import LinkLevel
from edge_agent.report import words
from edge_agent.report.content import Block, Column, Facts, Heading, Row, Section, Table
from edge_agent.report.gather import Month, Stated
from edge_agent.report.parts import Item, Tell, as_table, count, rate_or_reason, title_of, yes_no
from edge_agent.words import LINKS, REASONS


def figures(month: Month, tell: Tell) -> Section:
    of_each = (_definition(number, one, tell) for number, one in enumerate(month.stated, 1))
    texts = as_table(
        [_text_of(one, tell) for one in month.stated],
        tell(words.SHEET_DEFINITIONS),
        {tell(name): 40 for name in (words.INDICATOR, words.DEFINITION, words.SOURCE, words.RULE_CONNECTED)}
        | {tell(name): 60 for name in (words.QUOTE, words.WITHOUT_QUOTE)},
    )
    return Section(tell(words.FIGURES), [*chain.from_iterable(of_each), texts], new_page=True)


def _definition(number: int, one: Stated, tell: Tell) -> Iterator[Block]:
    yield Heading(f"{number}  {title_of(one.message.definition, tell)}")
    yield Facts([(name, cell) for name, cell in _text_of(one, tell)[1:] if cell not in ("", None)])
    yield _scopes(one, tell)
    if rows := list(_not_counted(one, tell)):
        yield Table(
            [
                Column(tell(words.IN_DENOMINATOR), 12),
                Column(tell(words.REASON), 22),
                Column(tell(words.NUMBER), 8, align="right"),
                Column(tell(words.WHICH), 70),
            ],
            rows,
        )


def _text_of(one: Stated, tell: Tell) -> Item:
    """What the definition says, as the statement keeps it."""
    definition = one.message.definition
    rule: dict[str, Any] = json.loads(one.message.evidence.rule)
    source = rule["source"]
    return [
        (tell(words.INDICATOR), title_of(definition, tell)),
        (
            tell(words.DEFINITION),
            tell(words.NUMBERED).format(id=definition.id, version=definition.version),
        ),
        (tell(words.STATEMENT), one.message.number),
        (tell(words.STANDING), tell(words.STANDINGS[rule["standing"]])),
        (tell(words.SOURCE), source["document"]),
        (tell(words.QUOTE), source.get("quote", "")),
        (tell(words.WITHOUT_QUOTE), source.get("without_quote", "")),
        (tell(words.RULE_DENOMINATOR), rule["denominator"]),
        (tell(words.RULE_NUMERATOR), rule["numerator"]),
        (tell(words.RULE_CONNECTED), _connected(rule.get("connected"), tell)),
    ]


def _connected(rule: dict[str, Any] | None, tell: Tell) -> str:
    if rule is None:
        return ""
    level = tell(LINKS[LinkLevel[rule["level"].upper()]])
    window = rule.get("window")
    if window is None:
        return tell(words.AT_INSTANT).format(level=level)
    text = tell(words.WITHIN).format(
        level=level, hours=float(window) / 3600, readings=rule.get("good_readings", 1)
    )
    share = rule.get("planned_share")
    return text if share is None else text + tell(words.PLANNED_SHARE).format(share=float(share))


def _scopes(one: Stated, tell: Tell) -> Table:
    """The enterprise, its workshops, and their lines."""
    definition = one.message.definition
    return Table(
        [
            Column(tell(words.SCOPE), 30),
            Column(tell(words.LEVEL), 9),
            Column(tell(words.NUMERATOR), 15, align="right"),
            Column(tell(words.DENOMINATOR), 15, align="right"),
            Column(tell(words.RATE), 14, align="right"),
            Column(tell(words.UNKNOWN), 10, align="right"),
        ],
        [
            Row(
                [
                    _scope(figure, tell),
                    tell(words.LEVELS[figure.scope.level]),
                    count(definition, figure.numerator),
                    count(definition, figure.denominator),
                    rate_or_reason(definition, figure, tell),
                    figure.unknown,
                ],
                level=list(words.LEVELS).index(figure.scope.level),
            )
            for figure in one.message.figures
        ],
        sheet=tell(words.FIGURES),
        of=[
            (Column(tell(words.DEFINITION), 34), definition.id),
            (Column(tell(words.VERSION), 8, align="right"), definition.version),
            (Column(tell(words.INDICATOR), 30), title_of(definition, tell)),
            (Column(tell(words.STATEMENT), 9, align="right"), one.message.number),
        ],
        levels=True,
    )


def _scope(figure: Figure, tell: Tell) -> str:
    scope = figure.scope
    if scope.level == "enterprise":
        return tell(words.LEVELS["enterprise"])
    return f"{scope.workshop} / {scope.id}" if scope.level == "line" else scope.id


def _not_counted(one: Stated, tell: Tell) -> Iterator[Row]:
    """What is not in the numerator, by reason; first what the denominator has."""
    lines: list[EquipmentEvidence | ProcessEvidence] = [
        *one.message.evidence.equipment,
        *one.message.evidence.processes,
    ]
    groups: dict[tuple[bool, str], list[str]] = defaultdict(list)
    for line in lines:
        if not line.in_numerator:
            name = line.equipment if isinstance(line, EquipmentEvidence) else line.process
            groups[not line.in_denominator, line.reason].append(name)
    for (outside, reason), names in sorted(groups.items()):
        yield Row([yes_no(not outside, tell), tell(REASONS[reason]), len(names), ", ".join(names)])
