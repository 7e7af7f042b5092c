"""Settlements (结算单): what each tenant used in a month that is over, as statements of the chain."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.config.sharing import TenantOptions
from edge_agent.config.site import Site
from edge_agent.contract import messages
from edge_agent.indicators.periods import Period, PeriodKind, period_at, periods
from edge_agent.sharing.ledger import Ledger, Line, make_ledger
from edge_agent.sharing.production import Production
from edge_agent.sharing.rates import UNITS
from edge_agent.sharing.reading import KeptRecords

SCHEMA = "fta.settlement/1"
SETTLE_MS = 60_000
"""After the end of a month, so that what happened in it has been written."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settled (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    to_ms    INTEGER NOT NULL
);
"""


class Statements(Protocol):
    """Where statements are signed, chained and kept."""

    def add(
        self, schema: str, subject: str, kind: str, from_ms: int, to_ms: int, content: Mapping[str, Any]
    ) -> object | None:
        """Keep it; None if the newest one of the same subject and period says the same."""


def settle_ended_months(site: Site, statements: Statements, production: Production, now_ms: int) -> int:
    """Settle each month that is over and was not settled yet; returns how many settlements were added.

    To be called now and then, from the history's thread. The first month is the one of the first call.
    Raises sqlite3.Error.
    """
    if site.sharing is None:
        return 0
    path, zone = site.data_dir / "history.db", ZoneInfo(site.gateway.timezone)
    records = KeptRecords(path)
    try:
        known_ms = min(now_ms, records.as_of_ms or 0) - SETTLE_MS
    finally:
        records.close()
    done_ms = _settled(path, period_at(PeriodKind.MONTH, now_ms, zone).from_ms)
    added = 0
    for month in periods(PeriodKind.MONTH, done_ms, known_ms, zone):
        added += settle_month(site, statements, production, month)
        _set_settled(path, month.to_ms)
    return added


def settle_month(site: Site, statements: Statements, production: Production, month: Period) -> int:
    """Settle a month, perhaps again: what has not changed since is not added a second time.

    Raises sqlite3.Error.
    """
    if site.sharing is None:
        return 0
    zone = ZoneInfo(site.gateway.timezone)
    records = KeptRecords(site.data_dir / "history.db")
    try:
        ledger = make_ledger(site.sharing, records, production, zone, month.from_ms, month.to_ms)
    finally:
        records.close()
    added = 0
    for tenant in site.sharing.tenants:
        content = {
            "timezone": zone.key,
            "enterprise": site.gateway.enterprise,
            "gateway": site.gateway.id,
            **tenant_content(ledger, tenant),
        }
        kept = statements.add(SCHEMA, tenant.id, month.kind, month.from_ms, month.to_ms, content)
        added += kept is not None
    return added


def tenant_content(ledger: Ledger, tenant: TenantOptions) -> dict[str, Any]:
    """Everything that the ledger says of one tenant, and nothing of the others: plain values for JSON."""
    lines = ledger.of(tenant.id)
    content: dict[str, Any] = msgspec.to_builtins(
        {
            "tenant": messages.Tenant(tenant.id, tenant.name, tenant.credit_code or ""),
            "lines": [line_message(line) for line in lines],
            "fen": sum(line.fen for line in lines),
            "unpriced": incomplete(lines),
        }
    )
    return content


def incomplete(lines: Sequence[Line]) -> int:
    """How many of the lines are not priced, or not in full."""
    return sum(not line.complete for line in lines)


def line_message(line: Line) -> messages.SettlementLine:
    return messages.SettlementLine(
        equipment=line.equipment,
        sessions=line.sessions,
        from_=line.start_ms,
        to=line.end_ms,
        begun_before=line.begun_before,
        goes_on=line.goes_on,
        times=[
            messages.StateTime(state.state.value, ms, state.cause) for state, ms in line.times(unknown=False)
        ],
        gaps=[messages.Gap(state.cause, ms) for state, ms in line.times(unknown=True)],
        parts=line.produced.parts,
        good=line.produced.good,
        energy_wh=line.energy_wh,
        spanning_parts=line.produced.spanning_parts,
        spanning_energy_wh=line.produced.spanning_energy_wh,
        rates=line.rates,
        version=line.version,
        amounts=[
            messages.SettlementAmount(
                per=amount.per,
                price=f"{amount.price:f}",
                quantity=amount.quantity,
                unit=UNITS[amount.per].name,
                per_price=UNITS[amount.per].per_price,
                fen=amount.fen,
                unknown=amount.unknown_ms,
                name=amount.name,
                unpriced=amount.unpriced,
            )
            for amount in line.amounts
        ],
        fen=line.fen,
        unpriced=line.unpriced,
        evidence=line.evidence,
    )


def _settled(path: Path, otherwise_ms: int) -> int:
    """Up to when months were settled; before the first, and after the clock was set back, `otherwise_ms`."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.executescript(_SCHEMA)
        row = db.execute("SELECT to_ms FROM settled").fetchone()
        if row is not None and row[0] <= otherwise_ms:
            return int(row[0])
        db.execute("INSERT OR REPLACE INTO settled VALUES (1, ?)", (otherwise_ms,))
        return otherwise_ms
    finally:
        db.close()


def _set_settled(path: Path, to_ms: int) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("INSERT OR REPLACE INTO settled VALUES (1, ?)", (to_ms,))
    finally:
        db.close()
