"""What fixed words are called when people read them: each in Chinese and in English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge_agent.indicators.claims import ClaimKind
from edge_agent.indicators.kpis import Missing
from edge_agent.indicators.policies import Reading
from edge_agent.indicators.targets import Verdict, WhyNot
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState

Language: TypeAlias = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Words:
    """The same in both languages."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en

    @property
    def by_language(self) -> dict[str, str]:
        return {"zh": self.zh, "en": self.en}

    @property
    def both(self) -> str:
        """`在线 live`: for readers of whom nobody knows which language they read."""
        return f"{self.zh} {self.en}"


STATES: Mapping[MachineState, Words] = {
    MachineState.RUNNING: Words("运行", "running"),
    MachineState.IDLE: Words("待机", "idle"),
    MachineState.SETUP: Words("调试", "setup"),
    MachineState.ALARM: Words("报警", "alarm"),
    MachineState.OFF: Words("关机", "off"),
    MachineState.UNKNOWN: Words("未知", "unknown"),
}

LINKS: Mapping[LinkLevel, Words] = {
    LinkLevel.REGISTERED: Words("已登记", "registered"),
    LinkLevel.REACHABLE: Words("可达", "reachable"),
    LinkLevel.DATA_VALID: Words("数据有效", "data valid"),
    LinkLevel.LIVE: Words("在线", "live"),
}

REASONS: Mapping[str, Words] = {
    "counted": Words("计入", "counted"),
    "outside_numerator": Words("不在分子", "outside the numerator"),
    "outside_denominator": Words("不在分母", "outside the denominator"),
    "not_in_service": Words("未投用或已报废", "not in service"),
    "link_below_reachable": Words("未可达", "not reachable"),
    "link_below_data_valid": Words("无有效数据", "no good data"),
    "link_below_live": Words("不在线", "not live"),
    "calendar_missing": Words("无计划日历", "no planned calendar"),
    "holidays_unknown": Words("节假日未知", "holidays unknown"),
    "nothing_planned": Words("期间无计划工作时间", "nothing planned in the period"),
    "planned_share_below": Words("计划时间内数据不足", "too little of the planned time with data"),
    "asset_value_missing": Words("缺资产原值", "no asset value"),
    "headcount_missing": Words("缺从业人数", "no headcount"),
    "denominator_zero": Words("分母为零", "denominator zero"),
    "good_not_of_produced": Words("合格数与产量不属同一期间", "good pieces are not of those made then"),
    "definition_not_in_effect": Words("口径未生效或已失效", "definition not in effect"),
}
"""Why a machine counts or does not, and why a figure has no rate."""

CLAIMS: Mapping[ClaimKind, Words] = {
    ClaimKind.NO_EVIDENCE: Words(
        "登记为应联网，一日内无数据证据", "should be connected, no evidence within a day"
    ),
    ClaimKind.CONNECTED_ALL_THE_SAME: Words(
        "登记为不应联网，却有数据", "should not be connected, and sends data"
    ),
    ClaimKind.EXCLUDED_WITHOUT_REASON: Words(
        "登记为不应联网，未写原因", "should not be connected, without a reason"
    ),
    ClaimKind.NC_WITHOUT_GROUND: Words("登记为数控，未写依据", "registered as NC, without a ground"),
    ClaimKind.NC_NOT_REGISTERED: Words(
        "登记为非数控，却有数控点位", "registered as not NC, with tags of an NC"
    ),
    ClaimKind.PROCESS_WITHOUT_NC: Words(
        "工序登记为数控，其设备均非数控", "process under NC, without NC equipment"
    ),
}

MISSING: Mapping[Missing, Words] = {
    Missing.CALENDAR: Words("缺计划日历", "no planned calendar"),
    Missing.HOLIDAYS: Words("节假日未知", "holidays unknown"),
    Missing.MACHINE_STATES: Words("状态全程未知", "state unknown all the time"),
    Missing.CYCLE_TIME: Words("缺计划节拍", "no planned cycle time"),
    Missing.PRODUCED: Words("缺产量", "no count of pieces"),
    Missing.GOOD: Words("缺合格数", "no count of good pieces"),
    Missing.ENERGY: Words("缺电量", "no count of energy"),
    Missing.PRODUCTION_GAP: Words("计数器全程未见", "counter not seen all the time"),
}
"""Why a key figure cannot be computed."""

VERDICTS: Mapping[Verdict, Words] = {
    Verdict.MET: Words("已达到", "met"),
    Verdict.ON_COURSE: Words("进度正常", "on course"),
    Verdict.BEHIND: Words("进度落后", "behind"),
    Verdict.PASSED_MET: Words("期限已过，已达到", "deadline passed: met"),
    Verdict.PASSED_MISSED: Words("期限已过，差 {zh}", "deadline passed: missed by {en}"),
    Verdict.CANNOT_BE_JUDGED: Words("无法判定", "cannot be judged"),
}
"""`{zh}` and `{en}`: the distance with its unit."""

BY_FIGURE = Words("依据", "by the figure of")
"""A day follows: which figure a verdict is about."""
NONE_OF_DEADLINE = Words("无期限时数据", "as none of the deadline is kept")

POINTS = {"share": Words("个百分点", "points"), "per_10000_employees": Words("台/万人", "per 10,000")}
"""Units of a difference of two rates, by the unit of the definition."""

WHY_NOT: Mapping[WhyNot, Words] = {
    WhyNot.NOT_COMPUTED: Words("本程序不计算", "not computed by this agent"),
    WhyNot.NO_BASELINE: Words("无基期值", "no baseline"),
    WhyNot.BASELINE_ZERO: Words("基期为零", "the baseline is zero"),
    WhyNot.ABOVE_WHOLE: Words("基期加目标超过 100%", "baseline and change are above 100 %"),
    WhyNot.NO_FIGURE: Words("无数据", "no figure"),
    WhyNot.PACE_UNKNOWN: Words(
        "尚未达到，数据不足四周", "not met yet, and under four weeks of figures give no pace"
    ),
}

_GOALS = {
    "percent": ("≥ {}%", Words("", "")),
    "per_10000_employees": ("≥ {}", Words("每万人", "per 10,000")),
    "percentage_points": ("+{}", Words("个百分点", "points")),
    "relative_percent": ("+{}%", Words("相对", "relative")),
}


def why_not(reason: str) -> Words:
    """Why a target is not judged, or its figure has no rate."""
    return WHY_NOT[WhyNot(reason)] if reason in set(map(str, WhyNot)) else REASONS[reason]


def asked_for(reading: Reading) -> tuple[str, Words]:
    """`≥ 148` and what it is counted in."""
    form, unit = _GOALS[reading.unit]
    return form.format(f"{reading.value:f}"), unit


def yuan(fen: int) -> str:
    """`¥8,220,000.00`"""
    return f"¥{fen // 100:,}.{fen % 100:02}"
