"""The Modbus driver: reads tag sets over one line, and tells what of it cannot be read."""

import logging
from collections.abc import Sequence

import click

from drivers.modbus.bus import Bus, BusRequest
from drivers.modbus.diagnostics import diagnostics_of, responses_of
from drivers.modbus.endpoint import connect, quiet_time
from drivers.modbus.frames import Request, identify_request
from drivers.modbus.identification import identity_of
from drivers.modbus.line import Line, LineGarbled, LineLost, NoAnswer, Owed, Refused, WrongAnswer
from drivers.modbus.options import MAX_REGISTERS, ModbusConnection, ModbusEquipment, ModbusTag
from drivers.modbus.reading import Block, ModbusTagSet, Reading
from drivers.modbus.statistics import ConnectionStatistics
from edge_agent.driver import (
    ConnectionFailed,
    Diagnostic,
    EquipmentFailed,
    PlannedRequest,
    PolledDriver,
    ProbeResult,
    Responses,
)
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.failure import FailureKind
from edge_agent.model.found import Recogniser
from edge_agent.model.quality import Quality, bad
from edge_agent.model.state import UnknownCause

log = logging.getLogger(__name__)

NOT_THERE = (2, 3)
"""Illegal data address, and illegal data value, which in a request that reads can only be the count."""
GATEWAY_PATH_UNAVAILABLE = 10
GATEWAY_TARGET_FAILED = 11

SILENT_AFTER = 3
"""So many time-outs in a row, from all units, and the connection itself is taken to be dead."""


