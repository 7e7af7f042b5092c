"""网关 Gateways: how they, their connections and their uplinks do."""

from grafana.pieces import (
    GATEWAY,
    HERE,
    SITE,
    WITHOUT_TIME,
    Json,
    column_to_machine,
    dashboard,
    of_field,
    panel,
    states_shown,
    target,
    targets,
    values_shown,
)

THESE = f'{HERE} AND "gateway" =~ /^$gateway$/'
OVER_TIME = f"{THESE} AND $timeFilter"
SILENT = "网关没有写入：看网关是否运行 no gateway has written: does it run?"
OPEN = values_shown({"1": ("通 open", "green"), "0": ("断 closed", "red")})


def gateways() -> Json:
    return dashboard(
        "edge-gateways",
        "网关 Gateways",
        "How the gateways, their connections and their uplinks do",
        [SITE, GATEWAY],
        [
            _newest(),
            _course("读数速率", "Readings a second", "readings", "short", growth=True),
            _course("时钟偏差", "The system clock less the agent's", "clock_offset_ms", "ms"),
            _connections(),
            _response_times(),
            _lost_requests(),
            _journal(),
            _uplinks(),
            _course("写入点数", "Points written a second", "points_written", "short", growth=True),
            _given_up(),
            _links(),
            _events(),
        ],
    )


def _newest() -> Json:
    return panel(
        "table",
        "网关",
        "Each gateway: version, what waits to be written, what the database refused, when it was last heard",
        [
            target(
                'SELECT last("waiting") AS "待写 waiting", "points_refused" AS "拒收 refused", '
                '"dropped" AS "丢弃 dropped", "clock_offset_ms" AS "时钟偏差 ms", '
                f'"program" AS "版本 version" FROM "gateway" WHERE {THESE} '
                'GROUP BY "gateway", "uplink"',
                table=True,
            )
        ],
        (24, 6),
        SILENT,
    )


def _course(title: str, description: str, field: str, unit: str, *, growth: bool = False) -> Json:
    value = f'non_negative_derivative(max("{field}"), 1s)' if growth else f'max("{field}")'
    return panel(
        "timeseries",
        title,
        description,
        [
            target(
                f'SELECT {value} FROM "gateway" WHERE {OVER_TIME} '
                'GROUP BY time($__interval), "gateway", "uplink" fill(none)',
                alias="$tag_gateway $tag_uplink",
            )
        ],
        (12, 8),
        SILENT,
        defaults={"unit": unit},
    )


def _connections() -> Json:
    return panel(
        "table",
        "连接",
        "Each connection: open or not, and counts since the start of the agent. A tick is missed when the "
        "read before it took too long.",
        [
            target(
                'SELECT last("open") AS "状态 open", "opened" AS "打开 opened", '
                '"failures" AS "失败 failures", "reads" AS "读取 reads", "missed_ticks" AS "错过 missed" '
                f'FROM "connections" WHERE {OVER_TIME} GROUP BY "gateway", "subject"',
                table=True,
            )
        ],
        (24, 9),
        SILENT,
        overrides=[of_field("状态 open", **OPEN), of_field("subject", displayName="连接 connection")],
    )


def _response_times() -> Json:
    return panel(
        "timeseries",
        "响应时间",
        "Time from request to answer that 99 % (p99) and half (p50) of the latest answers kept within, of "
        "each connection and unit of a bus. Drivers that make no requests have none.",
        targets(
            *(
                (
                    f'SELECT max("response_{name}") FROM "diagnostics" WHERE {OVER_TIME} '
                    'GROUP BY time($__interval), "subject", "about" fill(none)',
                    f"$tag_subject $tag_about {name}",
                )
                for name in ("p99", "p50")
            )
        ),
        (12, 9),
        "没有按请求计时的连接 no connection here times its requests",
        defaults={"unit": "ms", "min": 0},
    )


