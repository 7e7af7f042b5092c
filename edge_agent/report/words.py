"""What a report says, in Chinese and in English."""

from edge_agent.words import Words

TITLE = Words("工业设备联网与数控化月度报告", "Monthly report on networked and NC equipment")
PAGE = Words("第 {page} 页，共 {pages} 页", "page {page} / {pages}")

# The first page
SUMMARY = Words("概要", "Summary")
SHEET_SUMMARY = Words("概要", "Summary")
ENTERPRISE = Words("统一社会信用代码", "Credit code")
SITE = Words("站点", "Site")
GATEWAY = Words("网关编号", "Gateway")
REGION = Words("行政区划代码", "Region")
MONTH = Words("报告月份", "Month")
PERIOD = Words("统计区间", "Period")
TIMEZONE = Words("时区", "Time zone")
REGISTER_VERSION = Words("台账版本", "Register version")
EQUIPMENT_COUNT = Words("台账设备数", "Equipment")
HEADCOUNT = Words("从业人数", "Headcount")
AGENT = Words("程序版本", "Agent version")
PUBLIC_KEY = Words("签名公钥", "Public key")
BASIS = Words(
    "本报告的每个指标都出自网关签名的月度指标声明，编号、摘要和签名见末章，任何人都可用导出的证据文件逐台复算。"
    "没有声明的指标不列数字。",
    "Each figure of this report is that of a statement of record which the gateway has signed;"
    " numbers, digests and"
    " signatures are in the last chapter. With the exported evidence anybody can count it again, machine by"
    " machine. What was not stated has no figure here.",
)
UNSTATED = Words(
    "下列口径当月没有声明，因此不列：{names}",
    "Of these definitions there is no statement of the month: {names}",
)
REGISTERS_DIFFER = Words(
    "各声明依据的台账版本不一致（台账更正后只重算了部分口径）；设备表按最新一份声明的台账列出。",
    "The statements were counted on different versions of the register, as only some were made again"
    " after it was"
    " corrected. Machines are listed by the register of the newest statement.",
)

# Figures
FIGURES = Words("指标", "Figures")
SHEET_DEFINITIONS = Words("口径", "Definitions")
INDICATOR = Words("指标", "Indicator")
DEFINITION = Words("口径", "Definition")
VERSION = Words("版本", "Version")
NUMBERED = Words("{id}，第 {version} 版", "{id}, version {version}")
STANDING = Words("依据性质", "Standing")
SOURCE = Words("来源", "Source")
QUOTE = Words("原文", "Text of the source")
WITHOUT_QUOTE = Words("无原文说明", "Why no text")
RULE_DENOMINATOR = Words("分母规则（CEL）", "Denominator rule (CEL)")
RULE_NUMERATOR = Words("分子规则（CEL）", "Numerator rule (CEL)")
RULE_CONNECTED = Words("联网认定", "Connected rule")
AT_INSTANT = Words("月末时刻：{level}", "at the end of the month: {level}")
WITHIN = Words(
    "{level}：月末前 {hours:g} 小时内至少 {readings} 个有效读数",
    "{level}: at least {readings} good readings within {hours:g} h before the end of the month",
)
PLANNED_SHARE = Words(
    "，且不少于 {share:.0%} 的计划时间有数据", ", and data in at least {share:.0%} of the planned time"
)
STATEMENT = Words("声明编号", "Statement no.")
PER_10000 = Words("（每万人）", " (per 10,000 employees)")
SCOPE = Words("范围", "Scope")
LEVEL = Words("层级", "Level")
WORKSHOP = Words("车间", "Workshop")
LINE = Words("产线", "Line")
NUMERATOR = Words("分子", "Numerator")
DENOMINATOR = Words("分母", "Denominator")
RATE = Words("比率", "Rate")
LAST_MONTH = Words("上月", "Month before")
CHANGE = Words("较上月", "Change")
UNKNOWN = Words("状态未知", "State unknown")
REASON = Words("原因", "Reason")
LEVELS = {
    "enterprise": Words("企业", "enterprise"),
    "workshop": Words("车间", "workshop"),
    "line": Words("产线", "line"),
}
STANDINGS = {
    "official text": Words("官方文件原文", "official text"),
    "questionnaire": Words("官方问卷", "questionnaire"),
    "practice": Words("通行做法", "practice"),
    "ours": Words("自定", "our own"),
}
NOT_COUNTED = Words("未计入分子的设备或工序", "Not in the numerator")
IN_DENOMINATOR = Words("计入分母", "In the denominator")
NUMBER = Words("数量", "Number")
WHICH = Words("编号", "Ids")
ALL = Words("全部", "all")
YES, NO = Words("是", "yes"), Words("否", "no")

