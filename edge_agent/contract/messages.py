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
    """Base of the messages that travel through the journal.

    `after`, in what may overtake readings: the number of the message of its class before it.
    """

    seq: int | UnsetType = UNSET
    after: int | UnsetType = UNSET


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
    """Which definition (口径) a figure is counted under, word for word: `digest` is that of its text.

    `counts`: `equipment` or `process`. `weight`: `count`, or `asset_value` in fen (0.01 yuan). `unit`:
    `share`, or `per_10000_employees`, whose denominator is the headcount. `aggregation` over enterprises:
    `pooled` (sums of numerators and denominators) or `mean` (of the rates).
    """

    id: str
    version: int
    digest: str
    title: Mapping[str, str]
    counts: str = "equipment"
    weight: str = "count"
    unit: str = "share"
    aggregation: str = "pooled"


class Scope(Struct, frozen=True, omit_defaults=True):
    """`level` is `enterprise`, `workshop` or `line`; `id` is the credit code, or the workshop's or line's
    name. A line is one of `workshop`."""

    level: str
    id: str
    workshop: str = ""


class Figure(Struct, frozen=True, omit_defaults=True):
    """An indicator for one scope: counts and rate together.

    `rate` is null when it cannot be computed, and `reason` then says why. `unknown` counts the equipment
    of the denominator whose machine state was unknown. `evidence` is the Merkle root (RFC 6962) over the
    scope's `EquipmentEvidence` or `ProcessEvidence`, each as canonical JSON (RFC 8785), by id.
    """

    scope: Scope
    numerator: int
    denominator: int
    rate: float | None
    unknown: int
    evidence: str
    reason: str = ""


class EquipmentEvidence(Struct, frozen=True, omit_defaults=True):
    """Why one equipment counts or does not; `last_good` is null if no good reading is on record.

    `weight` is what it adds to the counts: 1, or its asset value in fen. Where the definition asks for a
    share of planned time, `planned_minutes` are those of the period, and in `proved_minutes` of them it was
    delivering.
    """

    equipment: str
    workshop: str
    in_denominator: bool
    in_numerator: bool
    reason: str
    state: str
    link: str
    good_readings: int
    last_good: int | None
    weight: int = 1
    line: str = ""
    planned_minutes: int = 0
    proved_minutes: int = 0


class ProcessEvidence(Struct, frozen=True):
    """Why one process counts or does not; `equipment` serves it and is in service, `nc_equipment` of that
    is numerically controlled."""

    process: str
    workshop: str
    in_denominator: bool
    in_numerator: bool
    reason: str
    equipment: Sequence[str]
    nc_equipment: Sequence[str]


class Statements(Numbered, frozen=True, tag="fta.indicator/1", kw_only=True):
    """One definition's figures for every scope, with the evidence to recompute them.

    The period ends at `to`; it begins at `from_`, which is `to` for a figure of an instant. The evidence is
    in `equipment`, or in `processes` if the definition counts those, by id. `signature` is made with `key`
    over what `canonical.signed_part` gives.
    """

    time: int
    definition: DefinitionReference
    from_: int = msgspec.field(name="from")
    to: int
    register_digest: str
    figures: Sequence[Figure]
    equipment: Sequence[EquipmentEvidence]
    processes: Sequence[ProcessEvidence] = ()
    register_version: str = ""
    key: str = ""
    signature: str = ""


class Superseded(Struct, frozen=True):
    """The statement in whose place another one stands."""

    number: int
    digest: str


class Claim(Struct, frozen=True):
    """What the register claims and the evidence does not support, or what it leaves out."""

    kind: str
    subject: str
    detail: str


class RecordEvidence(Struct, frozen=True, omit_defaults=True):
    """What a statement of record stands on: the text of its definition, and the lines that were counted."""

    rule: str
    equipment: Sequence[EquipmentEvidence] = ()
    processes: Sequence[ProcessEvidence] = ()


