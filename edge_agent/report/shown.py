"""How cells are shown on paper."""

from datetime import datetime
from zoneinfo import ZoneInfo

from edge_agent.report.content import Duration, Energy, Instant, Money, Points, Rate
from edge_agent.words import yuan

NOTHING = "–"


def shown(
    cell: str | int | Rate | Points | Money | Duration | Energy | Instant | None, zone: ZoneInfo
) -> str:
    """`66.7%`, `1,234`, `12.5 h`, `2026-11-01 00:00:05`"""
    match cell:
        case None:
            return NOTHING
        case str():
            return cell
        case int():
            return f"{cell:,}"
        case Rate(value, per):
            return f"{value:.1%}" if per == 100 else f"{value * per:.1f}"
        case Points(value):
            return f"{value:+.1f}" if round(value, 1) else "0.0"
        case Money(fen):
            return yuan(fen)
        case Duration(ms):
            return _duration(ms)
        case Energy(wh):
            return f"{wh / 1000:,.1f} kWh" if wh >= 1000 else f"{wh:.1f} Wh"
        case Instant(ms):
            return f"{datetime.fromtimestamp(ms // 1000, zone):%Y-%m-%d %H:%M:%S}"


def _duration(ms: int) -> str:
    """In hours, or in what is left of them."""
    if ms >= 3_600_000:
        return f"{ms / 3_600_000:,.1f} h"
    if ms >= 60_000:
        return f"{ms / 60_000:.1f} min"
    return f"{ms / 1000:.1f} s" if ms else "0"
