"""What comes with the agent of policies: as the documents have it, and nothing that they do not say."""

import pytest

from edge_agent.config.definitions import known_definitions
from edge_agent.config.policies import known_policies
from edge_agent.indicators.policies import Change, Target

POLICIES = known_policies(known_definitions())

# What is known of the documents: indicator, what is asked for in each reading, by when, of whom.
TARGETS = {
    "hangzhou-2021/nc-rate": ("设备数控化率", "+15 points", "2025-12-31", "全市制造业"),
    "hangzhou-2021/networked-rate": ("设备联网率", "+15 points", "2025-12-31", "全市制造业"),
    "wenzhou-2020-93/nc-rate": ("装备数控化率", "67 %", "2022-12-31", "重点工业企业"),
    "wenzhou-2020-93/networked-rate": ("工业设备联网率", "52 %", "2022-12-31", "重点工业企业"),
    "wenzhou-2020-93/robot-density": ("机器人密度", "148 per 10,000", "2022-12-31", "传统制造业"),
    "hebei-2024/key-process-nc-rate": (
        "关键工序数控化率",
        "+15 points, +15 % relative",
        "2028-12-31",
        "集群中小企业",
    ),
    "hebei-2024/platform-adoption": ("工业互联网平台应用普及率", "40 %", "2028-12-31", "集群企业"),
    "hebei-2024/cloud-adoption": ("企业上云比例", "60 %", "2028-12-31", "集群企业"),
}
SHIPPED = {
    f"{policy.id}/{target.id}": (policy, target) for policy in POLICIES.values() for target in policy.targets
}

UNITS = {
    "percent": "{} %",
    "per_10000_employees": "{} per 10,000",
    "percentage_points": "+{} points",
    "relative_percent": "+{} % relative",
}


def test_the_shipped_targets_are_those_that_are_known() -> None:
    def facts(target: Target) -> tuple[str, str, str, str]:
        asked = ", ".join(UNITS[one.unit].format(one.value) for one in target.readings)
        return target.title["zh"], asked, target.deadline.isoformat(), target.scope

    assert {name: facts(target) for name, (_, target) in SHIPPED.items()} == TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_shipped_target_says_where_it_is_from_and_quotes_nothing_that_is_not_known(name: str) -> None:
    policy, target = SHIPPED[name]
    assert policy.document
    assert target.clause
    assert not target.quote
    assert target.without_quote
    assert target.applies_to == "region"
    assert bool(target.indicators) == (
        name not in ("hebei-2024/platform-adoption", "hebei-2024/cloud-adoption")
    )


def test_no_document_says_from_which_day_on_its_change_is_meant() -> None:
    changes = [one for _, target in SHIPPED.values() for one in target.readings if isinstance(one, Change)]
    assert len(changes) == 4
    assert {one.since for one in changes} == {None}