class StatementOfRecord(Numbered, frozen=True, tag="fta.statement/1", kw_only=True):
    """One definition's figures as of the end of a day or month: signed, one of a chain, never changed.

    Only the type: the message is the canonical bytes that were signed, with `signature` and `evidence`.
    """

    number: int
    previous: str | None
    supersedes: Superseded | None
    time: int
    agent: str
    key: str
    signature: str
    subject: str
    period: str
    from_: int = msgspec.field(name="from")
    to: int
    timezone: str
    gateway: str
    definition: DefinitionReference
    evidence_from: int
    evidence_to: int
    register_digest: str
    register_version: str
    figures: Sequence[Figure]
    claims: Sequence[Claim]
    evidence: RecordEvidence


class StateTime(Struct, frozen=True, omit_defaults=True):
    """How long an equipment was in `state` for `cause`, in milliseconds."""

    state: str
    ms: int
    cause: str = ""


class AlarmTime(Struct, frozen=True):
    """How often alarm began for `cause` within the period, and how long it stood in it, in milliseconds."""

    cause: str
    count: int
    ms: int


class KeyFigure(Struct, frozen=True, omit_defaults=True):
    """One key figure; `value` is the quotient.

    `value` is null when it cannot be computed. Then either `missing` names the inputs that are not there,
    and there are no counts, or `reason` says what is wrong with the counts. Of a figure that pieces go into,
    `spanning` are those that may have been made in its time and are not in it, `unseen` milliseconds of its
    base that the counter was not seen for, before the first reading or after the last.
    """

    id: str
    value: float | None
    numerator: int | None = None
    denominator: int | None = None
    unknown: int = 0
    missing: Sequence[str] = ()
    reason: str = ""
    spanning: int = 0
    unseen: int = 0


class Account(Numbered, frozen=True, tag="fta.account/1", kw_only=True):
    """Where the time of one equipment went from `from_` up to `to`, and the figures that come of it.

    `period` is hour, shift, day or month; `shift` is the shift's id in `calendar`. `times` sum to the period,
    `planned` to the planned busy time within it; null if nobody knows what is planned. `alarms` has the cause
    that took most time first.

    `parts`, `good` and `energy_wh` were made in the period; left out if nobody counts them, or the counter
    was not seen. What spans was counted over a time in which it was not seen and the period begins or ends.
    `cycle_time` is the planned run time of a piece in milliseconds.
    """

    equipment: str
    time: int
    period: str
    from_: int = msgspec.field(name="from")
    to: int
    timezone: str
    calendar: str = ""
    shift: str = ""
    times: Sequence[StateTime]
    planned: Sequence[StateTime] | None
    failures: int
    alarms: Sequence[AlarmTime] = ()
    figures: Sequence[KeyFigure]
    cycle_time: int | None = None
    parts: int | None = None
    good: int | None = None
    energy_wh: int | None = None
    spanning_parts: int = 0
    spanning_good: int = 0
    spanning_energy_wh: int = 0
    unseen: int = 0
    counter_resets: int = 0


class Tenant(Struct, frozen=True, omit_defaults=True):
    """Who used shared machines."""

    id: str
    name: str
    credit_code: str = ""


class Gap(Struct, frozen=True):
    """How long nobody knew, for `cause`, what the equipment did, in milliseconds."""

    cause: str
    ms: int


class SettlementAmount(Struct, frozen=True, omit_defaults=True):
    """What one price comes to: `fen` = `price` (yuan) * 100 * `quantity` / `per_price`, half a fen up.

    `quantity` is in `unit`, of which the price is for `per_price`. `quantity` and `fen` are null if nothing
    counts it, and `unpriced` then says why. `unknown`: milliseconds of the hours for which the price is in
    which the state was unknown; nothing of them is in a quantity of time.
    """

    per: str
    price: str
    quantity: int | None
    unit: str
    per_price: int
    fen: int | None
    unknown: int = 0
    name: str = ""
    unpriced: str = ""


