"""指标与政策 Rates and policy: every definition with its counts, what is on record, what policies ask for."""

from pathlib import Path

from ruamel.yaml import YAML

from edge_agent.words import REASONS
from grafana.pieces import (
    GOALS,
    HERE,
    SITE,
    WITHOUT_TIME,
    WORKSHOP,
    Json,
    column_to_machine,
    dashboard,
    of_field,
    panel,
    target,
    targets,
    values_shown,
)

POLICIES = Path(__file__).resolve().parents[2] / "configs" / "policies"

FIGURES = (
    '"numerator" AS "n 分子", "rate" AS "比率 rate", "unknown" AS "未知 unknown", "reason" AS "原因 reason"'
)
EXPLAINED = values_shown({reason: (words.both, None) for reason, words in REASONS.items()})
MONTHS = "24M"
"""How far back the statements of months are shown, whatever time is chosen above."""


def rates() -> Json:
    return dashboard(
        "edge-rates",
        "指标与政策 Rates and policy",
        "Rates under every definition, with what they were counted from, and what policies ask for",
        [SITE, WORKSHOP, *GOALS],
        [
            _now(),
            *(
                _on_record(title, description, family, goal)
                for title, description, family, goal in (
                    ("联网率月度声明", "Networking rate", "networked-rate", "goal_networked"),
                    ("数控化率月度声明", "NC rate", "nc-rate", "goal_nc"),
                    (
                        "关键工序数控化率月度声明",
                        "Key-process NC rate",
                        "key-process-nc-rate",
                        "goal_process",
                    ),
                )
            ),
            _not_counted(),
            _by_workshop(),
            _course(),
            _statements(),
            _policies(),
        ],
    )


def _now() -> Json:
    return panel(
        "table",
        "各口径指标",
        "Every definition for the whole enterprise: numerator, denominator and rate together",
        [
            target(
                f'SELECT last("denominator") AS "d 分母", {FIGURES}, "title" AS "口径" FROM "indicators" '
                f'WHERE "level" = \'enterprise\' AND {HERE} GROUP BY "definition", "version"',
                table=True,
            )
        ],
        (24, 10),
        "还没有指标 no figure yet",
        overrides=[of_field("原因 reason", **EXPLAINED), of_field("比率 rate", unit="percentunit")],
    )


def _on_record(title: str, description: str, family: str, goal: str) -> Json:
    """What was stated of each month, beside the target."""
    where = (
        f'"period" = \'month\' AND "level" = \'enterprise\' AND "definition" =~ /^{family}\\// '
        f"AND {HERE} AND $timeFilter"
    )
    return panel(
        "timeseries",
        title,
        f"{description}: statements of record of each month under every definition, beside the target set "
        "above. A month stands at its end.",
        targets(
            (f'SELECT "rate" FROM "statements" WHERE {where} GROUP BY "definition"', "$tag_definition"),
            (f'SELECT "denominator" * 0 + ${goal} / 100 FROM "statements" WHERE {where}', "目标 target"),
        ),
        (8, 9),
        "还没有月度声明：每月初做出 no month is on record yet: a statement is made when it is over",
        defaults={
            "unit": "percentunit",
            "min": 0,
            "custom": {"drawStyle": "line", "showPoints": "always", "spanNulls": True},
        },
        overrides=[
            of_field(
                "目标 target",
                **{"custom.lineStyle": {"fill": "dash", "dash": [10, 10]}, "custom.showPoints": "never"},
            )
        ],
        time_from=MONTHS,
    )


def _not_counted() -> Json:
    return panel(
        "table",
        "未计入的设备和工序",
        "Why not counted: what is in a denominator and not in its numerator, or outside both, with the "
        "reason. A click on a machine leads to its dashboard.",
        [
            target(
                'SELECT "d" AS "在分母 in denominator", "why" AS "原因 reason" FROM ('
                'SELECT last("in_numerator") AS "n", "in_denominator" AS "d", "reason" AS "why" '
                f'FROM "counted" WHERE time > now() - 2h AND {HERE} AND "workshop" =~ /^$workshop$/ '
                'GROUP BY "definition", "workshop", "equipment", "subject") '
                'WHERE "n" = 0 GROUP BY "definition", "workshop", "equipment", "subject"',
                table=True,
            )
        ],
        (24, 12),
        "全部计入，或网关两小时没有写入 all count, or no gateway has written for two hours",
        options={"sortBy": [{"displayName": "在分母 in denominator", "desc": True}]},
        overrides=[
            column_to_machine(),
            of_field("原因 reason", **EXPLAINED),
            of_field(
                "在分母 in denominator", **values_shown({"0": ("否 no", None), "1": ("是 yes", "orange")})
            ),
            of_field("subject", displayName="工序 process"),
        ],
        transformations=[WITHOUT_TIME],
    )


def _by_workshop() -> Json:
    return panel(
        "table",
        "按车间",
        "The same by workshop",
        [
            target(
                f'SELECT last("denominator") AS "d 分母", {FIGURES} FROM "indicators" '
                f'WHERE "level" = \'workshop\' AND {HERE} AND "workshop" =~ /^$workshop$/ '
                'GROUP BY "definition", "workshop"',
                table=True,
            )
        ],
        (24, 10),
        "还没有指标 no figure yet",
        overrides=[of_field("原因 reason", **EXPLAINED), of_field("比率 rate", unit="percentunit")],
    )


def _course() -> Json:
    return panel(
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
        "这段时间没有指标 no figure in this time",
        defaults={"unit": "percentunit", "min": 0},
    )


def _statements() -> Json:
    return panel(
        "table",
        "指标声明",
        "Statements of record for the enterprise, the newest first, with number and evidence. One that "
        "stands in the place of another has a higher number.",
        [
            target(
                f'SELECT "period", "definition", "numerator" AS "n 分子", "denominator" AS "d 分母", '
                '"rate" AS "比率 rate", "unknown" AS "未知 unknown", "reason" AS "原因 reason", '
                '"number" AS "编号 number", "evidence" AS "证据 evidence" FROM "statements" '
                f"WHERE \"level\" = 'enterprise' AND {HERE} AND $timeFilter ORDER BY time DESC LIMIT 500",
                table=True,
            )
        ],
        (24, 10),
        "还没有声明：每日、每月结束后做出 nothing on record yet: made when a day or month is over",
        overrides=[of_field("原因 reason", **EXPLAINED), of_field("比率 rate", unit="percentunit")],
        time_from=MONTHS,
    )


def _policies() -> Json:
    return panel(
        "text",
        "政策目标",
        "Policy targets as shipped. `edge-agent policies` says how far the enterprise is",
        [],
        (24, 10),
        options={"mode": "markdown", "content": _policy_table()},
    )


def _policy_table() -> str:
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
