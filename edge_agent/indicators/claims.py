"""What a register claims and nothing supports, and what it leaves out although the machines show it."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Protocol

from edge_agent.model.equipment import Register

WINDOW_MS = 86_400_000
"""A connection is proved by a good reading within a day, as in the definitions that come with the agent."""

NC_WORDS = ("program", "spindle", "feed_override", "程序", "主轴")
"""What only a numerical control has to tell."""

_NC_CONTROLS = ("nc", "dnc", "cnc", "fmc")


class ClaimKind(StrEnum):
    NO_EVIDENCE = "no_evidence"
    """Should be connected, and no good reading has come."""
    CONNECTED_ALL_THE_SAME = "connected_all_the_same"
    """Should not be connected, and good readings have come."""
    EXCLUDED_WITHOUT_REASON = "excluded_without_reason"
    """Should not be connected, and nobody says why."""
    NC_WITHOUT_GROUND = "nc_without_ground"
    """Registered as NC, without the controller's model."""
    NC_NOT_REGISTERED = "nc_not_registered"
    """Registered as not NC, and its tags are those of a numerical control."""
    PROCESS_WITHOUT_NC = "process_without_nc"
    """A process under NC whose equipment is all registered as not NC."""


@dataclass(frozen=True, slots=True)
class Claim:
    kind: ClaimKind
    subject: str
    """Id of the equipment or process."""
    detail: str = ""


class Readings(Protocol):
    def good_readings(self, equipment: str, from_ms: int) -> int: ...

    def last_good_ms(self, equipment: str) -> int | None: ...


def claims_of_register(register: Register, day: date) -> Iterator[Claim]:
    """What the register leaves open, of the equipment that is in service on `day`."""
    serving = [one for one in register.equipment if one.in_service(day)]
    for one in serving:
        if one.nc and not one.nc_ground:
            yield Claim(ClaimKind.NC_WITHOUT_GROUND, one.id)
        if not one.should_connect and not one.connect_reason:
            yield Claim(ClaimKind.EXCLUDED_WITHOUT_REASON, one.id)
    for process in register.processes:
        members = [one for one in serving if process.id in one.processes]
        if process.control in _NC_CONTROLS and not any(one.nc for one in members):
            yield Claim(ClaimKind.PROCESS_WITHOUT_NC, process.id, ", ".join(one.id for one in members))


def claims_of_connection(register: Register, day: date, readings: Readings, now_ms: int) -> Iterator[Claim]:
    """What the register says of connections, held against the good readings of the day before `now_ms`."""
    for one in register.equipment:
        if not one.in_service(day):
            continue
        proved = readings.good_readings(one.id, now_ms - WINDOW_MS) > 0
        if one.should_connect and not proved:
            last_ms = readings.last_good_ms(one.id)
            yield Claim(
                ClaimKind.NO_EVIDENCE,
                one.id,
                "" if last_ms is None else f"{datetime.fromtimestamp(last_ms / 1000, UTC):%Y-%m-%d}",
            )
        if proved and not one.should_connect:
            yield Claim(ClaimKind.CONNECTED_ALL_THE_SAME, one.id)


def claims_of_tags(register: Register, day: date, tags: Mapping[str, Set[str]]) -> Iterator[Claim]:
    """Equipment that is configured to tell what only a numerical control knows; `tags`: ids by equipment."""
    for one in register.equipment:
        shown = sorted(tag for tag in tags.get(one.id, ()) if _is_of_nc(tag))
        if shown and not one.nc and one.in_service(day):
            yield Claim(ClaimKind.NC_NOT_REGISTERED, one.id, ", ".join(shown))


def _is_of_nc(tag: str) -> bool:
    return any(word in tag.casefold() for word in NC_WORDS)
