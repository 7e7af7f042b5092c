"""How figures, their evidence and claims are put into tables."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.table import Table

from edge_agent.cli.words import counts_text, rate_text, reason_text, scope_text
from edge_agent.contract.counting import Line
from edge_agent.contract.messages import DefinitionReference, EquipmentEvidence, Figure
from edge_agent.indicators.claims import Claim
from edge_agent.words import CLAIMS


def rates_table(definition: DefinitionReference, figures: Sequence[Figure]) -> Table:
    """A row for each scope."""
    rows = table("范围 scope", "分子/分母 n/d", "比率 rate", "原因 reason", "未知 unknown")
    for figure in figures:
        rows.add_row(
            scope_text(figure.scope),
            counts_text(definition, figure),
            rate_text(definition, figure),
            reason_text(figure.reason) if figure.reason else "",
            str(figure.unknown),
        )
    return rows


def lines_tables(lines: Sequence[Line], zone: ZoneInfo, *, windowed: bool) -> list[tuple[str, Table]]:
    """Counted, in the denominator alone, and in neither: a table each, if there is something for it.

    `windowed`: good readings were counted.
    """
    parts = {
        "计入分子 In the numerator": [one for one in lines if one.in_numerator],
        "仅计入分母 In the denominator, not in the numerator": [
            one for one in lines if one.in_denominator and not one.in_numerator
        ],
        "不计入 Not counted": [one for one in lines if not one.in_denominator and not one.in_numerator],
    }
    tables = []
    for title, members in parts.items():
        rows = table("编号 id", "车间 workshop", "原因 reason", "证据 evidence")
        for one in members:
            if isinstance(one, EquipmentEvidence):
                name, evidence = one.equipment, _evidence(one, zone, windowed=windowed)
            else:
                name = one.process
                evidence = (
                    f"设备 equipment: {', '.join(one.equipment)}; 数控 NC: {', '.join(one.nc_equipment)}"
                )
            rows.add_row(name, one.workshop, reason_text(one.reason), evidence)
        if members:
            tables.append((f"{title}: {len(members)}", rows))
    return tables


def _evidence(line: EquipmentEvidence, zone: ZoneInfo, *, windowed: bool) -> str:
    parts = [line.state, line.link]
    if windowed:
        parts.append(f"{line.good_readings} good readings 有效读数")
    if line.planned_minutes:
        parts.append(f"{line.proved_minutes}/{line.planned_minutes} planned minutes 计划分钟")
    if line.last_good is not None:
        last = datetime.fromtimestamp(line.last_good / 1000, zone)
        parts.append(f"last 最近 {last:%Y-%m-%d %H:%M:%S}")
    return ", ".join(parts)


def claims_table(claims: Sequence[Claim]) -> Table:
    rows = table("编号 id", "登记与证据 claim", "")
    for claim in claims:
        rows.add_row(claim.subject, CLAIMS[claim.kind].both, claim.detail)
    return rows


def table(*headings: str) -> Table:
    rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        rows.add_column(heading, overflow="fold")
    return rows
