"""How the ledger and idle capacity are put to people, in Chinese and English."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.table import Table

from edge_agent.config.sharing import Per, TenantOptions
from edge_agent.contract.messages import Capacity
from edge_agent.model.state import MachineState
from edge_agent.sharing.export import yuan
from edge_agent.sharing.holds import Nobody
from edge_agent.sharing.ledger import KNOWN, Amount, Ledger, Line, Unpriced
from edge_agent.sharing.settlement import incomplete

_PER: Mapping[Per, tuple[str, str]] = {
    "running_hour": ("分时·运行 running", "小时 h"),
    "occupied_hour": ("分时·占用 occupied", "小时 h"),
    "piece": ("计件 pieces", "件 pieces"),
    "good_piece": ("计件·合格 good pieces", "件 pieces"),
    "kwh": ("按值·电量 energy", "kWh"),
}
"""What a price is for, and what it is per."""

_SESSIONS = {"register": "台账 register", "schedule": "排程 schedule", "tag": "点位 tag"}

_UNPRICED = {
    Unpriced.NO_RATES: "无费率表 no rates",
    Unpriced.NO_VERSION: "无有效版本 no version holds",
    Unpriced.PIECES_NOT_COUNTED: "未计件 pieces not counted",
    Unpriced.GOOD_NOT_COUNTED: "未计合格件 good pieces not counted",
    Unpriced.ENERGY_NOT_COUNTED: "未计电量 energy not counted",
}

_NOBODY = {
    Nobody.NO_WINDOW: "排程外 no window",
    Nobody.NO_TENANT: "台账无租户 the register names nobody",
    Nobody.NO_REGISTER: "台账未记录 no register yet",
    Nobody.UNKNOWN_TENANT: "租户未配置 tenant not configured",
    Nobody.UNMAPPED_VALUE: "取值无对应租户 value of nobody",
    Nobody.BAD_VALUE: "取值无效 bad value",
    Nobody.NOT_RECORDED: "未采集使用时段 not recorded",
}


def lines_table(ledger: Ledger, tenants: Sequence[TenantOptions], zone: ZoneInfo) -> Table:
    """A row for each line, by tenant."""
    table = _table(
        "租户 tenant", "设备 machine", "开始 from", "结束 to", "依据 by",
        "运行 running", "占用 occupied", "未知 unknown", "件数 pieces", "kWh", "版本 version", "元 yuan",
    )  # fmt: skip
    for tenant in tenants:
        for line in ledger.of(tenant.id):
            table.add_row(
                tenant.id,
                line.equipment,
                f"{'…' if line.begun_before else ''}{_clock(line.start_ms, zone)}",
                f"{_clock(line.end_ms, zone)}{'…' if line.goes_on else ''}",
                _SESSIONS[line.sessions],
                duration(line.account.of(MachineState.RUNNING)),
                duration(line.account.of(*KNOWN)),
                _gaps(line),
                _pieces(line),
                _energy(line),
                "-" if line.version is None else f"{line.rates} {line.version}",
                _UNPRICED[Unpriced(line.unpriced)] if line.unpriced else _sum([line]),
            )
    return table


def amounts_table(ledger: Ledger, tenants: Sequence[TenantOptions], zone: ZoneInfo) -> Table:
    """A row for each amount, so that it can be worked out again."""
    table = _table(
        "租户 tenant", "设备 machine", "开始 from", "计费 for", "数量 quantity", "单价 price", "元 yuan",
        "未知 unknown",
    )  # fmt: skip
    for tenant in tenants:
        for line in ledger.of(tenant.id):
            for amount in line.amounts:
                what, unit = _PER[amount.per]
                table.add_row(
                    tenant.id,
                    line.equipment,
                    _clock(line.start_ms, zone),
                    f"{what} {amount.name}".rstrip(),
                    _quantity(amount),
                    f"{amount.price:f} / {unit}",
                    _UNPRICED[Unpriced(amount.unpriced)] if amount.fen is None else f"{yuan(amount.fen):,}",
                    duration(amount.unknown_ms) if amount.unknown_ms else "",
                )
    return table


def sums_table(ledger: Ledger, tenants: Sequence[TenantOptions]) -> Table:
    table = _table(
        "租户 tenant", "名称 name", "行数 lines", "运行 running", "占用 occupied", "未知 unknown",
        "件数 pieces", "元 yuan", "未定价 unpriced",
    )  # fmt: skip
    for tenant in tenants:
        lines = ledger.of(tenant.id)
        counts = [line.produced.parts for line in lines if line.produced.parts is not None]
        table.add_row(
            tenant.id,
            tenant.name,
            str(len(lines)),
            duration(sum(line.account.of(MachineState.RUNNING) for line in lines)),
            duration(sum(line.account.of(*KNOWN) for line in lines)),
            duration(sum(line.unknown_ms for line in lines)),
            str(sum(counts)) if counts else "-",
            _sum(lines),
            str(incomplete(lines)) if incomplete(lines) else "",
        )
    return table


def unassigned_table(ledger: Ledger) -> Table:
    """The time of each machine that is nobody's, by reason."""
    table = _table("设备 machine", "原因 reason", "次数 times", "时长 time", "")
    sums: dict[tuple[str, str, str], list[int]] = {}
    for equipment, hold in ledger.unassigned:
        sums.setdefault((equipment, hold.reason, hold.detail), []).append(hold.end_ms - hold.start_ms)
    for (equipment, reason, detail), times in sums.items():
        words = _NOBODY[Nobody(reason)] if reason in set(Nobody) else f"未知 unknown ({reason})"
        table.add_row(equipment, words, str(len(times)), duration(sum(times)), detail)
    return table