def _lost_requests() -> Json:
    growth = (
        'SELECT non_negative_difference(max("requests")) AS "asked", '
        'non_negative_difference(max("answers")) AS "answered" FROM "diagnostics" '
        f'WHERE {OVER_TIME} GROUP BY time($__interval), "subject", "about" fill(none)'
    )
    return panel(
        "timeseries",
        "未得到应答的请求",
        "Requests that brought no answer, of each connection and unit of a bus",
        [
            target(
                f'SELECT "asked" - "answered" FROM ({growth}) GROUP BY "subject", "about"',
                alias="$tag_subject $tag_about",
            )
        ],
        (12, 9),
        "没有按请求计数的连接 no connection here counts its requests",
        defaults={"unit": "short"},
    )


def _journal() -> Json:
    return panel(
        "timeseries",
        "日志队列：待上行",
        "Records of the journal that each uplink has still to deliver",
        [
            target(
                f'SELECT max("waiting") FROM "uplinks" WHERE {OVER_TIME} '
                'GROUP BY time($__interval), "gateway", "subject" fill(none)',
                alias="$tag_gateway $tag_subject",
            )
        ],
        (12, 8),
        SILENT,
        defaults={"unit": "short", "min": 0},
    )


def _uplinks() -> Json:
    states = {
        "connected": ("已连接 connected", "green"),
        "connecting": ("连接中 connecting", "orange"),
        "waiting": ("等待应用 waiting", "orange"),
        "refused": ("被拒绝 refused", "red"),
    }
    return panel(
        "table",
        "上行",
        "Each uplink of each gateway, also those that lead elsewhere; counts since the start of the agent",
        [
            target(
                'SELECT last("state") AS "状态 state", "waiting" AS "待发 waiting", '
                '"connects" AS "连接 connects", "published" AS "已发 published", '
                '"acknowledged" AS "已确认 acknowledged" FROM "uplinks" '
                f'WHERE {OVER_TIME} GROUP BY "gateway", "subject"',
                table=True,
            )
        ],
        (12, 8),
        SILENT,
        overrides=[
            of_field("状态 state", **values_shown(states)),
            of_field("subject", displayName="上行 uplink"),
        ],
    )


def _given_up() -> Json:
    return panel(
        "timeseries",
        "丢弃与拒收",
        "Records given up because the disk refused them, and points that the database does not take: "
        "both stay at 0",
        targets(
            *(
                (
                    f'SELECT max("{field}") FROM "gateway" WHERE {OVER_TIME} '
                    'GROUP BY time($__interval), "gateway" fill(none)',
                    f"$tag_gateway {name}",
                )
                for field, name in (("dropped", "丢弃 dropped"), ("points_refused", "拒收 refused"))
            )
        ),
        (12, 8),
        SILENT,
        defaults={"unit": "short", "min": 0},
    )


def _links() -> Json:
    return panel(
        "table",
        "设备联网等级",
        "Link level of every machine: registered, reachable, data valid, live. A click leads to the machine.",
        [
            target(
                f'SELECT last("link") AS "联网等级 link", "state" AS "状态 state", "reason" AS "原因 reason" '
                f'FROM "states" WHERE {THESE} GROUP BY "workshop", "equipment"',
                table=True,
            )
        ],
        (12, 10),
        SILENT,
        overrides=[column_to_machine(), of_field("状态 state", mappings=states_shown()["mappings"])],
        transformations=[WITHOUT_TIME],
    )


def _events() -> Json:
    return panel(
        "table",
        "网关与连接事件",
        "Events of gateways, connections and uplinks",
        [
            target(
                f'SELECT "kind", "subject", "message" FROM "events" '
                f'WHERE "subject" =~ /./ AND {OVER_TIME} '
                "ORDER BY time DESC LIMIT 100",
                table=True,
            )
        ],
        (12, 10),
        "这段时间没有事件 no event in this time",
    )
