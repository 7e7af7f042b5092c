"""The live table says when something is lost or will be."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.text import Text

from edge_agent.agent import Agent
from edge_agent.cli.table import of_journal


@pytest.mark.parametrize(
    ("dropped", "over_limit", "failure", "said"),
    [
        (0, False, None, ""),
        (7, False, None, "日志队列 journal: 丢弃 given up: 7"),
        (0, True, None, "日志队列 journal: 超过容量上限 over its limit"),
        (
            7,
            True,
            "disk full",
            "日志队列 journal: 丢弃 given up: 7, 超过容量上限 over its limit, "
            "写入失败 cannot write: disk full",
        ),
    ],
)
def test_what_the_journal_has_to_say(dropped: int, over_limit: bool, failure: str | None, said: str) -> None:
    journal = SimpleNamespace(dropped=dropped, over_limit=over_limit, failure=failure)
    told: Any = of_journal(cast(Agent, SimpleNamespace(journal=journal)))
    assert [one.plain for one in told if isinstance(one, Text)] == ([said] if said else [])
