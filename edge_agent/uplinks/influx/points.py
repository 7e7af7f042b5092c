"""What becomes of each message: which measurement, tags and fields. `docs/influxdb.md` is about it.

Tags have few values, all out of the configuration. No name is both a tag and a field, and no field ever
changes its type: a database would refuse the point.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import msgspec

from edge_agent.config.site import Site
from edge_agent.contract import messages
from edge_agent.contract.messages import EquipmentEvidence, ProcessEvidence, decode
from edge_agent.journal.store import Record
from edge_agent.model.batch import Value
from edge_agent.model.equipment import Equipment
from edge_agent.model.quality import QualityLevel
from edge_agent.model.state import MachineState
from edge_agent.uplinks.influx.health import ConnectionHealth, UplinkHealth
from edge_agent.uplinks.influx.lines import FieldValue, line, series, text

TAG_KEYS = frozenset(
    (
        "about",
        "cause",
        "clock",
        "definition",
        "enterprise",
        "equipment",
        "gateway",
        "kind",
        "level",
        "line",
        "period",
        "subject",
        "uplink",
        "version",
        "workshop",
    )
)
"""Every tag that there is."""
RESERVED = TAG_KEYS | {"time", "_time", "_field", "_measurement"}
"""Names that a tag of a machine cannot have as a field: with them `.value` is added, which no tag id has."""
MOST_CAUSES = 200
"""So many causes of alarms get a tag value of their own. State rules name them, so there are few."""
OTHER_CAUSE = "other"
COUNTED_EVERY_MS = 3_600_000
"""Whether a machine counts is written when it changes, and once in so long all the same: what is older than
that holds no more."""

_NUMBERS = (float, int)
"""JSON has no NaN and no infinity, so what was decoded from it is finite."""


@dataclass(frozen=True, slots=True)
class Where:
    """What the points of one gateway have in common, and where its machines stand."""

    enterprise: str
    gateway: str
    equipment: Mapping[str, Equipment]


def where_of(site: Site) -> Where:
    """What `site` says of it."""
    return Where(site.gateway.enterprise, site.gateway.id, site.register.by_id)


class Points:
    """Makes lines of line protocol out of the journal's records."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._common = {"enterprise": where.enterprise, "gateway": where.gateway}
        self._heads: dict[tuple[str, ...], str] = {}
        """What lines begin with, by measurement and what else it hangs on: the same for thousands of them."""
        self._causes: set[str] = set()
        self._counted: dict[str, tuple[int, bool, bool, str]] = {}
        """By the head of a point in `counted`: in which hour it was written last, and what it said."""

    def of(self, record: Record) -> list[str]:
        """The lines of one record; none for a class that there are no points for."""
        message = decode(record.body)
        match message:
            case messages.Telemetry():
                return _written(self._telemetry(message))
            case messages.State():
                return _written(self._state(message))
            case messages.Event():
                return _written(self._event(message))
            case messages.Statements():
                return _written(chain(self._figures(message), self._evidence(message)))
            case messages.StatementOfRecord():
                return _written(self._figures(message))
            case messages.Account():
                return _written(self._account(message))
            case messages.RegisterMessage():
                return _written(self._register(message))
            case _:
                return []

    def health(self, uplink: str, fields: Mapping[str, FieldValue], time_ms: int) -> str:
        """How the gateway does. This line and those below do not come out of the journal."""
        written = line(self._head("gateway", uplink=uplink), fields, time_ms)
        if written is None:
            raise ValueError("the gateway's health has no field")
        return written

    def connections(self, found: Iterable[ConnectionHealth], time_ms: int) -> list[str]:
        """How each connection does, and in a measurement of floats alone what its driver counts."""
        return _written(chain.from_iterable(self._connection(one, time_ms) for one in found))

    def _connection(self, one: ConnectionHealth, time_ms: int) -> Iterator[str | None]:
        fields: dict[str, FieldValue] = {
            "open": int(one.open),
            "opened": one.opened,
            "failures": one.failures,
            "reads": one.reads,
            "missed_ticks": one.missed_ticks,
        }
        yield line(self._head("connections", subject=one.id), fields, time_ms)
        parts: dict[str, dict[str, FieldValue]] = {}
        for figure in one.figures:
            parts.setdefault(figure.subject, {})[_name(figure.name)] = float(figure.value)
        for part, counted in parts.items():
            yield line(self._head("diagnostics", subject=one.id, about=part), counted, time_ms)

    def uplinks(self, found: Iterable[UplinkHealth], time_ms: int) -> list[str]:
        """How each uplink of the gateway does: also those that lead elsewhere."""
        return _written(
            line(
                self._head("uplinks", subject=one.id),
                {
                    "state": one.state,
                    "waiting": one.waiting,
                    "connects": one.connects,
                    "published": one.published,
                    "acknowledged": one.acknowledged,
                },
                time_ms,
            )
            for one in found
        )

    def _head(self, measurement: str, **tags: str) -> str:
        key = measurement, "", *tags.values()
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = series(measurement, self._common | tags)
        return head

    def _machine(self, measurement: str, equipment: str, **tags: str) -> str:
        key = measurement, equipment, *tags.values()
        head = self._heads.get(key)
        if head is None:
            known = self._where.equipment.get(equipment)
            place = {"workshop": known.workshop, "line": known.line} if known else {}
            named = self._common | place | {"equipment": equipment} | tags
            head = self._heads[key] = series(measurement, named)
        return head

    # Readings: numbers, texts and flaws apart, so that each measurement has fields of one type only.

    def _telemetry(self, message: messages.Telemetry) -> Iterator[str | None]:
        tags = message.tags
        bad = {flaw.index for flaw in message.flaws if flaw.quality == QualityLevel.BAD.value}
        newest = dict(zip(tags, range(len(tags)), strict=True))
        if not bad and len(newest) == len(tags):
            yield from self._rows(message, tags, message.values, "gateway", message.received)
        else:
            others = bad.union(newest.values())
            usable = [index for index in newest.values() if index not in bad]
            for (clock, time), indices in (
                (("gateway", message.received), usable),
                *self._queued(message, others),
            ):
                values = [message.values[index] for index in indices]
                yield from self._rows(message, [tags[index] for index in indices], values, clock, time)
        if message.flaws:
            flaws = {_name(tags[one.index]): f"{one.quality}: {one.reason}" for one in message.flaws}
            yield line(self._machine("flaws", message.equipment), flaws, message.received)

    def _queued(
        self, message: messages.Telemetry, others: set[int]
    ) -> Iterable[tuple[tuple[str, int], list[int]]]:
        """Readings before the newest of their tag, by the clock and time that they are written at."""
        times = message.source or [None] * len(message.tags)
        before: Counter[str] = Counter()
        found: dict[tuple[str, int], list[int]] = {}
        for index in range(len(message.tags) - 1, -1, -1):
            tag, time = message.tags[index], times[index]
            if index not in others:
                # Without a time of its own: in its order, a millisecond apart.
                moment = ("gateway", message.received - before[tag]) if time is None else ("source", time)
                found.setdefault(moment, []).insert(0, index)
            before[tag] += 1
        return sorted(found.items())

    def _rows(
        self,
        message: messages.Telemetry,
        tags: Sequence[str],
        values: Sequence[Value],
        clock: str,
        time_ms: int,
    ) -> Iterator[str]:
        # One pass for the many numbers. Whole ones have no i: all are floats, whatever the controller's type.
        names = tags if RESERVED.isdisjoint(tags) else [_name(tag) for tag in tags]
        numbers = [f"{name}={v!r}" for name, v in zip(names, values, strict=True) if type(v) in _NUMBERS]
        texts = []
        if len(numbers) < len(tags):
            for name, value in zip(names, values, strict=True):
                if isinstance(value, bool):
                    numbers.append(f"{name}={int(value)}")
                elif isinstance(value, str | list):
                    texts.append(f"{name}={text(_as_text(value))}")
        for measurement, fields in (("readings", numbers), ("texts", texts)):
            if fields:
                head = self._machine(measurement, message.equipment, clock=clock)
                yield f"{head}{','.join(fields)} {time_ms}"

    # All others.

    def _state(self, message: messages.State) -> Iterator[str | None]:
        fields: dict[str, FieldValue] = {
            "state": message.state,
            "reason": message.cause,
            "since": message.since,
            "link": message.link,
        }
        yield line(self._machine("states", message.equipment), fields, message.time)

    def _event(self, message: messages.Event) -> Iterator[str | None]:
        detail = message.detail
        # Two events of one kind and subject in one millisecond would be one point without it.
        about = " ".join(str(detail[name]) for name in ("tag", "unit", "name") if name in detail)
        if message.subject in self._where.equipment:
            head = self._machine("events", message.subject, kind=message.kind, about=about)
        else:
            head = self._head("events", kind=message.kind, about=about, subject=message.subject)
        fields: dict[str, FieldValue] = {
            "message": message.message,
            "detail": msgspec.json.encode(detail).decode() if detail else "",
        }
        yield line(head, fields, message.time)
        if message.kind in ("alarm_begun", "alarm_ended"):
            head = self._machine("alarms", message.subject, cause=self._cause(message.message))
            begun = message.kind == "alarm_begun"
            yield line(head, {"begun" if begun else "ended": 1, "reason": message.message}, message.time)

    def _cause(self, cause: str) -> str:
        if cause not in self._causes:
            if len(self._causes) >= MOST_CAUSES:
                return OTHER_CAUSE
            self._causes.add(cause)
        return cause

    def _figures(self, message: messages.Statements | messages.StatementOfRecord) -> Iterator[str | None]:
        definition = message.definition
        tags = {"definition": definition.id, "version": str(definition.version)}
        common: dict[str, FieldValue] = {
            "title": definition.title.get("zh", ""),
            "unit": definition.unit,
            "weight": definition.weight,
            "since": message.from_,
        }
        measurement = "indicators"
        if isinstance(message, messages.StatementOfRecord):
            measurement, tags = "statements", tags | {"period": message.period}
            common |= {"number": message.number, "key": message.key}
        for figure in message.figures:
            scope = figure.scope
            if isinstance(message, messages.StatementOfRecord):
                common["evidence"] = figure.evidence
            place = {"level": scope.level, "workshop": scope.workshop, "line": ""}
            if scope.level in ("workshop", "line"):
                place[scope.level] = scope.id
            fields = common | {
                "numerator": figure.numerator,
                "denominator": figure.denominator,
                "rate": None if figure.rate is None else float(figure.rate),
                "unknown": figure.unknown,
                "reason": figure.reason,
            }
            yield line(self._head(measurement, **tags, **place), fields, message.to)

    def _evidence(self, message: messages.Statements) -> Iterator[str | None]:
        tags = {"definition": message.definition.id, "version": str(message.definition.version)}
        for machine in message.equipment:
            yield self._counts(self._machine("counted", machine.equipment, **tags), machine, message.to)
        for process in message.processes:
            head = self._head("counted", **tags, subject=process.process, workshop=process.workshop)
            yield self._counts(head, process, message.to)

    def _counts(self, head: str, one: EquipmentEvidence | ProcessEvidence, time_ms: int) -> str | None:
        now = time_ms // COUNTED_EVERY_MS, one.in_denominator, one.in_numerator, one.reason
        if self._counted.get(head) == now:
            return None
        self._counted[head] = now
        fields: dict[str, FieldValue] = {
            "in_denominator": int(one.in_denominator),
            "in_numerator": int(one.in_numerator),
            "reason": one.reason,
        }
        return line(head, fields, time_ms)

    def _account(self, message: messages.Account) -> Iterator[str | None]:
        fields: dict[str, FieldValue] = {"total_ms": message.to - message.from_}
        fields |= _by_state("", message.times)
        for one in message.times:
            if one.state == MachineState.UNKNOWN.value and one.cause:
                fields[f"unknown_{one.cause}_ms"] = one.ms
        if message.planned is not None:
            fields |= _by_state("planned_", message.planned)
        if message.shift:
            fields["shift"] = message.shift
        missing = sorted({name for one in message.figures for name in one.missing})
        fields |= {
            "missing": ", ".join(missing),
            "cycle_time_ms": message.cycle_time,
            "failures": message.failures,
            "alarms": sum(one.count for one in message.alarms),
            "alarms_ms": sum(one.ms for one in message.alarms),
            "parts": message.parts,
            "good": message.good,
            "energy_wh": message.energy_wh,
        }
        fields |= {one.id: float(one.value) for one in message.figures if one.value is not None}
        yield line(self._machine("accounts", message.equipment, period=message.period), fields, message.from_)

    def _register(self, message: messages.RegisterMessage) -> Iterator[str | None]:
        for one in message.equipment:
            fields: dict[str, FieldValue] = {
                "name": one.name,
                "class": one.kind,
                "production": int(one.production),
                "digital": int(one.digital),
                "nc": int(one.nc),
                "should_connect": int(one.should_connect),
                "key": int(one.key),
            }
            yield line(self._machine("register", one.id), fields, message.time)


def _written(lines: Iterable[str | None]) -> list[str]:
    return [one for one in lines if one is not None]


def _name(tag: str) -> str:
    """The field of a machine's tag, or of what a driver counts. A tag's id needs no escaping."""
    return f"{tag}.value" if tag in RESERVED else tag


def _as_text(value: Value) -> str:
    """A text as it is, an array as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _by_state(prefix: str, times: Sequence[messages.StateTime]) -> dict[str, FieldValue]:
    """Every state has its field, also at 0: an account that is made again replaces the one before wholly."""
    sums = dict.fromkeys((state.value for state in MachineState), 0)
    for one in times:
        sums[one.state] = sums.get(one.state, 0) + one.ms
    return {f"{prefix}{state}_ms": ms for state, ms in sums.items()}
