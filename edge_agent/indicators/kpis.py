"""Key figures of machine time, as ISO 22400-2 and Chinese practice have them: data, and one way to count.

The time model: a machine says what it does, and knows nothing of orders. So of the planned busy time

    running  is APT, actual production time; with setup it is AUPT, actual unit processing time
    alarm    is ADET, actual unit delay time
    all three together are AUBT, actual unit busy time
    idle and off are none of these; nobody knows whether there was an order
    unknown  is none of these either; how much there was is told beside every figure
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Literal

from edge_agent.indicators.accounts import Account
from edge_agent.model.state import MachineState


class Missing(StrEnum):
    """What would be needed to compute a figure, and is not there."""

    CALENDAR = "calendar"
    """The machine has no planned calendar."""
    HOLIDAYS = "holidays"
    """It has, and nobody knows yet which days of the period are public holidays."""
    MACHINE_STATES = "machine_states"
    """The machine's state was unknown all the time."""
    CYCLE_TIME = "cycle_time"
    """Planned run time per item."""
    PRODUCED = "produced_quantity"
    GOOD = "good_quantity"
    ENERGY = "energy"
    PRODUCTION_GAP = "production_gap"
    """It is counted, and the counter was not seen in all the time that the figure is of."""


class Reason(StrEnum):
    """What is wrong with the counts of a figure that has no value."""

    DENOMINATOR_ZERO = "denominator_zero"
    GOOD_NOT_OF_PRODUCED = "good_not_of_produced"
    """More pieces are good than were produced in this time, or fewer than none: some were judged in another
    time than the one they were made in."""


class Element(StrEnum):
    """What figures are made of: milliseconds, Wh, or numbers of pieces, failures."""

    PERIOD = "period"
    POWERED = "powered"
    PBT = "PBT"
    PLANNED_POWERED = "powered_of_PBT"
    APT = "APT"
    AUPT = "AUPT"
    AUBT = "AUBT"
    APT_ADET = "APT+ADET"
    PRU = "PRU"
    PQ = "PQ"
    GQ = "GQ"
    RUNNING = "running"
    ALARM = "alarm"
    FAILURES = "failures"
    PIECES = "pieces"
    """Those of the whole period."""
    ENERGY = "energy"


Base = Literal["period", "planned"]
"""Over which time a figure is counted: all of the period, or the planned busy time within it."""


@dataclass(frozen=True, slots=True)
class Kpi:
    """One key figure: the product of `numerator` over the product of `denominator`."""

    id: str
    zh: str
    en: str
    numerator: tuple[Element, ...]
    denominator: tuple[Element, ...]
    cancelled: tuple[Element, ...] = ()
    """What cancels out of the formula as the standard has it, and has to be known all the same."""
    base: Base = "planned"
    unit: Literal["", "ms", "Wh"] = ""
    """"": a ratio; "ms", "Wh": milliseconds, watt-hours for each of what is in the denominator."""

    @property
    def formula(self) -> str:
        """`PRU × PQ ÷ APT`"""
        below = " × ".join(self.denominator)
        return f"{' × '.join(self.numerator)} ÷ {f'({below})' if len(self.denominator) > 1 else below}"


_E = Element
KPIS = (
    Kpi("availability/iso-22400-2", "可用率", "Availability", (_E.APT,), (_E.PBT,)),
    Kpi("allocation-efficiency/iso-22400-2", "分配效率", "Allocation efficiency", (_E.AUBT,), (_E.PBT,)),
    Kpi("utilization-efficiency/iso-22400-2", "利用效率", "Utilization efficiency", (_E.APT,), (_E.AUBT,)),
    Kpi("technical-efficiency/iso-22400-2", "技术效率", "Technical efficiency", (_E.APT,), (_E.APT_ADET,)),
    Kpi("effectiveness/iso-22400-2", "效能", "Effectiveness", (_E.PRU, _E.PQ), (_E.APT,)),
    Kpi("quality-ratio/iso-22400-2", "合格率", "Quality ratio", (_E.GQ,), (_E.PQ,)),
    # Availability × effectiveness × quality ratio, cancelled: a day without a piece has an OEE of 0.
    Kpi("oee/iso-22400-2", "设备综合效率", "OEE index", (_E.PRU, _E.GQ), (_E.PBT,), (_E.APT, _E.PQ)),
    Kpi("nee/iso-22400-2", "净设备效率", "NEE index", (_E.AUPT, _E.PRU, _E.GQ), (_E.PBT, _E.APT), (_E.PQ,)),
    Kpi(
        "power-on-rate/of-calendar-time",
        "开机率（日历时间）",
        "Power-on rate, of calendar time",
        (_E.POWERED,),
        (_E.PERIOD,),
        base="period",
    ),
    Kpi(
        "power-on-rate/of-planned-time",
        "开机率（计划班次）",
        "Power-on rate, of planned shift time",
        (_E.PLANNED_POWERED,),
        (_E.PBT,),
    ),
    Kpi("time-rate/of-loading-time", "时间稼动率", "Operating time of loading time", (_E.APT,), (_E.PBT,)),
    Kpi(
        "mtbf/per-failure",
        "平均故障间隔时间",
        "Mean operating time between failures",
        (_E.RUNNING,),
        (_E.FAILURES,),
        base="period",
        unit="ms",
    ),
    Kpi(
        "mttr/per-failure",
        "平均修复时间",
        "Mean time to restoration",
        (_E.ALARM,),
        (_E.FAILURES,),
        base="period",
        unit="ms",
    ),
    Kpi(
        "cycle-time/per-part",
        "实际节拍",
        "Actual cycle time",
        (_E.RUNNING,),
        (_E.PIECES,),
        base="period",
        unit="ms",
    ),
    Kpi(
        "energy/per-part",
        "单件能耗",
        "Energy per part",
        (_E.ENERGY,),
        (_E.PIECES,),
        base="period",
        unit="Wh",
    ),
)


