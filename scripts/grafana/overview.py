"""工厂总览 Plant overview: the rates, and what every machine does now."""

from grafana.pieces import (
    GOALS,
    HERE,
    PLACE,
    PLACES,
    SHARE,
    TO_MACHINE,
    WITHOUT_TIME,
    Json,
    bars,
    column_to_machine,
    dashboard,
    last_value,
    panel,
    states_shown,
    target,
)


def overview() -> Json:
    return dashboard(
        "edge-overview",
        "工厂总览 Plant overview",
        "How connected and how numerically controlled the plant is, and what every machine does now",
        [*PLACES, *GOALS],
        [
            *_rate(
                "设备联网率", "Equipment networking rate", "networked-rate/miit-sme-2024", "goal_networked"
            ),
            *_rate("设备数控化率", "Equipment NC rate, by count", "nc-rate/by-count", "goal_nc"),
            *_rate("关键工序数控化率", "Key-process NC rate", "key-process-nc-rate/discrete", "goal_process"),
            _wall(),
            _running_share(),
            _alarms(),
        ],
    )


def _rate(title: str, description: str, definition: str, goal: str) -> list[Json]:
    """A rate as a large number, and beside it what it was counted from and the target."""
    where = f"\"definition\" = '{definition}' AND \"level\" = 'enterprise' AND {HERE}"
    empty = "这个口径未计算 not worked out here: see indicators.definitions"
    large = panel(
        "stat",
        title,
        description,
        [target(f'SELECT last("rate") AS "{title}" FROM "indicators" WHERE {where}', table=True)],
        (4, 6),
        empty,
        options=last_value(colorMode="value"),
        defaults=SHARE,
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
        empty,
        options=last_value(colorMode="none", orientation="horizontal"),
    )
    return [large, counted]


def _wall() -> Json:
    return panel(
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
        "这里没有设备 no machine here",
        options=last_value(textMode="value_and_name", wideLayout=False),
        defaults={**states_shown(), "links": [TO_MACHINE]},
    )


def _running_share() -> Json:
    return panel(
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
        "今天还没有完整的一小时 no hour of today is over yet",
        options=bars(),
        defaults=SHARE,
        time_from="now/d",
    )


def _alarms() -> Json:
    return panel(
        "table",
        "报警排行",
        "Top alarms: how often each began within the time above. A click leads to the machine.",
        [
            target(
                f'SELECT sum("begun") AS "次数" FROM "alarms" WHERE {PLACE} AND $timeFilter '
                'GROUP BY "workshop", "equipment", "cause"',
                table=True,
            )
        ],
        (12, 8),
        "这段时间没有报警 no alarm in this time",
        options={"sortBy": [{"displayName": "次数", "desc": True}]},
        overrides=[column_to_machine()],
        transformations=[WITHOUT_TIME],
    )
