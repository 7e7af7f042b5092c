"""Whose a machine was, when: by the register, by the schedule or by a tag."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from edge_agent.config.sharing import SharingOptions, WindowOptions
from edge_agent.indicators.periods import local_day, local_ms


class Nobody(StrEnum):
    """Why a time is no tenant's. Of a tag also the causes for which a machine is not heard."""

    NO_WINDOW = "no_window"
    """No window of the schedule."""
    NO_TENANT = "no_tenant"
    """The register names none."""
    NO_REGISTER = "no_register"
    """Before the first register that the agent noted."""
    UNKNOWN_TENANT = "unknown_tenant"
    """The register named one that is not configured."""
    UNMAPPED_VALUE = "unmapped_value"
    """The tag had a value that stands for nobody."""
    BAD_VALUE = "bad_value"
    """The tag's reading was bad, or no single value."""
    NOT_RECORDED = "not_recorded"
    """The agent did not record sessions of this machine then."""


@dataclass(frozen=True, slots=True)
class Hold:
    """[start_ms, end_ms) of one machine: a tenant's session, or time that is nobody's."""

    start_ms: int
    end_ms: int
    tenant: str = ""
    """Its id; empty if it is nobody's."""
    reason: str = ""
    """Why it is nobody's: one of `Nobody`, or a cause for which the machine was not heard."""
    detail: str = ""
    """What stood in place of a tenant: the tag's value, the register's text."""


def by_register(
    versions: Iterable[tuple[int, str]], sharing: SharingOptions, from_ms: int, to_ms: int
) -> list[Hold]:
    """From the register's `tenant` of one machine: from when on it was what."""
    holds = []
    for (start, text), (end, _) in pairwise([*versions, (to_ms, "")]):
        tenant = sharing.tenant_named(text)
        reason = "" if tenant else Nobody.UNKNOWN_TENANT if text else Nobody.NO_TENANT
        holds.append(Hold(start, max(start, end), tenant, reason, "" if tenant else text))
    return covering(holds, from_ms, to_ms, Nobody.NO_REGISTER)


def by_schedule(windows: Sequence[WindowOptions], from_ms: int, to_ms: int, zone: tzinfo) -> list[Hold]:
    """From the windows of one machine, by the site's clocks. Durations are true ones."""
    # No window is longer than a day, so one of the day before may still last.
    day, last = local_day(from_ms, zone) - timedelta(days=1), local_day(to_ms - 1, zone)
    holds: list[Hold] = []
    while day <= last:
        begun = sorted((one for one in windows if one.on(day)), key=lambda one: one.begins)
        holds += (
            Hold(_at(day, one.begins, zone), _at(day, one.begins + one.minutes, zone), one.tenant)
            for one in begun
        )
        day += timedelta(days=1)
    return covering(holds, from_ms, to_ms, Nobody.NO_WINDOW)


def by_tag(recorded: Iterable[Hold], from_ms: int, to_ms: int) -> list[Hold]:
    """From what was recorded while the agent ran."""
    return covering(recorded, from_ms, to_ms, Nobody.NOT_RECORDED)


def covering(holds: Iterable[Hold], from_ms: int, to_ms: int, otherwise: Nobody) -> list[Hold]:
    """`holds`, which are in order of their starts, cut to [from_ms, to_ms) and without gaps.

    Gaps are nobody's, for the reason `otherwise`. Where two overlap, the earlier one keeps the time.
    Neighbours that say the same become one.
    """
    found: list[Hold] = []
    for hold in _filled(holds, from_ms, to_ms, otherwise):
        if found and replace(hold, start_ms=0, end_ms=0) == replace(found[-1], start_ms=0, end_ms=0):
            found[-1] = replace(found[-1], end_ms=hold.end_ms)
        else:
            found.append(hold)
    return found


def _filled(holds: Iterable[Hold], from_ms: int, to_ms: int, otherwise: Nobody) -> Iterator[Hold]:
    reached = from_ms
    for hold in holds:
        start, end = max(hold.start_ms, reached), min(hold.end_ms, to_ms)
        if start < end:
            if reached < start:
                yield Hold(reached, start, reason=otherwise)
            yield replace(hold, start_ms=start, end_ms=end)
            reached = end
    if reached < to_ms:
        yield Hold(reached, to_ms, reason=otherwise)


def _at(day: date, minutes: int, zone: tzinfo) -> int:
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    return local_ms(local.date(), local.time(), zone)
