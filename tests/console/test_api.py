"""REST, live stream and /metrics of a running agent, over HTTP."""

import re
import subprocess
from collections.abc import Callable
from datetime import datetime, time
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import jsonschema
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from edge_agent.console.views import (
    AskedView,
    ConfigurationView,
    ConnectionDetail,
    ConnectionView,
    EventView,
    IndicatorDetail,
    IndicatorView,
    JournalView,
    LogView,
    MachineDay,
    MachineDetail,
    MachineView,
    Overview,
    RegisterView,
    SessionView,
    StatementView,
    UplinkView,
    VerificationView,
)
from edge_agent.model.clock import CLOCK
from edge_agent.model.response_times import BUCKETS_S
from tests.console.conftest import Served
from tests.console.waiting import until
from tests.house.documents import ROOT, text_of

ANSWERS: dict[str, Any] = {
    "overview": Overview,
    "machines": list[MachineView],
    "machines/CNC-01": MachineDetail,
    "machines/CNC-03": MachineDetail,
    "machines/DRL-01": MachineDetail,
    "machines/CNC-01/day": MachineDay,
    "connections": list[ConnectionView],
    "connections/machining-bus": ConnectionDetail,
    "connections/cells": ConnectionDetail,
    "uplinks": list[UplinkView],
    "journal": JournalView,
    "indicators": list[IndicatorView],
    "indicators/nc-rate/by-count": IndicatorDetail,
    "statements": list[StatementView],
    "register": RegisterView,
    "events": list[EventView],
    "logs": LogView,
    "configuration": ConfigurationView,
    "session": SessionView,
}


def read(served: Served, path: str) -> Any:
    response = served.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=ANSWERS[path])


def read_until(served: Served, path: str, holds: Callable[[Any], bool]) -> Any:
    """The first answer of which it holds: some things become known only, or a machine is late."""
    found: list[Any] = []

    def does() -> bool:
        found[:] = [read(served, path)]
        return holds(found[0])

    until(does, 30, lambda: str(found))
    return found[0]


@pytest.mark.parametrize("path", ANSWERS)
def test_each_answer_is_what_the_document_says(served: Served, path: str) -> None:
    response = served.get(f"/api/v1/{path}")
    assert response.headers["content-type"] == "application/json"
    msgspec.json.decode(response.content, type=ANSWERS[path])
    document = served.get("/api/v1/openapi.json").json()
    templates = {"nc-rate": "{family}", "by-count": "{variant}"}
    templates |= dict.fromkeys(("CNC-01", "CNC-03", "DRL-01", "machining-bus", "cells"), "{id}")
    template = "/" + "/".join(templates.get(step, step) for step in path.split("/"))
    schema = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(response.json(), {**schema, "components": document["components"]})


def test_the_figures_are_those_that_the_demo_must_show(served: Served) -> None:
    def figures(overview: Overview) -> dict[str, tuple[int, int]]:
        return {
            one.definition.id: (figure.numerator, figure.denominator)
            for one in overview.indicators
            for figure in one.figures
            if figure.scope.level == "enterprise"
        }

    wanted = {
        "networked-rate/live": (12, 18),
        "networked-rate/miit-sme-2024": (12, 18),
        "nc-rate/by-count": (11, 18),
    }
    overview: Overview = read_until(served, "overview", lambda now: figures(now) == wanted)
    assert len(overview.machines) == sum(overview.states.values()) == sum(overview.links.values()) == 20


def test_an_indicator_says_of_each_machine_whether_and_why_it_counts(served: Served) -> None:
    found: IndicatorDetail = read(served, "indicators/nc-rate/by-count")
    enterprise = found.indicator.figures[0]
    assert sum(line.in_numerator for line in found.equipment) == enterprise.numerator
    assert sum(line.in_denominator for line in found.equipment) == enterprise.denominator
    reasons = {line.equipment: line.reason for line in found.equipment}
    assert (reasons["CNC-03"], reasons["SAW-01"], reasons["LAT-01"], reasons["AIR-01"]) == (
        "counted", "outside_numerator", "not_in_service", "outside_denominator",
    )  # fmt: skip
    assert found.indicator.quote or found.indicator.without_quote


