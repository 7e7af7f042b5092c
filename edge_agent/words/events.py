"""What an event means, as a sentence with what its detail says."""

from collections.abc import Mapping
from string import Formatter
from typing import TypeAlias

from edge_agent.words import Language, Words
from edge_agent.words.failures import Failure, failure_of

Detail: TypeAlias = Mapping[str, str | int | float | bool]

EVENTS: Mapping[str, Words] = {
    "agent_started": Words(
        "代理启动（此前停运 {down_ms}）", "the agent started; it had not run for {down_ms}"
    ),
    "agent_stopped": Words("代理已停止", "the agent was stopped"),
    "configuration_changed": Words("已改用另一份配置", "another configuration is in force"),
    "configuration_refused": Words(
        "新配置有误，未采用，仍按原配置运行",
        "the new configuration is wrong; the agent goes on with the old one",
    ),
    "connection_open": Words("连接已建立", "the endpoint accepts the connection"),
    "alarm_begun": Words("设备报警", "the machine is in alarm"),
    "alarm_ended": Words("报警已解除", "the alarm is over"),
    "late_data": Words(
        "失联期间 {ms}的设备状态已补齐", "what the machine did in {ms} while it was not heard is known now"
    ),
    "late_data_refused": Words(
        "控制器时钟与网关相差 {offset_ms}，迟到的数据未采用；请校准控制器时钟",
        "the controller's clock is off by {offset_ms}, so what came late is not used; set that clock",
    ),
    "counter_reset": Words(
        "计数器 {tag} 由 {before} 变为 {after}，此后从新值起计",
        "the counter {tag} was {before} and is now {after}; it is counted on from there",
    ),
    "diagnostics_limit": Words(
        "{unit} {name} 为 {value}，超过 {limit}", "{unit} {name} is {value}, over {limit}"
    ),
    "diagnostics_normal": Words(
        "{unit} {name} 为 {value}，回到 {limit} 以内", "{unit} {name} is {value}, back within {limit}"
    ),
    "uplink_down": Words(
        "上行中断，待发数据留在日志队列",
        "the destination is not reached; the journal keeps what is to be sent",
    ),
    "uplink_refused": Words(
        "对方拒收，数据留在日志队列，稍后再试",
        "the other side refuses what it is given; it is tried again later",
    ),
    "uplink_points_refused": Words(
        "数据库拒收部分数据点，其余照常写入", "the database refuses some points; the others are written"
    ),
    "uplink_up": Words("上行恢复", "the uplink delivers again"),
    "journal_failed": Words(
        "日志队列写不进磁盘，数据暂存内存；检查磁盘空间和权限",
        "the journal cannot write; records wait in memory. Check the disk's room and rights",
    ),
    "journal_recovered": Words(
        "日志队列恢复写入；启动以来共丢弃 {dropped} 条",
        "the journal writes again; {dropped} records were given up since the start",
    ),
    "numbers_lost": Words(
        "断电可能带走 {count} 条（{first}–{last} 号），不会再发",
        "a power cut may have taken {count} records, numbers {first} to {last}; they do not come again",
    ),
    "thinned": Words(
        "空间或期限所限，{count} 条记录（{first}–{last} 号）不再发送",
        "for lack of room or time {count} records, numbers {first} to {last}, will not be sent",
    ),
    "journal_damaged": Words(
        "日志队列文件损坏，已另存为 {file}；{count} 条不再发送",
        "the journal was damaged and set aside as {file}; {count} records will not be sent",
    ),
    "clock_step": Words("系统时钟被拨快 {step_ms}", "the system clock was set forward by {step_ms}"),
    "key_changed": Words(
        "此后的指标声明改用新密钥签名；请把新公钥告知平台",
        "statements are signed with another key from now on; tell the platform the new public key",
    ),
    "certificate_renewed": Words(
        "区域平台已换发网关证书，已自动启用",
        "the region has renewed the gateway's certificate, which is in use",
    ),
    "certificate_ends": Words(
        "网关证书将到期或已到期，区域平台尚未换发；请联系平台，到期后执行 edge-agent enrol mqtt",
        "the gateway's certificate ends, or has ended, and the region has not renewed it; tell the region,"
        " and after its end run edge-agent enrol mqtt",
    ),
}
"""By kind; those that tell of a failure are in `edge_agent/words/failures.py`."""

SAID_IN_FULL = frozenset(
    {
        "agent_stopped",
        "connection_open",
        "late_data",
        "late_data_refused",
        "counter_reset",
        "diagnostics_limit",
        "diagnostics_normal",
        "journal_recovered",
        "clock_step",
        "key_changed",
    }
)
"""Kinds whose own message has nothing that the sentence does not say."""

FAILED = frozenset({"connection_lost", "equipment_lost"})

_FIGURES = {
    "failed_share": Words("请求失败率", "share of failed requests"),
    "response_p99": Words("响应时间 p99（毫秒）", "response time p99 (ms)"),
}
_UNITS = ((86_400_000, Words("天", "d")), (3_600_000, Words("小时", "h")), (60_000, Words("分", "min")))


def event_of(kind: str, detail: Detail) -> Failure:
    """What the event means and what to do; both are empty for a kind that is not known here."""
    if kind in FAILED:
        return failure_of(str(detail.get("error", "")), str(detail.get("cause", "")))
    said = EVENTS.get(kind, Words("", ""))
    return Failure(Words(_filled(said.zh, detail, "zh"), _filled(said.en, detail, "en")), Words("", ""))


def span_text(ms: float, language: Language) -> str:
    """`3 h`, `12 min`, `0.4 s`: in the largest unit that it fills."""
    for size, unit in _UNITS:
        if abs(ms) >= size:
            return f"{ms / size:.3g} {unit.of(language)}"
    return f"{ms / 1000:.3g} {Words('秒', 's').of(language)}"


def _filled(text: str, detail: Detail, language: Language) -> str:
    names = [name for _, name, _, _ in Formatter().parse(text) if name]
    return text.format(**{name: _value(name, detail.get(name, "?"), language) for name in names}).strip()


def _value(name: str, value: str | float, language: Language) -> str:
    if isinstance(value, str):
        return _FIGURES[value].of(language) if name == "name" and value in _FIGURES else value
    if name == "ms" or name.endswith("_ms"):
        return span_text(value, language)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
