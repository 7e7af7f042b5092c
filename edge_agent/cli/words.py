"""How figures, reasons and claims are put to people, in Chinese and English."""

from edge_agent.contract.messages import DefinitionReference, Figure, Scope
from edge_agent.indicators.claims import ClaimKind
from edge_agent.indicators.kpis import Missing

_REASONS = {
    "counted": "计入 counted",
    "outside_numerator": "不在分子 outside the numerator",
    "outside_denominator": "不在分母 outside the denominator",
    "not_in_service": "未投用或已报废 not in service",
    "link_below_reachable": "未可达 not reachable",
    "link_below_data_valid": "无有效数据 no good data",
    "link_below_live": "不在线 not live",
    "calendar_missing": "无计划日历 no planned calendar",
    "holidays_unknown": "节假日未知 holidays unknown",
    "nothing_planned": "期间无计划工作时间 nothing planned in the period",
    "planned_share_below": "计划时间内数据不足 too little of the planned time with data",
    "asset_value_missing": "缺资产原值 no asset value",
    "headcount_missing": "缺从业人数 no headcount",
    "denominator_zero": "分母为零 denominator zero",
    "definition_not_in_effect": "口径未生效或已失效 definition not in effect",
}

STATES = {
    "running": "运行 running",
    "idle": "待机 idle",
    "setup": "调试 setup",
    "alarm": "报警 alarm",
    "off": "关机 off",
    "unknown": "未知 unknown",
}

MISSING = {
    Missing.CALENDAR: "缺计划日历 no planned calendar",
    Missing.HOLIDAYS: "节假日未知 holidays unknown",
    Missing.MACHINE_STATES: "状态全程未知 state unknown all the time",
    Missing.CYCLE_TIME: "缺计划节拍 no planned cycle time",
    Missing.PRODUCED: "缺产量 no count of pieces",
    Missing.GOOD: "缺合格数 no count of good pieces",
}

CLAIMS = {
    ClaimKind.NO_EVIDENCE: "登记为应联网，一日内无数据证据 should be connected, no evidence within a day",
    ClaimKind.CONNECTED_ALL_THE_SAME: "登记为不应联网，却有数据 should not be connected, and sends data",
    ClaimKind.EXCLUDED_WITHOUT_REASON: "登记为不应联网，未写原因 should not be connected, without a reason",
    ClaimKind.NC_WITHOUT_GROUND: "登记为数控，未写依据 registered as NC, without a ground",
    ClaimKind.NC_NOT_REGISTERED: "登记为非数控，却有数控点位 registered as not NC, with tags of an NC",
    ClaimKind.PROCESS_WITHOUT_NC: "工序登记为数控，其设备均非数控 process under NC, without NC equipment",
}


def reason_text(reason: str) -> str:
    return _REASONS[reason]


def scope_text(scope: Scope) -> str:
    if scope.level == "enterprise":
        return "企业 enterprise"
    return f"{scope.workshop} / {scope.id}" if scope.level == "line" else scope.id


def rate_text(definition: DefinitionReference, figure: Figure) -> str:
    """`66.7%`, or how many per 10,000 employees; `-` if there is no rate."""
    if figure.rate is None:
        return "-"
    if definition.unit == "per_10000_employees":
        return f"{figure.rate * 10_000:.1f} 每万人 per 10,000"
    return f"{figure.rate:.1%}"


def counts_text(definition: DefinitionReference, figure: Figure) -> str:
    """`12/18`; amounts of money in yuan."""
    counts = (figure.numerator, figure.denominator)
    if definition.weight == "asset_value":
        return "/".join(f"¥{fen // 100:,}.{fen % 100:02}" for fen in counts)
    return "/".join(map(str, counts))


def duration_text(ms: int) -> str:
    """`26:03:07.120`: hours, minutes and seconds."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
