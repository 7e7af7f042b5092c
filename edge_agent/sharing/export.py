"""What one tenant gets of the ledger, as a file: its own lines, and nothing of anybody else."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.config.register_files import Table, write_csv, write_xlsx
from edge_agent.config.sharing import TenantOptions
from edge_agent.config.tables import Cell
from edge_agent.indicators.accounts import Timeline
from edge_agent.model.state import MachineState
from edge_agent.sharing.ledger import KNOWN, Ledger, Line, Records, evidence
from edge_agent.sharing.rates import UNITS
from edge_agent.sharing.settlement import tenant_content

SUFFIXES = (".csv", ".xlsx", ".json")

Column = tuple[str, Callable[[Line, ZoneInfo], Cell | Decimal]]

_COLUMNS: Sequence[Column] = (
    ("设备 equipment", lambda line, _: line.equipment),
    ("开始 from", lambda line, zone: _time(line.start_ms, zone)),
    ("结束 to", lambda line, zone: _time(line.end_ms, zone)),
    ("依据 sessions", lambda line, _: line.sessions),
    ("运行秒 running s", lambda line, _: _seconds(line.account.of(MachineState.RUNNING))),
    ("占用秒 occupied s", lambda line, _: _seconds(line.account.of(*KNOWN))),
    ("未知秒 unknown s", lambda line, _: _seconds(line.unknown_ms)),
    ("缺口 gaps", lambda line, _: gaps_text(line)),
    ("件数 pieces", lambda line, _: line.produced.parts),
    ("合格 good", lambda line, _: line.produced.good),
    ("跨缺口件数 spanning", lambda line, _: line.produced.spanning_parts),
    ("电量 kWh", lambda line, _: None if line.energy_wh is None else Decimal(line.energy_wh) / 1000),
    ("跨缺口电量 spanning kWh", lambda line, _: Decimal(line.produced.spanning_energy_wh) / 1000),
    ("费率表 rates", lambda line, _: line.rates),
    ("版本 version", lambda line, _: line.version),
    ("金额 yuan", lambda line, _: yuan(line.fen) if not line.unpriced else None),
    ("未定价 unpriced", lambda line, _: unpriced_text(line)),
    ("证据 evidence", lambda line, _: line.evidence),
)

_AMOUNT_HEADINGS = (
    "设备 equipment",
    "开始 from",
    "计费 per",
    "名称 name",
    "数量 quantity",
    "单位 unit",
    "单价 yuan",
    "单价对应数量 per",
    "金额 yuan",
    "未定价 unpriced",
    "未知秒 unknown s",
)


def write_tenant(path: Path, ledger: Ledger, tenant: TenantOptions, records: Records, zone: ZoneInfo) -> None:
    """Write the tenant's lines in the format of the path's suffix, without overwriting.

    CSV and XLSX have a row for each line; XLSX also a sheet with a row for each amount. JSON is what a
    settlement says, with the evidence in full. Raises OSError, sqlite3.Error; ValueError for another suffix.
    """
    suffix = path.suffix.lower()
    lines = ledger.of(tenant.id)
    if suffix == ".csv":
        write_csv(path, _line_rows(lines, zone))
    elif suffix == ".xlsx":
        write_xlsx(
            path, [("使用台账 ledger", _line_rows(lines, zone)), ("金额 amounts", _amount_rows(lines, zone))]
        )
    elif suffix == ".json":
        content = {
            "from": ledger.from_ms,
            "to": ledger.to_ms,
            "timezone": zone.key,
            **tenant_content(ledger, tenant),
            "evidence": [_evidence(line, records) for line in lines],
        }
        with path.open("x", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
    else:
        raise ValueError(f"{path}: expected one of: {', '.join(SUFFIXES)}")


def _evidence(line: Line, records: Records) -> dict[str, Any]:
    timeline = Timeline.of(records.intervals_of(line.equipment, line.start_ms, line.end_ms))
    return evidence(line.equipment, (line.start_ms, line.end_ms), timeline, line.produced)


def _line_rows(lines: Sequence[Line], zone: ZoneInfo) -> Table:
    rows: Table = [[heading for heading, _ in _COLUMNS]]
    rows += [[cell(line, zone) for _, cell in _COLUMNS] for line in lines]
    return rows


def _amount_rows(lines: Sequence[Line], zone: ZoneInfo) -> Table:
    rows: Table = [list(_AMOUNT_HEADINGS)]
    for line in lines:
        for amount in line.amounts:
            unit = UNITS[amount.per]
            rows.append(
                [
                    line.equipment,
                    _time(line.start_ms, zone),
                    amount.per,
                    amount.name,
                    amount.quantity,
                    unit.name,
                    amount.price,
                    unit.per_price,
                    None if amount.fen is None else yuan(amount.fen),
                    amount.unpriced,
                    _seconds(amount.unknown_ms),
                ]
            )
    return rows


def gaps_text(line: Line) -> str:
    """`timeout 1800.000; stale 12.500`: seconds by cause."""
    return "; ".join(f"{state.cause} {_seconds(ms)}" for state, ms in line.times(unknown=True))


def unpriced_text(line: Line) -> str:
    """Why the line, or what of it, has no price."""
    missing = [f"{amount.per}: {amount.unpriced}" for amount in line.amounts if amount.unpriced]
    return line.unpriced or "; ".join(missing)


def yuan(fen: int) -> Decimal:
    return (Decimal(fen) / 100).quantize(Decimal("0.01"))


def _seconds(ms: int) -> Decimal:
    return (Decimal(ms) / 1000).quantize(Decimal("0.001"))


def _time(time_ms: int, zone: ZoneInfo) -> str:
    local = datetime.fromtimestamp(time_ms // 1000, zone)
    return f"{local:%Y-%m-%d %H:%M:%S}.{time_ms % 1000:03}"
