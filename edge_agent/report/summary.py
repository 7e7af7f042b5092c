"""The first page: who reports on what, and all figures of the enterprise."""

from collections.abc import Iterator

from edge_agent import __version__
from edge_agent.report import words
from edge_agent.report.content import Block, Cell, Column, Facts, Points, Row, Section, Table, Text
from edge_agent.report.gather import Month, Stated
from edge_agent.report.parts import Tell, count, rate, rate_or_reason, title_of


def summary(month: Month, tell: Tell) -> Section:
    return Section(tell(words.SUMMARY), list(_blocks(month, tell)))


def _blocks(month: Month, tell: Tell) -> Iterator[Block]:
    gateway, sheet = month.site.gateway, tell(words.SHEET_SUMMARY)
    keys = dict.fromkeys(one.message.key for one in month.stated)
    versions = dict.fromkeys(one.message.register_version for one in month.stated)
    items: list[tuple[str, Cell]] = [
        (tell(words.ENTERPRISE), gateway.enterprise),
        (tell(words.SITE), gateway.name or gateway.id),
        (tell(words.GATEWAY), gateway.id),
        (tell(words.REGION), gateway.region),
        (tell(words.PERIOD), f"{month.first} – {month.last}"),
        (tell(words.TIMEZONE), gateway.timezone),
        (tell(words.EQUIPMENT_COUNT), len(month.register.equipment)),
        (tell(words.HEADCOUNT), month.register.headcount),
        (tell(words.REGISTER_VERSION), "\n".join(versions)),
        (tell(words.AGENT), __version__),
        (tell(words.PUBLIC_KEY), "\n".join(keys)),
    ]
    yield Facts(items, sheet=sheet)
    yield Text(tell(words.BASIS), "notice", sheet=sheet)
    if month.unstated:
        names = ", ".join(one.id for one in month.unstated)
        yield Text(tell(words.UNSTATED).format(names=names), "notice", sheet=sheet)
    if len(versions) > 1:
        yield Text(tell(words.REGISTERS_DIFFER), "notice", sheet=sheet)
    yield Table(
        [
            Column("", 5, align="right"),
            Column(tell(words.INDICATOR), 30),
            Column(tell(words.NUMERATOR), 15, align="right"),
            Column(tell(words.DENOMINATOR), 15, align="right"),
            Column(tell(words.RATE), 12, align="right"),
            Column(tell(words.LAST_MONTH), 10, align="right"),
            Column(tell(words.CHANGE), 10, align="right"),
            Column(tell(words.UNKNOWN), 9, align="right"),
            Column(tell(words.STATEMENT), 9, align="right"),
        ],
        [_row(number, one, month, tell) for number, one in enumerate(month.stated, 1)],
        sheet=sheet,
    )


def _row(number: int, one: Stated, month: Month, tell: Tell) -> Row:
    definition = one.message.definition
    figure = one.message.figures[0]  # the enterprise's comes first
    before = month.rate_before(definition.id)
    scale = 10_000 if definition.unit == "per_10000_employees" else 100
    return Row(
        [
            number,
            f"{title_of(definition, tell)}\n{definition.id}",
            count(definition, figure.numerator),
            count(definition, figure.denominator),
            rate_or_reason(definition, figure, tell),
            None if before is None else rate(definition.unit, before),
            None if before is None or figure.rate is None else Points((figure.rate - before) * scale),
            figure.unknown,
            one.message.number,
        ]
    )
