"""Grafana's dashboards are current, and each of their queries finds something in what the demo wrote."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config import load_site
from edge_agent.config.models import InfluxdbUplinkOptions
from edge_agent.contract import messages
from edge_agent.contract.messages import AlarmTime, StateTime
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.simulator.stage import copy_configuration, embedded_broker, free_ports, workshop
from edge_agent.uplinks.influx.database import Database
from edge_agent.uplinks.influx.points import Points, where_of
from tests.field.agent_process import AgentProcess
from tests.field.influx.influxd import Influxd
from tests.house.documents import ROOT

DASHBOARDS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "configs" / "grafana" / "dashboards").glob("*.json"))
}
HOUR_MS = 3_600_000
DEMO_LIMIT_S = 60.0

QUERIES = [
    (f"{uid}: {panel['title']} {target['refId']}", target["query"])
    for uid, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    for target in panel["targets"]
]
VARIABLES = [
    (f"{uid}: ${one['name']}", one["query"])
    for uid, dashboard in DASHBOARDS.items()
    for one in dashboard["templating"]["list"]
    if one["type"] == "query"
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """A database in which the demo's agent has written until there is something of everything."""
    folder = tmp_path_factory.mktemp("demo")
    ports = free_ports()
    with ExitStack() as stage:
        server = stage.enter_context(Influxd(folder / "db"))
        server.create("plant")
        for process in (embedded_broker(ports), workshop(ports)):
            stage.enter_context(process).start()
        configuration = copy_configuration(ROOT / "configs" / "demo", folder / "demo", ports)
        file = configuration / "agent.yaml"
        text = re.sub(r"\n  definitions: .*", "", file.read_text(encoding="utf-8"))
        uplink = f"  - {{id: plant, type: influxdb, url: '{server.url}', database: plant}}\n"
        file.write_text(text.replace("uplinks:\n", f"uplinks:\n{uplink}"), encoding="utf-8")
        agent = stage.enter_context(AgentProcess(configuration, folder))
        write_accounts(configuration, server)
        deadline = time.monotonic() + DEMO_LIMIT_S
        while missing := [name for name, query in QUERIES if not rows(server, query)]:
            assert time.monotonic() < deadline, f"{missing}\n{agent.log()}"
            time.sleep(1)
        yield server


def write_accounts(configuration: Path, server: Influxd) -> None:
    """Those of the last two hours: the demo does not run for so long."""
    site = load_site(configuration)
    points = Points(where_of(site))
    (options,) = (one for one in site.uplinks if isinstance(one, InfluxdbUplinkOptions))
    begin = (time.time_ns() // 1_000_000 // HOUR_MS - 2) * HOUR_MS
    lines = []
    for equipment in site.register.equipment:
        for hour in (begin, begin + HOUR_MS):
            account = messages.Account(
                equipment=equipment.id,
                time=hour + HOUR_MS,
                period="hour",
                from_=hour,
                to=hour + HOUR_MS,
                timezone="Asia/Shanghai",
                times=[StateTime("running", HOUR_MS // 2), StateTime("idle", HOUR_MS // 2)],
                planned=None,
                failures=0,
                alarms=[AlarmTime("jam", 1, 1000)],
                figures=[],
            )
            lines += points.of(Record(RecordClass.ACCOUNTS, equipment.id, messages.encode(account)))
    writing = Database(options)
    writing.write(lines)
    writing.close()


def rows(server: Influxd, query: str) -> list[dict[str, Any]]:
    """What Grafana would get, with everything chosen; not every machine has an event in so short a time."""
    now = time.time_ns() // 1_000_000
    for name, value in {
        "$timeFilter": "time > now() - 1d",
        "$__interval": "10s",
        "${__from}": str(now),
        "$goal_networked": "52",
        "$goal_nc": "67",
        "$goal_process": "67",
    }.items():
        query = query.replace(name, value)
    query = re.sub(r"\$(site|workshop|line|machine|tag)\b", ".*", query)
    assert "$" not in re.sub(r"\$/", "", query), query
    return server.query(query, "plant")


@pytest.mark.parametrize(("name", "query"), QUERIES, ids=[name for name, _ in QUERIES])
def test_every_panel_has_something_to_show(database: Influxd, name: str, query: str) -> None:
    found = rows(database, query)
    values = {key for row in found for key, value in row.items() if value is not None and key != "time"}
    assert values, name


@pytest.mark.parametrize(("name", "query"), VARIABLES, ids=[name for name, _ in VARIABLES])
def test_every_choice_offers_something(database: Influxd, name: str, query: str) -> None:
    assert rows(database, query), name


def test_a_rate_stands_with_its_counts_and_its_target(database: Influxd) -> None:
    (rate, counts, *_) = (query for name, query in QUERIES if name.startswith("edge-overview"))
    (shown,) = rows(database, rate)
    (counted,) = rows(database, counts)
    assert counted["目标 % target"] == 52
    assert shown["设备联网率"] == pytest.approx(counted["n 分子"] / counted["d 分母"])


def test_choosing_a_workshop_leaves_the_others_out(database: Influxd) -> None:
    (query,) = (query for name, query in QUERIES if name == "edge-overview: 设备状态墙 A")
    everything = rows(database, query)
    workshops = [row["value"] for row in rows(database, dict(VARIABLES)["edge-overview: $workshop"])]
    chosen = [rows(database, query.replace("$workshop", re.escape(one))) for one in workshops]
    assert len(everything) == 20
    assert sum(map(len, chosen)) == 20
    assert all(0 < len(one) < 20 for one in chosen)


def test_the_dashboards_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "grafana_dashboards.py"), "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_links_lead_to_dashboards_and_titles_are_chinese() -> None:
    for dashboard in DASHBOARDS.values():
        for uid in re.findall(r"/d/([\w-]+)", json.dumps(dashboard)):
            assert uid in DASHBOARDS
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        for panel in dashboard["panels"]:
            assert re.search(r"[\u4e00-\u9fff]", panel["title"])
            assert re.search(r"[A-Za-z]{3}", panel["description"])
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
        names = {one["name"] for one in dashboard["templating"]["list"]}
        asked = set(re.findall(r"\$(\w+)", json.dumps([p["targets"] for p in dashboard["panels"]])))
        used = {name for name in asked if name not in {"timeFilter", "__interval", "col"}}
        assert {name for name in used if not name.startswith("tag_")} <= names