def capacity_table(message: Capacity, zone: ZoneInfo) -> Table:
    table = _table("设备类别 class", "台数 machines", "开始 from", "结束 to", "空闲 free", "未知 unknown")
    for one in message.classes:
        unknown = str(one.unknown) if one.unknown else ""
        if not one.free:
            table.add_row(one.kind, str(one.machines), "", "", "0", unknown)
        for window in one.free:
            table.add_row(
                one.kind,
                str(one.machines),
                _clock(window.from_, zone),
                _clock(window.to, zone),
                str(window.machines),
                unknown,
            )
    return table


def duration(ms: int) -> str:
    """`12:30:05.250`: hours, minutes, seconds; milliseconds only where there are some."""
    seconds, rest = divmod(ms, 1000)
    text = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:03}" if rest else text


def _quantity(amount: Amount) -> str:
    if amount.quantity is None:
        return "-"
    if amount.per == "kwh":
        return f"{amount.quantity / 1000:.3f}"
    return duration(amount.quantity) if _PER[amount.per][1] == "小时 h" else str(amount.quantity)


def _gaps(line: Line) -> str:
    return ", ".join(f"{duration(ms)} {state.cause}" for state, ms in line.times(unknown=True))


def _pieces(line: Line) -> str:
    text = "-" if line.produced.parts is None else str(line.produced.parts)
    spanning = line.produced.spanning_parts
    return f"{text} (+{spanning} 跨缺口 spanning)" if spanning else text


def _energy(line: Line) -> str:
    text = "-" if line.energy_wh is None else f"{line.energy_wh / 1000:.3f}"
    spanning = line.produced.spanning_energy_wh
    return f"{text} (+{spanning / 1000:.3f} 跨缺口 spanning)" if spanning else text


def _sum(lines: Sequence[Line]) -> str:
    """The sum of what is priced; with a + where something is not."""
    return f"{yuan(sum(line.fen for line in lines)):,}{'+' if incomplete(lines) else ''}"


def _clock(time_ms: int, zone: ZoneInfo) -> str:
    local = datetime.fromtimestamp(time_ms // 1000, zone)
    return f"{local:%m-%d %H:%M:%S}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
