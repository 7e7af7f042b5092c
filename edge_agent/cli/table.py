"""The live table: every machine, the rates, the journal and the uplinks."""

from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge_agent.agent import Agent
from edge_agent.cli.marks import LINK_STYLES, STATE_MARKS
from edge_agent.cli.words import counts_text, rate_text
from edge_agent.indicators.accounts import Account
from edge_agent.machines import EquipmentView
from edge_agent.model.state import MachineState
from edge_agent.words import LINKS, STATES

WIDE = 145
"""Columns of a terminal in which everything has its place."""
NARROW_CAUSE = 22
"""What is left for the cause among 80 columns."""


def live_table(agent: Agent, width: int) -> RenderableType:
    """What the agent knows now, for a terminal of `width` columns; a narrow one leaves names out."""
    return Group(machines_and_rates(agent, width), _delivery(agent), *of_journal(agent))


def machines_and_rates(agent: Agent, width: int) -> RenderableType:
    """What does not depend on uplinks."""
    return Group(_machines(agent.view(), wide=width >= WIDE), _rates(agent))


def _machines(views: list[EquipmentView], *, wide: bool) -> Table:
    table = Table(title="设备 Equipment", title_justify="left", box=None, pad_edge=False)
    table.add_column("编号 id", no_wrap=True, min_width=max(len(view.equipment.id) for view in views))
    for heading in ("名称 name", "车间 workshop") if wide else ():
        table.add_column(heading, no_wrap=True)
    table.add_column("状态 state", no_wrap=True, min_width=14)
    table.add_column("原因 cause", no_wrap=True, max_width=None if wide else NARROW_CAUSE)
    table.add_column("联网 link", no_wrap=True, min_width=19)
    table.add_column("数据龄 age", justify="right", no_wrap=True, min_width=8)
    if wide:
        table.add_column("今日运行 ran today", justify="right", no_wrap=True, min_width=18)
    for view in views:
        state = view.state.state
        mark, style = STATE_MARKS[state]
        table.add_row(
            view.equipment.id,
            *((view.equipment.name, view.equipment.workshop) if wide else ()),
            Text(f"{mark} {STATES[state].both}", style),
            view.state.cause,
            Text(LINKS[view.link].both, LINK_STYLES[view.link]),
            "-" if view.age_ms is None else f"{view.age_ms / 1000:.1f} s",
            *((_ran(view.today),) if wide else ()),
        )
    return table


def _ran(today: Account) -> str:
    return str(timedelta(seconds=today.of(MachineState.RUNNING) // 1000))


def _rates(agent: Agent) -> Table:
    table = Table(title="\n指标 Indicators", title_justify="left", box=None, pad_edge=False)
    table.add_column("口径 definition", no_wrap=True)
    table.add_column("范围 scope", no_wrap=True)
    table.add_column("分子/分母 n/d", justify="right")
    table.add_column("比率 rate", justify="right")
    table.add_column("未知 unknown", justify="right")
    for name, statements in agent.figures.statements.items():
        for figure in statements.figures:
            if figure.scope.level == "line":
                continue  # the table has to fit a screen
            enterprise = figure.scope.level == "enterprise"
            table.add_row(
                name if enterprise else "",
                "企业 enterprise" if enterprise else figure.scope.id,
                counts_text(statements.definition, figure),
                Text(rate_text(statements.definition, figure), "bold" if enterprise else ""),
                str(figure.unknown),
            )
    return table


def _delivery(agent: Agent) -> Table:
    table = Table(title="\n上行 Uplinks", title_justify="left", box=None, pad_edge=False)
    for heading in ("uplink", "状态 state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("日志队列 journal", "已发 published", "已确认 acknowledged", "读数 readings"):
        table.add_column(heading, justify="right")
    for uplink in agent.uplinks:
        table.add_row(
            uplink.id,
            uplink.state.value,
            str(agent.journal.depth(uplink.id)),
            str(uplink.statistics.published),
            str(uplink.statistics.acknowledged),
            f"{uplink.statistics.readings_acknowledged}/{agent.readings}",
        )
    return table


def of_journal(agent: Agent) -> list[RenderableType]:
    """What is lost or will be, in a line; nothing while all is well."""
    journal = agent.journal
    said = [
        text
        for holds, text in (
            (journal.dropped, f"丢弃 given up: {journal.dropped}"),
            (journal.over_limit, "超过容量上限 over its limit"),
            (journal.failure, f"写入失败 cannot write: {journal.failure}"),
        )
        if holds
    ]
    return [Text(f"日志队列 journal: {', '.join(said)}", "bold red")] if said else []
