"""A small shared works: records that are written by hand instead of by an agent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.config.sharing import SharingOptions
from edge_agent.model.equipment import Register
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.sharing.holds import Hold
from edge_agent.sharing.ledger import Ledger, make_ledger
from edge_agent.sharing.production import Counts, Produced
from edge_agent.states.counters import Count, advanced
from edge_agent.states.tracker import Interval

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000
HOUR = 60 * MINUTE
TENANTS = [{"id": "zhenghe", "name": "正和精密"}, {"id": "lian", "name": "联创模具"}]


def at(text: str) -> int:
    """`10-31 22:00` of 2026 in Shanghai, in epoch milliseconds."""
    return round(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=ZONE).timestamp() * 1000)


def clock(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, ZONE):%m-%d %H:%M}"


def states(*rows: tuple[str, str, str]) -> list[Interval]:
    """From, to, and what the machine did: `running`, or `unknown timeout`."""
    found = []
    for start, end, text in rows:
        state, _, cause = text.partition(" ")
        found.append(Interval("M1", at(start), at(end), StateWithCause(MachineState(state), cause)))
    return found


def counted(*showed: tuple[str, int]) -> list[tuple[str, int]]:
    """What a counter without an end has counted between what it showed, at the later of both times."""
    found: list[tuple[str, int]] = []
    before: Count | None = None
    for when, value in showed:
        now, _ = advanced(before, value, None)
        if before is not None:
            found.append((when, int(now.total - before.total)))
        before = now
    return found


@dataclass
class Shown:
    """What counters showed: a piece, good or not, or some energy, each at its minute."""

    parts: Sequence[tuple[str, int]] = ()
    """When, and how many."""
    bad: Sequence[tuple[str, int]] = ()
    """Of these, how many were bad."""
    wh: Sequence[tuple[str, int]] = ()
    gaps: Sequence[tuple[str, str, int]] = ()
    """From, to: the counter was not seen, and had gone on by so many afterwards."""


@dataclass
class CountedByHand:
    """A `Production` out of what was shown, minute by minute. A machine that is not in it has no counter."""

    shown: Mapping[str, Shown]

    def produced(self, equipment: str, windows: Sequence[tuple[int, int]]) -> Produced:
        if equipment not in self.shown:
            return Counts()
        shown = self.shown[equipment]

        def within(items: Sequence[tuple[str, int]]) -> int:
            return sum(n for when, n in items if any(start <= at(when) < end for start, end in windows))

        gaps = [(at(begin), at(end), n) for begin, end, n in shown.gaps]
        inside = [gap for gap in gaps if any(start <= gap[0] and gap[1] <= end for start, end in windows)]
        touched = [gap for gap in gaps if any(start < gap[1] and gap[0] < end for start, end in windows)]
        parts = within(shown.parts) + sum(n for _, _, n in inside)
        return Counts(
            parts=parts,
            good=parts - within(shown.bad),
            energy_kwh=within(shown.wh) / 1000 if shown.wh else None,
            spanning_parts=sum(gap[2] for gap in touched if gap not in inside),
        )


@dataclass
class WrittenRecords:
    """Records as they are given; all intervals are those of every machine."""

    intervals: Sequence[Interval] = ()
    registered: Sequence[tuple[int, Register]] = ()
    holds: Mapping[str, Sequence[Hold]] = field(default_factory=dict)

    def registers(self) -> Sequence[tuple[int, Register]]:
        return self.registered

    def recorded(self, equipment: str, from_ms: int, to_ms: int) -> Sequence[Hold]:
        return [one for one in self.holds.get(equipment, ()) if one.start_ms < to_ms and from_ms < one.end_ms]

    def intervals_of(self, equipment: str, from_ms: int, to_ms: int) -> Iterable[Interval]:
        return [
            replace(one, equipment=equipment)
            for one in self.intervals
            if one.start_ms < to_ms and (one.end_ms is None or from_ms < one.end_ms)
        ]


def sharing(machine: Mapping[str, Any], versions: Sequence[Mapping[str, Any]] = ()) -> SharingOptions:
    """One shared machine, M1, and its rates."""
    rates = {"rates": {"table": versions}} if versions else {}
    named = {"rates": "table"} if versions else {}
    return SharingOptions.model_validate(
        {"tenants": TENANTS, "machines": [{"equipment": "M1", **named, **machine}], **rates}
    )


def ledger(
    options: SharingOptions, records: WrittenRecords, begin: str, end: str, shown: Shown | None = None
) -> Ledger:
    counted = CountedByHand({"M1": shown} if shown is not None else {})
    return make_ledger(options, records, counted, ZONE, at(begin), at(end))
