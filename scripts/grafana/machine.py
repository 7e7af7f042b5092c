"""设备 Machine: what one did, where its time went, what it makes and what its tags say."""

from grafana.pieces import (
    MACHINE,
    ONE,
    PLACES,
    SHARE,
    STATES,
    TAG,
    WITHOUT_TIME,
    Json,
    bars,
    coloured,
    dashboard,
    last_value,
    panel,
    stacked,
    states_shown,
    target,
    targets,
)

HOURS = f"\"period\" = 'hour' AND {ONE} AND $timeFilter"
NO_HOUR = "还没有完整的一小时 no hour is over yet"
NO_OEE = "算不出：见「时间账」表的缺项 cannot be computed: see missing in the table of accounts"
OEE, AVAILABILITY, EFFECTIVENESS, QUALITY = (
    f'"{name}/iso-22400-2"' for name in ("oee", "availability", "effectiveness", "quality-ratio")
)
PLANNED = " + ".join(f'"planned_{state}_ms"' for state in STATES)
LOSSES = [state for state in STATES if state != "running"]


def machine() -> Json:
    return dashboard(
        "edge-machine",
        "设备 Machine",
        "One machine: what it did, where its time went, what it makes and what its tags say",
        [*PLACES, MACHINE, TAG],
        [
            _timeline(),
            _oee(),
            _waterfall(),
            _hours(),
            _pieces(),
            _accounts(),
            _counters(),
            _overrides(),
            _tags(),
            _texts(),
            _flaws(),
            _alarms(),
            _events(),
        ],
    )


def _timeline() -> Json:
    return panel(
        "state-timeline",
        "状态时间线",
        "State timeline. The first query says what the machine did when the time above begins.",
        targets(
            (f'SELECT last("state") AS "state" FROM "states" WHERE {ONE} AND time < ${{__from}}ms', "状态"),
            (f'SELECT "state" FROM "states" WHERE {ONE} AND $timeFilter', "状态"),
        ),
        (24, 6),
        "这台设备没有状态记录 no state of this machine is on record",
        options={"mergeValues": True, "showValue": "auto"},
        defaults=states_shown(),
        transformations=[{"id": "merge", "options": {}}],
    )


def _oee() -> Json:
    """Over all whole hours that have an OEE: shares of sums, not means of shares."""
    within = f"FROM ({_hours_with_oee()})"
    return panel(
        "stat",
        "设备综合效率 OEE",
        "OEE index, and the three that it is the product of, over the whole hours of the time above",
        targets(
            (f'SELECT sum("good") / sum("planned") {within}', "设备综合效率 OEE"),
            (f'SELECT sum("running") / sum("planned") {within}', "可用率 availability"),
            (f'SELECT sum("ideal") / sum("running") {within}', "效能 effectiveness"),
            (f'SELECT sum("good") / sum("ideal") {within}', "合格率 quality ratio"),
        ),
        (8, 9),
        NO_OEE,
        options=last_value(colorMode="value", orientation="horizontal"),
        defaults=SHARE,
    )


def _hours_with_oee() -> str:
    """Milliseconds of each hour: planned, running, what its pieces should have taken, its good ones alone."""
    states = ", ".join(f'"planned_{state}_ms" AS "{state}"' for state in STATES)
    return (
        f'SELECT {states}, {PLANNED} AS "planned", {EFFECTIVENESS} * "planned_running_ms" AS "ideal", '
        f'{OEE} * ({PLANNED}) AS "good" FROM "accounts" WHERE {HOURS} AND {OEE} >= 0'
    )


def _waterfall() -> Json:
    """From planned time down to what good pieces should have taken, loss by loss."""
    within = f"FROM ({_hours_with_oee()})"
    steps = [
        ("计划时间 planned", "green", 'sum("planned")'),
        *((f"− {STATES[state][0]}", STATES[state][1], f'sum("{state}")') for state in LOSSES),
        ("= 运行 running", "green", 'sum("running")'),
        ("− 速度损失 speed", "orange", 'sum("running") - sum("ideal")'),
        ("− 不良 rejects", "red", 'sum("ideal") - sum("good")'),
        ("= 有效 effective", "green", 'sum("good")'),
    ]
    return panel(
        "bargauge",
        "OEE 损失瀑布（小时）",
        "Where planned time went, in hours: down to running time (availability), to what the pieces should "
        "have taken (effectiveness), to good pieces alone (quality). Below zero: faster than the planned "
        "cycle.",
        targets(*((f"SELECT ({value}) / 3600000 {within}", name) for name, _, value in steps)),
        (16, 9),
        NO_OEE,
        options=bars(),
        defaults={"unit": "h", "decimals": 1},
        overrides=[coloured(name, colour) for name, colour, _ in steps],
    )