# Machines
MACHINES = Words("设备台账与联网证据", "Machines and evidence of their connection")
SHEET_MACHINES = Words("设备", "Machines")
SHEET_LINES = Words("逐台判定", "Judgements")
MACHINES_EXPLAINED = Words(
    "联网等级由数据得出：已登记、可达、数据有效、在线；台账和配置中的声明不作为依据。"
    "有效读数为月末前所示小时数内收到的好数据个数。",
    "The link level is earned by data: registered, reachable, data valid, live; what a register or a"
    " configuration"
    " claims counts for nothing. Good readings are those of the hours before the end of the month that"
    " are shown.",
)
EQUIPMENT = Words("设备编号", "Machine")
NAME = Words("名称", "Name")
PLACE = Words("车间 / 产线", "Workshop / line")
NC = Words("数控", "NC")
NC_GROUND = Words("数控依据", "Ground for NC")
PRODUCTION = Words("生产设备", "Production")
DIGITAL = Words("数字化", "Digital")
SHOULD_CONNECT = Words("应联网", "To be connected")
KEY = Words("关键", "Key")
COMMISSIONED = Words("投用日期", "Commissioned")
RETIRED = Words("报废日期", "Retired")
STATE = Words("月末状态", "State at the end")
LINK = Words("联网等级", "Link level")
GOOD_READINGS = Words("有效读数（{hours:g} 小时）", "Good readings ({hours:g} h)")
LAST_GOOD = Words("最近有效读数", "Newest good reading")
MATRIX = Words("各口径逐台判定", "Which machine counts where")
MATRIX_EXPLAINED = Words(
    "● 计入分子    ○ 仅计入分母    – 不计入    列号即“指标”一章中的序号",
    "● in the numerator    ○ in the denominator alone    – not counted    columns are numbered as in"
    " the chapter"
    " of figures",
)
IN_NUMERATOR = Words("计入分子", "In the numerator")
PROCESSES = Words("工序", "Processes")
PROCESS = Words("工序编号", "Process")
SERVED_BY = Words("设备", "Equipment")
NC_EQUIPMENT = Words("其中数控", "Of these NC")
GOOD = Words("有效读数", "Good readings")
HOURS = Words("证据小时数", "Hours of evidence")

# Claims
CLAIMS = Words("登记与证据不一致", "Claims without evidence")
CLAIMS_EXPLAINED = Words(
    "台账所登记而证据不支持的，或证据显示而台账未登记的。指标按口径计算，不因登记而改变。",
    "What the register claims and the evidence does not support, or what it leaves out. Figures are"
    " counted by their"
    " definitions, whatever is claimed.",
)
NO_CLAIMS = Words("没有发现。", "None was found.")
SUBJECT = Words("编号", "Id")
CLAIM = Words("情况", "What")
DETAIL = Words("说明", "Detail")

# Machine time
MACHINE_TIME = Words("设备时间", "Machine time")
SHEET_TIME = Words("设备时间", "Machine time")
TIME_EXPLAINED = Words(
    "当月在用的每台设备在各状态的时间，合计等于整月。链路中断、网关停机和未接入的时间都是“未知”，不算待机。",
    "How long each machine that was in service on a day of the month was in each state; together it is"
    " the whole"
    " month. Time without a connection or without the gateway is unknown, never idle.",
)
BY_WORKSHOP = Words("按车间", "By workshop")
BY_MACHINE = Words("按设备", "By machine")
MACHINES_OF = Words("设备数", "Machines")
SHARES = Words("时间构成", "Where the time went")
TOTAL = Words("合计", "Total")

