"""The last chapter: every statement with its digests and signature, and how anybody verifies them."""

from edge_agent.report import words
from edge_agent.report.content import Block, Facts, Heading, Instant, Section, Text
from edge_agent.report.gather import Month, Stated
from edge_agent.report.parts import Item, Tell, as_table, title_of


def proof(month: Month, tell: Tell) -> Section:
    sheet = tell(words.SHEET_PROOF)
    blocks: list[Block] = [
        Heading(tell(words.HOW_TO_VERIFY)),
        Text(tell(words.HOW_TO_VERIFY_EXPLAINED), sheet=sheet),
        *(Text(line, "command", sheet=sheet) for line in _commands(month)),
    ]
    for number, one in enumerate(month.stated, 1):
        blocks.append(Heading(f"{number}  {title_of(one.message.definition, tell)}"))
        blocks.append(Facts([(name, cell) for name, cell in _facts(one, tell)[1:] if cell is not None]))
    items = [_facts(one, tell) for one in month.stated]
    long = (
        words.RULE_DIGEST,
        words.DIGEST,
        words.PREVIOUS,
        words.ROOT,
        words.PUBLIC_KEY,
        words.REGISTER_VERSION,
    )
    widths = {tell(name): 66.0 for name in long} | {
        tell(words.SIGNATURE): 130.0,
        tell(words.DEFINITION): 42.0,
    }
    blocks.append(as_table(items, tell(words.SHEET_STATEMENTS), widths))
    return Section(tell(words.PROOF), blocks, new_page=True)


def _commands(month: Month) -> list[str]:
    """To be typed as they are, but for CONFIG."""
    file = f"{month.first:%Y-%m}.json"
    numbers = " ".join(f"--number {one.message.number}" for one in month.stated)
    keys = " ".join(f"--key {key}" for key in dict.fromkeys(one.message.key for one in month.stated))
    return [
        f"edge-agent statements export CONFIG {file} {numbers}",
        f"edge-agent verify {file} {keys}",
    ]


def _facts(one: Stated, tell: Tell) -> Item:
    message = one.message
    return [
        (tell(words.INDICATOR), title_of(message.definition, tell)),
        (tell(words.STATEMENT), message.number),
        (
            tell(words.DEFINITION),
            tell(words.NUMBERED).format(id=message.definition.id, version=message.definition.version),
        ),
        (tell(words.RULE_DIGEST), message.definition.digest),
        (tell(words.EVIDENCE_TO), Instant(message.evidence_to)),
        (tell(words.SIGNED_AT), Instant(message.time)),
        (tell(words.MADE_BY), message.agent),
        (tell(words.SUPERSEDES), None if message.supersedes is None else message.supersedes.number),
        (tell(words.REGISTER_VERSION), message.register_version),
        (tell(words.ROOT), message.figures[0].evidence),
        (tell(words.DIGEST), one.kept.digest),
        (tell(words.PREVIOUS), message.previous),
        (tell(words.PUBLIC_KEY), message.key),
        (tell(words.SIGNATURE), message.signature),
    ]
