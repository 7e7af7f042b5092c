"""One connection to one or more units: one request at a time, and an answer that is truly its own."""

import asyncio
import time
from typing import cast

from drivers.modbus.debts import Debts
from drivers.modbus.frames import (
    Frame,
    Framing,
    OutOfFrame,
    Request,
    exception_name,
)
from drivers.modbus.statistics import ConnectionStatistics
from edge_agent.model.clock import CLOCK

Owed = dict[int, Debts]
"""By unit, what it has not answered in time. Serial framings only."""


class LineLost(Exception):
    """The connection is gone."""


class LineGarbled(LineLost):
    """What comes can no longer be understood; the connection was cut."""


class NoAnswer(Exception):
    """The unit did not answer in time."""


class WrongAnswer(Exception):
    """What came is not the answer to the request. `kind` names the flaw: wrong_length."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Refused(Exception):
    """The unit answered with an exception."""

    def __init__(self, code: int) -> None:
        super().__init__(exception_name(code))
        self.code = code


class Line(asyncio.Protocol):
    """The client side of a connection; of no more use once it is lost."""

    def __init__(
        self, framing: Framing, timeout: float, statistics: ConnectionStatistics, owed: Owed
    ) -> None:
        """`owed` outlives the line: a serial device server hands a late answer to the next connection."""
        self._loop = asyncio.get_running_loop()
        self._framing = framing
        self._timeout = timeout
        self._statistics = statistics
        self._transport: asyncio.WriteTransport | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._awaited: Request | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._suspect: WrongAnswer | None = None
        """What came on a serial line instead of the answer, which may still come."""
        self._owed = owed
        self._refusals_are_late = False
        """Whether the request is one that the unit does not refuse."""
        self._refused_late = False
        self._last_activity = 0.0
        self.answered_ms = CLOCK.now_ms()
        """When the latest answer came."""

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not all event loops derive their transports from asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._closed.done():
            self._closed.set_result(None)
        self._fail(LineLost(f"the connection was closed{f': {exc}' if exc else ' by the other side'}"))

    def data_received(self, data: bytes) -> None:
        self._statistics.bytes_in += len(data)
        self._last_activity = time.monotonic()
        framing = self._framing
        framing.feed(data)
        try:
            while (frame := framing.next_frame()) is not None:
                self._take(frame)
        except OutOfFrame as error:
            self._fail(LineGarbled(str(error)))
            if self._transport is not None:
                self._transport.abort()
        if framing.damaged:
            self._statistics.damaged += framing.damaged
            framing.damaged = 0

    # What the driver calls

    async def exchange(self, request: Request, pause: float = 0.0) -> bytes:
        """Send `request` after `pause` seconds of silence, and give the answering PDU.

        Calls are never concurrent. Raises NoAnswer, WrongAnswer, Refused and LineLost.
        """
        debts = self._owed.get(request.unit)
        if debts:
            await self._get_in_step(debts, request, pause)
        return await self._exchange(request, pause)

    async def close(self) -> None:
        """Close at once. Safe twice."""
        if self._transport is not None:
            self._transport.abort()
            await asyncio.wait([self._closed])

    # How it works

    async def _exchange(self, request: Request, pause: float) -> bytes:
        if pause and (left := self._last_activity + pause - time.monotonic()) > 0:
            await asyncio.sleep(left)
        if self._transport is None or self._transport.is_closing():
            raise LineLost("the connection is closed")
        statistics = self._statistics.units[request.unit]
        frame = self._framing.begin(request)
        self._suspect = None
        self._awaited = request
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._answer = answer
        sent = self._last_activity = time.monotonic()
        self._transport.write(frame)
        statistics.requests += 1
        self._statistics.bytes_out += len(frame)
        limit = self._loop.call_later(self._timeout, self._fail, NoAnswer())
        try:
            pdu = await answer
        except NoAnswer:
            statistics.timeouts += 1
            if self._suspect is not None:
                raise self._suspect from None
            raise NoAnswer(f"unit {request.unit} did not answer within {self._timeout:g} s") from None
        except Refused as refused:
            statistics.exceptions[str(refused)] += 1
            raise
        finally:
            limit.cancel()
            self._awaited = self._answer = None
            if not self._framing.has_transactions:
                self._book(request, answer)
        statistics.answers += 1
        statistics.response_times.add(self._last_activity - sent)
        return pdu

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _take(self, frame: Frame) -> None:
        """Decide what a frame is: the awaited answer, a wrong one, or one that comes too late."""
        awaited, answer = self._awaited, self._answer
        if awaited is None or answer is None or answer.done() or not frame.on_time:
            self._statistics.units[frame.unit].errors["late"] += 1
            return
        if frame.unit != awaited.unit:
            self._wrong("wrong_unit", frame, f"unit {frame.unit} answered for unit {awaited.unit}")
        elif frame.pdu[0] == awaited.function | 0x80 and len(frame.pdu) == 2:
            if self._refusals_are_late:
                self._refused_late = True
                self._statistics.units[frame.unit].errors["late"] += 1
                return
            self.answered_ms = CLOCK.now_ms()
            answer.set_exception(Refused(frame.pdu[1]))
        elif frame.pdu[0] != awaited.function:
            self._wrong("wrong_function", frame, f"asked with {awaited.function}, got {frame.pdu[0]}")
        elif awaited.answer_size is not None and not (
            len(frame.pdu) == awaited.answer_size and frame.pdu[1] == awaited.answer_size - 2
        ):
            self._wrong("wrong_length", frame, f"{len(frame.pdu)} bytes instead of {awaited.answer_size}")
        else:
            self.answered_ms = CLOCK.now_ms()
            answer.set_result(frame.pdu)

    def _wrong(self, kind: str, frame: Frame, message: str) -> None:
        debts = self._owed.get(frame.unit)
        if debts is not None and debts.includes(len(frame.pdu)):
            self._statistics.units[frame.unit].errors["late"] += 1
            return
        self._statistics.units[frame.unit].errors[kind] += 1
        error = WrongAnswer(kind, message)
        if self._framing.has_transactions:
            self._fail(error)
        else:
            self._suspect = error

    # Serial framings only: answers that are owed

    def _book(self, request: Request, answer: asyncio.Future[bytes]) -> None:
        """Note what came of `request`. A refusal may be a late one, so it proves nothing."""
        debts = self._owed.setdefault(request.unit, Debts())
        failure = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        if failure is None:
            debts.answered(request)
        elif not isinstance(failure, Refused):
            debts.add(request)

    async def _get_in_step(self, debts: Debts, request: Request, pause: float) -> None:
        question = debts.question(request)
        if not debts.knows_an_address:
            try:
                await self._exchange(question, pause)
            except Refused:
                await self._tell_refusals_apart(debts, request, pause)
            return
        self._refusals_are_late, self._refused_late = True, False
        try:
            await self._exchange(question, pause)
        except NoAnswer:
            if self._refused_late:
                debts.forget_address()  # perhaps the unit no longer has it: find another way next time
            raise
        finally:
            self._refusals_are_late = False

    async def _tell_refusals_apart(self, debts: Debts, request: Request, pause: float) -> None:
        try:
            await self._exchange(debts.other_question(request), pause)
        except NoAnswer:
            debts.silent()
            raise
        except Refused:
            pass
        debts.settled()
