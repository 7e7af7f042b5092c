"""The contract that a driver fulfils, and the registry through which drivers are found.

A driver serves one connection. It knows nothing of schedules, retries, journals or states: the
acquisition side owns the clock, decides when to open again, and turns what a driver raises into causes.
A driver is a class derived from `PolledDriver` or `StreamingDriver`, announced by an entry point in the
group "edge_agent.drivers" under the name that users write as `driver:`.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import ClassVar, Generic, TypeAlias, TypeVar

import click

from edge_agent.model.batch import Batch
from edge_agent.model.failure import FailureKind
from edge_agent.model.found import Recogniser
from edge_agent.model.options import ConnectionOptions, EquipmentOptions, TagOptions
from edge_agent.model.response_times import ResponseTimes
from edge_agent.model.state import UnknownCause

ENTRY_POINT_GROUP = "edge_agent.drivers"

C = TypeVar("C", bound=ConnectionOptions)
E = TypeVar("E", bound=EquipmentOptions)
T = TypeVar("T", bound=TagOptions)


class DriverError(Exception):
    """What went wrong, in words for a technician, and which cause the equipment's state gets.

    `remedy` says what to do about it, if anything can be said. `kind` is the fixed word by which people are
    told both in their own language; without one they are told what `cause` means.
    """

    def __init__(
        self, cause: UnknownCause, message: str, remedy: str = "", kind: FailureKind | None = None
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.remedy = remedy
        self.kind = kind


class ConnectionFailed(DriverError):
    """The connection cannot be used any longer; the supervisor closes it and opens it again later."""


class EquipmentFailed(DriverError):
    """One equipment did not answer; the connection stands and the others are served."""


@dataclass(frozen=True, eq=False)
class TagSet(Generic[E, T]):
    """Tags of one equipment that are read together, at one period (seconds)."""

    equipment: E
    tags: Sequence[T]
    period: float

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(tag.id for tag in self.tags)


Detail: TypeAlias = Mapping[str, str | int | float]
"""Particulars by fixed names of the driver, which the page has words for; `_s` at the end means seconds."""


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One request as `check` prints it: `what` in the protocol's terms, and the tags it brings.

    `detail` is what of it was asked for, `granted` what the other side made of that, where it says so.
    """

    equipment: str
    period: float
    what: str
    tags: Sequence[str]
    detail: Detail = field(default_factory=dict)
    granted: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What stands at the other end: identity and limits as the endpoint states them."""

    identity: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One figure of how a connection does, since the driver was made.

    `subject` is what it is about: "" the connection itself, "unit 3" what the protocol calls one of its
    parts. `unit` as in UCUM; "" for a count.
    """

    subject: str
    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Responses:
    """How long the answers to one kind of request took, since the driver was made.

    `subject` as in `Diagnostic`; `request` is a fixed word of the driver: `read`, or what else it sends.
    """

    subject: str
    request: str
    times: ResponseTimes


@dataclass(frozen=True, slots=True)
class UsedCertificate:
    """A certificate in a file, PEM or DER, that a connection depends on: the gateway's `own`, or one that it
    trusts."""

    path: Path
    own: bool


REQUESTS = "requests"
"""Name of the diagnostic: how many requests were made."""
ANSWERS = "answers"
"""How many of them brought what was asked for."""
RESPONSE_P99 = "response_p99"
"""Time from request to answer that 99 % of the latest answers kept within, in ms."""


class Driver(ABC, Generic[C, E, T]):
    """One connection. Constructing it does no I/O.

    `open` and the other coroutines may be cancelled at any await and leave the driver closable. `close`
    is safe before `open` and twice, and never raises. After `close`, `open` may be called again.
    """

    Connection: ClassVar[type[ConnectionOptions]]
    """The driver's own options; validated and put into the JSON Schema with the rest of the configuration."""

    Tag: ClassVar[type[TagOptions]]
    """The driver's own tags, as profiles list them."""

    def __init__(self, options: C, tag_sets: Sequence[TagSet[E, T]]) -> None:
        self.options = options
        self.tag_sets = tag_sets

    @abstractmethod
    async def open(self) -> None:
        """Connect. Raises ConnectionFailed."""

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    def plan(self) -> Sequence[PlannedRequest]:
        """The requests that will be made, worked out from the options alone."""

    def requests(self) -> Sequence[PlannedRequest]:
        """The requests as they are made now, with what was learnt of the other side; does no I/O."""
        return self.plan()

    @abstractmethod
    async def probe(self) -> ProbeResult:
        """Ask the opened endpoint who it is. Raises DriverError.

        A polled driver is not asked while it reads; one that streams may be asked at any time meanwhile.
        """

    def diagnostics(self) -> Sequence[Diagnostic]:
        """How the connection does, as far as the driver counts it; does no I/O, and may be asked at any time.

        The agent compares those called `REQUESTS`, `ANSWERS` and `RESPONSE_P99` with limits, each subject
        for itself; all are shown to the technician under the names they have.
        """
        return ()

    def response_times(self) -> Sequence[Responses]:
        """How long answers took; does no I/O, and may be asked at any time."""
        return ()

    def certificates(self) -> Sequence[UsedCertificate]:
        """Those whose end would end the connection, beside what the options name; reads files and makes none.
        Raises OSError."""
        return ()

    @classmethod
    def commands(cls) -> click.Group | None:
        """Commands for the technician, shown as `edge-agent <driver name> …`."""
        return None

    @classmethod
    def recogniser(cls) -> Recogniser | None:
        """Finds what the driver could read, for `edge-agent discover`."""
        return None


class PolledDriver(Driver[C, E, T]):
    """A protocol in which the agent asks."""

    @abstractmethod
    async def read(self, tag_set: TagSet[E, T]) -> Batch:
        """Read one of `tag_sets`, all of its tags, in their order.

        A tag that cannot be read is a bad reading in the batch. Raises EquipmentFailed when the equipment
        did not answer, ConnectionFailed when the connection is gone. Calls are never concurrent.
        """


class StreamingDriver(Driver[C, E, T]):
    """A protocol in which the controller tells."""

    @abstractmethod
    def stream(self) -> AsyncGenerator[Batch, None]:
        """Batches as they come, of any of `tag_sets`, each with the tags that changed.

        The first batch of each tag set has all of its tags. While nothing changes, a batch without
        readings per equipment says that the subscription is alive, at least every period or 10 s,
        whichever is longer. Raises ConnectionFailed when the connection is gone.
        """


AnyDriver = Driver[ConnectionOptions, EquipmentOptions, TagOptions]
AnyTagSet = TagSet[EquipmentOptions, TagOptions]


@cache
def _installed() -> Mapping[str, EntryPoint]:
    """The installed drivers by name. Looked for once, as that opens a file of every installed package: done
    for each of 100 connections it was a third of the start."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def driver_names() -> list[str]:
    """Names of all installed drivers, sorted; imports none of them."""
    return sorted(_installed())


def load_driver(name: str) -> type[AnyDriver]:
    """The driver class `name`. Raises LookupError if none of that name is installed."""
    if name not in _installed():
        raise LookupError(f"no driver is called {name!r}; installed: {', '.join(driver_names())}")
    driver: type[AnyDriver] = _installed()[name].load()
    return driver
