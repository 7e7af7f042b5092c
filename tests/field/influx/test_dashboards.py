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
from edge_agent.contract.messages import AlarmTime, Figure, KeyFigure, Scope, StateTime
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.model.batch import Batch
from edge_agent.model.quality import bad
from edge_agent.simulator.stage import copy_configuration, embedded_broker, workshop
from edge_agent.uplinks.influx.database import Database
from edge_agent.uplinks.influx.points import Points, where_of
from tests.console.waiting import until
from tests.field.agent_process import AgentProcess
from tests.field.influx.influxd import Influxd
from tests.house.documents import ROOT
from tests.ports import demo_ports

DASHBOARDS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "configs" / "grafana" / "dashboards").glob("*.json"))
}
HOUR_MS = 3_600_000
MONTH_MS = 30 * 24 * HOUR_MS
DEMO_LIMIT_S = 180.0


def within(panel: dict[str, Any], query: str) -> str:
    """`query` with the time of its panel, where that has one of its own."""
    return query.replace("$timeFilter", "time > now() - 90d") if panel.get("timeFrom") == "24M" else query


QUERIES = [
    (f"{uid}: {panel['title']} {target['refId']}", within(panel, target["query"]))
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
    ports = demo_ports()
    with ExitStack() as stage:
        server = stage.enter_context(Influxd(folder / "db"))
        server.create("plant")
        for process in (embedded_broker(ports), workshop(ports)):
            stage.enter_context(process).start()
        configuration = copy_configuration(ROOT / "configs" / "demo", folder / "demo", ports)
        file = configuration / "agent.yaml"
        text = re.sub(r"\n  definitions: .*", "", file.read_text(encoding="utf-8"))
        # Accounts are those written below: when an hour ends meanwhile, the demo adds none to them.
        carries = "[readings, states, statements, events, register]"
        uplink = (
            f"  - {{id: plant, type: influxdb, url: '{server.url}', database: plant, carries: {carries}}}\n"
        )
        file.write_text(text.replace("uplinks:\n", f"uplinks:\n{uplink}"), encoding="utf-8")
        agent = stage.enter_context(AgentProcess(configuration, folder))
        write_what_takes_longer(configuration, server)
        deadline = time.monotonic() + DEMO_LIMIT_S
        while missing := [name for name, query in QUERIES if not rows(server, query)]:
            assert time.monotonic() < deadline, f"{missing}\n{agent.log()}"
            time.sleep(1)
        yield server


def write_what_takes_longer(configuration: Path, server: Influxd) -> None:
    """Accounts of two hours, statements of two months, a flaw: the demo does not run for so long."""
    site = load_site(configuration)
    points = Points(where_of(site))
    (options,) = (one for one in site.uplinks if isinstance(one, InfluxdbUplinkOptions))
    begin = (time.time_ns() // 1_000_000 // HOUR_MS - 2) * HOUR_MS
    flawed = messages.telemetry(Batch("CNC-01", begin, ["spindle_load"], [None], {0: bad("timeout")}))
    lines = points.of(Record(RecordClass.READINGS, "CNC-01", messages.encode(flawed)))
    for equipment in site.register.equipment:
        for hour in (begin, begin + HOUR_MS):
            record = Record(RecordClass.ACCOUNTS, equipment.id, messages.encode(account(equipment.id, hour)))
            lines += points.of(record)
    for definition in ("networked-rate/miit-sme-2024", "nc-rate/by-count", "key-process-nc-rate/discrete"):
        for months in (2, 1):
            record = Record(
                RecordClass.STATEMENTS, "", messages.encode(statement(definition, begin - months * MONTH_MS))
            )
            lines += points.of(record)
    writing = Database(options)
    writing.write(lines)
    writing.close()


def account(equipment: str, hour: int) -> messages.Account:
    """Half of it running, all planned; three quarters of that in pieces at the planned cycle, a third bad."""
    times = [StateTime("running", HOUR_MS // 2), StateTime("idle", HOUR_MS // 2)]
    return messages.Account(
        equipment=equipment,
        time=hour + HOUR_MS,
        period="hour",
        from_=hour,
        to=hour + HOUR_MS,
        timezone="Asia/Shanghai",
        times=times,
        planned=times,
        failures=0,
        alarms=[AlarmTime("jam", 1, 1000)],
        figures=[
            KeyFigure("availability/iso-22400-2", 0.5),
            KeyFigure("effectiveness/iso-22400-2", 0.75),
            KeyFigure("quality-ratio/iso-22400-2", 2 / 3),
            KeyFigure("oee/iso-22400-2", 0.25),
        ],
        parts=300,
        good=200,
    )


def statement(definition: str, to: int) -> messages.StatementOfRecord:
    return messages.StatementOfRecord(
        number=1,
        previous=None,
        supersedes=None,
        time=to,
        agent="1",
        key="k",
        signature="s",
        subject=definition,
        period="month",
        from_=to - MONTH_MS,
        to=to,
        timezone="Asia/Shanghai",
        gateway="gw-demo-01",
        definition=messages.DefinitionReference(definition, 1, "d", {"zh": "率"}),
        evidence_from=0,
        evidence_to=to,
        register_digest="r",
        register_version="v",
        figures=[Figure(Scope("enterprise", "E"), 1, 2, 0.5, 0, "root")],
        claims=[],
        evidence=messages.RecordEvidence("rule"),
    )


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
    query = re.sub(r"\$(site|workshop|line|machine|tag|gateway)\b", ".*", query)
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
    deadline = time.monotonic() + DEMO_LIMIT_S
    while True:
        (shown,), (counted,), (after,) = (rows(database, query) for query in (rate, counts, rate))
        if shown == after:
            break
        assert time.monotonic() < deadline, "each time another rate was told in between"
    assert counted["目标 % target"] == 52
    assert shown["设备联网率"] == pytest.approx(counted["n 分子"] / counted["d 分母"])


def test_choosing_a_workshop_leaves_the_others_out(database: Influxd) -> None:
    (query,) = (query for name, query in QUERIES if name == "edge-overview: 设备状态墙 A")
    until(lambda: len(rows(database, query)) == 20, DEMO_LIMIT_S)
    workshops = [row["value"] for row in rows(database, dict(VARIABLES)["edge-overview: $workshop"])]
    chosen = [rows(database, query.replace("$workshop", re.escape(one))) for one in workshops]
    assert sum(map(len, chosen)) == 20
    assert all(0 < len(one) < 20 for one in chosen)


def test_oee_is_what_its_losses_leave_of_planned_time(database: Influxd) -> None:
    """Of the hours written above, of all machines."""

    def value(title: str, place: int) -> float:
        query = [query for name, query in QUERIES if name.startswith(f"edge-machine: {title}")][place]
        (row,) = rows(database, query)
        (found,) = (float(value) for key, value in row.items() if key != "time")
        return found

    shares = [value("设备综合效率 OEE", place) for place in range(4)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 2 / 3])
    steps = [value("OEE 损失瀑布（小时）", place) for place in range(10)]
    planned, *lost, running, speed, rejects, effective = steps
    assert running == pytest.approx(planned - sum(lost))
    assert effective == pytest.approx(running - speed - rejects)
    assert effective / planned == pytest.approx(shares[0])


def test_what_does_not_count_stands_there_with_its_reason(database: Influxd) -> None:
    """CNC-03 is switched off at the mains, a process without an NC machine is none of a machine."""
    (query,) = (query for name, query in QUERIES if name.startswith("edge-rates: 未计入"))

    def is_shown() -> bool:
        """CNC-01 stands there too until it has been heard."""
        found = {
            (row["definition"], row["equipment"] or row["subject"]): row for row in rows(database, query)
        }
        machine = found.get(("networked-rate/live", "CNC-03"), {})
        return (
            (machine.get("在分母 in denominator"), machine.get("原因 reason")) == (1, "link_below_live")
            and ("networked-rate/live", "CNC-01") not in found
            and any(definition == "key-process-nc-rate/discrete" for definition, _ in found)
        )

    until(is_shown, DEMO_LIMIT_S)


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
