"""What the REST interface answers: plain data. Times are epoch milliseconds (UTC), durations milliseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.contract.messages import (
    AlarmTime,
    DefinitionReference,
    EquipmentEvidence,
    Figure,
    ProcessEvidence,
    StateTime,
)
from edge_agent.model.batch import Value
from edge_agent.model.equipment import Equipment, Process


@dataclass(frozen=True, slots=True)
class GatewayView:
    """Who this gateway is. `down_ms`: how long before `since_ms` nobody can say what the machines did."""

    id: str
    name: str
    region: str
    enterprise: str
    timezone: str
    version: str
    configuration: str
    since_ms: int
    down_ms: int
    clock_offset_ms: int


@dataclass(frozen=True, slots=True)
class MachineView:
    """One equipment as it is now. `today`: time since midnight by state. `connection`: empty if none is
    configured. `age_ms`: since its newest batch, null before the first. `failure`: a fixed word for what is
    wrong with it or its connection now, empty if nothing is."""

    id: str
    name: str
    workshop: str
    line: str
    kind: str
    in_service: bool
    connection: str
    state: str
    cause: str
    since_ms: int
    link: str
    age_ms: int | None
    failure: str
    today: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TroubleView:
    """What went wrong last with a connection or an equipment; `over_ms` is null while it is so.

    `text` says what that means and `todo` what to do about it, by language (`zh`, `en`); `message` and
    `remedy` are the driver's own words. `kind` is empty if the driver has no fixed word for it.
    """

    time_ms: int
    over_ms: int | None
    cause: str
    kind: str
    text: Mapping[str, str]
    todo: Mapping[str, str]
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class EventView:
    """An event. `text` says what it means and `todo` what to do about it, by language (`zh`, `en`); both are
    empty for a kind that has no words. `message` and `detail` are as it is sent; `more` is the message where
    it says more than `text`."""

    time: int
    kind: str
    subject: str
    message: str
    more: str
    detail: Mapping[str, str | int | float | bool]
    text: Mapping[str, str]
    todo: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TagView:
    """The newest reading of one tag. `quality` is good, uncertain or bad, with `reason`; `source_ms` is the
    controller's own time, null if it gave none. `received_ms` is null if nothing has come yet."""

    id: str
    description: str
    unit: str
    value: Value
    quality: str
    reason: str
    source_ms: int | None
    received_ms: int | None


@dataclass(frozen=True, slots=True)
class CountedView:
    """Whether one definition counts the equipment, and why."""

    definition: DefinitionReference
    evidence: EquipmentEvidence


@dataclass(frozen=True, slots=True)
class MachineDetail:
    """One equipment with its register entry, newest readings, last errors and evidence."""

    time_ms: int
    machine: MachineView
    register: Equipment
    driver: str
    period_s: float | None
    tags: Sequence[TagView]
    trouble: TroubleView | None
    connection_trouble: TroubleView | None
    counted: Sequence[CountedView]


@dataclass(frozen=True, slots=True)
class IntervalView:
    """`end_ms` is null if the state lasts."""

    start_ms: int
    end_ms: int | None
    state: str
    cause: str


@dataclass(frozen=True, slots=True)
class EvidenceHourView:
    """What the equipment proved in one clock hour (UTC). `proved_minutes`: minutes in the whole of which it
    was delivering."""

    hour_ms: int
    good_readings: int
    last_good_ms: int
    proved_minutes: int


@dataclass(frozen=True, slots=True)
class KeyFigureView:
    """One key figure of machine time; `unit` is `ms` or `Wh`, or empty for a ratio. `value` is null if it
    cannot be computed, and `missing` or `reason` says why."""

    id: str
    title: Mapping[str, str]
    formula: str
    unit: str
    value: float | None
    numerator: int | None
    denominator: int | None
    missing: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class MachineDay:
    """One equipment on one day by the site's clocks. `known_to_ms`: up to when the history is written."""

    equipment: str
    day: str
    from_ms: int
    to_ms: int
    known_to_ms: int
    intervals: Sequence[IntervalView]
    times: Sequence[StateTime]
    alarms: Sequence[AlarmTime]
    figures: Sequence[KeyFigureView]
    evidence: Sequence[EvidenceHourView]


