"""What a plant writes of shared machines (共享智造): tenants, how their sessions start, what they pay."""

from collections.abc import Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from edge_agent.config.identity import credit_code
from edge_agent.indicators.calendar_options import (
    DAY_MIN,
    WEEKDAYS,
    CalendarDay,
    ClockTime,
    Weekday,
    minute,
)
from edge_agent.model.options import EquipmentId, Options, TagId

WEEK_DAYS = 7

Per = Literal["running_hour", "occupied_hour", "piece", "good_piece", "kwh"]
"""What a unit price is for. 分时: an hour of running, or one of the session whatever the machine did, both
without the time that is unknown. 计件: a piece, or a good one. 按值: a kilowatt-hour.
"""

PRICE_DECIMALS = 4
_HIGHEST_PRICE = 1_000_000


def _price(value: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _HIGHEST_PRICE:
        # The shortest text that means this float is what was written, up to 15 digits.
        price = Decimal(repr(value))
        if price == round(price, PRICE_DECIMALS):
            return price
    raise ValueError(
        f"expected yuan from 0 to {_HIGHEST_PRICE}, with at most {PRICE_DECIMALS} decimals, such as 0.85"
    )


Price = Annotated[
    Decimal,
    BeforeValidator(_price),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": _HIGHEST_PRICE}),
]
"""Yuan, exact."""


def _told_day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


class Dated(Options):
    """Something that holds from a day on, up to another; both days belong to it."""

    from_: CalendarDay | None = Field(
        default=None, alias="from", description="The first day; default: always"
    )
    until: CalendarDay | None = Field(default=None, description="The last day; default: for ever")

    @property
    def first(self) -> date:
        return self.from_ or date.min

    @property
    def last(self) -> date:
        return self.until or date.max

    @property
    def told_days(self) -> str:
        return f"{_told_day(self.from_)} … {_told_day(self.until)}".strip()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"it ends on {self.until}, before it begins on {self.from_}")
        return self


CreditCode = Annotated[
    str,
    AfterValidator(credit_code),
    WithJsonSchema({"type": "string", "pattern": "^[0-9A-HJ-NP-RTUW-Y]{18}$"}),
]


class TenantOptions(Options):
    """Who uses machines of this site beside its owner (租户)."""

    id: EquipmentId
    name: str = Field(min_length=1)
    credit_code: CreditCode | None = Field(
        default=None, description="Unified social credit code, 18 characters with check digit (GB 32100-2015)"
    )


class WindowOptions(Dated):
    """When a tenant has a machine: on these days of the week, from `start` to `end`.

    It belongs to the day on which it begins; if `end` is not after `start`, it ends on the day after.
    """

    tenant: str = Field(description="Id of a tenant")
    days: tuple[Weekday, ...] = Field(default=WEEKDAYS, min_length=1, description="Default: every day")
    start: ClockTime = Field(default=time(), description="Default: 00:00")
    end: ClockTime = Field(default=time(), description="Default: 00:00, of the next day")

    @property
    def begins(self) -> int:
        """Minute of the day."""
        return minute(self.start)

    @property
    def minutes(self) -> int:
        """From start to end, by the clock."""
        return (minute(self.end) - minute(self.start)) % DAY_MIN or DAY_MIN

    def on(self, day: date) -> bool:
        """Whether it begins on `day`."""
        return self.first <= day <= self.last and WEEKDAYS[day.weekday()] in self.days

    def told(self, day: date) -> str:
        return f"{self.tenant} ({WEEKDAYS[day.weekday()]} {day} {self.start:%H:%M} to {self.end:%H:%M})"


def _overlap(one: WindowOptions, other: WindowOptions) -> str:
    """In words, where `other` begins while `one` lasts; empty if it never does."""
    # Both have begun to recur by then, and what is in a week from there comes again and again.
    first = max(one.first, other.first).toordinal() - 1
    ordinals = range(max(first, 1), min(first + 1 + WEEK_DAYS, date.max.toordinal()) + 1)
    days = [date.fromordinal(ordinal) for ordinal in ordinals]
    for later, pairs in ((0, zip(days, days, strict=True)), (1, pairwise(days))):
        begins = other.begins + later * DAY_MIN
        if one.begins <= begins < one.begins + one.minutes:
            for day, following in pairs:
                if one.on(day) and other.on(following):
                    return f"{one.told(day)} overlaps {other.told(following)}"
    return ""


def _apart(windows: tuple[WindowOptions, ...]) -> tuple[WindowOptions, ...]:
    for one, other in combinations(windows, 2):
        overlap = _overlap(one, other) or _overlap(other, one)
        if overlap:
            raise ValueError(overlap)
    return windows


