"""The ledger (使用台账): each session of a period with its times, pieces, energy and amounts."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from edge_agent.config.sharing import Per, PriceOptions, RateOptions, SharedMachineOptions, SharingOptions
from edge_agent.indicators.accounts import Account, Timeline
from edge_agent.model.equipment import Register
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.sharing.holds import Hold, by_register, by_schedule, by_tag
from edge_agent.sharing.production import Produced, Production
from edge_agent.sharing.rates import Window, cost, parts, windows_of
from edge_agent.states.tracker import Interval

KNOWN = tuple(state for state in MachineState if state is not MachineState.UNKNOWN)
_ORDER = {state: place for place, state in enumerate(MachineState)}


class Unpriced(StrEnum):
    """Why a line, or one amount of it, has no price."""

    NO_RATES = "no_rates"
    """The machine names no rate table."""
    NO_VERSION = "no_version"
    """No version of the rate table holds then."""
    PIECES_NOT_COUNTED = "pieces_not_counted"
    """Nobody counts them, or the counter was not seen in all that time."""
    GOOD_NOT_COUNTED = "good_not_counted"
    ENERGY_NOT_COUNTED = "energy_not_counted"


class Records(Protocol):
    """What the data folder has on record. All methods may raise sqlite3.Error."""

    def registers(self) -> Sequence[tuple[int, Register]]:
        """From when on which register was in force, oldest first."""

    def recorded(self, equipment: str, from_ms: int, to_ms: int) -> Sequence[Hold]:
        """What a tag said of whose the machine was, by start; open ones last until `to_ms`."""

    def intervals_of(self, equipment: str, from_ms: int, to_ms: int) -> Iterable[Interval]: ...


@dataclass(frozen=True, slots=True)
class Amount:
    """What one price of the rate table comes to."""

    per: Per
    price: Decimal
    """Yuan."""
    name: str
    quantity: int | None
    """In whole units, see `rates.UNITS`; None if nothing counts it."""
    fen: int | None
    """None without a quantity."""
    unpriced: str
    """Why there is none; empty if there is."""
    unknown_ms: int
    """How much of the hours for which the price is was unknown: no quantity has anything of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A session of one tenant on one machine, as far as it lies in the period and one version of the rate
    table holds.
    """

    equipment: str
    tenant: str
    sessions: str
    """How it started: by register, schedule or tag."""
    start_ms: int
    end_ms: int
    begun_before: bool
    """The session began before the period or this version."""
    goes_on: bool
    """It goes on after them."""
    account: Account
    produced: Produced
    rates: str
    version: int | None
    amounts: tuple[Amount, ...]
    unpriced: str
    """Why the whole line has no price; empty if it has."""
    evidence: str
    """SHA-256 (hex) of what `evidence` says, as JSON with sorted keys and without blanks."""

    @property
    def fen(self) -> int:
        """The sum of what is priced."""
        return sum(amount.fen or 0 for amount in self.amounts)

    @property
    def complete(self) -> bool:
        """Whether everything in it is priced."""
        return not self.unpriced and all(amount.fen is not None for amount in self.amounts)

    @property
    def unknown_ms(self) -> int:
        return self.account.of(MachineState.UNKNOWN)

    @property
    def energy_wh(self) -> int | None:
        return watt_hours(self.produced)

    def times(self, *, unknown: bool) -> list[tuple[StateWithCause, int]]:
        """Milliseconds by state as they are listed everywhere: where the state is unknown, or is known."""
        wanted = [
            item for item in self.account.times.items() if (item[0].state is MachineState.UNKNOWN) is unknown
        ]
        return sorted(wanted, key=lambda item: (_ORDER[item[0].state], -item[1], item[0].cause))


@dataclass(frozen=True, slots=True)
class Ledger:
    """Whose the shared machines were in [from_ms, to_ms), and what that costs.

    Of each machine, the lines and what is unassigned have no gap and no overlap.
    """

    from_ms: int
    to_ms: int
    lines: tuple[Line, ...]
    """By machine as they are configured, and time."""
    unassigned: tuple[tuple[str, Hold], ...]
    """The time of each equipment that is nobody's."""

    def of(self, tenant: str) -> list[Line]:
        return [line for line in self.lines if line.tenant == tenant]


def make_ledger(
    sharing: SharingOptions,
    records: Records,
    production: Production,
    zone: tzinfo,
    from_ms: int,
    to_ms: int,
) -> Ledger:
    """The ledger of [from_ms, to_ms), which is over: of the future nothing is on record.

    Raises sqlite3.Error.
    """
    lines: list[Line] = []
    unassigned: list[tuple[str, Hold]] = []
    registers = records.registers()
    for machine in sharing.machines:
        # A little more than is asked for shows whether a session began before, and goes on.
        holds = _holds(machine, sharing, records, registers, zone, from_ms - 1, to_ms + 1)
        timeline = Timeline.of(records.intervals_of(machine.equipment, from_ms, to_ms))
        for hold in holds:
            start, end = max(hold.start_ms, from_ms), min(hold.end_ms, to_ms)
            if start >= end:
                continue
            if not hold.tenant:
                unassigned.append((machine.equipment, Hold(start, end, "", hold.reason, hold.detail)))
                continue
            for part in parts(sharing.rates_of(machine), start, end, zone):
                lines.append(
                    _line(
                        machine, hold, (part.start_ms, part.end_ms), part.version, timeline, production, zone
                    )
                )
    return Ledger(from_ms, to_ms, tuple(lines), tuple(unassigned))


