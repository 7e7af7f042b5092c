"""What an uplink tells of a record: all of it within the works, less of it to others.

What is told depends on the record alone, so that a repeat has the bytes of the first time. What is not named
here as told is not told: a field or an event that comes with another version stays within the works until
somebody decides about it.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter

from msgspec.structs import replace

from edge_agent.config.models import Audience
from edge_agent.contract.messages import (
    Account,
    AnyMessage,
    Event,
    Numbered,
    RegisterMessage,
    State,
    StateTime,
    Telemetry,
    decode,
    encode,
)
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.runs import Record, Told
from edge_agent.model.state import MachineState, UnknownCause

_AS_THEY_ARE = frozenset(
    {
        RecordClass.STATEMENTS,
        RecordClass.ASSETS,
        RecordClass.SETTLEMENTS,
        RecordClass.CAPACITY,
        RecordClass.DIGESTS,
    }
)
"""Signed, so that nothing can be left out, or without anything of a single machine."""

_FIXED_CAUSES = frozenset(cause.value for cause in UnknownCause)

_GAP = frozenset({"first", "last", "count"})
EVENT_DETAILS: Mapping[str, frozenset[str]] = {
    "agent_started": frozenset({"configuration", "down_ms"}),
    "agent_stopped": frozenset(),
    "configuration_changed": frozenset({"before", "after"}),
    "configuration_refused": frozenset(),
    "connection_open": frozenset(),
    "connection_lost": frozenset({"cause"}),
    "equipment_lost": frozenset({"cause", "connection"}),
    "alarm_begun": frozenset(),
    "alarm_ended": frozenset(),
    "late_data": frozenset({"from", "to", "ms"}),
    "late_data_refused": frozenset({"offset_ms"}),
    "counter_reset": frozenset(),
    "diagnostics_limit": frozenset({"name", "value", "limit"}),
    "diagnostics_normal": frozenset({"name", "value", "limit"}),
    "uplink_down": frozenset(),
    "uplink_refused": frozenset(),
    "uplink_points_refused": frozenset(),
    "uplink_up": frozenset(),
    "journal_failed": frozenset(),
    "journal_recovered": frozenset({"dropped"}),
    "numbers_lost": _GAP,
    "thinned": _GAP | {"class", "from", "to"},
    "journal_damaged": _GAP,
    "clock_step": frozenset({"step_ms"}),
    "key_changed": frozenset({"before", "after"}),
    "certificate_renewed": frozenset({"ends"}),
    "certificate_ends": frozenset({"ends"}),
}
"""By kind of event, what of its detail is told outside; of other kinds nothing is."""


def told_to(audience: Audience) -> Told:
    """What `audience` is told."""
    return _to_region if audience == "region" else _everything


_everything = attrgetter("body")


def _to_region(record: Record) -> bytes:
    if record.record_class in _AS_THEY_ARE:
        return record.body
    return encode(_reduced(decode(record.body)))


def _reduced(message: AnyMessage) -> Numbered:
    match message:
        case State():
            return replace(message, cause=_cause(message.state, message.cause))
        case Account():
            planned = message.planned
            return replace(
                message,
                times=_times(message.times),
                planned=None if planned is None else _times(planned),
                alarms=(),
            )
        case Event():
            told = EVENT_DETAILS.get(message.kind, frozenset())
            detail = {name: value for name, value in message.detail.items() if name in told}
            return replace(message, message="", detail=detail)
        case RegisterMessage():
            equipment = [replace(e, asset_value=None, tenant="") for e in message.equipment]
            return replace(message, equipment=equipment)
        case Telemetry():
            # It got its number when this uplink was one of the works; the number has to come.
            return replace(message, tags=(), values=(), flaws=(), source=None)
    raise TypeError(f"nobody has decided what is told of {type(message).__name__}")


def _cause(state: str, cause: str) -> str:
    """The cause if it is one of the fixed words; those of rules come from the machine's own texts."""
    return cause if state == MachineState.UNKNOWN and cause in _FIXED_CAUSES else ""


def _times(times: Sequence[StateTime]) -> list[StateTime]:
    """The same time with fewer causes: what differs in nothing else is one line."""
    sums: dict[tuple[str, str], int] = {}
    for one in times:
        key = one.state, _cause(one.state, one.cause)
        sums[key] = sums.get(key, 0) + one.ms
    return [StateTime(state, ms, cause) for (state, cause), ms in sums.items()]
