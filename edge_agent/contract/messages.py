"""Payload types: JSON objects, UTF-8, times in epoch milliseconds (UTC).

Every message but `Status` is numbered: `seq` counts up by one per gateway and uplink, without holes, over
restarts. The same number always means the same message, so a receiver tells repeats from gaps. The body is
encoded once, without its number; `number` puts it in front when an uplink sends it.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from edge_agent.model.batch import Batch, Value
from edge_agent.model.equipment import Register
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import StateWithCause


class Message(Struct, frozen=True, tag_field="schema", kw_only=True, omit_defaults=True):
    """Base of all messages; `schema` names type and major version, such as `fta.state/1`."""


class Numbered(Message, frozen=True, kw_only=True):
    """Base of the messages that travel through the journal."""

    seq: int | UnsetType = UNSET


class Flaw(Struct, frozen=True):
    """Quality of one reading that is not good; `index` counts in `Telemetry.values`."""

    index: int
    quality: str
    reason: str


class Telemetry(Numbered, frozen=True, tag="fta.telemetry/1", kw_only=True):
    """One batch, column by column; readings without a flaw are good.

    `received` is the gateway's clock at the answer's arrival; `source`, where the controller gave times,
    has one for each reading, null where it gave none.
    """

    equipment: str
    received: int
    tags: Sequence[str]
    values: Sequence[Value]
    flaws: Sequence[Flaw] = ()
    source: Sequence[int | None] | None = None


class State(Numbered, frozen=True, tag="fta.state/1", kw_only=True):
    """What an equipment does since `since`, why, and how connected it provably is."""

    equipment: str
    time: int
    state: str
    cause: str = ""
    since: int
    link: str


class Event(Numbered, frozen=True, tag="fta.event/1", kw_only=True):
    """Something a person may want to know. `kind` is a fixed word, `message` is for reading."""

    time: int
    kind: str
    subject: str
    message: str
    detail: Mapping[str, str | int | float | bool] = msgspec.field(default_factory=dict)


class DefinitionReference(Struct, frozen=True, omit_defaults=True):
    """Which definition (口径) a figure is counted under, word for word: `digest` is that of its text."""

    id: str
    version: int
    digest: str
    title: Mapping[str, str]


class Scope(Struct, frozen=True):
    """`level` is `enterprise` or `workshop`; `id` is the credit code or the workshop's name."""

    level: str
    id: str


class Figure(Struct, frozen=True, omit_defaults=True):
    """An indicator for one scope: counts and rate together.

    `rate` is null when it cannot be computed, and `reason` then says why. `unknown` counts the equipment
    of the denominator whose machine state was unknown. `evidence` is the SHA-256 of the scope's
    `EquipmentEvidence` entries, encoded as JSON in the order of the message.
    """

    scope: Scope
    numerator: int
    denominator: int
    rate: float | None
    unknown: int
    evidence: str
    reason: str = ""


class EquipmentEvidence(Struct, frozen=True):
    """Why one equipment counts or does not; `last_good` is null if no good reading is on record."""

    equipment: str
    workshop: str
    in_denominator: bool
    in_numerator: bool
    reason: str
    state: str
    link: str
    good_readings: int
    last_good: int | None


class Statements(Numbered, frozen=True, tag="fta.indicator/1", kw_only=True):
    """One definition's figures for every scope, with the evidence to recompute them.

    The period ends at `to`; it begins at `from_`, which is `to` for a figure of an instant.
    """

    time: int
    definition: DefinitionReference
    from_: int = msgspec.field(name="from")
    to: int
    register_digest: str
    figures: Sequence[Figure]
    equipment: Sequence[EquipmentEvidence]


class RegisteredEquipment(Struct, frozen=True, omit_defaults=True):
    """The register's public columns."""

    id: str
    name: str
    workshop: str
    line: str
    kind: str
    production: bool
    digital: bool
    nc: bool
    nc_ground: str
    should_connect: bool
    key: bool
    commissioned: str | None = None
    retired: str | None = None


class RegisterMessage(Numbered, frozen=True, tag="fta.register/1", kw_only=True):
    """The asset register as the platform may see it."""

    time: int
    digest: str
    equipment: Sequence[RegisteredEquipment]


class Status(Message, frozen=True, tag="fta.status/1", kw_only=True):
    """The gateway's presence. Not numbered: the Will carries it when nobody can count any more.

    `last_seq` is the newest number given out on this uplink, `acknowledged_seq` the newest that the broker
    confirmed with all before it; `since` is when `online` became what it is. In the Will, written before
    the fact, `time` and `since` are those of the connection.
    """

    online: bool
    time: int
    since: int
    version: str
    configuration: str
    clock_offset_ms: int = 0
    last_seq: int = 0
    acknowledged_seq: int = 0


AnyMessage = Telemetry | State | Event | Statements | RegisterMessage | Status

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


def encode(message: Struct | Sequence[Struct]) -> bytes:
    """JSON of a message; NaN and infinite floats must have been removed before."""
    return _ENCODER.encode(message)


def decode(payload: bytes) -> AnyMessage:
    """The message in `payload`; keys unknown to this version are ignored. Raises msgspec.ValidationError."""
    return _DECODER.decode(payload)


def number(body: bytes, seq: int) -> bytes:
    """`body` with its number in front. `body` is a JSON object that `encode` made without one."""
    return b'{"seq":%d,' % seq + body[1:]


def telemetry(batch: Batch) -> Telemetry:
    """The message of a batch that has at least one reading."""
    return Telemetry(
        equipment=batch.equipment,
        received=batch.received_ms,
        tags=batch.tags,
        values=batch.values,
        flaws=[Flaw(index, q.level.value, q.reason) for index, q in batch.flaws.items()],
        source=batch.source_ms,
    )


def state(equipment: str, now: StateWithCause, since_ms: int, link: LinkLevel, time_ms: int) -> State:
    return State(
        equipment=equipment,
        time=time_ms,
        state=now.state.value,
        cause=now.cause,
        since=since_ms,
        link=link.label,
    )


def register(value: Register, time_ms: int) -> RegisterMessage:
    return RegisterMessage(
        time=time_ms,
        digest=value.digest,
        equipment=[
            RegisteredEquipment(
                id=e.id,
                name=e.name,
                workshop=e.workshop,
                line=e.line,
                kind=e.kind,
                production=e.production,
                digital=e.digital,
                nc=e.nc,
                nc_ground=e.nc_ground,
                should_connect=e.should_connect,
                key=e.key,
                commissioned=e.commissioned.isoformat() if e.commissioned else None,
                retired=e.retired.isoformat() if e.retired else None,
            )
            for e in value.equipment
        ],
    )