def test_a_machine_shows_its_newest_readings(served: Served) -> None:
    def all_good(detail: MachineDetail) -> bool:
        return all(tag.quality == "good" for tag in detail.tags)

    first: MachineDetail = read_until(served, "machines/CNC-01", all_good)
    assert {tag.id for tag in first.tags} >= {"status", "spindle_speed", "parts", "parts_total"}
    assert all(tag.source_ms is None for tag in first.tags)
    newest = [tag.received_ms for tag in first.tags]
    assert all(received is not None and 0 <= first.time_ms - received < 60_000 for received in newest)
    polled = {tag.id: tag.received_ms for tag in first.tags}["status"] or 0

    def read_again() -> bool:
        again: MachineDetail = read(served, "machines/CNC-01")
        return ({tag.id: tag.received_ms for tag in again.tags}["status"] or 0) > polled

    until(read_again, 30)
    streamed: MachineDetail = read(served, "machines/CNC-01")
    assert streamed.register.nc_ground
    opcua = served.get("/api/v1/machines/ROB-01").json()
    assert all(tag["source_ms"] is not None for tag in opcua["tags"])


def test_a_machine_that_does_not_answer_says_why_and_what_to_do(served: Served) -> None:
    found: MachineDetail = read_until(served, "machines/CNC-03", lambda detail: detail.trouble is not None)
    assert found.trouble is not None
    assert (found.trouble.cause, found.trouble.over_ms) == ("timeout", None)
    assert "unit 5" in found.trouble.message
    assert found.trouble.remedy
    assert found.connection_trouble is None
    assert all(tag.quality == "" and tag.received_ms is None for tag in found.tags)
    unconnected: MachineDetail = read(served, "machines/DRL-01")
    assert (unconnected.machine.connection, unconnected.machine.cause) == ("", "not_connected")
    assert list(unconnected.tags) == []


def test_a_machines_day_adds_up(served: Served) -> None:
    # The history is written now and then, and at midnight another day begins.
    day: MachineDay = read_until(served, "machines/CNC-01/day", lambda found: len(found.evidence) > 0)
    assert day.to_ms - day.from_ms == 86_400_000
    assert sum(one.ms for one in day.times) == day.known_to_ms - day.from_ms
    assert {one.state for one in day.intervals} - {"unknown"}
    assert [one.good_readings > 0 for one in day.evidence].count(True) >= 1
    assert {one.id for one in day.figures} >= {"availability/iso-22400-2", "oee/iso-22400-2"}


def test_connections_and_uplinks_are_told_as_they_are(served: Served) -> None:
    def all_work(found: list[ConnectionView]) -> bool:
        return all(one.open and one.enabled and one.reads > 0 for one in found)

    connections: list[ConnectionView] = read_until(served, "connections", all_work)
    bus = connections[0]
    assert {one.subject for one in bus.diagnostics} >= {"", "unit 1", "unit 5"}
    (uplink,) = read_until(served, "uplinks", lambda found: found[0].statistics["acknowledged"] > 0)
    assert (uplink.type, uplink.state) == ("mqtt", "connected")
    journal: JournalView = read_until(served, "journal", lambda found: found.recorded and found.size_bytes)
    assert journal.failure is None


def test_a_connection_shows_its_requests_and_how_long_answers_take(served: Served) -> None:
    bus: ConnectionDetail = read(served, "connections/machining-bus")
    first = bus.requests[0]
    assert (first.equipment, first.period_s) == ("CNC-01", 1.0)
    assert first.detail == {"unit": 1, "table": "holding", "function": 3, "first": 0, "count": 14}
    assert "spindle_speed" in first.tags
    assert {one.subject for one in bus.connection.responses} == {"unit 1", "unit 2", "unit 3", "unit 4"}
    assert all(len(one.counts) == len(bus.bounds_s) + 1 for one in bus.connection.responses)
    assert all(one.p50_s is not None and 0 < one.p50_s < 1 for one in bus.connection.responses)

    def has_published(found: ConnectionDetail) -> bool:
        return {"read", "other", "publish"} <= {one.request for one in found.connection.responses}

    cells: ConnectionDetail = read_until(served, "connections/cells", has_published)
    assert cells.requests[0].detail == {"items": 9, "subscription": 1, "publishing_s": 1.0}
    granted = cells.requests[0].granted
    assert (granted["publishing_s"], granted["sampling_s"], granted["monitored"]) == (1.0, 1.0, 9)


def ask(served: Served, path: str) -> httpx.Response:
    token = {"X-CSRF-Token": served.get("/api/v1/session").json()["csrf"]}
    return httpx.post(f"{served.url}/api/v1/{path}", headers=token, timeout=30, trust_env=False)