@dataclass(frozen=True, slots=True)
class DiagnosticView:
    """One figure that the driver counts. `subject` is empty for the connection itself; `unit` as in UCUM."""

    subject: str
    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class ResponseView:
    """How long answers took since the start. `counts`: how many fell into each bucket; the bounds of the
    buckets are in `/connections/{id}`, and the last count is for those above all of them. `p50_s` and `p99_s`
    are of the latest 512."""

    subject: str
    request: str
    counts: Sequence[int]
    sum_s: float
    p50_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class RequestView:
    """One request that is made again and again: `detail` is what was asked for, `granted` what the other side
    made of it; names that end with `_s` are seconds."""

    equipment: str
    period_s: float
    what: str
    tags: Sequence[str]
    detail: Mapping[str, str | int | float]
    granted: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One endpoint. Counts are since the start of the agent."""

    id: str
    driver: str
    enabled: bool
    open: bool
    period_s: float
    timeout_s: float
    equipment: Sequence[str]
    opened: int
    failures: int
    reads: int
    missed_ticks: int
    trouble: TroubleView | None
    diagnostics: Sequence[DiagnosticView]
    responses: Sequence[ResponseView]


@dataclass(frozen=True, slots=True)
class ConnectionDetail:
    """One endpoint with its requests. `bounds_s`: upper bounds of the buckets of response times."""

    connection: ConnectionView
    requests: Sequence[RequestView]
    bounds_s: Sequence[float]


@dataclass(frozen=True, slots=True)
class AskedView:
    """What came of testing a connection. `equipment`: which one was read, empty if none was. `text` says what
    came of it and `todo` what to do about it, by language (`zh`, `en`); `message` has the driver's own words
    if it failed."""

    time_ms: int
    connection: str
    holds: bool
    equipment: str
    took_ms: float
    text: Mapping[str, str]
    todo: Mapping[str, str]
    message: str
    identity: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UplinkView:
    """One northbound destination. `depth`: records still to be delivered; `acknowledged`: everything up to
    this number has been confirmed; `statistics` since the start, by name."""

    id: str
    type: str
    state: str
    last_error: str
    carries: Sequence[str]
    depth: int
    acknowledged: int
    last: int
    statistics: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JournalView:
    """The durable queue. Counts are records since the start; `dropped` were given up because the disk
    refused them. `failure` says why the last write failed, null if it succeeded. `over_limit`: what must not
    be thinned is more than the limit."""

    appended: int
    recorded: int
    dropped: int
    over_limit: bool
    failure: str | None
    size_bytes: int
    depth: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class IndicatorView:
    """One definition and its newest figures: as of `time_ms`, with evidence since `from_ms`; both are null
    before the first."""

    definition: DefinitionReference
    standing: str
    document: str
    quote: str
    without_quote: str
    denominator: str
    numerator: str
    connected: str
    from_ms: int | None
    time_ms: int | None
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class IndicatorDetail:
    """With the lines that were counted, and the signature over all of it."""

    indicator: IndicatorView
    equipment: Sequence[EquipmentEvidence]
    processes: Sequence[ProcessEvidence]
    register_version: str
    key: str
    signature: str


@dataclass(frozen=True, slots=True)
class StatementView:
    """One statement of record; `figure` is that of the enterprise, null if there is none."""

    number: int
    schema: str
    subject: str
    period: str
    from_ms: int
    to_ms: int
    digest: str
    superseded_by: int | None
    figure: Figure | None


@dataclass(frozen=True, slots=True)
class CheckedView:
    """One statement that was verified. `wrong`: kinds of checks that it fails, none if it is right."""

    number: int
    wrong: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class VerificationView:
    """The statements of a month, verified from their evidence, signatures and chain. `checks`: how many were
    made of each kind; `texts`: what is wrong with all of it together; `left`: what could not be checked."""

    time_ms: int
    month: str
    took_ms: int
    holds: bool
    statements: Sequence[CheckedView]
    checks: Mapping[str, int]
    texts: Sequence[str]
    left: Sequence[str]


@dataclass(frozen=True, slots=True)
class RegisterView:
    """The asset register in force."""

    version: str
    digest: str
    headcount: int | None
    equipment: Sequence[Equipment]
    processes: Sequence[Process]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that changes, at one glance; also what live updates carry."""

    time_ms: int
    gateway: GatewayView
    states: Mapping[str, int]
    links: Mapping[str, int]
    machines: Sequence[MachineView]
    indicators: Sequence[IndicatorView]
    connections: Sequence[ConnectionView]
    uplinks: Sequence[UplinkView]
    journal: JournalView
    readings: int
    events: Sequence[EventView]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log; a larger `number` is newer. `subjects`: the ids of equipment, connections and
    uplinks in it."""

    number: int
    time_ms: int
    level: str
    part: str
    subjects: Sequence[str]
    text: str


@dataclass(frozen=True, slots=True)
class LogView:
    """The newest lines that pass the filter, the newest first, out of the newest `kept` of all."""

    kept: int
    lines: Sequence[LogLine]


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of the configuration, with the SHA-256 (hex) of what was read."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ConfigurationLine:
    """One value, or the heading of what is below it: `value` is empty then. Where a secret stands, it is
    `***` or the reference in its place. `line` counts from 1."""

    field: str
    depth: int
    label: str
    value: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ConfigurationView:
    """What the agent runs on, from files that were read at `read_ms`. `left_out`: how many lines more there
    are."""

    digest: str
    read_ms: int
    files: Sequence[FileView]
    lines: Sequence[ConfigurationLine]
    left_out: int


@dataclass(frozen=True, slots=True)
class MistakeView:
    """What is wrong with the files. `line` is 0 where it has no place in the file."""

    file: str
    line: int
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    """What is different in the files. `before` is null if it is new, `after` if it is gone. Of a `secret`
    both are what is shown in its place."""

    field: str
    before: str | None
    after: str | None
    secret: bool
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ValidationView:
    """What the files say now, against what the agent runs on. Nothing has been applied. `digest` names what
    they say to whoever applies it; it is empty if there are mistakes. `needs_restart`: the fields that no
    reload changes."""

    time_ms: int
    digest: str
    mistakes: Sequence[MistakeView]
    changes: Sequence[ChangeView]
    needs_restart: Sequence[str]
    left_out: int


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """Which files are meant: the `digest` of their validation."""

    digest: str


@dataclass(frozen=True, slots=True)
class ChangedView:
    """Ids of connections or uplinks."""

    added: Sequence[str]
    removed: Sequence[str]
    altered: Sequence[str]


@dataclass(frozen=True, slots=True)
class AppliedView:
    """What became of the files that were applied. If they were not `taken`, the agent runs on as before, and
    `mistakes` or `refusal` say why. `sections`: what else than connections and uplinks was changed. `digest`:
    what the agent runs on now."""

    time_ms: int
    taken: bool
    digest: str
    connections: ChangedView
    uplinks: ChangedView
    sections: Sequence[str]
    mistakes: Sequence[MistakeView]
    refusal: str
    left_out: int


@dataclass(frozen=True, slots=True)
class SessionView:
    """Who asks. `needed`: whether one has to sign in here at all; `by_password`: whether that can be done
    here and not only by a proxy; `role` is empty for who has not, else `viewer` or `technician`; `csrf` goes
    into the header `X-CSRF-Token` of every request that is no GET."""

    needed: bool
    by_password: bool
    user: str
    role: str
    csrf: str


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """What is sent to sign in."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer."""

    error: str