def _holds(
    machine: SharedMachineOptions,
    sharing: SharingOptions,
    records: Records,
    registers: Sequence[tuple[int, Register]],
    zone: tzinfo,
    from_ms: int,
    to_ms: int,
) -> list[Hold]:
    name = machine.equipment
    if machine.sessions == "schedule":
        return by_schedule(machine.windows, from_ms, to_ms, zone)
    if machine.sessions == "tag":
        return by_tag(records.recorded(name, from_ms, to_ms), from_ms, to_ms)
    listed = [(start, register.by_id.get(name)) for start, register in registers]
    versions = [(start, entry.tenant if entry is not None else "") for start, entry in listed]
    return by_register(versions, sharing, from_ms, to_ms)


def _line(
    machine: SharedMachineOptions,
    hold: Hold,
    window: Window,
    version: RateOptions | None,
    timeline: Timeline,
    production: Production,
    zone: tzinfo,
) -> Line:
    account = timeline.total(*window)
    produced = production.produced(machine.equipment, [window])
    amounts = (
        tuple(_priced(version, machine.equipment, window, timeline, production, zone))
        if version is not None
        else ()
    )
    reason = "" if version is not None else Unpriced.NO_VERSION if machine.rates else Unpriced.NO_RATES
    return Line(
        equipment=machine.equipment,
        tenant=hold.tenant,
        sessions=machine.sessions,
        start_ms=window[0],
        end_ms=window[1],
        begun_before=hold.start_ms < window[0],
        goes_on=window[1] < hold.end_ms,
        account=account,
        produced=produced,
        rates=machine.rates or "",
        version=version.version if version is not None else None,
        amounts=amounts,
        unpriced=reason,
        evidence=digest(evidence(machine.equipment, window, timeline, produced)),
    )


def _priced(
    version: RateOptions,
    equipment: str,
    window: Window,
    timeline: Timeline,
    production: Production,
    zone: tzinfo,
) -> Iterator[Amount]:
    for price in version.prices:
        windows = windows_of(price, version.prices, *window, zone)
        made = production.produced(equipment, windows)
        yield _amount(price, Account.pooled(timeline.within(windows)), made)


def _amount(price: PriceOptions, account: Account, made: Produced) -> Amount:
    quantities: Mapping[Per, tuple[int | None, str]] = {
        "running_hour": (account.of(MachineState.RUNNING), ""),
        "occupied_hour": (account.of(*KNOWN), ""),
        "piece": (made.parts, Unpriced.PIECES_NOT_COUNTED),
        "good_piece": (made.good, Unpriced.GOOD_NOT_COUNTED),
        "kwh": (watt_hours(made), Unpriced.ENERGY_NOT_COUNTED),
    }
    quantity, missing = quantities[price.per]
    return Amount(
        per=price.per,
        price=price.price,
        name=price.name,
        quantity=quantity,
        fen=None if quantity is None else cost(price.price, price.per, quantity),
        unpriced=missing if quantity is None else "",
        unknown_ms=account.of(MachineState.UNKNOWN),
    )


def watt_hours(produced: Produced) -> int | None:
    """The energy in whole watt-hours, half a one up."""
    if produced.energy_kwh is None:
        return None
    return int((Decimal(repr(produced.energy_kwh)) * 1000).quantize(Decimal(1), ROUND_HALF_UP))


def evidence(equipment: str, window: Window, timeline: Timeline, produced: Produced) -> dict[str, Any]:
    """What a line stands on: the states of the machine one after the other, and what was counted."""
    return {
        "equipment": equipment,
        "from": window[0],
        "to": window[1],
        "states": _states(timeline, window),
        "parts": produced.parts,
        "good": produced.good,
        "energy_wh": watt_hours(produced),
        "spanning_parts": produced.spanning_parts,
        "spanning_energy_wh": produced.spanning_energy_wh,
    }


def _states(timeline: Timeline, window: Window) -> list[list[int | str]]:
    """Start, end, state and cause, one after the other, from end to end of the window. Neighbours differ,
    however the time is divided that the history keeps.
    """
    low = int(np.searchsorted(timeline.starts, window[0], "right")) - 1
    high = int(np.searchsorted(timeline.starts, window[1], "left"))
    codes = timeline.codes[low:high]
    changes = np.flatnonzero(np.diff(codes)) + 1
    starts = [window[0], *timeline.starts[low + changes].tolist()]
    words = [(state.state.value, state.cause) for state in timeline.states]
    following = zip(starts, [*starts[1:], window[1]], [codes[0], *codes[changes].tolist()], strict=True)
    return [[start, end, *words[code]] for start, end, code in following]


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of whole numbers and texts as canonical JSON."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
