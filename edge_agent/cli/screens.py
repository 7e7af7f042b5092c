"""What `edge-agent top` shows: one screen of a running agent's news, in one language, from 80 columns on."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge_agent.cli.marks import LINK_STYLES, STATE_MARKS
from edge_agent.cli.words import counts_text, rate_text
from edge_agent.console.views import ConnectionView, MachineView, Overview, TroubleView
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState, UnknownCause
from edge_agent.words import LINKS, STATES, Language, Words
from edge_agent.words.failures import CAUSES, failure_of

VIEWS = (
    Words("设备", "Machines"),
    Words("指标", "Rates"),
    Words("连接", "Connections"),
    Words("上行", "Uplinks"),
)
FRAME_LINES = 5
"""Lines around the rows of a view: heading, tabs, column heads, what is below, keys."""

_HEADS = {
    "id": Words("编号", "id"),
    "state": Words("状态", "state"),
    "cause": Words("原因 / 最近错误", "cause / last error"),
    "link": Words("联网", "link"),
    "age": Words("数据龄", "age"),
    "definition": Words("口径", "definition"),
    "scope": Words("范围", "scope"),
    "counts": Words("分子/分母", "n/d"),
    "rate": Words("比率", "rate"),
    "unknown": Words("未知", "unknown"),
    "error": Words("最近错误", "last error"),
    "missed": Words("错过", "missed"),
    "errors": Words("错误", "errors"),
    "type": Words("类型", "type"),
    "backlog": Words("积压", "backlog"),
    "confirmed": Words("已确认", "confirmed"),
}
_KEYS = Words(
    "1–4、←→ 或 Tab 换页  ↑↓ 滚动  l English  q 退出", "1–4, ←→ or Tab: view  ↑↓: scroll  l: 中文  q: quit"
)
_CONNECTION = {
    "open": (Words("已连接", "open"), "green"),
    "closed": (Words("未连接", "not open"), "bold red"),
    "disabled": (Words("停用", "disabled"), "bright_black"),
}
_UPLINK = {
    "connected": (Words("已连接", "connected"), "green"),
    "connecting": (Words("连接中", "connecting"), "bold red"),
    "waiting": (Words("等待上位应用", "waiting"), "yellow"),
    "refused": (Words("被拒收", "refused"), "bold red"),
}
_ENTERPRISE = Words("企业", "enterprise")
_NO_NEWS = Words("已 {s} 秒没有消息", "no news for {s} s")
_LIVE = Words("实时", "live")
_BELOW = Words("还有 {n} 行", "{n} more")
_GOOD = {"requests", "answers"}
"""Counts of a driver that are no errors."""


@dataclass(slots=True)
class Screen:
    """What is looked at now."""

    view: int = 0
    top: int = 0
    """Rows scrolled out above."""
    language: Language = "zh"

    def turn(self, view: int) -> None:
        self.view, self.top = view % len(VIEWS), 0

    def scroll(self, rows: int) -> None:
        self.top = max(0, self.top + rows)


@dataclass(frozen=True, slots=True)
class News:
    """All that a screen is made of. `silent_s`: seconds since the newest overview; `trouble`: why, if that is
    known."""

    overview: Overview
    connections: Sequence[ConnectionView]
    silent_s: float = 0.0
    trouble: str = ""


def screen_of(news: News, screen: Screen, width: int, height: int) -> RenderableType:
    """The view that is chosen, in `width` by `height` cells; scrolls back what is scrolled too far."""
    table, rows = _VIEWS[screen.view](news, screen.language)
    room = max(1, height - FRAME_LINES)
    screen.top = min(screen.top, max(0, len(rows) - room))
    for row in rows[screen.top : screen.top + room]:
        table.add_row(*map(_cell, row))
    below = len(rows) - screen.top - room
    foot = _BELOW.of(screen.language).format(n=below) if below > 0 else ""
    return Group(
        _heading(news, screen.language, width),
        _tabs(screen),
        table,
        Text(foot, "bright_black"),
        Text(_KEYS.of(screen.language), "bright_black", no_wrap=True, overflow="ellipsis"),
    )


def whole(news: News, language: Language) -> RenderableType:
    """All views below each other, for a terminal that nobody sits at."""
    parts: list[RenderableType] = []
    for title, view in zip(VIEWS, _VIEWS, strict=True):
        table, rows = view(news, language)
        for row in rows:
            table.add_row(*map(_cell, row))
        parts += [Text(title.of(language), "bold"), table, Text("")]
    return Group(*parts)


def _heading(news: News, language: Language, width: int) -> Text:
    overview = news.overview
    name = f"{overview.gateway.name} {overview.gateway.id}".strip()
    silent = news.trouble or news.silent_s > 3
    state = _NO_NEWS.of(language).format(s=round(news.silent_s)) if silent else _LIVE.of(language)
    heading = Text(name, "bold", no_wrap=True, overflow="ellipsis")
    counts = [
        (STATE_MARKS[one][0] + str(overview.states.get(one.value, 0)), STATE_MARKS[one][1])
        for one in MachineState
    ]
    rest = 2 + sum(len(text) + 1 for text, _ in counts) + cell_len(state)
    heading.truncate(max(10, width - rest - 1), overflow="ellipsis")
    heading.append("  ")
    for text, style in counts:
        heading.append(text + " ", style)
    heading.append(state, "bold red" if silent else "green")
    return heading


def _tabs(screen: Screen) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for place, title in enumerate(VIEWS):
        line.append(
            f" {place + 1} {title.of(screen.language)} ", "reverse bold" if place == screen.view else "bold"
        )
        line.append(" ")
    return line


Rows = list[tuple[str | Text, ...]]


def _cell(content: str | Text) -> Text:
    """As it is: what machines and servers call things is no mark-up, and no order to the terminal."""
    text = content if isinstance(content, Text) else Text(content)
    if text.plain.isprintable():
        return text
    return Text("".join(one if one.isprintable() else "·" for one in text.plain), text.style)


def _machines(news: News, language: Language) -> tuple[Table, Rows]:
    table = _table(language, "id", "state", "cause", "link", "age")
    return table, [_machine(one, language) for one in news.overview.machines if one.in_service]


def _machine(one: MachineView, language: Language) -> tuple[str | Text, ...]:
    state, link = MachineState(one.state), _level(one.link)
    mark, style = STATE_MARKS[state]
    if one.failure:
        cause = failure_of(one.failure, one.cause).what.of(language)
    elif state is MachineState.UNKNOWN and one.cause in set(UnknownCause):
        cause = CAUSES[UnknownCause(one.cause)].of(language)
    else:
        cause = one.cause
    return (
        one.id,
        Text(f"{mark} {STATES[state].of(language)}", style),
        cause,
        Text(LINKS[link].of(language), LINK_STYLES[link]),
        "-" if one.age_ms is None else f"{one.age_ms / 1000:.1f} s",
    )


def _level(label: str) -> LinkLevel:
    return next(level for level in LinkLevel if level.label == label)


def _rates(news: News, language: Language) -> tuple[Table, Rows]:
    table = _table(language, "definition", "scope", "counts", "rate", "unknown")
    rows: Rows = []
    for one in news.overview.indicators:
        for figure in one.figures:
            whole_works = figure.scope.level == "enterprise"
            rows.append(
                (
                    one.definition.title.get(language, one.definition.id) if whole_works else "",
                    _ENTERPRISE.of(language) if whole_works else figure.scope.id,
                    counts_text(one.definition, figure),
                    Text(rate_text(one.definition, figure), "bold" if whole_works else ""),
                    str(figure.unknown),
                )
            )
    return table, rows


def _connections(news: News, language: Language) -> tuple[Table, Rows]:
    table = _table(language, "id", "state", "p50", "p99", "missed", "errors", "error")
    return table, [_connection(one, language) for one in news.connections]


def _connection(one: ConnectionView, language: Language) -> tuple[str | Text, ...]:
    said, style = _CONNECTION["disabled" if not one.enabled else "open" if one.open else "closed"]
    errors = sum(int(each.value) for each in one.diagnostics if not each.unit and each.name not in _GOOD)
    reads = [each for each in one.responses if each.request == "read"]
    return (
        one.id,
        Text(said.of(language), style),
        _milliseconds([each.p50_s for each in reads]),
        _milliseconds([each.p99_s for each in reads]),
        Text(str(one.missed_ticks), "yellow" if one.missed_ticks else ""),
        Text(str(errors), "yellow" if errors else ""),
        _trouble(one.trouble, language),
    )


def _milliseconds(times: Sequence[float | None]) -> str:
    """The slowest."""
    known = [one for one in times if one is not None]
    return f"{1000 * max(known):.3g} ms" if known else "-"


def _trouble(trouble: TroubleView | None, language: Language) -> Text:
    if trouble is None:
        return Text("")
    return Text(trouble.text.get(language, ""), "red" if trouble.over_ms is None else "bright_black")


def _uplinks(news: News, language: Language) -> tuple[Table, Rows]:
    table = _table(language, "id", "type", "state", "backlog", "confirmed", "error")
    rows: Rows = []
    for one in news.overview.uplinks:
        said, style = _UPLINK.get(one.state, (Words(one.state, one.state), ""))
        rows.append(
            (
                one.id,
                one.type,
                Text(said.of(language), style),
                str(one.depth),
                str(one.acknowledged),
                Text(one.last_error, "red"),
            )
        )
    return table, [*rows, *_journal(news, language)]


def _journal(news: News, language: Language) -> Rows:
    """What the queue itself has to say, if that is not good."""
    journal, rows = news.overview.journal, Rows()
    for holds, said in (
        (journal.dropped > 0, Words(f"丢弃 {journal.dropped} 条", f"{journal.dropped} records given up")),
        (journal.over_limit, Words("超过容量上限", "over its limit")),
        (journal.failure is not None, Words("写入失败", "cannot write")),
    ):
        if holds:
            name = Words("日志队列", "journal").of(language)
            rows.append((name, "", Text(said.of(language), "bold red"), "", "", journal.failure or ""))
    return rows


_VIEWS = (_machines, _rates, _connections, _uplinks)

_NUMBERS = {"age", "counts", "rate", "unknown", "p50", "p99", "missed", "errors", "backlog", "confirmed"}
_WIDE = {"cause", "definition", "error"}
"""Columns that give way first."""


def _table(language: Language, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    for name in columns:
        table.add_column(
            _HEADS[name].of(language) if name in _HEADS else name,
            no_wrap=True,
            justify="right" if name in _NUMBERS else "left",
            overflow="ellipsis",
            ratio=1 if name in _WIDE else None,
        )
    return table
