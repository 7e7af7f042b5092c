"""A serial line as far as time goes: how long requests keep it busy, and how large they may be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drivers.modbus.endpoint import framing_of, quiet_time, silence_between_frames
from drivers.modbus.frames import Framing, Request, read_request
from drivers.modbus.options import MAX_REGISTERS, ModbusConnection

TRANSMISSION_SHARE = 0.5
"""Of the time limit for an answer, what request and answer may spend on the line; the rest is the unit's."""


@dataclass(frozen=True, slots=True)
class BusRequest:
    """A request that is made again and again: every `period`, after a silence of `pause`, both in seconds."""

    request: Request
    period: float
    pause: float


class Bus:
    """The serial line of a connection."""

    def __init__(self, options: ModbusConnection, character: float) -> None:
        """`character` is how many seconds one takes."""
        self._framing: Framing = framing_of(options)
        self._character = character
        self._gap = silence_between_frames(character)
        self._quiet = quiet_time(options)
        self.registers = self._most_registers(TRANSMISSION_SHARE * options.timeout)
        """So many registers a request may ask for, that the answer can be there within the time limit."""

    def seconds(self, one: BusRequest) -> float:
        """How long the line is taken at least: silence, request, silence, answer. What the unit needs to
        think comes on top."""
        return max(self._quiet, one.pause) + self._gap + self._transmission(one.request)

    def summary(self, requests: Sequence[BusRequest]) -> str:
        """What `round` and `load` say, as a text for the plan."""
        load = self.load(requests)
        text = f"the line: at least {1000 * self.round(requests):.0f} ms a round, {load:.0%} busy"
        return text if load < 1 else f"{text}: TOO MUCH, lengthen periods or raise the baudrate"

    def round(self, requests: Iterable[BusRequest]) -> float:
        """Seconds that one of each of `requests` takes."""
        return sum(self.seconds(one) for one in requests)

    def load(self, requests: Iterable[BusRequest]) -> float:
        """The share of the time that `requests` keep the line busy."""
        return sum(self.seconds(one) / one.period for one in requests)

    def _transmission(self, request: Request) -> float:
        sizes = (len(request.pdu), request.answer_size or 0)
        return sum(self._framing.size(size) for size in sizes) * self._character

    def _most_registers(self, seconds: float) -> int:
        fitting = (
            count
            for count in range(MAX_REGISTERS, 1, -1)
            if self._transmission(read_request(1, "holding", 0, count)) <= seconds
        )
        return next(fitting, 1)
