"""/metrics, for Prometheus. Labels are bounded by the configuration, the register and the definitions."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from edge_agent.console.snapshot import Snapshots
from edge_agent.console.views import ConnectionView, IndicatorView, MachineView
from edge_agent.driver import ANSWERS, REQUESTS
from edge_agent.model.clock import CLOCK
from edge_agent.model.link import LinkLevel
from edge_agent.model.response_times import BUCKETS_S
from edge_agent.model.state import MachineState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PERCENTILES = {"response_p50": "50", "response_p90": "90", "response_p95": "95", "response_p99": "99"}


class AgentMetrics(Collector):
    """Asks the agent at each scrape; nothing is counted twice."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """The exposition, in the text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._gateway()
        yield from self._machines(self._snapshots.machines())
        yield from self._connections(self._snapshots.connections())
        yield from self._uplinks()
        yield from self._indicators(self._snapshots.indicators())

    def _gateway(self) -> Iterator[Metric]:
        gateway = self._snapshots.gateway()
        yield InfoMetricFamily(
            "edge_agent",
            "The agent: version, gateway, configuration",
            {"version": gateway.version, "gateway": gateway.id, "configuration": gateway.configuration},
        )
        yield _gauge("start_time_seconds", "When the agent started, Unix time", gateway.since_ms / 1000)
        yield _gauge(
            "clock_offset_seconds", "System clock minus the agent's steady clock", CLOCK.offset_ms() / 1000
        )

    def _machines(self, machines: list[MachineView]) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "edge_agent_equipment", "Equipment in service, by machine state", labels=["state"]
        )
        counted = Counter(one.state for one in machines if one.in_service)
        for state in MachineState:
            states.add_metric([state.value], counted[state.value])
        yield states
        levels = {level.label: level.value for level in LinkLevel}
        links = GaugeMetricFamily(
            "edge_agent_equipment_link_level",
            "Link level: 0 registered, 1 reachable, 2 data valid, 3 live",
            labels=["equipment", "workshop"],
        )
        for one in machines:
            if one.in_service:
                links.add_metric([one.id, one.workshop], levels[one.link])
        yield links

    def _connections(self, connections: list[ConnectionView]) -> Iterator[Metric]:
        opened = GaugeMetricFamily(
            "edge_agent_connection_open",
            "Whether the endpoint accepts the connection",
            labels=["connection", "driver"],
        )
        for one in connections:
            if one.enabled:
                opened.add_metric([one.id, one.driver], one.open)
        yield opened
        counts: Mapping[str, tuple[str, Callable[[ConnectionView], int]]] = {
            "connection_opens": ("How often it was opened", lambda one: one.opened),
            "connection_failures": ("How often it could not be opened or was lost", lambda one: one.failures),
            "connection_reads": ("Batches taken", lambda one: one.reads),
            "connection_missed_ticks": (
                "Reads left out because the one before took too long",
                lambda one: one.missed_ticks,
            ),
        }
        for name, (help_text, count) in counts.items():
            family = CounterMetricFamily(f"edge_agent_{name}", help_text, labels=["connection"])
            for one in connections:
                family.add_metric([one.id], count(one))
            yield family
        outages = CounterMetricFamily(
            "edge_agent_outages",
            "How often a connection or an equipment on it was lost, by cause",
            labels=["connection", "cause"],
        )
        for (connection, cause), number in self._snapshots.watch.outages.items():
            outages.add_metric([connection, cause], number)
        yield outages
        yield from _diagnostics(connections)

    def _uplinks(self) -> Iterator[Metric]:
        journal = self._snapshots.journal()
        uplinks = self._snapshots.uplinks()
        depth = GaugeMetricFamily(
            "edge_agent_journal_depth_records",
            "Records that an uplink has still to deliver",
            labels=["uplink"],
        )
        connected = GaugeMetricFamily(
            "edge_agent_uplink_connected", "Whether the uplink is connected", labels=["uplink", "type"]
        )
        counts: dict[str, CounterMetricFamily] = {}
        for one in uplinks:
            depth.add_metric([one.id], one.depth)
            connected.add_metric([one.id, one.type], one.state == "connected")
            for name, number in one.statistics.items():
                family = counts.setdefault(
                    name,
                    CounterMetricFamily(
                        f"edge_agent_uplink_{name}", f"{name} since the start", labels=["uplink"]
                    ),
                )
                family.add_metric([one.id], number)
        yield depth
        yield connected
        yield from counts.values()
        yield _counter("journal_records", "Records committed", journal.recorded)
        yield _counter(
            "journal_dropped_records", "Records given up because the disk refused them", journal.dropped
        )
        yield _gauge(
            "journal_over_limit",
            "Whether what must not be thinned is more than the limit of the journal",
            journal.over_limit,
        )
        yield _gauge("journal_failed", "Whether the last write failed", journal.failure is not None)
        yield _gauge("journal_size_bytes", "Size of the journal on disk", journal.size_bytes)
        yield _counter("readings", "Readings taken, derived totals among them", self._snapshots.readings)

    def _indicators(self, indicators: list[IndicatorView]) -> Iterator[Metric]:
        labels = ["definition", "level", "scope", "workshop"]
        families = {
            "numerator": GaugeMetricFamily("edge_agent_indicator_numerator", "Its numerator", labels=labels),
            "denominator": GaugeMetricFamily(
                "edge_agent_indicator_denominator", "Its denominator", labels=labels
            ),
            "unknown": GaugeMetricFamily(
                "edge_agent_indicator_unknown",
                "Equipment of the denominator whose state is unknown",
                labels=labels,
            ),
        }
        rates = GaugeMetricFamily(
            "edge_agent_indicator_ratio", "Numerator by denominator; absent if not computed", labels=labels
        )
        for one in indicators:
            for figure in one.figures:
                if figure.scope.level == "line":
                    continue
                of = [one.definition.id, figure.scope.level, figure.scope.id, figure.scope.workshop]
                families["numerator"].add_metric(of, figure.numerator)
                families["denominator"].add_metric(of, figure.denominator)
                families["unknown"].add_metric(of, figure.unknown)
                if figure.rate is not None:
                    rates.add_metric(of, figure.rate)
        yield from families.values()
        yield rates


