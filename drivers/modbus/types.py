"""The types that registers can hold: numbers as numpy reads them, and the date/time forms of meters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

TypeName = Literal[
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
    "bcd16",
    "bcd32",
    "bcd64",
    "string",
    "time_unix",
    "time_iec870",
    "time_words",
    "time_bcd",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric type: its big-endian numpy dtype, and how many registers it takes."""

    dtype: str
    registers: int
    is_bcd: bool = False

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.dtype[-1])

    @property
    def is_float(self) -> bool:
        return "f" in self.dtype

    @property
    def is_signed(self) -> bool:
        return "i" in self.dtype


NUMBERS: Mapping[str, Number] = {
    "int8": Number(">i1", 1),
    "uint8": Number(">u1", 1),
    "int16": Number(">i2", 1),
    "uint16": Number(">u2", 1),
    "int32": Number(">i4", 2),
    "uint32": Number(">u4", 2),
    "int64": Number(">i8", 4),
    "uint64": Number(">u8", 4),
    "float16": Number(">f2", 1),
    "float32": Number(">f4", 2),
    "float64": Number(">f8", 4),
    "bcd16": Number(">u2", 1, is_bcd=True),
    "bcd32": Number(">u4", 2, is_bcd=True),
    "bcd64": Number(">u8", 4, is_bcd=True),
}


@dataclass(frozen=True, slots=True)
class TimeForm:
    """A date/time form: how many registers it takes, and its text in ISO 8601.

    `read` takes the bytes in standard order and raises ValueError when they are no date.
    """

    registers: int
    read: Callable[[bytes], str]


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def _unix(data: bytes) -> str:
    return datetime.fromtimestamp(int.from_bytes(data, "big"), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _iec870(data: bytes) -> str:
    """IEC 60870-5-4 as four registers: year; month and day; hour and minute; milliseconds of the minute."""
    year, month_day, hour_minute, milliseconds = _words(data)
    if hour_minute & 0x80:
        raise ValueError("the meter says that its time is invalid")
    minute = datetime(
        2000 + (year & 0x7F),
        (month_day >> 8) & 0x0F,
        month_day & 0x1F,
        (hour_minute >> 8) & 0x1F,
        hour_minute & 0x3F,
    )
    if milliseconds > 59_999:
        raise ValueError("more milliseconds than a minute has")
    return (minute + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")


def _one_word_each(data: bytes) -> str:
    """Six registers: year, month, day, hour, minute, second."""
    year, month, day, hour, minute, second = _words(data)
    return datetime(year, month, day, hour, minute, second).isoformat()


def _bcd(data: bytes) -> str:
    """Six BCD bytes in three registers: YY MM DD hh mm ss."""
    return datetime.strptime("20" + data.hex(), "%Y%m%d%H%M%S").isoformat()


TIMES: Mapping[str, TimeForm] = {
    "time_unix": TimeForm(2, _unix),
    "time_iec870": TimeForm(4, _iec870),
    "time_words": TimeForm(6, _one_word_each),
    "time_bcd": TimeForm(3, _bcd),
}