# Key figures
KEY_FIGURES = Words("可用率与效率指标", "Availability and other key figures")
SHEET_KEY_FIGURES = Words("效率指标", "Key figures")
KEY_FIGURES_EXPLAINED = Words(
    "按 ISO 22400-2 和通行做法，以计划忙时为准的指标需要计划日历。“–”表示算不出，原因见下表；算不出不等于零。"
    "未知时间计入计划忙时，所以以其为分母的指标是下限。",
    "By ISO 22400-2 and practice. Those over planned busy time need a planned calendar. A dash is what"
    " cannot be"
    " computed, which is not zero; why is said below. Unknown time is part of planned busy time, so"
    " that figures"
    " over it are lower bounds.",
)
NOT_COMPUTED = Words("未能计算的指标", "What was not computed")
KEY_FIGURE = Words("指标", "Key figure")
VALUE = Words("数值", "Value")
VALUE_DURATION = Words("时长", "Duration")
VALUE_ENERGY = Words("电量", "Energy")
UNKNOWN_TIME = Words("未知时间", "Unknown time")

# Production
PRODUCTION = Words("产量与电量", "Pieces and energy")
PRODUCTION_EXPLAINED = Words(
    "由设备计数器得出。“跨期”是计数器未见期间所计、无法判定是否属于当月的件数，不计入产量。",
    "Out of the machines' counters. What spans was counted while the counter was not seen, and nobody knows"
    " whether it belongs to the month; it is not among the pieces.",
)
SHEET_PRODUCTION = Words("产量", "Production")
CYCLE_TIME = Words("计划节拍", "Planned cycle time")
PIECES = Words("产量", "Pieces")
GOOD_PIECES = Words("合格数", "Good")
SPANNING = Words("跨期", "Spanning")
COUNTER_RESETS = Words("计数器清零", "Counter resets")

# Trend and targets
TREND = Words("趋势与政策目标", "Trend and policy targets")
SHEET_TREND = Words("趋势", "Trend")
SHEET_TARGETS = Words("政策目标", "Targets")
TREND_EXPLAINED = Words(
    "全企业各月指标，出自各月的声明；虚线为政策目标。",
    "The enterprise month by month, by the statements of each; dashed lines are policy targets.",
)
TARGETS = Words("政策目标对照", "Policy targets")
TARGETS_EXPLAINED = Words(
    "以当月声明的数字、按月末日期对照。标注“对比”的目标针对整个区域，不代表本企业完成情况。",
    "Judged by the figures stated of the month, as of its last day. What is marked as a comparison is"
    " asked of a whole"
    " region; one enterprise does not fulfil it.",
)
TARGET = Words("目标", "Target")
ASKED = Words("要求", "Asks for")
UNTIL = Words("期限", "Until")
NOW = Words("现值", "Now")
GOAL = Words("目标值", "Goal")
DISTANCE = Words("差距", "Distance")
PROGRESS = Words("进度", "Progress")
VERDICT = Words("结论", "Verdict")
COMPARISON = Words("（对比）", " (a comparison)")

# Statements and how to verify them
PROOF = Words("声明与核验", "Statements, and how to verify them")
SHEET_STATEMENTS = Words("声明", "Statements")
SHEET_PROOF = Words("核验方法", "How to verify")
HOW_TO_VERIFY = Words("如何核验", "How to verify")
HOW_TO_VERIFY_EXPLAINED = Words(
    "核验无需信任本报告：\n"
    "1. 在网关上导出证据文件（CONFIG 为网关的配置文件），内含下列声明、逐台证据、台账和完整的声明链；\n"
    "2. 在任何一台装有 Python 3.11 的电脑上核验。公钥应由网关的状态消息或另行取得，不要只取自被核验的文件；\n"
    "3. 核对核验结果中的编号、分子、分母与本报告是否一致。",
    "Nobody has to trust this report:\n"
    "1. Export the evidence on the gateway (CONFIG is its configuration): the statements below, the"
    " evidence of each"
    " machine, the registers, and the whole chain of statements.\n"
    "2. Verify it on any computer with Python 3.11. Have the public key from the status messages of"
    " the gateway or in"
    " another way, not only from the file that is verified.\n"
    "3. Compare numbers, numerators and denominators with those of this report.",
)
STATEMENTS = Words("声明", "Statements")
SIGNED_AT = Words("签署时间", "Signed")
SUPERSEDES = Words("替代", "Supersedes")
DIGEST = Words("摘要 SHA-256", "Digest, SHA-256")
PREVIOUS = Words("前一条摘要", "Previous digest")
ROOT = Words("证据 Merkle 根", "Merkle root")
RULE_DIGEST = Words("口径摘要", "Definition digest")
SIGNATURE = Words("签名 Ed25519", "Signature, Ed25519")
MADE_BY = Words("签署程序版本", "Agent that signed")
EVIDENCE_TO = Words("证据截至", "Evidence as of")