def _diagnostics(connections: list[ConnectionView]) -> Iterator[Metric]:
    """What drivers count, under names that are the same for all of them."""
    of = ["connection", "subject"]
    requests = CounterMetricFamily("edge_agent_requests", "Requests made", labels=of)
    answers = CounterMetricFamily("edge_agent_answers", "Requests that brought what was asked", labels=of)
    errors = CounterMetricFamily(
        "edge_agent_request_errors", "Requests that did not, and damage, by kind", labels=[*of, "kind"]
    )
    bytes_ = CounterMetricFamily("edge_agent_connection_bytes", "Bytes on the line", labels=[*of, "kind"])
    load = GaugeMetricFamily("edge_agent_bus_load_ratio", "Load of a bus", labels=[*of, "kind"])
    response = GaugeMetricFamily(
        "edge_agent_response_seconds",
        "Time from request to answer that this percentage of the latest answers kept within",
        labels=[*of, "percentile"],
    )
    durations = HistogramMetricFamily(
        "edge_agent_request_duration_seconds", "Time from request to answer", labels=[*of, "request"]
    )
    for connection in connections:
        for times in connection.responses:
            labels = [connection.id, times.subject, times.request]
            durations.add_metric(labels, _buckets(times.counts), times.sum_s)
        for one in connection.diagnostics:
            labels = [connection.id, one.subject]
            if one.name == REQUESTS:
                requests.add_metric(labels, one.value)
            elif one.name == ANSWERS:
                answers.add_metric(labels, one.value)
            elif one.unit == "By":
                bytes_.add_metric([*labels, one.name], one.value)
            elif one.unit == "%":
                load.add_metric([*labels, one.name], one.value / 100)
            elif one.name in _PERCENTILES and one.unit == "ms":
                response.add_metric([*labels, _PERCENTILES[one.name]], one.value / 1000)
            elif not one.unit:
                errors.add_metric([*labels, one.name], one.value)
    yield from (requests, answers, errors, bytes_, load, response, durations)


def _buckets(counts: Sequence[int]) -> list[tuple[str, float]]:
    """Upper bounds with how many are below, as Prometheus wants them."""
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    return list(zip(bounds, accumulate(counts), strict=True))


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"edge_agent_{name}", help_text, value=float(value))


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(f"edge_agent_{name}", help_text, value=float(value))