class SharedMachineOptions(Options):
    """A machine that tenants share, and what tells whose session it is."""

    equipment: EquipmentId = Field(description="As in the asset register")
    sessions: Literal["register", "schedule", "tag"] = Field(
        description="What starts a session: the register's column tenant, the windows here, or the value of a"
        " tag"
    )
    windows: Annotated[tuple[WindowOptions, ...], AfterValidator(_apart)] = Field(
        default=(), description="With sessions: schedule"
    )
    tag: TagId | None = Field(default=None, description="With sessions: tag")
    tenants: dict[str, str] = Field(
        default_factory=dict, description="With sessions: tag. The id of a tenant by value of the tag"
    )
    rates: str | None = Field(default=None, description="Name of a rate table; without one nothing is priced")

    @model_validator(mode="after")
    def _what_belongs_to_it(self) -> Self:
        given = {"windows": bool(self.windows), "tag": self.tag is not None, "tenants": bool(self.tenants)}
        wanted = {"register": (), "schedule": ("windows",), "tag": ("tag", "tenants")}[self.sessions]
        for key, is_there in given.items():
            if key in wanted and not is_there:
                raise ValueError(f"sessions: {self.sessions} needs {key}; it is missing")
            if key not in wanted and is_there:
                raise ValueError(f"{key} is not for sessions: {self.sessions}")
        return self


class HoursOptions(Options):
    """Hours of the day, by the site's clocks; if `end` is not after `start`, over midnight."""

    start: ClockTime
    end: ClockTime

    def minutes(self) -> Iterator[tuple[int, int]]:
        """What of a day it is: one piece, or two."""
        start, end = minute(self.start), minute(self.end) or DAY_MIN
        yield from [(start, end)] if start < end else [(0, end), (start, DAY_MIN)]


class PriceOptions(Options):
    """One line of a rate table."""

    per: Per
    price: Price = Field(description="Yuan, with at most 4 decimals")
    name: str = Field(default="", description="Free text, for people: 峰, 平, 谷")
    hours: tuple[HoursOptions, ...] = Field(
        default=(), description="Hours of the day for which the price is; default: all"
    )


def _whole_day(prices: tuple[PriceOptions, ...]) -> tuple[PriceOptions, ...]:
    """Refuse prices for the same thing that overlap, or that leave hours without one."""
    for per in dict.fromkeys(price.per for price in prices):
        pieces = sorted(
            piece
            for price in prices
            if price.per == per
            for hours in price.hours or (None,)
            for piece in (hours.minutes() if hours is not None else [(0, DAY_MIN)])
        )
        reached = 0
        for start, end in [*pieces, (DAY_MIN, DAY_MIN)]:
            if start != reached:
                found, low, high = (
                    ("no price", reached, start)
                    if start > reached
                    else ("more than one", start, min(reached, end))
                )
                raise ValueError(
                    f"expected one price per {per} at each time of the day;"
                    f" there is {found} from {_clock(low)} to {_clock(high)}"
                )
            reached = end
    return prices


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


class RateOptions(Dated):
    """One version of a rate table (费率表): unit prices, and the days for which they are."""

    version: int = Field(ge=1)
    prices: Annotated[tuple[PriceOptions, ...], AfterValidator(_whole_day)] = Field(min_length=1)


def _one_at_a_time(versions: tuple[RateOptions, ...]) -> tuple[RateOptions, ...]:
    for one, other in combinations(versions, 2):
        if one.version == other.version:
            raise ValueError(f"expected each version with a number of its own; {one.version} comes twice")
        if one.first <= other.last and other.first <= one.last:
            raise ValueError(
                f"version {one.version} ({one.told_days}) and version {other.version} ({other.told_days})"
                " hold on the same days"
            )
    return versions


RateTable = Annotated[
    tuple[RateOptions, ...], Field(min_length=1, description="Its versions"), AfterValidator(_one_at_a_time)
]


class SharingOptions(Options):
    """Machines that tenants share (共享智造)."""

    tenants: tuple[TenantOptions, ...] = Field(min_length=1)
    machines: tuple[SharedMachineOptions, ...] = Field(min_length=1)
    rates: dict[EquipmentId, RateTable] = Field(default_factory=dict, description="Rate tables by name")
    publish_capacity: bool = Field(
        default=False, description="Send how many machines of each class are free in the next 7 days"
    )

    def tenant_named(self, text: str) -> str:
        """The id of the tenant that `text` means, by id or name; empty if it is none."""
        return next((one.id for one in self.tenants if text in (one.id, one.name)), "")

    def rates_of(self, machine: SharedMachineOptions) -> Sequence[RateOptions]:
        return self.rates[machine.rates] if machine.rates is not None else ()
