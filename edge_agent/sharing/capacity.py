"""Idle capacity (空闲产能): how many shared machines of each class are free, and when.

Only that leaves the works. A message is made of classes, times and numbers; which machines they are and whose
is not in what it is made of.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from zoneinfo import ZoneInfo

from edge_agent.config.sharing import SharedMachineOptions, SharingOptions
from edge_agent.contract import messages
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.holidays import HolidaysUnknownError
from edge_agent.indicators.periods import HOUR_MS, PeriodKind, midnight_ms, period_at
from edge_agent.model.equipment import Equipment, Register
from edge_agent.sharing.holds import by_schedule
from edge_agent.sharing.rates import Window

AHEAD_MS = 7 * 24 * HOUR_MS


@dataclass(slots=True)
class _Class:
    """What is known of the machines of one class."""

    machines: int = 0
    unknown: int = 0
    free: list[Window] = field(default_factory=list)
    """Of all of them."""


class _Busy:
    """The planned busy time of machines, worked out once for those of one calendar."""

    def __init__(self, calendars: Mapping[str, Calendar]) -> None:
        self._calendars = calendars
        self._known: dict[tuple[str, Window], list[Window] | None] = {}

    def of(self, equipment: str, window: Window) -> list[Window] | None:
        """Within `window`; None if nobody knows what is planned."""
        calendar = self._calendars.get(equipment)
        if calendar is None:
            return None
        key = (calendar.name, window)
        if key not in self._known:
            try:
                self._known[key] = calendar.busy(*window)
            except HolidaysUnknownError:
                self._known[key] = None
        return self._known[key]


def capacity(
    sharing: SharingOptions,
    register: Register,
    calendars: Mapping[str, Calendar],
    zone: ZoneInfo,
    now_ms: int,
) -> messages.Capacity:
    """What is free from the beginning of this hour on, for seven days; `calendars` by equipment."""
    from_ms = period_at(PeriodKind.HOUR, now_ms, zone).from_ms
    to_ms = from_ms + AHEAD_MS
    classes: dict[str, _Class] = {}
    busy = _Busy(calendars)
    for machine in sharing.machines:
        entry = register.by_id[machine.equipment]
        service = _in_service(entry, (from_ms, to_ms), zone)
        if service is None:
            continue
        of_kind = classes.setdefault(entry.kind, _Class())
        of_kind.machines += 1
        free = _free(machine, entry, busy, service, zone)
        if free is None:
            of_kind.unknown += 1
        else:
            of_kind.free += free
    return messages.Capacity(
        time=now_ms,
        from_=from_ms,
        to=to_ms,
        timezone=zone.key,
        classes=[
            messages.FreeClass(kind, known.machines, counted(known.free), known.unknown)
            for kind, known in sorted(classes.items())
        ],
    )


def _in_service(entry: Equipment, window: Window, zone: ZoneInfo) -> Window | None:
    """What of `window` lies between commissioning and retirement."""
    begin, end = window
    if entry.commissioned is not None:
        begin = max(begin, midnight_ms(entry.commissioned, zone))
    if entry.retired is not None:
        end = min(end, midnight_ms(entry.retired, zone))
    return (begin, end) if begin < end else None


def _free(
    machine: SharedMachineOptions,
    entry: Equipment,
    planned: _Busy,
    window: Window,
    zone: ZoneInfo,
) -> list[Window] | None:
    """When one machine is free; None if nobody can say: no plan, or one that a tag makes at short notice."""
    busy = planned.of(machine.equipment, window)
    if machine.sessions == "tag" or busy is None:
        return None
    if machine.sessions == "register":
        return [] if entry.tenant else busy
    holds = by_schedule(machine.windows, *window, zone)
    unassigned = [(hold.start_ms, hold.end_ms) for hold in holds if not hold.tenant]
    return [
        (max(start, low), min(end, high))
        for start, end in busy
        for low, high in unassigned
        if max(start, low) < min(end, high)
    ]


def counted(windows: Iterable[Window]) -> Sequence[messages.FreeWindow]:
    """How many of `windows` there are at a time, where there are any; neighbours differ in number."""
    steps: Counter[int] = Counter()
    for start, end in windows:
        steps[start] += 1
        steps[end] -= 1
    changes = [(time, step) for time, step in sorted(steps.items()) if step]
    found: list[messages.FreeWindow] = []
    number = 0
    for (time, step), (following, _) in pairwise(changes):
        number += step
        if number:
            found.append(messages.FreeWindow(time, following, number))
    return found
