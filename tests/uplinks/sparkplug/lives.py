"""A session whose messages stay here, and records to feed it with."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from edge_agent.contract import messages
from edge_agent.contract.messages import DefinitionReference, Figure, Scope, Statements
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.model.batch import Batch, Value
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.uplinks.sparkplug.node import Node
from edge_agent.uplinks.sparkplug.plant import Plant
from edge_agent.uplinks.sparkplug.schema import Payload
from edge_agent.uplinks.sparkplug.session import Session
from edge_agent.uplinks.sparkplug.told import told_by
from edge_agent.uplinks.sparkplug.topics import SparkplugTopics

PLANT = Plant(
    properties={"version": "1.2.3", "configuration": "c0ffee"},
    devices={"CNC-01": {"speed": "/min", "parts": "", "program": ""}, "PRS-01": {"force": "kN"}},
    indicators=["indicators/nc-rate/by-count/enterprise"],
)
SAID_AT = 1_795_320_000_000


def batch(equipment: str, values: dict[str, Value], at: int = SAID_AT, **more: Any) -> Record:
    """`at` is when it was received; `more` are fields of Batch."""
    content = Batch(equipment, at, list(values), list(values.values()), **more)
    return Record(RecordClass.READINGS, equipment, messages.encode(messages.telemetry(content)), len(values))


def queued(equipment: str, tag: str, values: dict[int, Value], at: int) -> Record:
    """Several values of one tag by their source times."""
    content = Batch(equipment, at, [tag] * len(values), list(values.values()), source_ms=list(values))
    return Record(RecordClass.READINGS, equipment, messages.encode(messages.telemetry(content)), len(values))


def state(
    equipment: str, link: LinkLevel, now: MachineState = MachineState.RUNNING, at: int = SAID_AT
) -> Record:
    message = messages.state(equipment, StateWithCause(now, ""), at, link, at)
    return Record(RecordClass.STATES, equipment, messages.encode(message))


def figures(
    numerator: int, denominator: int, definition: str = "nc-rate/by-count", at: int = SAID_AT
) -> Record:
    rate = numerator / denominator if denominator else None
    figure = Figure(
        Scope("enterprise", "91330300MA00DEM06A"),
        numerator,
        denominator,
        rate,
        0,
        "",
        "" if denominator else "denominator_zero",
    )
    reference = DefinitionReference(definition, 1, "d", {"en": "NC rate"})
    message = Statements(
        time=at, definition=reference, from_=at, to=at, register_digest="r", figures=[figure], equipment=[]
    )
    return Record(RecordClass.STATEMENTS, f"indicator/{definition}", messages.encode(message))


@dataclass
class Message:
    topic: str
    payload: Any

    @property
    def verb(self) -> str:
        return self.topic.split("/")[2]

    @property
    def device(self) -> str:
        return "/".join(self.topic.split("/")[4:])


@dataclass
class Life:
    """A node with one session, and what a host makes of its messages."""

    node: Node = field(default_factory=lambda: Node(PLANT))
    sent: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = Session(self.node, SparkplugTopics("G", "N"), 7, self._publish)

    def _publish(self, topic: str, payload: bytes) -> None:
        self.sent.append(Message(topic, Payload.FromString(payload)))

    def before(self, *records: Record) -> None:
        """What is known when the session begins."""
        for record in records:
            told = told_by(record)
            if told is not None:
                self.node.take(told)

    def news(self, *records: Record) -> list[Message]:
        """What is sent for them."""
        return self._tell(self.session.news, records)

    def history(self, *records: Record) -> list[Message]:
        return self._tell(self.session.history, records)

    def _tell(self, tell: Any, records: Iterable[Record]) -> list[Message]:
        count = len(self.sent)
        for record in records:
            told = told_by(record)
            if told is not None:
                tell(told)
        return self.sent[count:]

    def names(self) -> dict[int, str]:
        """Of each alias that a birth has told, `device name`."""
        return {
            metric.alias: f"{message.device} {metric.name}".strip()
            for message in self.sent
            if message.verb.endswith("BIRTH")
            for metric in message.payload.metrics
            if metric.HasField("alias")
        }

    def values(self, message: Message) -> list[tuple[str, Any]]:
        """Name and value of each metric of a message; None where it is null."""
        names, found = self.names(), []
        for metric in message.payload.metrics:
            kind = metric.WhichOneof("value")
            name = names[metric.alias] if metric.HasField("alias") else metric.name
            found.append((name, None if kind is None else getattr(metric, kind)))
        return found