@dataclass(frozen=True, slots=True)
class Made:
    """What was made in some time, or why nobody knows."""

    parts: int | Missing = Missing.PRODUCED
    good: int | Missing = Missing.GOOD
    energy_wh: int | Missing = Missing.ENERGY
    spanning: int = 0
    """Pieces of which nobody knows whether they were made in this time; they are in nothing here."""
    unseen_ms: int = 0
    """How much of this time lies before a counter of pieces was first seen, or after it was last seen."""


@dataclass(frozen=True, slots=True)
class Production:
    """What the time is compared with."""

    cycle_time_ms: int | None = None
    """Planned run time per item (PRU), from work orders or configuration; None if nobody told it."""
    planned: Made = Made()
    """In the planned busy time."""
    whole: Made = Made()
    """In the whole period."""


@dataclass(frozen=True, slots=True)
class Computed:
    """`value` is the quotient; None if something is wrong with the counts."""

    kpi: Kpi
    numerator: int
    denominator: int
    unknown_ms: int
    """Time of the figure's base in which the machine's state was unknown."""
    base_ms: int
    spanning: int = 0
    """Pieces that the figure may be short of, see `Made`; 0 if it has nothing to do with pieces."""
    unseen_ms: int = 0
    reason: Reason | None = None

    @property
    def value(self) -> float | None:
        return None if self.reason is not None else self.numerator / self.denominator


@dataclass(frozen=True, slots=True)
class NotComputed:
    kpi: Kpi
    missing: tuple[Missing, ...]
    """In the order of the formula, each once."""


KeyFigure = Computed | NotComputed


def key_figures(
    whole: Account, planned: Account | Missing, failures: int, production: Production
) -> list[KeyFigure]:
    """All of `KPIS` for one machine and period.

    `whole` is the account of the period, `planned` that of the planned busy time within it, or why there is
    none; `failures` is how often the machine went into alarm.
    """
    elements = _of_period(whole, failures) | _of_plan(planned) | _of_production(production)
    return [
        _figure(kpi, elements, whole, production.whole)
        if kpi.base == "period"
        else _figure(kpi, elements, planned, production.planned)
        for kpi in KPIS
    ]


_Known = int | Missing


def _of_period(whole: Account, failures: int) -> dict[Element, _Known]:
    return _or_unknown(
        whole,
        {
            Element.POWERED: _powered(whole),
            Element.RUNNING: whole.of(MachineState.RUNNING),
            Element.ALARM: whole.of(MachineState.ALARM),
            Element.FAILURES: failures,
        },
    ) | {Element.PERIOD: whole.total_ms}


def _of_plan(planned: Account | Missing) -> dict[Element, _Known]:
    if isinstance(planned, Missing):
        elements = (Element.PBT, Element.PLANNED_POWERED, Element.APT, Element.AUPT, Element.AUBT)
        return dict.fromkeys((*elements, Element.APT_ADET), planned)
    running, setup, alarm = MachineState.RUNNING, MachineState.SETUP, MachineState.ALARM
    return _or_unknown(
        planned,
        {
            Element.PLANNED_POWERED: _powered(planned),
            Element.APT: planned.of(running),
            Element.AUPT: planned.of(running, setup),
            Element.AUBT: planned.of(running, setup, alarm),
            Element.APT_ADET: planned.of(running, alarm),
        },
    ) | {Element.PBT: planned.total_ms}


def _of_production(production: Production) -> dict[Element, _Known]:
    cycle_time = production.cycle_time_ms
    return {
        Element.PRU: Missing.CYCLE_TIME if cycle_time is None else cycle_time,
        Element.PQ: production.planned.parts,
        Element.GQ: production.planned.good,
        Element.PIECES: production.whole.parts,
        Element.ENERGY: production.whole.energy_wh,
    }


def _or_unknown(account: Account, elements: Mapping[Element, int]) -> dict[Element, _Known]:
    """`elements` of `account`; nothing is known of a machine that was unknown all the time."""
    if account.times and account.total_ms == account.of(MachineState.UNKNOWN):
        return dict.fromkeys(elements, Missing.MACHINE_STATES)
    return dict(elements)


def _powered(account: Account) -> int:
    return account.of(MachineState.RUNNING, MachineState.IDLE, MachineState.SETUP, MachineState.ALARM)


_PIECES = {Element.PQ, Element.GQ, Element.PIECES}


def _figure(kpi: Kpi, elements: Mapping[Element, _Known], base: Account | Missing, made: Made) -> KeyFigure:
    needed = (*kpi.numerator, *kpi.denominator, *kpi.cancelled)
    missing = tuple(dict.fromkeys(p for p in (elements[e] for e in needed) if isinstance(p, Missing)))
    if missing:
        return NotComputed(kpi, missing)
    unknown_ms, base_ms = (
        (0, 0) if isinstance(base, Missing) else (base.of(MachineState.UNKNOWN), base.total_ms)
    )
    of_pieces = not _PIECES.isdisjoint(needed)
    denominator = prod(int(elements[element]) for element in kpi.denominator)
    reason = None
    if not denominator:
        reason = Reason.DENOMINATOR_ZERO
    elif Element.GQ in needed and not 0 <= int(elements[Element.GQ]) <= int(elements[Element.PQ]):
        reason = Reason.GOOD_NOT_OF_PRODUCED
    return Computed(
        kpi,
        prod(int(elements[element]) for element in kpi.numerator),
        denominator,
        unknown_ms,
        base_ms,
        made.spanning if of_pieces else 0,
        made.unseen_ms if of_pieces else 0,
        reason,
    )
