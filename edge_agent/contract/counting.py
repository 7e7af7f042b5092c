"""From lines of evidence to the figure that they give: the one way, on the gateway and where figures meet."""

from collections.abc import Sequence
from typing import TypeAlias

from edge_agent.contract.merkle import root
from edge_agent.contract.messages import EquipmentEvidence, Figure, ProcessEvidence, Scope

Line: TypeAlias = EquipmentEvidence | ProcessEvidence

_UNKNOWN = "unknown"


def figure(
    scope: Scope,
    lines: Sequence[tuple[Line, bytes]],
    *,
    per_head: bool,
    people: int | None,
    in_effect: bool,
) -> Figure:
    """What `lines` of one scope give; each with its Merkle leaf, by id.

    A density (`per_head`) is by the `people` of the scope, None if their number is not known. `in_effect`:
    the definition holds on the day.
    """
    numerator = sum(_weight(line) for line, _ in lines if line.in_numerator)
    denominator = sum(_weight(line) for line, _ in lines if line.in_denominator)
    if per_head:
        denominator = people or 0
    if per_head and people is None:
        reason = "headcount_missing"
    elif any(line.reason == "asset_value_missing" for line, _ in lines):
        reason = "asset_value_missing"
    elif not in_effect:
        reason = "definition_not_in_effect"
    else:
        reason = "" if denominator else "denominator_zero"
    return Figure(
        scope=scope,
        numerator=numerator,
        denominator=denominator,
        rate=None if reason else numerator / denominator,
        unknown=sum(line.in_denominator and _is_unknown(line) for line, _ in lines),
        evidence=root([leaf for _, leaf in lines]),
        reason=reason,
    )


def _weight(line: Line) -> int:
    return line.weight if isinstance(line, EquipmentEvidence) else 1


def _is_unknown(line: Line) -> bool:
    return isinstance(line, EquipmentEvidence) and line.state == _UNKNOWN
