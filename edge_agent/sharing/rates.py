"""What a session costs: the version of the rate table that holds, its hours of the day, whole fen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple

from edge_agent.config.sharing import PRICE_DECIMALS, Per, PriceOptions, RateOptions
from edge_agent.indicators.periods import local_day, local_ms, midnight_ms

Window = tuple[int, int]
"""[start_ms, end_ms)"""


class Unit(NamedTuple):
    """In which whole unit a quantity is counted, and how many of it the price is for."""

    name: str
    per_price: int


UNITS: Mapping[Per, Unit] = {
    "running_hour": Unit("ms", 3_600_000),
    "occupied_hour": Unit("ms", 3_600_000),
    "piece": Unit("piece", 1),
    "good_piece": Unit("piece", 1),
    "kwh": Unit("Wh", 1000),
}


_PRICE_PARTS_PER_FEN = 100
"""A price has four decimals of a yuan."""


@dataclass(frozen=True, slots=True)
class Part:
    """[start_ms, end_ms) of a session, in which one version of the rate table holds, or none."""

    start_ms: int
    end_ms: int
    version: RateOptions | None


def parts(table: Sequence[RateOptions], start_ms: int, end_ms: int, zone: tzinfo) -> list[Part]:
    """A session divided where the version of the rate table changes: at midnight, by the site's clocks."""
    day, last = local_day(start_ms, zone), local_day(end_ms - 1, zone)
    found: list[Part] = []
    reached = start_ms
    for version in sorted(table, key=lambda one: one.first):
        begin = midnight_ms(version.first, zone) if version.first > day else start_ms
        end = midnight_ms(version.last + timedelta(days=1), zone) if version.last < last else end_ms
        begin, end = max(begin, reached), min(end, end_ms)
        if begin < end:
            if reached < begin:
                found.append(Part(reached, begin, None))
            found.append(Part(begin, end, version))
            reached = end
    if reached < end_ms:
        found.append(Part(reached, end_ms, None))
    return found


def windows_of(
    price: PriceOptions, prices: Sequence[PriceOptions], start_ms: int, end_ms: int, zone: tzinfo
) -> list[Window]:
    """What of [start_ms, end_ms) lies in the hours of the day for which `price`, one of `prices`, is."""
    if not price.hours:
        return [(start_ms, end_ms)]
    edges = sorted(
        {minute for one in prices for hours in one.hours for piece in hours.minutes() for minute in piece}
    )
    pieces = sorted(piece for hours in price.hours for piece in hours.minutes())
    found: list[Window] = []
    day, last = local_day(start_ms, zone), local_day(end_ms - 1, zone)
    while day <= last:
        at = dict(zip(edges, _times(day, edges, zone), strict=True))
        for low, high in pieces:
            start, end = max(at[low], start_ms), min(at[high], end_ms)
            if start < end:
                if found and found[-1][1] == start:
                    start = found.pop()[0]
                found.append((start, end))
        day += timedelta(days=1)
    return found


def _times(day: date, minutes: Sequence[int], zone: tzinfo) -> Iterator[int]:
    """When the clocks show these minutes of the day, which ascend; never before the one that came first."""
    reached = midnight_ms(day, zone)
    for minute in minutes:
        local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
        # Within an hour that the clocks leave out, times would go back.
        reached = max(reached, local_ms(local.date(), local.time(), zone))
        yield reached


def cost(price: Decimal, per: Per, quantity: int) -> int:
    """Fen for `quantity` of the unit's whole units: rounded once, half a fen up."""
    dividend = quantity * int(price.scaleb(PRICE_DECIMALS))
    divisor = UNITS[per].per_price * _PRICE_PARTS_PER_FEN
    return (2 * dividend + divisor) // (2 * divisor)