def test_a_connection_is_tested_over_the_link_that_runs(served: Served) -> None:
    read_until(served, "machines/CNC-03", lambda detail: detail.trouble is not None)
    before: ConnectionDetail = read(served, "connections/machining-bus")
    tested = msgspec.json.decode(ask(served, "connections/machining-bus/test").content, type=AskedView)
    assert (tested.holds, tested.equipment) == (False, "CNC-03")  # the one that is known to fail
    assert tested.text["zh"] == "这台设备不应答，连接本身正常"
    assert "unit id" in tested.todo["en"]
    assert "unit 5" in tested.message
    again = ask(served, "connections/machining-bus/test")
    assert (again.status_code, int(again.headers["retry-after"]) > 0) == (429, True)
    cells = msgspec.json.decode(ask(served, "connections/cells/test").content, type=AskedView)
    assert (cells.holds, cells.message) == (True, "")
    assert cells.identity["product"]
    after: ConnectionDetail = read(served, "connections/machining-bus")
    assert (after.connection.opened, after.connection.failures) == (
        before.connection.opened,
        before.connection.failures,
    )
    assert ask(served, "connections/none/test").status_code == 404


def test_a_page_of_another_site_tests_nothing(served: Served) -> None:
    for path in ("connections/press-1/test", "statements/verification"):
        for headers in ({}, {"X-CSRF-Token": "guessed"}):
            refused = httpx.post(f"{served.url}/api/v1/{path}", headers=headers, trust_env=False)
            assert refused.status_code == 403


def test_statements_of_a_month_are_verified(served: Served) -> None:
    statements: list[StatementView] = read(served, "statements")
    assert served.stated is not None
    begin = datetime.combine(served.stated, time(), ZoneInfo("Asia/Shanghai")).timestamp() * 1000
    stated = {one.number for one in statements if one.from_ms == begin and one.period == "day"}
    assert len(stated) == 3
    month = f"{served.stated:%Y-%m}"
    found = msgspec.json.decode(
        ask(served, f"statements/verification?month={month}").content, type=VerificationView
    )
    assert found.holds
    assert {one.number for one in found.statements} >= stated
    assert {"signature", "chain", "judgement", "count"} <= set(found.checks)
    empty = ask(served, "statements/verification?month=2001-01").json()
    assert (empty["statements"], empty["holds"]) == ([], True)
    for month in ("yesterday", "2999-01", "2026-13"):
        assert ask(served, f"statements/verification?month={month}").status_code == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/machines/NO-1", 404),
        ("/api/v1/connections/none", 404),
        ("/api/v1/machines/NO-1/day", 404),
        ("/api/v1/machines/CNC-01/day?date=yesterday", 400),
        ("/api/v1/machines/CNC-01/day?date=2999-01-01", 400),
        ("/api/v1/indicators/no/such", 404),
        ("/api/v1/nothing", 404),
        ("/static/../api.py", 404),
        ("/static/%2e%2e/api.py", 404),
    ],
)
def test_what_is_not_there_is_said_so(served: Served, path: str, status: int) -> None:
    response = served.get(path)
    assert response.status_code == status
    assert "Traceback" not in response.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(served: Served, method: str) -> None:
    response = httpx.request(method, f"{served.url}/api/v1/overview", trust_env=False)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:18080", "[::1]:8080", "[::1]"])
