"""What one record of the journal tells, as named readings of the node or of one device."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from edge_agent.contract import messages
from edge_agent.contract.messages import Scope, State, Statements, Telemetry
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.model.batch import Value
from edge_agent.model.link import LinkLevel
from edge_agent.model.quality import Quality, QualityLevel
from edge_agent.uplinks.sparkplug.values import DataType

log = logging.getLogger(__name__)

TAGS = "tags/"
"""The folder of the tags, so that none is mistaken for what the agent adds."""

STATE_METRICS = {
    "state": DataType.STRING,
    "state_cause": DataType.STRING,
    "state_since": DataType.DATETIME,
    "link_level": DataType.STRING,
}
"""What each device has besides its tags."""

FIGURE_METRICS = {
    "numerator": DataType.INT64,
    "denominator": DataType.INT64,
    "rate": DataType.DOUBLE,
    "unknown": DataType.INT64,
    "reason": DataType.STRING,
}
"""What there is of each indicator for each scope."""

_FIGURES = (RecordClass.STATEMENTS, RecordClass.ASSETS)

_BORN_FROM = LinkLevel.DATA_VALID
_NOT_BORN = frozenset(level.label for level in LinkLevel if level < _BORN_FROM)


class Reading(Struct, frozen=True):
    """A value of the metric `name`. `flaw`: its quality, if it is not good."""

    name: str
    value: Value
    time_ms: int
    flaw: Quality | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What one record tells."""

    device: str | None
    """The equipment; None: the node itself."""
    readings: Sequence[Reading]
    received_ms: int
    alive: bool | None = None
    """Whether the equipment can be heard; None if the record does not say."""


def told_by(record: Record) -> Told | None:
    """What `record` tells; None if there are no metrics for it."""
    if record.record_class in _FIGURES and not record.subject.startswith("indicator/"):
        return None  # statements of record are signed documents, no figures of now
    try:
        message = messages.decode(record.body)
    except msgspec.DecodeError as error:
        # Another version may have left it; to stop over it would be to stop for good.
        log.warning("a message of %s about %s is left out: %s", record.record_class, record.subject, error)
        return None
    match message:
        case Telemetry():
            return _telemetry(message)
        case State():
            readings = [
                Reading("state", message.state, message.time),
                Reading("state_cause", message.cause, message.time),
                Reading("state_since", message.since, message.time),
                Reading("link_level", message.link, message.time),
            ]
            return Told(message.equipment, readings, message.time, message.link not in _NOT_BORN)
        case Statements():
            return Told(None, _figures(message), message.time)
        case _:
            return None


def _telemetry(message: Telemetry) -> Told:
    flaws = {flaw.index: Quality(QualityLevel(flaw.quality), flaw.reason) for flaw in message.flaws}
    times = [time or message.received for time in message.source or [None] * len(message.tags)]
    readings = [
        Reading(f"{TAGS}{tag}", value, times[index], flaws.get(index))
        for index, (tag, value) in enumerate(zip(message.tags, message.values, strict=True))
    ]
    # A bad reading proves nothing, as with link levels.
    return Told(message.equipment, readings, message.received, True if len(flaws) < len(readings) else None)


def _figures(message: Statements) -> list[Reading]:
    return [
        Reading(f"{indicator(message.definition.id, figure.scope)}/{name}", value, message.to)
        for figure in message.figures
        for name, value in (
            ("numerator", figure.numerator),
            ("denominator", figure.denominator),
            ("rate", figure.rate),
            ("unknown", figure.unknown),
            ("reason", figure.reason),
        )
    ]


def indicator(definition: str, scope: Scope) -> str:
    """The folder of a definition's figures for one scope."""
    place = {
        "enterprise": "enterprise",
        "workshop": f"workshop/{scope.id}",
        "line": f"workshop/{scope.workshop}/line/{scope.id}",
    }[scope.level]
    return f"indicators/{definition}/{place}"