def _hours() -> Json:
    return panel(
        "timeseries",
        "时间账（小时）",
        "Time account by the hour: all states together are the hour, unknown time is part of it.",
        targets(
            *(
                (
                    f'SELECT sum("{state}_ms") / 3600000 FROM "accounts" WHERE {HOURS} '
                    "GROUP BY time(1h) fill(none)",
                    text,
                )
                for state, (text, _) in STATES.items()
            )
        ),
        (12, 9),
        NO_HOUR,
        defaults={**stacked("percentunit"), "max": 1},
        overrides=[coloured(text, colour) for text, colour in STATES.values()],
    )


def _pieces() -> Json:
    return panel(
        "timeseries",
        "产量（小时）",
        "Pieces made in each hour, and good ones among them, as the accounts have them",
        targets(
            *(
                (f'SELECT sum("{field}") FROM "accounts" WHERE {HOURS} GROUP BY time(1h) fill(none)', name)
                for field, name in (("parts", "产量 made"), ("good", "合格 good"))
            )
        ),
        (12, 9),
        "没有配置计件 nothing counts pieces here: see production in the configuration",
        defaults={"unit": "short", "custom": {"drawStyle": "bars", "fillOpacity": 50}},
    )


def _accounts() -> Json:
    times = ", ".join(f'"{state}_ms" AS "{text}"' for state, (text, _) in STATES.items())
    return panel(
        "table",
        "时间账表",
        "Accounts of hours, shifts, days and months; `missing` says what the other figures would need",
        [
            target(
                f'SELECT "period", "shift" AS "班次 shift", {times}, "failures" AS "故障 failures", '
                f'"parts" AS "产量 parts", "good" AS "合格 good", {OEE} AS "OEE", "missing" AS "缺 missing" '
                f'FROM "accounts" WHERE {ONE} AND $timeFilter ORDER BY time DESC LIMIT 200',
                table=True,
            )
        ],
        (24, 8),
        NO_HOUR,
        defaults={"unit": "ms"},
        overrides=[
            {
                "matcher": {"id": "byRegexp", "options": "/failures|parts|good/"},
                "properties": [_unit("short")],
            },
            {"matcher": {"id": "byName", "options": "OEE"}, "properties": [_unit("percentunit")]},
            {"matcher": {"id": "byName", "options": "Time"}, "properties": [_unit("dateTimeAsIso")]},
        ],
    )


def _unit(unit: str) -> Json:
    return {"id": "unit", "value": unit}


def _counters() -> Json:
    return panel(
        "timeseries",
        "计数器",
        "Counters of pieces and strokes, as the controller has them and as totals that never decrease",
        [
            target(
                f'SELECT max(/parts|strokes|count|_total$/) FROM "readings" WHERE {ONE} AND $timeFilter '
                "GROUP BY time($__interval) fill(none)",
                alias="$col",
            )
        ],
        (12, 9),
        "没有计数点位 no tag counts",
    )


def _overrides() -> Json:
    return panel(
        "timeseries",
        "倍率",
        "Overrides of feed, rapid traverse and spindle: a machine that runs below 100 % is slowed by hand",
        [
            target(
                f'SELECT mean(/override/) FROM "readings" WHERE {ONE} AND $timeFilter '
                "GROUP BY time($__interval) fill(none)",
                alias="$col",
            )
        ],
        (12, 9),
        "没有倍率点位 no tag is called override",
        defaults={"unit": "percent", "min": 0},
    )


def _tags() -> Json:
    return panel(
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
        "这些点位在这段时间没有好的读数 no good reading of these tags in this time",
        options={
            "legend": {
                "showLegend": True,
                "displayMode": "table",
                "placement": "right",
                "calcs": ["lastNotNull", "min", "max"],
            }
        },
    )


def _texts() -> Json:
    return _newest("文本点位", "Texts, such as programs and messages, the newest first", "texts")


def _flaws() -> Json:
    return _newest(
        "不良读数", "Readings that are not good, with quality and reason, the newest first", "flaws"
    )


def _newest(title: str, description: str, measurement: str) -> Json:
    return panel(
        "table",
        title,
        description,
        [
            target(
                f'SELECT * FROM "{measurement}" WHERE {ONE} AND $timeFilter ORDER BY time DESC LIMIT 50',
                table=True,
            )
        ],
        (12, 8),
        "这段时间没有 none in this time",
        transformations=[
            {
                "id": "organize",
                "options": {
                    "excludeByName": dict.fromkeys(
                        ("clock", "enterprise", "equipment", "gateway", "line", "workshop"), True
                    )
                },
            }
        ],
    )


def _alarms() -> Json:
    return panel(
        "table",
        "报警",
        "Alarms of the machine: how often each began",
        [
            target(
                f'SELECT sum("begun") AS "次数" FROM "alarms" WHERE {ONE} AND $timeFilter GROUP BY "cause"',
                table=True,
            )
        ],
        (8, 8),
        "这段时间没有报警 no alarm in this time",
        options={"sortBy": [{"displayName": "次数", "desc": True}]},
        transformations=[WITHOUT_TIME],
    )


def _events() -> Json:
    return panel(
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
        (16, 8),
        "这段时间没有事件 no event in this time",
    )
