"""What dashboards are made of.

Plain data: what Grafana reads is JSON, and each function makes one piece of it. All queries are InfluxQL.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.words import STATES as STATE_WORDS

Json = dict[str, Any]

SOURCE = {"type": "influxdb", "uid": "edge-agent"}
WIDTH = 24

_COLOURS = {
    "running": "green",
    "idle": "yellow",
    "setup": "blue",
    "alarm": "red",
    "off": "dark-gray",
    "unknown": "purple",
}
STATES = {state.value: (words.both, _COLOURS[state.value]) for state, words in STATE_WORDS.items()}
"""Each state in both languages, and its colour."""

HERE = '"enterprise" =~ /^$site$/'
PLACE = f'{HERE} AND "workshop" =~ /^$workshop$/ AND "line" =~ /^$line$/'
ONE = '"equipment" =~ /^$machine$/'
TO_MACHINE = {
    "title": "设备 Machine",
    "url": "/d/edge-machine?var-machine=${__field.labels.equipment}&${__url_time_range}",
}
"""From a value that belongs to a machine to the machine's dashboard."""
SHARE = {"unit": "percentunit", "min": 0, "max": 1, "decimals": 1}


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


def targets(*queries: tuple[str, str]) -> list[Json]:
    """Several queries of a panel, each with its alias."""
    return [
        target(query, alias=alias, ref=chr(ord("A") + place)) for place, (query, alias) in enumerate(queries)
    ]


def panel(
    kind: str,
    title: str,
    description: str,
    asked: Sequence[Json],
    size: tuple[int, int],
    empty: str = "",
    *,
    options: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    overrides: Sequence[Json] = (),
    transformations: Sequence[Json] = (),
    time_from: str | None = None,
) -> Json:
    """`size` is width and height; the place comes with `dashboard`. `empty` stands where nothing is found."""
    found = dict(defaults or {})
    if empty:
        found["noValue"] = empty
    made: Json = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "targets": list(asked),
        "gridPos": {"w": size[0], "h": size[1], "x": 0, "y": 0},
        "fieldConfig": {"defaults": found, "overrides": list(overrides)},
        "options": dict(options or {}),
        "transformations": list(transformations),
    }
    if time_from is not None:
        made["timeFrom"] = time_from
    return made


def values_shown(values: Mapping[str, tuple[str, str | None]]) -> Json:
    """Values under other words, and in colours if there are any."""
    mapping = {
        value: {"text": text, "index": index} | ({"color": colour} if colour else {})
        for index, (value, (text, colour)) in enumerate(values.items())
    }
    return {"mappings": [{"type": "value", "options": mapping}]}


def states_shown() -> Json:
    """States in both languages and their colours."""
    return values_shown(STATES) | {"color": {"mode": "thresholds"}}


def of_field(name: str, **properties: Any) -> Json:
    """How the field `name` is shown, unlike the others of its panel."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def coloured(name: str, colour: str) -> Json:
    return of_field(name, color={"mode": "fixed", "fixedColor": colour})


def column_to_machine(name: str = "equipment") -> Json:
    """A column of a table whose machines lead to their dashboards."""
    url = "/d/edge-machine?var-machine=${__value.raw}&${__url_time_range}"
    return of_field(name, links=[{"title": TO_MACHINE["title"], "url": url}])


WITHOUT_TIME = {"id": "organize", "options": {"excludeByName": {"Time": True}}}


def last_value(**more: Any) -> Json:
    """Options of a stat panel that shows the newest value."""
    reduce = {"calcs": ["lastNotNull"], "fields": "/.*/", "values": False}
    return {"reduceOptions": reduce, "colorMode": "background", "graphMode": "none", **more}


def bars() -> Json:
    """Options of a bar gauge whose bars lie."""
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "horizontal",
        "displayMode": "basic",
    }


def stacked(unit: str) -> Json:
    """Bars upon each other, over time."""
    stacking = {"mode": "normal", "group": "A"}
    return {"unit": unit, "custom": {"drawStyle": "bars", "fillOpacity": 80, "stacking": stacking}}


def variable(name: str, label: str, query: str, *, many: bool = True) -> Json:
    """A choice that the database offers; with `many` also all of them, which is what it begins with."""
    made: Json = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": query,
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


def tag_values(tag: str, where: str, measurement: str = "register") -> str:
    return f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "{tag}" WHERE {where}'


SITE = variable("site", "企业 Enterprise", 'SHOW TAG VALUES FROM "register" WITH KEY = "enterprise"')
WORKSHOP = variable("workshop", "车间 Workshop", tag_values("workshop", HERE))
LINE = variable("line", "产线 Line", tag_values("line", f'{HERE} AND "workshop" =~ /^$workshop$/'))
MACHINE = variable("machine", "设备 Machine", tag_values("equipment", PLACE), many=False)
TAG = variable("tag", "点位 Tag", 'SHOW FIELD KEYS FROM "readings"')
GATEWAY = variable("gateway", "网关 Gateway", tag_values("gateway", HERE, "gateway"))
PLACES = [SITE, WORKSHOP, LINE]
GOALS = [
    number("goal_networked", "联网率目标 % Target", "52"),
    number("goal_nc", "数控化率目标 % Target", "67"),
    number("goal_process", "关键工序数控化率目标 % Target", "67"),
]


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
                "icon": "external link",
                "tooltip": "",
                "targetBlank": False,
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
