"""Makes the dashboards in configs/grafana/dashboards; `--check` only says whether they are current.

Plain data: what Grafana reads is JSON, and each function makes one piece of it. All queries are InfluxQL.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "configs" / "grafana" / "dashboards"
POLICIES = ROOT / "configs" / "policies"
SOURCE = {"type": "influxdb", "uid": "edge-agent"}
WIDTH = 24

STATES = {
    "running": ("运行 running", "green"),
    "idle": ("待机 idle", "yellow"),
    "setup": ("调试 setup", "blue"),
    "alarm": ("报警 alarm", "red"),
    "off": ("关机 off", "dark-gray"),
    "unknown": ("未知 unknown", "purple"),
}
MACHINE_LINK = [
    {
        "title": "设备 Machine",
        "url": "/d/edge-machine?var-machine=${__field.labels.equipment}&${__url_time_range}",
    }
]

HERE = '"enterprise" =~ /^$site$/'
PLACE = f'{HERE} AND "workshop" =~ /^$workshop$/ AND "line" =~ /^$line$/'
ONE = '"equipment" =~ /^$machine$/'

Json = dict[str, Any]


def target(query: str, *, alias: str = "", table: bool = False, ref: str = "A") -> Json:
    """One query of a panel."""
    return {
        "refId": ref,
        "datasource": SOURCE,
        "query": query,
        "rawQuery": True,
        "alias": alias,
        "resultFormat": "table" if table else "time_series",
    }


def panel(
    kind: str,
    title: str,
    description: str,
    targets: Sequence[Json],
    size: tuple[int, int],
    *,
    options: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    overrides: Sequence[Json] = (),
    transformations: Sequence[Json] = (),
    time_from: str | None = None,
) -> Json:
    """`size` is width and height; the place comes with `dashboard`."""
    made: Json = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "targets": list(targets),
        "gridPos": {"w": size[0], "h": size[1], "x": 0, "y": 0},
        "fieldConfig": {"defaults": dict(defaults or {}), "overrides": list(overrides)},
        "options": dict(options or {}),
        "transformations": list(transformations),
    }
    if time_from is not None:
        made["timeFrom"] = time_from
    return made


def states_shown() -> Json:
    """States in both languages and their colours."""
    mapping = {
        state: {"text": text, "color": colour, "index": index}
        for index, (state, (text, colour)) in enumerate(STATES.items())
    }
    return {"mappings": [{"type": "value", "options": mapping}], "color": {"mode": "thresholds"}}


def last_value(**more: Any) -> Json:
    """Options of a stat panel that shows the newest value."""
    reduce = {"calcs": ["lastNotNull"], "fields": "/.*/", "values": False}
    return {"reduceOptions": reduce, "colorMode": "background", "graphMode": "none", **more}


def variable(name: str, label: str, query: str, *, many: bool = True) -> Json:
    """A choice that the database offers; with `many` also all of them, which is what it begins with."""
    made: Json = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": query,
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": many,
        "includeAll": many,
    }
    if many:
        made |= {"allValue": ".*", "current": {"text": "All", "value": "$__all"}}
    return made


def number(name: str, label: str, value: str) -> Json:
    """A number that the reader may change."""
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "query": value,
        "current": {"text": value, "value": value},
    }


def tag_values(tag: str, where: str) -> str:
    return f'SHOW TAG VALUES FROM "register" WITH KEY = "{tag}" WHERE {where}'


SITE = variable("site", "企业 Enterprise", 'SHOW TAG VALUES FROM "register" WITH KEY = "enterprise"')
WORKSHOP = variable("workshop", "车间 Workshop", tag_values("workshop", HERE))
LINE = variable("line", "产线 Line", tag_values("line", f'{HERE} AND "workshop" =~ /^$workshop$/'))
MACHINE = variable("machine", "设备 Machine", tag_values("equipment", PLACE), many=False)
TAG = variable("tag", "点位 Tag", 'SHOW FIELD KEYS FROM "readings"')
PLACES = [SITE, WORKSHOP, LINE]


def dashboard(
    uid: str, title: str, description: str, variables: Sequence[Json], panels: Sequence[Json]
) -> Json:
    """Panels are laid out from left to right, and begin a new row where there is no room."""
    x = y = height = 0
    placed = []
    for index, one in enumerate(panels, 1):
        grid = one["gridPos"]
        if x + grid["w"] > WIDTH:
            x, y, height = 0, y + height, 0
        placed.append({**one, "id": index, "gridPos": {**grid, "x": x, "y": y}})
        x, height = x + grid["w"], max(height, grid["h"])
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["edge-agent"],
        "timezone": "browser",
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now/d", "to": "now"},
        "links": [
            {
                "type": "dashboards",
                "title": "其他面板 Others",
                "tags": ["edge-agent"],
                "asDropdown": False,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "templating": {"list": list(variables)},
        "annotations": {"list": []},
        "panels": placed,
    }


def rate(title: str, description: str, definition: str, goal: str) -> list[Json]:
    """A rate as a large number, and beside it what it was counted from and the target."""
    where = f"\"definition\" = '{definition}' AND \"level\" = 'enterprise' AND {HERE}"
    share = {"unit": "percentunit", "min": 0, "max": 1, "decimals": 1}
    large = panel(
        "stat",
        title,
        description,
        [target(f'SELECT last("rate") AS "{title}" FROM "indicators" WHERE {where}', table=True)],
        (4, 6),
        options=last_value(colorMode="value"),
        defaults=share,
    )
    counted = panel(
        "stat",
        f"{title}：分子、分母、目标",
        "Numerator n, denominator d, unknown among them, and the target. The target is yours to set above.",
        [
            target(
                f'SELECT last("denominator") AS "d 分母", "numerator" AS "n 分子", '
                f'"unknown" AS "未知 unknown", "numerator" * 0 + ${goal} AS "目标 % target" '
                f'FROM "indicators" WHERE {where}',
                table=True,
            )
        ],
        (4, 6),
        options=last_value(colorMode="none", orientation="horizontal"),
    )
    return [large, counted]


def overview() -> Json:
    wall = panel(
        "stat",
        "设备状态墙",
        "Machine wall: what each machine does now. Click one for its own dashboard.",
        [
            target(
                f'SELECT last("state") FROM "states" WHERE {PLACE} GROUP BY "equipment"',
                alias="$tag_equipment",
            )
        ],
        (24, 8),
        options=last_value(textMode="value_and_name", wideLayout=False),
        defaults={**states_shown(), "links": MACHINE_LINK},
    )
    share = panel(
        "bargauge",
        "今日运行占比（按车间）",
        "Share of today's whole hours in which machines ran, by workshop. Unknown time is in the whole.",
        [
            target(
                'SELECT sum("running_ms") / sum("total_ms") FROM "accounts" '
                f'WHERE "period" = \'hour\' AND {PLACE} AND $timeFilter GROUP BY "workshop"',
                alias="$tag_workshop",
            )
        ],
        (12, 8),
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "orientation": "horizontal",
            "displayMode": "basic",
        },
        defaults={"unit": "percentunit", "min": 0, "max": 1},
        time_from="now/d",
    )
    alarms = panel(
        "table",
        "报警排行",
        "Top alarms: how often each began within the time above.",
        [
            target(
                f'SELECT sum("begun") AS "次数" FROM "alarms" WHERE {PLACE} AND $timeFilter '
                'GROUP BY "equipment", "cause"',
                table=True,
            )
        ],
        (12, 8),
        options={"sortBy": [{"displayName": "次数", "desc": True}]},
        transformations=[{"id": "organize", "options": {"excludeByName": {"Time": True}}}],
    )
    return dashboard(
        "edge-overview",
        "工厂总览 Plant overview",
        "How connected and how numerically controlled the plant is, and what every machine does now",
        [
            *PLACES,
            number("goal_networked", "联网率目标 % Target", "52"),
            number("goal_nc", "数控化率目标 % Target", "67"),
            number("goal_process", "关键工序数控化率目标 % Target", "67"),
        ],
        [
            *rate(
                "设备联网率", "Equipment networking rate", "networked-rate/miit-sme-2024", "goal_networked"
            ),
            *rate("设备数控化率", "Equipment NC rate, by count", "nc-rate/by-count", "goal_nc"),
            *rate("关键工序数控化率", "Key-process NC rate", "key-process-nc-rate/discrete", "goal_process"),
            wall,
            share,
            alarms,
        ],
    )


def machine() -> Json:
    timeline = panel(
        "state-timeline",
        "状态时间线",
        "State timeline. The first query says what the machine did when the time above begins.",
        [
            target(
                f'SELECT last("state") AS "state" FROM "states" WHERE {ONE} AND time < ${{__from}}ms',
                alias="状态",
            ),
            target(f'SELECT "state" FROM "states" WHERE {ONE} AND $timeFilter', alias="状态", ref="B"),
        ],
        (24, 6),
        options={"mergeValues": True, "showValue": "auto"},
        defaults=states_shown(),
        transformations=[{"id": "merge", "options": {}}],
    )
    account = panel(
        "timeseries",
        "时间账（小时）",
        "Time account by the hour: all states together are the hour, unknown time is part of it.",
        [
            target(
                f'SELECT sum("{state}_ms") / 3600000 AS "{text}" FROM "accounts" '
                f"WHERE \"period\" = 'hour' AND {ONE} AND $timeFilter GROUP BY time(1h) fill(none)",
                alias=text,
                ref=chr(ord("A") + index),
            )
            for index, (state, (text, _)) in enumerate(STATES.items())
        ],
        (12, 9),
        defaults={
            "unit": "percentunit",
            "max": 1,
            "custom": {"drawStyle": "bars", "fillOpacity": 80, "stacking": {"mode": "normal", "group": "A"}},
        },
        overrides=[
            {
                "matcher": {"id": "byName", "options": text},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
            }
            for text, colour in STATES.values()
        ],
    )
    parts = panel(
        "timeseries",
        "计件",
        "Counters of pieces and strokes, as the controller has them and as totals that never decrease",
        [
            target(
                f'SELECT max(/parts|strokes|count|_total$/) FROM "readings" WHERE {ONE} AND $timeFilter '
                "GROUP BY time($__interval) fill(none)",
                alias="$col",
            )
        ],
        (12, 9),
    )
    tags = panel(
        "timeseries",
        "点位",
        "The tags chosen above: means",
        [
            target(
                f'SELECT mean(/^$tag$/) FROM "readings" WHERE {ONE} AND $timeFilter '
                "GROUP BY time($__interval) fill(none)",
                alias="$col",
            )
        ],
        (24, 10),
        options={
            "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "min", "max"]}
        },
    )
    events = panel(
        "table",
        "事件",
        "Events of the machine",
        [
            target(
                f'SELECT "kind", "message" FROM "events" WHERE {ONE} AND $timeFilter '
                "ORDER BY time DESC LIMIT 100",
                table=True,
            )
        ],
        (24, 8),
    )
    return dashboard(
        "edge-machine",
        "设备 Machine",
        "One machine: what it did, where its time went, what it makes and what its tags say",
        [*PLACES, MACHINE, TAG],
        [timeline, account, parts, tags, events],
    )


def policy_table() -> str:
    """The shipped policy targets that ask for a level, as a table in Markdown."""
    rows = ["| 政策 Policy | 指标 Indicator | 目标 Target | 期限 Deadline |", "|---|---|---|---|"]
    for file in sorted(POLICIES.glob("*.yaml")):
        policy = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        for one in policy["targets"]:
            for reading in one["readings"]:
                unit = {
                    "percent": "%",
                    "per_10000_employees": "台/万人 per 10,000 employees",
                    "percentage_points": "个百分点 percentage points more",
                    "relative_percent": "%（相对提高）relatively more",
                }[reading["unit"]]
                title = f"{one['title']['zh']} {one['title']['en']}"
                goal = f"{reading['value']} {unit}"
                rows.append(f"| {policy['title']['zh']} | {title} | {goal} | {one['deadline']} |")
    return "\n".join(rows)


def rates() -> Json:
    figures = (
        '"numerator" AS "n 分子", "rate" AS "比率 rate", '
        '"unknown" AS "未知 unknown", "reason" AS "原因 reason"'
    )
    now = panel(
        "table",
        "各口径指标",
        "Every definition for the whole enterprise: numerator, denominator and rate together",
        [
            target(
                f'SELECT last("denominator") AS "d 分母", {figures}, "title" AS "口径" FROM "indicators" '
                f'WHERE "level" = \'enterprise\' AND {HERE} GROUP BY "definition", "version"',
                table=True,
            )
        ],
        (24, 10),
    )
    by_workshop = panel(
        "table",
        "按车间",
        "The same by workshop",
        [
            target(
                f'SELECT last("denominator") AS "d 分母", {figures} FROM "indicators" '
                f'WHERE "level" = \'workshop\' AND {HERE} AND "workshop" =~ /^$workshop$/ '
                'GROUP BY "definition", "workshop"',
                table=True,
            )
        ],
        (24, 10),
    )
    course = panel(
        "timeseries",
        "走势",
        "How the rates went",
        [
            target(
                f'SELECT mean("rate") FROM "indicators" '
                f"WHERE \"level\" = 'enterprise' AND {HERE} AND $timeFilter "
                'GROUP BY time($__interval), "definition" fill(none)',
                alias="$tag_definition",
            )
        ],
        (24, 9),
        defaults={"unit": "percentunit", "min": 0},
    )
    policies = panel(
        "text",
        "政策目标",
        "Policy targets as shipped. `edge-agent policies` says how far the enterprise is",
        [],
        (24, 10),
        options={"mode": "markdown", "content": policy_table()},
    )
    return dashboard(
        "edge-rates",
        "指标与政策 Rates and policy",
        "Rates under every definition, with what they were counted from, and what policies ask for",
        [SITE, WORKSHOP],
        [now, by_workshop, course, policies],
    )


def gateways() -> Json:
    def line(title: str, description: str, field: str, unit: str, *, growth: bool = False) -> Json:
        value = f'non_negative_derivative(max("{field}"), 1s)' if growth else f'max("{field}")'
        return panel(
            "timeseries",
            title,
            description,
            [
                target(
                    f'SELECT {value} FROM "gateway" WHERE {HERE} AND $timeFilter '
                    'GROUP BY time($__interval), "gateway", "uplink" fill(none)',
                    alias="$tag_gateway $tag_uplink",
                )
            ],
            (12, 8),
            defaults={"unit": unit},
        )

    newest = panel(
        "table",
        "网关",
        "Each gateway: version, what waits to be written, what the database refused, when it was last heard",
        [
            target(
                'SELECT last("waiting") AS "待写 waiting", "points_refused" AS "拒收 refused", '
                '"dropped" AS "丢弃 dropped", "clock_offset_ms" AS "时钟偏差 ms", '
                f'"program" AS "版本 version" FROM "gateway" WHERE {HERE} '
                'GROUP BY "gateway", "uplink"',
                table=True,
            )
        ],
        (24, 6),
    )
    links = panel(
        "table",
        "设备联网等级",
        "Link level of every machine: registered, reachable, data valid, live",
        [
            target(
                f'SELECT last("link") AS "联网等级 link", "state" AS "状态 state", "reason" AS "原因 reason" '
                f'FROM "states" WHERE {HERE} GROUP BY "workshop", "equipment"',
                table=True,
            )
        ],
        (12, 10),
    )
    events = panel(
        "table",
        "网关与连接事件",
        "Events of gateways, connections and uplinks",
        [
            target(
                f'SELECT "kind", "subject", "message" FROM "events" '
                f'WHERE {HERE} AND "subject" =~ /./ AND $timeFilter '
                "ORDER BY time DESC LIMIT 100",
                table=True,
            )
        ],
        (12, 10),
    )
    return dashboard(
        "edge-gateways",
        "网关 Gateways",
        "How the gateways and their links do",
        [SITE],
        [
            newest,
            line("待写入", "Records that the database does not have yet", "waiting", "short"),
            line("读数速率", "Readings a second", "readings", "short", growth=True),
            line("写入点数", "Points written a second", "points_written", "short", growth=True),
            line("时钟偏差", "The system clock less the agent's", "clock_offset_ms", "ms"),
            links,
            events,
        ],
    )


def all_dashboards() -> dict[str, Json]:
    """Every dashboard by the name of its file."""
    return {f"{one['uid']}.json": one for one in (overview(), machine(), rates(), gateways())}


def written(one: Json) -> str:
    return json.dumps(one, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    only_check = parser.parse_args().check
    stale = []
    for name, one in all_dashboards().items():
        file = FOLDER / name
        if not file.exists() or file.read_text(encoding="utf-8") != written(one):
            stale.append(name)
            if not only_check:
                file.write_text(written(one), encoding="utf-8")
    if stale:
        print(f"{'not current' if only_check else 'written'}: {', '.join(stale)}")
    sys.exit(bool(stale) and only_check)


if __name__ == "__main__":
    main()
