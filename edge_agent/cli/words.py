"""How figures, reasons and durations are put to people, in Chinese and English."""

from edge_agent.contract.messages import DefinitionReference, Figure, Scope
from edge_agent.words import REASONS, yuan


def reason_text(reason: str) -> str:
    return REASONS[reason].both


def scope_text(scope: Scope) -> str:
    if scope.level == "enterprise":
        return "企业 enterprise"
    return f"{scope.workshop} / {scope.id}" if scope.level == "line" else scope.id


def rate_text(definition: DefinitionReference, figure: Figure) -> str:
    """`66.7%`, or how many per 10,000 employees; `-` if there is no rate."""
    if figure.rate is None:
        return "-"
    if definition.unit == "per_10000_employees":
        return f"{figure.rate * 10_000:.1f} 每万人 per 10,000"
    return f"{figure.rate:.1%}"


def counts_text(definition: DefinitionReference, figure: Figure) -> str:
    """`12/18`; amounts of money in yuan."""
    counts = (figure.numerator, figure.denominator)
    if definition.weight == "asset_value":
        return "/".join(map(yuan, counts))
    return "/".join(map(str, counts))


def duration_text(ms: int) -> str:
    """`26:03:07.120`: hours, minutes and seconds."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
