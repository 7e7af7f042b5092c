"""What a shadow run has seen, for the technician at the end of the first day."""

from datetime import timedelta

from rich.console import Group
from rich.table import Table

from edge_agent.agent import Agent
from edge_agent.cli.table import machines_and_rates
from edge_agent.cli.terminal import console
from edge_agent.doctor.certificates import configured
from edge_agent.doctor.finding import Level
from edge_agent.driver import ANSWERS, REQUESTS, RESPONSE_P99
from edge_agent.model.clock import CLOCK

WIDTH = 120
"""Columns where there is no terminal, such as in a service's log."""


def show_shadow(agent: Agent) -> None:
    """Print machines, figures and connections, and what to look at before the agent reports north."""
    out = console(WIDTH)
    ran = timedelta(seconds=(CLOCK.now_ms() - agent.started_ms) // 1000)
    out.print(f"\n影子运行 Shadow run: {ran}, 读数 readings: {agent.readings}", style="bold")
    out.print(Group(machines_and_rates(agent, out.width), _connections(agent)))
    silent = [f"{view.equipment.id} ({view.state.cause})" for view in agent.view() if view.age_ms is None]
    if silent:
        out.print(f"\n没有数据的设备 Nothing came from: {', '.join(silent)}", style="yellow")
    for one in configured(agent.site):
        if one.level is not Level.GOOD and one.remedy is not None:
            told = f"\n{one.about.both}: {one.text}\n    → {one.remedy.both}"
            out.print(told, style="yellow", markup=False, soft_wrap=True)
    out.print(
        f"\n未向任何上行发送数据 Nothing was sent anywhere. 数据 Data: {agent.site.data_dir}"
        "\n去掉 --shadow 即正式运行 Without --shadow the agent reports north."
    )


def _connections(agent: Agent) -> Table:
    table = Table(title="\n连接 Connections", title_justify="left", box=None, pad_edge=False)
    table.add_column("编号 id", no_wrap=True)
    for heading in ("次数 opened", "失败 failed", "请求 requests", "应答 answers", "p99 ms", "错过 missed"):
        table.add_column(heading, justify="right")
    for one in agent.supervisors:
        figures: dict[str, list[float]] = {}
        for diagnostic in one.driver.diagnostics():
            figures.setdefault(diagnostic.name, []).append(diagnostic.value)
        table.add_row(
            one.id,
            str(one.statistics.opened),
            str(one.statistics.failures),
            f"{sum(figures[REQUESTS]):.0f}" if REQUESTS in figures else "-",
            f"{sum(figures[ANSWERS]):.0f}" if ANSWERS in figures else "-",
            f"{max(figures[RESPONSE_P99]):.0f}" if RESPONSE_P99 in figures else "-",
            str(one.statistics.missed_ticks),
        )
    return table
