"""What the page shows of the past, read from the disk: a machine's day, and statements of record."""

from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.config.site import Site
from edge_agent.console.views import (
    EvidenceHourView,
    IntervalView,
    KeyFigureView,
    MachineDay,
    StatementView,
)
from edge_agent.contract.messages import Figure, KeyFigure
from edge_agent.indicators.kpis import KPIS
from edge_agent.indicators.periods import Period, PeriodKind, midnight_ms
from edge_agent.looking import history_file, look_at_machine
from edge_agent.statements.store import Kept, StatementArchive

STATEMENTS_SHOWN = 200

_KPIS = {one.id: one for one in KPIS}


def machine_day(site: Site, equipment: str, day: date) -> MachineDay:
    """Raises NoHistoryError."""
    zone = ZoneInfo(site.gateway.timezone)
    period = Period(PeriodKind.DAY, midnight_ms(day, zone), midnight_ms(day + timedelta(days=1), zone))
    found = look_at_machine(site, equipment, period)
    return MachineDay(
        equipment=equipment,
        day=day.isoformat(),
        from_ms=period.from_ms,
        to_ms=period.to_ms,
        known_to_ms=found.account.to,
        intervals=[
            IntervalView(one.start_ms, one.end_ms, one.state.state.value, one.state.cause)
            for one in found.intervals
        ],
        times=found.account.times,
        alarms=found.account.alarms,
        figures=[_key_figure(one) for one in found.account.figures],
        evidence=[
            EvidenceHourView(hour_ms, good, last_good_ms, minutes.bit_count())
            for _, hour_ms, good, last_good_ms, minutes in found.evidence
        ],
    )


def _key_figure(figure: KeyFigure) -> KeyFigureView:
    kpi = _KPIS[figure.id]
    return KeyFigureView(
        id=figure.id,
        title={"zh": kpi.zh, "en": kpi.en},
        formula=kpi.formula,
        unit=kpi.unit,
        value=figure.value,
        numerator=figure.numerator,
        denominator=figure.denominator,
        missing=list(figure.missing),
        reason=figure.reason,
    )


def newest_statements(site: Site) -> list[StatementView]:
    """The newest first; none before the first was made. Raises sqlite3.Error."""
    with closing(StatementArchive(history_file(site))) as archive:
        last = archive.last_number()
        kept = list(archive.numbers(max(1, last - STATEMENTS_SHOWN + 1), last))
    return [_statement(one) for one in reversed(kept)]


def _statement(kept: Kept) -> StatementView:
    figures: Sequence[Figure] = msgspec.convert(kept.content.get("figures", []), list[Figure])
    return StatementView(
        number=kept.number,
        schema=kept.schema,
        subject=kept.subject,
        period=kept.kind,
        from_ms=kept.from_ms,
        to_ms=kept.to_ms,
        digest=kept.digest,
        superseded_by=kept.superseded_by,
        figure=next((one for one in figures if one.scope.level == "enterprise"), None),
    )