class SettlementLine(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One session of the tenant on one equipment, as far as it lies in the period and one version of the
    rate table holds.

    `sessions` is what started it: `register`, `schedule` or `tag`. `times` and `gaps` sum to it. What spans
    was counted over a time in which nobody saw the counter and the line begins or ends: it is in no amount.
    `evidence` is the SHA-256 of what the line stands on. `fen` sums what is priced of it.
    """

    equipment: str
    sessions: str
    from_: int = msgspec.field(name="from")
    to: int
    begun_before: bool = False
    goes_on: bool = False
    times: Sequence[StateTime]
    gaps: Sequence[Gap]
    parts: int | None = None
    good: int | None = None
    energy_wh: int | None = None
    spanning_parts: int = 0
    spanning_energy_wh: int = 0
    rates: str = ""
    version: int | None = None
    amounts: Sequence[SettlementAmount]
    fen: int
    unpriced: str = ""
    evidence: str


class Settlement(Numbered, frozen=True, tag="fta.settlement/1", kw_only=True):
    """What one tenant used in a month that is over, and what that costs: signed, one of the chain of
    statements, never changed.

    Only the type: the message is the canonical bytes that were signed, with `signature`. `fen` sums the
    lines; `unpriced` is how many of them are not priced, or not in full.
    """

    number: int
    previous: str | None
    supersedes: Superseded | None
    time: int
    agent: str
    key: str
    signature: str
    subject: str
    period: str
    from_: int = msgspec.field(name="from")
    to: int
    timezone: str
    enterprise: str
    gateway: str
    tenant: Tenant
    lines: Sequence[SettlementLine]
    fen: int
    unpriced: int


class FreeWindow(Struct, frozen=True):
    """How many machines are free from `from_` up to `to`."""

    from_: int = msgspec.field(name="from")
    to: int
    machines: int


class FreeClass(Struct, frozen=True, omit_defaults=True):
    """The shared machines of one class: how many, and when how many are free.

    In time that no window covers none is. `unknown` of the machines have no plan: nobody can say when they
    are free, and no window counts them.
    """

    kind: str
    machines: int
    free: Sequence[FreeWindow]
    unknown: int = 0


class Capacity(Numbered, frozen=True, tag="fta.capacity/1", kw_only=True):
    """Idle capacity of the next days, by class of machines: no machine, tenant or program is named."""

    time: int
    from_: int = msgspec.field(name="from")
    to: int
    timezone: str
    classes: Sequence[FreeClass]


class ClassDigest(Struct, frozen=True):
    """The messages of one class: how many, the first and the last number, and `sum`, the SHA-256 of each
    payload as a whole number, big-endian, added up modulo 2^256: 64 digits in hex."""

    class_: str = msgspec.field(name="class")
    count: int
    first: int
    last: int
    sum: str


class Digest(Numbered, frozen=True, tag="fta.digest/1", kw_only=True):
    """What was numbered on one day: a receiver that has the same has everything.

    It is of all numbers from `first` up to and including `last`, by class of record. `day` is the day, such
    as `2026-11-27`, by the clocks of `timezone`, on which they were given.
    """

    time: int
    day: str
    timezone: str
    first: int
    last: int
    classes: Sequence[ClassDigest]


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
    asset_value: int | None = None
    processes: Sequence[str] = ()
    connect_reason: str = ""
    handle: str = ""
    tenant: str = ""
    calendar: str = ""
    robot: bool = False


class RegisteredProcess(Struct, frozen=True):
    """One process of the site."""

    id: str
    name: str
    workshop: str
    key: bool
    industry: str
    control: str


class RegisterMessage(Numbered, frozen=True, tag="fta.register/1", kw_only=True):
    """The asset register as the platform may see it. `version` is the SHA-256 of all that is counted on."""

    time: int
    digest: str
    equipment: Sequence[RegisteredEquipment]
    processes: Sequence[RegisteredProcess] = ()
    headcount: int | None = None
    version: str = ""


class Bundle(Message, frozen=True, tag="fta.bundle/1", kw_only=True):
    """Several `Telemetry` that travel together, each with the bytes that it has by itself.

    It has no number of its own.
    """

    messages: Sequence[msgspec.Raw]


class Status(Message, frozen=True, tag="fta.status/1", kw_only=True):
    """The gateway's presence. Not numbered: the Will carries it when nobody can count any more.

    `last_seq` is the newest number given out on this uplink, `acknowledged_seq` the newest that the broker
    confirmed with all before it; `key` is the public key of the gateway's signatures; `since` is when
    `online` became what it is. In the Will, written before the fact, `time` and `since` are those of the
    connection. `audience` says how much the messages tell: `plant` all, `region` less. While a backlog of
    telemetry drains, that numbered above `live_after` overtakes it; 0: none does.
    """

    online: bool
    time: int
    since: int
    version: str
    configuration: str
    clock_offset_ms: int = 0
    last_seq: int = 0
    acknowledged_seq: int = 0
    key: str = ""
    audience: str = "plant"
    live_after: int = 0


class ReplayRequest(Message, frozen=True, tag="fta.replay-request/1", kw_only=True):
    """Asks a gateway to send again what it numbered from `first` up to and including `last`.

    `id` is the asker's own, and stands in every answer.
    """

    id: str
    first: int
    last: int


class Replay(Message, frozen=True, tag="fta.replay/1", kw_only=True):
    """One message sent again, with the bytes of the first time; `topic` is that below the root."""

    id: str
    topic: str
    message: msgspec.Raw


class Gone(Struct, frozen=True):
    """Numbers that are no longer kept, and why."""

    first: int
    last: int
    reason: str


class ReplayEnd(Message, frozen=True, tag="fta.replay-end/1", kw_only=True):
    """The answer to a request is complete up to and including `last`; what of it is `gone` does not come.

    `last` is lower than that of the request where the gateway sends only so much at once: ask for the rest.
    """

    id: str
    first: int
    last: int
    gone: Sequence[Gone] = ()


class EnrolmentRequest(Message, frozen=True, tag="fta.enrolment-request/1", kw_only=True):
    """Asks the region for a certificate for a key that is the gateway's own and never leaves it.

    `csr` (PKCS#10, PEM) names the gateway and its new key, `key` is the public key that it signs statements
    with. `id` is the same for the same two keys. `signature` by `key`, and with a renewal `proof` by the key
    of the certificate that is to be renewed (`renews`, PEM), are over everything else in the message.
    """

    id: str
    time: int
    csr: str
    key: str
    renews: str = ""
    signature: str = ""
    proof: str = ""


class EnrolmentResponse(Message, frozen=True, tag="fta.enrolment-response/1", kw_only=True):
    """The region's answer to the request `id`: a certificate, or the `reason` why there is none.

    `certificate` is PEM: the gateway's own first, then those between it and the authority.
    """

    id: str
    time: int
    certificate: str = ""
    reason: str = ""


AnyMessage = (
    Telemetry
    | State
    | Event
    | Statements
    | StatementOfRecord
    | Account
    | RegisterMessage
    | Settlement
    | Capacity
    | Bundle
    | Digest
    | Status
    | ReplayRequest
    | Replay
    | ReplayEnd
    | EnrolmentRequest
    | EnrolmentResponse
)

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


def encode(message: Struct | Sequence[Struct]) -> bytes:
    """JSON of a message; NaN and infinite floats must have been removed before."""
    return _ENCODER.encode(message)


def decode(payload: bytes) -> AnyMessage:
    """The message in `payload`; keys unknown to this version are ignored. Raises msgspec.ValidationError."""
    return _DECODER.decode(payload)


def bundle(messages: Sequence[bytes]) -> bytes:
    """The `Bundle` of messages that are encoded and have their numbers."""
    return b'{"schema":"fta.bundle/1","messages":[%b]}' % b",".join(messages)


def number(body: bytes, seq: int, after: int = 0) -> bytes:
    """`body` with its number in front, and with that of the message of its class before it, if there is one.
    `body` is a JSON object that `encode` made without."""
    if after:
        return b'{"seq":%d,"after":%d,' % (seq, after) + body[1:]
    return b'{"seq":%d,' % seq + body[1:]


def telemetry(batch: Batch) -> Telemetry:
    """The message of a batch that has at least one reading."""
    return Telemetry(
        equipment=batch.equipment,
        received=batch.received_ms,
        tags=batch.tags,
        values=batch.values,
        flaws=[Flaw(index, q.level.value, q.reason) for index, q in batch.flaws.items()] or (),
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
                asset_value=e.asset_value,
                processes=e.processes,
                connect_reason=e.connect_reason,
                handle=e.handle,
                tenant=e.tenant,
                calendar=e.calendar,
                robot=e.robot,
            )
            for e in value.equipment
        ],
        processes=[
            RegisteredProcess(
                id=p.id, name=p.name, workshop=p.workshop, key=p.key, industry=p.industry, control=p.control
            )
            for p in value.processes
        ]
        or (),
        headcount=value.headcount,
        version=value.version,
    )