def test_the_names_of_this_computer_are_answered(served: Served, host: str) -> None:
    assert served.get("/api/v1/journal", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", ""])
def test_who_was_led_here_by_a_foreign_page_gets_nothing(served: Served, host: str) -> None:
    for path in ("/", "/api/v1/overview", "/metrics", "/static/app.js"):
        response = served.get(path, headers={"Host": host})
        assert response.status_code in (400, 403)
        assert "CNC-01" not in response.text


@pytest.mark.parametrize("path", ["/", "/api/v1/overview", "/static/app.js", "/metrics", "/nothing"])
def test_every_answer_keeps_to_itself(served: Served, path: str) -> None:
    headers = served.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_live_updates_are_less_than_a_second_old(served: Served) -> None:
    with httpx.stream("GET", f"{served.url}/api/v1/live", timeout=10, trust_env=False) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        made, ages = [], []
        for line in stream.iter_lines():
            if line.startswith("data: "):
                made.append(msgspec.json.decode(line[6:], type=Overview).time_ms)
                ages.append(CLOCK.now_ms() - made[-1])
            if len(made) == 12:
                break
    # One or the other comes late on a busy computer; that of 12 none came in time is no accident.
    assert min(ages[1:]) < 1000
    assert made == sorted(made)
    assert min(later - earlier for earlier, later in pairwise(made) if later != earlier) < 1000


def test_the_document_holds_for_whatever_is_asked(served: Served) -> None:
    """schemathesis asks at random, within the document and beside it."""
    schema = schemathesis.openapi.from_dict(served.get("/api/v1/openapi.json").json())
    token = {"X-CSRF-Token": served.get("/api/v1/session").json()["csrf"]}
    asked: set[str] = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def ask(case: schemathesis.Case[Any]) -> None:
            response = case.call(base_url=f"{served.url}/api/v1", headers=token, timeout=60)
            case.validate_response(response, excluded_checks=[positive_data_acceptance])
            asked.add(case.path)

        ask()
    assert len(asked) == 22


def test_metrics_follow_the_conventions_and_the_figures(served: Served) -> None:
    response = served.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=response.content, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode() + checked.stdout.decode()
    overview: Overview = read(served, "overview")
    enterprise = overview.gateway.enterprise
    of = f'{{definition="networked-rate/live",level="enterprise",scope="{enterprise}",workshop=""}}'
    values: dict[str, str] = {}

    def all_is_well() -> bool:
        lines = served.get("/metrics").text.splitlines()
        values.update((line.rpartition(" ")[::2]) for line in lines if not line.startswith("#"))
        return (
            float(values[f"edge_agent_indicator_numerator{of}"]) == 12
            and float(values['edge_agent_uplink_connected{type="mqtt",uplink="region"}']) == 1
            and 'edge_agent_outages_total{cause="timeout",connection="machining-bus"}' in values
        )

    until(all_is_well, 30, lambda: str(values))
    assert float(values[f"edge_agent_indicator_denominator{of}"]) == 18
    assert float(values['edge_agent_connection_open{connection="machining-bus",driver="modbus"}']) == 1
    assert float(values['edge_agent_outages_total{cause="timeout",connection="machining-bus"}']) >= 1
    assert (
        0
        < float(values['edge_agent_response_seconds{connection="press-1",percentile="50",subject="unit 1"}'])
        < 1
    )
    assert sum(float(v) for name, v in values.items() if name.startswith("edge_agent_equipment{")) == 19
    of = 'connection="press-1",{le}request="read",subject="unit 1"'
    duration = "edge_agent_request_duration_seconds"
    buckets = []
    for bound in (*BUCKETS_S, "+Inf"):
        labels = of.format(le=f'le="{bound}",')
        buckets.append(float(values[f"{duration}_bucket{{{labels}}}"]))
    assert buckets == sorted(buckets)
    labels = of.format(le="")
    assert buckets[-1] == float(values[f"{duration}_count{{{labels}}}"]) > 0


def metric_names(served: Served) -> set[str]:
    lines = served.get("/metrics").text.splitlines()
    return {
        line.split()[2].removeprefix("edge_agent_") for line in lines if line.startswith("# TYPE edge_agent_")
    }


def test_every_metric_is_explained(served: Served) -> None:
    explained = set(re.findall(r"`([a-z_]+)`", text_of(ROOT / "docs" / "console.md")))
    names = {name for name in metric_names(served) if not name.startswith("uplink_")}
    assert len(names) > 20
    assert names - explained == set()


def test_the_alerts_are_right_and_ask_for_metrics_that_there_are(served: Served) -> None:
    rules = ROOT / "configs" / "prometheus" / "alerts.yaml"
    checked = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
    asked_for = set(re.findall(r"edge_agent_([a-z_]+)", text_of(rules)))
    assert len(asked_for) >= 8
    assert asked_for - metric_names(served) == set()


def test_labels_do_not_grow_with_time(served: Served) -> None:
    def series() -> set[str]:
        lines = served.get("/metrics").text.splitlines()
        names = {line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")}
        # A failure of a kind that had not happened yet has a series of its own from then on.
        return {name for name in names if not re.search('[{,](cause|kind)="', name)}

    first = series()
    reads = served.get("/api/v1/connections").json()[0]["reads"]
    until(lambda: served.get("/api/v1/connections").json()[0]["reads"] > reads + 10, 60)
    assert series() - first == set()


def test_many_browsers_at_once_are_answered_and_one_too_many_is_told(served: Served) -> None:
    from edge_agent.console.api import STREAMS_LIMIT

    limits = httpx.Limits(max_connections=None)

    def there_is_room() -> bool:
        with httpx.stream("GET", f"{served.url}/api/v1/live", timeout=10, trust_env=False) as stream:
            return stream.status_code == 200

    with httpx.Client(base_url=served.url, limits=limits, timeout=10, trust_env=False) as client:
        streams = [
            client.send(client.build_request("GET", "/api/v1/live"), stream=True)
            for _ in range(STREAMS_LIMIT)
        ]
        try:
            lines = [stream.iter_lines() for stream in streams]  # one that is let go ends its stream
            assert [next(one) for one in lines] == ["event: overview"] * STREAMS_LIMIT
            with client.stream("GET", "/api/v1/live") as one_more:
                assert one_more.status_code == 503
            assert client.get("/api/v1/journal").status_code == 200
        finally:
            for stream in streams:
                stream.close()

    until(there_is_room, 30)
