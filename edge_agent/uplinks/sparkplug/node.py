"""The edge node as it is now: its metrics and those of its devices, each with its newest value."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from msgspec import Struct

from edge_agent.model.batch import Value
from edge_agent.model.quality import Quality, uncertain
from edge_agent.uplinks.sparkplug.plant import Plant
from edge_agent.uplinks.sparkplug.told import FIGURE_METRICS, STATE_METRICS, TAGS, Reading, Told
from edge_agent.uplinks.sparkplug.values import DataType, datatype_of, widened

NOT_HEARD = uncertain("not_heard")
"""Of a value that is the newest known and may be an old one, or is none."""
HOLD_MS = 60_000
"""So long an older value than the newest counts as late. After that it is the controller's clock that was
set back, and the older time is the newer one."""


@dataclass(slots=True)
class Metric:
    """One metric with its newest value."""

    name: str
    alias: int
    unit: str = ""
    datatype: DataType | None = None
    """None as long as no value has told."""
    value: Value = None
    flaw: Quality | None = None
    time_ms: int | None = None
    """Of its value; None before the first."""
    heard_ms: int = 0

    @property
    def quality(self) -> Quality | None:
        """`flaw`, or that nothing has been heard yet."""
        return NOT_HEARD if self.time_ms is None and self.value is None else self.flaw


class Taken(Struct, frozen=True):
    """A reading and its metric. `late`: the metric has a newer value."""

    metric: Metric
    reading: Reading
    late: bool


@dataclass(slots=True)
class Metrics:
    """Metrics that are born together: those of the node, or of one device."""

    aliases: Iterator[int]
    by_name: dict[str, Metric] = field(default_factory=dict)

    def define(self, name: str, datatype: DataType | None = None, unit: str = "") -> Metric:
        metric = self.by_name[name] = Metric(name, next(self.aliases), unit, datatype)
        return metric

    def admit(self, readings: Iterable[Reading]) -> bool:
        """Make room for `readings`; whether the last birth does not cover them, as a metric is new or its
        datatype has become wider."""
        grown = False
        for reading in readings:
            metric = self.by_name.get(reading.name)
            if metric is None:
                metric, grown = self.define(reading.name), True
            datatype = datatype_of(reading.value)
            if datatype is None or datatype is metric.datatype or metric.datatype is DataType.DATETIME:
                continue
            wider = datatype if metric.datatype is None else widened(metric.datatype, datatype)
            grown |= wider is not metric.datatype
            metric.datatype = wider
        return grown

    def take(self, told: Told) -> list[Taken]:
        """Keep the newest of the readings, which `admit` has made room for."""
        taken = []
        for reading in told.readings:
            metric = self.by_name[reading.name]
            late = (
                metric.time_ms is not None
                and reading.time_ms < metric.time_ms
                and told.received_ms - metric.heard_ms < HOLD_MS
            )
            if not late:
                metric.value, metric.flaw, metric.time_ms = reading.value, reading.flaw, reading.time_ms
                metric.heard_ms = told.received_ms
            taken.append(Taken(metric, reading, late))
        return taken


@dataclass(slots=True)
class Device:
    """One equipment."""

    id: str
    metrics: Metrics
    alive: bool = False
    """Its link stands and it has been read."""

    @property
    def has_tags(self) -> bool:
        return len(self.metrics.by_name) > len(STATE_METRICS)


class Node:
    """The metrics of the node, and its devices. Aliases are unique among all of them."""

    def __init__(self, plant: Plant) -> None:
        self._aliases = count(1)
        self._plant = plant
        self.metrics = Metrics(self._aliases)
        for name, value in plant.properties.items():
            self.metrics.define(f"properties/{name}", DataType.STRING).value = value
        for folder in plant.indicators:
            for name, datatype in FIGURE_METRICS.items():
                self.metrics.define(f"{folder}/{name}", datatype)
        self.devices: dict[str, Device] = {}
        for equipment in plant.devices:
            self.device(equipment)
        self.birth_alias = next(self._aliases)
        """Of bdSeq."""

    def device(self, equipment: str) -> Device:
        """The device of an equipment, if need be a new one: what the journal kept may be older than the
        configuration."""
        device = self.devices.get(equipment)
        if device is None:
            device = self.devices[equipment] = Device(equipment, Metrics(self._aliases))
            for name, datatype in STATE_METRICS.items():
                device.metrics.define(name, datatype)
            for tag, unit in self._plant.devices.get(equipment, {}).items():
                device.metrics.define(f"{TAGS}{tag}", unit=unit)
        return device

    def take(self, told: Told) -> None:
        """Keep what `told` tells, and send nothing."""
        metrics = self.metrics
        if told.device is not None:
            device = self.device(told.device)
            metrics = device.metrics
            device.alive = device.alive if told.alive is None else told.alive
        metrics.admit(told.readings)
        metrics.take(told)