class ModbusDriver(PolledDriver[ModbusConnection, ModbusEquipment, ModbusTag]):
    """One Modbus TCP connection or serial line. Reads only: functions 1 to 4, and 43 to identify."""

    Connection = ModbusConnection
    Tag = ModbusTag

    def __init__(self, options: ModbusConnection, tag_sets: Sequence[ModbusTagSet]) -> None:
        super().__init__(options, tag_sets)
        self.statistics = ConnectionStatistics()
        serial = options.serial
        self._bus = Bus(options, serial.character) if serial is not None else None
        most_registers = MAX_REGISTERS if self._bus is None else self._bus.registers
        self._readings = {tag_set: Reading(tag_set, most_registers) for tag_set in tag_sets}
        self._planned = [(one, block) for one in tag_sets for block in self._readings[one].blocks]
        """The requests as they are before anything is learnt of the units."""
        self._quiet = quiet_time(options)
        self._line: Line | None = None
        self._owed: Owed = {}
        self._units = {tag_set.equipment.unit for tag_set in tag_sets}
        self._answered_ms = CLOCK.now_ms()
        self._silent: list[int] = []
        """The units that timed out since any unit last answered."""
        log.info(
            "connection %s: %s",
            options.id,
            "; ".join(f"{one.equipment}: {one.what} every {one.period:g} s" for one in self.plan()),
        )

    async def open(self) -> None:
        await self.close()
        self._line = await connect(self.options, self.statistics, self._owed)
        self._silent.clear()

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    def plan(self) -> Sequence[PlannedRequest]:
        """The requests; those on a serial line with the time they take there, the last with the sum."""
        texts = [block.what for _, block in self._planned]
        if self._bus is not None and texts:
            on_bus = self._on_bus()
            texts = [
                f"{text}, {1000 * self._bus.seconds(one):.0f} ms"
                for text, one in zip(texts, on_bus, strict=True)
            ]
            texts[-1] += f"; {self._bus.summary(on_bus)}"
        return [
            _planned(tag_set, block, text)
            for (tag_set, block), text in zip(self._planned, texts, strict=True)
        ]

    def requests(self) -> Sequence[PlannedRequest]:
        """Without what units have refused; that is told at the end, with the reason."""
        read = [
            _planned(tag_set, block, block.what)
            for tag_set, reading in self._readings.items()
            for block in reading.blocks
        ]
        refused = [
            PlannedRequest(
                tag_set.equipment.id,
                tag_set.period,
                f"unit {tag_set.equipment.unit} refuses: {quality.reason}",
                [tag_set.names[index]],
                {"unit": tag_set.equipment.unit},
                {"refused": quality.reason},
            )
            for tag_set, reading in self._readings.items()
            for index, quality in sorted(reading.refused.items())
        ]
        return [*read, *refused]

    async def probe(self) -> ProbeResult:
        """Ask every unit for its identification; few have one, and those that have none may stay silent."""
        identity: dict[str, str] = {}
        for unit in sorted(self._units):
            request = identify_request(unit)
            try:
                pdu = await self._ask(request, self._quiet)
            except (Refused, EquipmentFailed):
                continue
            identity.update({f"unit {unit} {name}": text for name, text in identity_of(pdu).items()})
        return ProbeResult(identity)

    def diagnostics(self) -> Sequence[Diagnostic]:
        serial = self.options.serial
        figures = list(diagnostics_of(self.statistics, serial.character if serial is not None else None))
        if self._bus is not None:
            figures.insert(0, Diagnostic("", "planned_bus_load", 100 * self._bus.load(self._on_bus()), "%"))
        return figures

    def response_times(self) -> Sequence[Responses]:
        return responses_of(self.statistics)

    @classmethod
    def commands(cls) -> click.Group:
        # Only when asked for: `run` does without the tables that they print.
        from drivers.modbus.commands import modbus

        return modbus

    @classmethod
    def recogniser(cls) -> Recogniser:
        from drivers.modbus.recognition import ModbusRecogniser  # as above

        return ModbusRecogniser()

    async def read(self, tag_set: ModbusTagSet) -> Batch:
        reading = self._readings[tag_set]
        if not reading.blocks:
            await self._ask_again(reading)
        while True:
            data: list[bytes] = []
            flaws: dict[int, Quality] = {}
            for block in reading.blocks:
                try:
                    pdu = await self._ask(block.request, reading.pause)
                except Refused as refused:
                    if refused.code in NOT_THERE:
                        await self._isolate(reading, block, refused)
                        break
                    flaws.update(dict.fromkeys(block.run.members, bad(str(refused))))
                    data.append(bytes(block.data_size))
                else:
                    data.append(pdu[2:])
            else:
                return self._batch(reading, b"".join(data), flaws)

    def _on_bus(self) -> list[BusRequest]:
        return [
            BusRequest(block.request, tag_set.period, tag_set.equipment.limits.pause or 0.0)
            for tag_set, block in self._planned
        ]

    def _batch(self, reading: Reading, data: bytes, flaws: dict[int, Quality]) -> Batch:
        values, decoding_flaws = reading.codec.decode(data)
        for index in flaws:
            values[index] = None
        tag_set = reading.tag_set
        return Batch(
            tag_set.equipment.id, self._answered_ms, tag_set.names, values, {**decoding_flaws, **flaws}
        )

    async def _isolate(self, reading: Reading, block: Block, refused: Refused) -> None:
        """Find what it is in `block` that the unit does not have, and plan without it from now on.

        Either some of the tags alone are refused, or each half is read and only what lies between them
        is not: then they are no longer read together.
        """
        if len(block.run.members) == 1:
            reading.refuse(block, bad(str(refused)))
            return
        lower, upper = reading.halves_of(block)
        all_answered = True
        for part in (*lower, *upper):
            try:
                await self._ask(part.request, reading.pause)
            except Refused as refused_part:
                all_answered = False
                if refused_part.code in NOT_THERE:
                    await self._isolate(reading, part, refused_part)
        if all_answered and not reading.cut(block.table, upper[0].run.start):
            reading.refuse(block, bad(str(refused)))

    async def _ask_again(self, reading: Reading) -> None:
        """The unit refuses every tag: see that it is alive, and whether it still refuses."""
        if not reading.refused:
            return
        try:
            await self._ask(reading.block_of(0).request, reading.pause)
        except Refused:
            return
        reading.forget_refusals()

    async def _ask(self, request: Request, pause: float) -> bytes:
        """One exchange, its failures put into the words of the contract. Refusals go on as they are."""
        if self._line is None:
            raise ConnectionFailed(UnknownCause.UNREACHABLE, "the connection is not open")
        unit = request.unit
        try:
            pdu = await self._line.exchange(request, max(self._quiet, pause))
        except Refused as refused:
            self._answered(self._line)
            if refused.code == GATEWAY_PATH_UNAVAILABLE:
                raise EquipmentFailed(
                    UnknownCause.UNREACHABLE,
                    f"the gateway {self.options.endpoint} has no path to unit {unit}",
                    "Is the unit id set up in the gateway?",
                    FailureKind.GATEWAY_NO_PATH,
                ) from refused
            if refused.code == GATEWAY_TARGET_FAILED:
                raise EquipmentFailed(
                    UnknownCause.TIMEOUT,
                    f"unit {unit} does not answer the gateway {self.options.endpoint}",
                    "Is the machine on, and its serial line connected?",
                    FailureKind.GATEWAY_NO_ANSWER,
                ) from refused
            raise
        except NoAnswer as error:
            self._silent.append(unit)
            if self._nobody_answers():
                raise ConnectionFailed(
                    UnknownCause.TIMEOUT,
                    f"{self.options.endpoint} accepts the connection, but answers nothing: {error}",
                    "Is the unit id right? Some devices accept a single connection only.",
                    FailureKind.SILENT,
                ) from error
            raise EquipmentFailed(
                UnknownCause.TIMEOUT,
                str(error),
                "Is the machine on, and the unit id right?",
                FailureKind.NO_ANSWER,
            ) from error
        except WrongAnswer as error:
            raise EquipmentFailed(
                UnknownCause.PROTOCOL_ERROR,
                f"unit {unit} at {self.options.endpoint}: {error}",
                "Do two devices have the same unit id, or does another master use the line?",
                FailureKind.WRONG_ANSWER,
            ) from error
        except LineGarbled as error:
            raise ConnectionFailed(
                UnknownCause.PROTOCOL_ERROR, f"{self.options.endpoint}: {error}", kind=FailureKind.GARBLED
            ) from error
        except LineLost as error:
            raise ConnectionFailed(
                UnknownCause.UNREACHABLE, f"{self.options.endpoint}: {error}", kind=FailureKind.CUT
            ) from error
        self._answered(self._line)
        return pdu

    def _answered(self, line: Line) -> None:
        self._silent.clear()
        self._answered_ms = line.answered_ms

    def _nobody_answers(self) -> bool:
        """Whether a TCP connection looks dead: a serial port cannot be told from one with no unit on."""
        return (
            self.options.serial is None
            and len(self._silent) >= SILENT_AFTER
            and self._units <= set(self._silent)
        )


def _planned(tag_set: ModbusTagSet, block: Block, what: str) -> PlannedRequest:
    request = block.request
    return PlannedRequest(
        tag_set.equipment.id,
        tag_set.period,
        what,
        [tag_set.names[member] for member in block.run.members],
        {
            "unit": request.unit,
            "table": block.table,
            "function": request.function,
            "first": block.run.start,
            "count": block.run.count,
        },
    )
