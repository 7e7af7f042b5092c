"""Requests and their frames: what goes onto the line, and how answers are found in what comes back.

Source: Modbus Application Protocol V1.1b3; Modbus over Serial Line V1.02; Modbus Messaging on TCP/IP V1.0b.
There is no function here that writes, and a `Request` that does anything but read cannot be made.
"""

import struct
from abc import ABC, abstractmethod
from binascii import unhexlify
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FUNCTIONS: Final[Mapping[str, int]] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
IDENTIFY: Final = 43
IDENTIFICATION_KIND: Final = 14
"""Function 43 has other kinds; one of them, for CANopen, can write."""
READING_FUNCTIONS: Final = frozenset({*FUNCTIONS.values(), IDENTIFY})

EXCEPTIONS: Final[Mapping[int, str]] = {
    1: "illegal_function",
    2: "illegal_data_address",
    3: "illegal_data_value",
    4: "server_device_failure",
    5: "acknowledge",
    6: "server_device_busy",
    8: "memory_parity_error",
    10: "gateway_path_unavailable",
    11: "gateway_target_failed_to_respond",
}
MAX_PDU = 253


def exception_name(code: int) -> str:
    return EXCEPTIONS.get(code, f"exception_{code}")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a unit. `answer_size` is the size of the answering PDU; None where it varies.

    Raises ValueError for a PDU that does anything but read.
    """

    unit: int
    pdu: bytes
    answer_size: int | None

    def __post_init__(self) -> None:
        reads = self.function in FUNCTIONS.values()
        if not reads and self.pdu[:2] != bytes((IDENTIFY, IDENTIFICATION_KIND)):
            raise ValueError(f"function {self.function} does not read")

    @property
    def function(self) -> int:
        return self.pdu[0]

    @property
    def start(self) -> int:
        """The first address of a read; 0 for another request."""
        return int.from_bytes(self.pdu[1:3], "big") if self.function != IDENTIFY else 0

    @property
    def count(self) -> int:
        """How many addresses a read asks for; 0 for another request."""
        return int.from_bytes(self.pdu[3:5], "big") if self.function != IDENTIFY else 0


def read_request(unit: int, table: str, start: int, count: int) -> Request:
    """Read `count` addresses of a table, at most 125 registers or 2,000 bits."""
    function = FUNCTIONS[table]
    data_size = 2 * count if function in (3, 4) else (count + 7) // 8
    return Request(unit, struct.pack(">BHH", function, start, count), 2 + data_size)


def identify_request(unit: int, *, regular: bool = False) -> Request:
    """Read the basic device identification: vendor, product code, revision; or the `regular` one, which
    few units have: names of product, model and application as well."""
    return Request(unit, bytes((IDENTIFY, IDENTIFICATION_KIND, 2 if regular else 1, 0)), None)


@dataclass(frozen=True, slots=True)
class Frame:
    """An undamaged frame. `on_time` is False where the framing knows that it answers an earlier request."""

    unit: int
    pdu: bytes
    on_time: bool = True


class OutOfFrame(Exception):
    """The stream can no longer be cut into frames; only a new connection helps."""


class Framing(ABC):
    """How PDUs are wrapped. Keeps what has come of a frame that is not yet whole."""

    has_transactions = False
    """Whether a late answer can be told from the awaited one."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.damaged = 0
        """Frames whose checksum was wrong, or that broke off."""

    def begin(self, request: Request) -> bytes:
        """The frame of `request`, which goes out now: what has come until here is no part of its answer."""
        if self._buffer:
            self.damaged += 1
            self._buffer.clear()
        return self._wrap(bytes((request.unit,)) + request.pdu)

    def size(self, pdu_size: int) -> int:
        """How many bytes the frame of a PDU has."""
        return len(self._wrap(bytes(1 + pdu_size)))

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @abstractmethod
    def next_frame(self) -> Frame | None:
        """Take the next frame out of what was fed. Raises OutOfFrame."""

    @abstractmethod
    def _wrap(self, body: bytes) -> bytes:
        """The frame of `body`, which is the unit and the PDU."""


