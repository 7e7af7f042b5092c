"""Finds out which units answer on a connection, and which addresses one unit has. Reads only."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from drivers.modbus.endpoint import connect, quiet_time
from drivers.modbus.frames import Request, identify_request, read_request
from drivers.modbus.identification import identity_of
from drivers.modbus.line import Line, LineLost, NoAnswer, Owed, Refused, WrongAnswer
from drivers.modbus.options import BIT_TABLES, ModbusConnection, Table
from drivers.modbus.statistics import ConnectionStatistics
from edge_agent.driver import ConnectionFailed, EquipmentFailed
from edge_agent.model.state import UnknownCause

GATEWAY_EXCEPTIONS = (10, 11)
"""The gateway says that it does not reach the unit: nobody answered."""
ILLEGAL_FUNCTION = 1
LOST_IN_A_ROW = 5
CHUNK = 64
"""Addresses of one request. A power of two: halves never cut a value that lies at a multiple of its size."""


class Asker:
    """Asks over a line that is opened again when it is lost: some devices cut it at what they do not like."""

    def __init__(self, options: ModbusConnection) -> None:
        self.statistics = ConnectionStatistics()
        self._options = options
        self._owed: Owed = {}
        self._line: Line | None = None
        self._lost = 0

    async def ask(self, request: Request) -> bytes:
        """The answering PDU. Raises Refused, NoAnswer and ConnectionFailed."""
        if self._line is None:
            self._line = await connect(self._options, self.statistics, self._owed)
        try:
            answer = await self._line.exchange(request, quiet_time(self._options))
        except WrongAnswer as error:
            raise NoAnswer(str(error)) from error
        except LineLost as error:
            await self.close()
            self._lost += 1
            if self._lost < LOST_IN_A_ROW:
                raise NoAnswer(str(error)) from error
            raise ConnectionFailed(
                UnknownCause.PROTOCOL_ERROR,
                f"{self._options.endpoint}: {error}, {LOST_IN_A_ROW} times in a row",
                "Is this a Modbus port, and no other client connected? With TLS, give --tls or --ca.",
            ) from error
        except Refused:
            self._lost = 0
            raise
        self._lost = 0
        return answer

    def answered_late(self) -> set[int]:
        """Units from which something came that was too late, or not what had been asked for."""
        return {unit for unit, statistics in self.statistics.units.items() if statistics.errors}

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()


@asynccontextmanager
async def asking(options: ModbusConnection) -> AsyncIterator[Asker]:
    asker = Asker(options)
    try:
        yield asker
    finally:
        await asker.close()


@dataclass(frozen=True, slots=True)
class FoundUnit:
    """A unit that answers. `answer` is what holding register 0 holds, or why it cannot be read."""

    unit: int
    answer: str
    said: Mapping[str, str] = field(default_factory=dict)
    """Its identification, by name."""
    readable: bool = False
    """Whether holding register 0 can be read."""

    @property
    def identity(self) -> str:
        return " ".join(self.said.values())


LATE = "late"
"""In place of an answer: the unit's came after the time limit."""


@dataclass(slots=True)
class UnitScan:
    """What is known so far; `asked` is the last unit that had its turn."""

    asked: int | None = None
    found: list[FoundUnit] = field(default_factory=list)


async def scan_units(asker: Asker, first: int, last: int, scan: UnitScan, step: Callable[[], None]) -> None:
    """Ask the units `first` to `last` for one register each; any answer at all proves a unit.

    Fills `scan` on the way and calls `step` after each unit. Raises ConnectionFailed.
    """
    for unit in range(first, last + 1):
        if (found := await look_for(asker, unit)) is not None:
            scan.found.append(found)
        scan.asked = unit
        step()
    late = asker.answered_late() - {one.unit for one in scan.found}
    scan.found.extend(FoundUnit(unit, LATE) for unit in sorted(late))


async def look_for(asker: Asker, unit: int) -> FoundUnit | None:
    """Ask one unit for a register and for who it is; None if nobody answers. Raises ConnectionFailed."""
    readable = True
    try:
        answer = str(int.from_bytes((await asker.ask(read_request(unit, "holding", 0, 1)))[2:], "big"))
    except Refused as refused:
        if refused.code in GATEWAY_EXCEPTIONS:
            return None
        answer, readable = str(refused), False
    except NoAnswer:
        return None
    try:
        identity = identity_of(await asker.ask(identify_request(unit)))
    except (Refused, NoAnswer):
        identity = {}
    return FoundUnit(unit, answer, identity, readable)


@dataclass(slots=True)
class AddressScan:
    """What is known so far of a table: the raw value by address, and how many addresses are settled."""

    table: Table
    found: dict[int, int] = field(default_factory=dict)
    settled: int = 0
    refusal: str = ""
    """Why the whole table was given up."""

    def ranges(self) -> list[tuple[int, int]]:
        """The addresses found, as first and last of each run."""
        runs: list[tuple[int, int]] = []
        for address in sorted(self.found):
            if runs and runs[-1][1] == address - 1:
                runs[-1] = runs[-1][0], address
            else:
                runs.append((address, address))
        return runs


class AddressScanner:
    """Scans tables of one unit by halving: a range that is refused is asked for in two parts."""

    def __init__(self, asker: Asker, unit: int, step: Callable[[int], None]) -> None:
        """`step` is called with how many more addresses are settled."""
        self._asker = asker
        self._unit = unit
        self._step = step
        self._answered: Request | None = None

    async def scan(self, scan: AddressScan, first: int, last: int, chunk: int) -> None:
        """Fill `scan` with the addresses `first` to `last`, asking for at most `chunk` at once.

        Raises ConnectionFailed, and EquipmentFailed when the unit falls silent.
        """
        for start in range(first, last + 1, chunk):
            await self._part(scan, start, min(chunk, last + 1 - start))
            if scan.refusal:
                return

    async def _part(self, scan: AddressScan, start: int, count: int) -> None:
        request = read_request(self._unit, scan.table, start, count)
        try:
            pdu = await self._ask(request)
        except Refused as refused:
            if refused.code == ILLEGAL_FUNCTION:
                scan.refusal = str(refused)
                return
            pdu = None
        if pdu is None and count > 1:
            lower = count // 2
            await self._part(scan, start, lower)
            if not scan.refusal:
                await self._part(scan, start + lower, count - lower)
            return
        if pdu is not None:
            scan.found.update(enumerate(_values(pdu, scan.table, count), start))
            self._answered = request
        scan.settled += count
        self._step(count)

    async def _ask(self, request: Request) -> bytes | None:
        """The answer; None if the unit is silent about this request, and not about the last one answered."""
        for _ in range(2):
            try:
                return await self._asker.ask(request)
            except NoAnswer as error:
                silence = error
        if self._answered is not None:
            try:
                await self._asker.ask(self._answered)
            except NoAnswer as error:
                silence = error
            else:
                return None
        raise EquipmentFailed(
            UnknownCause.TIMEOUT,
            str(silence),
            "Is the unit id right? Some units are silent about addresses that they do not have: begin with"
            " --first at one that they have.",
        ) from silence


def _values(pdu: bytes, table: Table, count: int) -> list[int]:
    data = pdu[2:]
    if table in BIT_TABLES:
        return [data[k // 8] >> k % 8 & 1 for k in range(count)]
    return [int.from_bytes(data[2 * k : 2 * k + 2], "big") for k in range(count)]