class TcpFraming(Framing):
    """Modbus TCP: a header with transaction id and length."""

    has_transactions = True

    def __init__(self) -> None:
        super().__init__()
        self._transaction = 0

    def begin(self, request: Request) -> bytes:
        """The rest of a late answer may still come, and is known by its transaction id."""
        self._transaction = self._transaction % 0xFFFF + 1
        return self._wrap(bytes((request.unit,)) + request.pdu)

    def next_frame(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < 8:
            return None
        transaction, protocol, length, unit = struct.unpack_from(">HHHB", buffer)
        if protocol != 0 or not 2 <= length <= MAX_PDU + 1:
            raise OutOfFrame(f"no Modbus TCP header: {buffer[:8].hex(' ')}")
        if len(buffer) < 6 + length:
            return None
        pdu = bytes(buffer[7 : 6 + length])
        del buffer[: 6 + length]
        return Frame(unit, pdu, on_time=transaction == self._transaction)

    def _wrap(self, body: bytes) -> bytes:
        return struct.pack(">HHH", self._transaction, 0, len(body)) + body


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(data: bytes | bytearray) -> bytes:
    """The CRC of a serial frame, in the order in which it travels."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


class RtuFraming(Framing):
    """Modbus RTU: unit, PDU, CRC, and silence between frames.

    Silence is lost in operating systems and networks, so the length of a frame is taken from its content.
    Whatever stands where a frame should begin counts only if its CRC is right. After noise, only a frame of
    the awaited unit is looked for: with a checksum of 16 bits, every other guess would be right too often.
    """

    def __init__(self) -> None:
        super().__init__()
        self._awaited: Request | None = None
        self._hunting = False
        """Whether there was noise since the request went out; it is counted."""

    def begin(self, request: Request) -> bytes:
        if self._hunting:
            self._buffer.clear()
        self._hunting = False
        self._awaited = request
        return super().begin(request)

    def _wrap(self, body: bytes) -> bytes:
        return body + crc16(body)

    def next_frame(self) -> Frame | None:
        buffer, awaited = self._buffer, self._awaited
        at = 0
        while len(buffer) - at >= _RTU_MIN:
            is_awaited = awaited is not None and buffer[at] == awaited.unit
            size = _rtu_size(buffer, at) if is_awaited or (at == 0 and not self._hunting) else None
            if size is not None and len(buffer) >= at + size:
                body = bytes(buffer[at : at + size - 2])
                if crc16(body) == buffer[at + size - 2 : at + size]:
                    del buffer[: at + size]
                    return Frame(body[0], body[1:])
                if at == 0:
                    self.damaged += not self._hunting
                    self._hunting = True
                    del buffer[0]
                    continue
            elif at == 0 and _is_beginning(buffer, awaited):
                return None
            at += 1
        if len(buffer) > 2 * _RTU_MAX:
            del buffer[:-_RTU_MAX]
        return None


_RTU_MIN = 5
_RTU_MAX = 1 + MAX_PDU + 2


def _is_beginning(buffer: bytearray, awaited: Request | None) -> bool:
    """Whether the buffer begins like the awaited answer, so that the rest of it is worth waiting for."""
    if awaited is None or awaited.answer_size is None or len(buffer) < 3:
        return False
    return buffer[:3] == bytes((awaited.unit, awaited.function, awaited.answer_size - 2))


def _rtu_size(buffer: bytearray, at: int) -> int | None:
    """Size of the answer that begins at `at`, CRC included; None if none can, or not enough has come."""
    function = buffer[at + 1]
    if function & 0x80:
        return 5 if function & 0x7F in READING_FUNCTIONS else None
    if function == IDENTIFY:
        return _identification_size(buffer, at)
    return 5 + buffer[at + 2] if function in READING_FUNCTIONS else None


def _identification_size(buffer: bytearray, at: int) -> int | None:
    """Unit, function, kind, code, conformity, more, next, number of objects; then id, length, text each."""
    if len(buffer) < at + 8 or buffer[at + 2] != IDENTIFICATION_KIND:
        return None
    place = at + 8
    for _ in range(buffer[at + 7]):
        if len(buffer) < place + 2:
            return None
        place += 2 + buffer[place + 1]
    return place + 2 - at


class AsciiFraming(Framing):
    """Modbus ASCII: a colon, unit, PDU and LRC as hexadecimal digits, CR LF."""

    def _wrap(self, body: bytes) -> bytes:
        return b":" + (body + _lrc(body)).hex().upper().encode() + b"\r\n"

    def next_frame(self) -> Frame | None:
        buffer = self._buffer
        while (end := buffer.find(b"\r\n")) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 2]
            _, colon, digits = line.rpartition(b":")
            try:
                content = unhexlify(digits)
            except ValueError:
                content = b""
            if colon and len(content) >= 4 and _lrc(content[:-1]) == content[-1:]:
                return Frame(content[0], content[1:-1])
            self.damaged += 1
        if len(buffer) > 4 * (MAX_PDU + 3):
            buffer.clear()
        return None


def _lrc(data: bytes) -> bytes:
    return bytes((-sum(data) & 0xFF,))
