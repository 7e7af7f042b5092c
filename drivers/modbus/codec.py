"""Turns the bytes of a unit's answers into the values of a tag set, in bulk.

What to do is worked out once (`Codec`); then each batch is one gather per numpy type, whatever byte and word
orders are mixed in it. Only what is not a number costs Python time of its own: strings, times, texts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from operator import itemgetter
from typing import cast

import numpy as np
from numpy.typing import NDArray

from drivers.modbus.options import BIT_TABLES, ModbusTag
from drivers.modbus.types import NUMBERS, TIMES, Number
from edge_agent.model.batch import Value
from edge_agent.model.quality import Quality, bad, uncertain

INVALID_VALUE = bad("invalid_value")
NOT_FINITE = bad("not_finite")
NOT_BCD = bad("not_bcd")
OUT_OF_RANGE = bad("out_of_range")
NOT_TEXT = bad("not_text")
NOT_A_TIME = bad("not_a_time")
NOT_LISTED = uncertain("not_listed")

Bytes = NDArray[np.uint8]
Flaws = dict[int, Quality]
"""Flaws by column, later by tag."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tag begins in the joined data of all answers: a byte, and a bit for the bit tables."""

    byte: int
    bit: int = 0


@dataclass(frozen=True, slots=True)
class _Member:
    """A tag that is asked for, with its index in the tag set."""

    index: int
    tag: ModbusTag
    place: Place


class Codec:
    """Decodes one tag set from the joined data of its answers.

    `places[i]` is where `tags[i]` begins; None for a tag that is not asked for, whose quality `refused`
    gives.
    """

    def __init__(
        self, tags: Sequence[ModbusTag], places: Sequence[Place | None], refused: Mapping[int, Quality]
    ) -> None:
        self._refused = dict(refused)
        members = [
            _Member(index, tag, place)
            for index, (tag, place) in enumerate(zip(tags, places, strict=True))
            if place is not None
        ]
        bits = [m for m in members if m.tag.type == "bool"]
        groups: dict[tuple[str, bool], list[_Member]] = {}
        for member in members:
            if member.tag.type in NUMBERS:
                groups.setdefault((member.tag.type, not member.tag.is_raw), []).append(member)
        first_column: dict[int, int] = {}
        owners: list[int] = []
        for member in (*bits, *chain.from_iterable(groups.values())):
            first_column[member.index] = len(owners)
            owners.extend([member.index] * (member.tag.count or 1))
        self._bits = _Bits(bits) if bits else None
        self._numbers = [
            _Numbers(NUMBERS[type_name], scaled, group) for (type_name, scaled), group in groups.items()
        ]
        self._owners = owners
        self._singles = [
            (m.index, _single_reader(m.tag, m.place)) for m in members if m.index not in first_column
        ]
        self._arrays = [
            (i, first_column[i], tag.count) for i, tag in enumerate(tags) if tag.count and i in first_column
        ]
        self._texts = [(i, tag.texts) for i, tag in enumerate(tags) if tag.texts and i in first_column]
        nothing = len(owners)
        order = [first_column.get(index, nothing) for index in range(len(tags))]
        self._as_it_comes = order == list(range(len(owners)))
        self._pick: Callable[[list[Value]], tuple[Value, ...]] = (
            itemgetter(*order) if len(order) > 1 else lambda flat: tuple(flat[i] for i in order)
        )

    def decode(self, data: bytes) -> tuple[list[Value], Flaws]:
        """The values of all tags in their order, and the flaws by index."""
        raw = np.frombuffer(data, np.uint8)
        flat = self._bits.values(raw) if self._bits is not None else []
        column_flaws: Flaws = {}
        # What overflows or is no number is found afterwards, and becomes a flaw instead of a warning.
        with np.errstate(all="ignore"):
            for group in self._numbers:
                flat.extend(group.values(raw, len(flat), column_flaws))
        if self._as_it_comes:
            values = flat
        else:
            flat.append(None)
            values = list(self._pick(flat))
        for index, first, count in self._arrays:
            values[index] = cast(Value, flat[first : first + count])  # mypy loses the recursion of Value
        flaws = dict(self._refused)
        for column, flaw in column_flaws.items():
            index = self._owners[column]
            flaws[index] = flaw
            values[index] = None
        for index, texts in self._texts:
            number = values[index]
            if isinstance(number, int):
                text = texts.get(number)
                values[index] = str(number) if text is None else text
                if text is None:
                    flaws[index] = NOT_LISTED
        for index, read in self._singles:
            values[index], flaw_of_single = read(data)
            if flaw_of_single is not None:
                flaws[index] = flaw_of_single
        return values, flaws


class _Bits:
    """Single bits, of bit tables and of registers."""

    def __init__(self, members: Sequence[_Member]) -> None:
        positions: list[int] = []
        for member in members:
            tag, place = member.tag, member.place
            if tag.table in BIT_TABLES:
                start = 8 * place.byte + place.bit
                positions.extend(range(start, start + (tag.count or 1)))
            else:
                bit = tag.bit or 0
                # In the standard order the low byte of a register comes second.
                low = 1 if tag.byte_order == "big" else 0
                positions.append(8 * (place.byte + (low if bit < 8 else 1 - low)) + bit % 8)
        self._bytes = np.array([position // 8 for position in positions])
        self._masks = np.array([1 << position % 8 for position in positions], np.uint8)

    def values(self, raw: Bytes) -> list[Value]:
        values: list[Value] = ((raw[self._bytes] & self._masks) != 0).tolist()
        return values


class _Numbers:
    """Numbers of one type, all scaled or all raw."""

    def __init__(self, number: Number, scaled: bool, members: Sequence[_Member]) -> None:
        self._number = number
        elements = [
            (m.tag, m.place.byte + 2 * number.registers * k) for m in members for k in range(m.tag.count or 1)
        ]
        index = np.array([_byte_positions(tag, number, byte) for tag, byte in elements], np.intp)
        self._index = index
        flat_index = index.ravel()
        start, stop = int(flat_index[0]), int(flat_index[0]) + flat_index.size
        self._slice = slice(start, stop) if np.array_equal(flat_index, np.arange(start, stop)) else None
        self._scale: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None = None
        if scaled:
            # A scale of 0.1 is a division by 10: so 215 becomes 21.5, and not 21.500000000000004.
            ratios = [Fraction(str(tag.scale)) for tag, _ in elements]
            self._scale = (
                np.array([float(ratio.numerator) for ratio in ratios]),
                np.array([float(ratio.denominator) for ratio in ratios]),
                np.array([tag.offset for tag, _ in elements]),
            )
        self._limits: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        if any(tag.minimum is not None or tag.maximum is not None for tag, _ in elements):
            self._limits = (
                np.array([-np.inf if tag.minimum is None else tag.minimum for tag, _ in elements]),
                np.array([np.inf if tag.maximum is None else tag.maximum for tag, _ in elements]),
            )
        pairs = [(column, value) for column, (tag, _) in enumerate(elements) for value in tag.invalid]
        self._invalid: tuple[NDArray[np.intp], NDArray[np.generic]] | None = None
        if pairs:
            self._invalid = (
                np.array([column for column, _ in pairs], np.intp),
                np.array([_as_raw(number, value) for _, value in pairs], _native(number)),
            )

    def values(self, raw: Bytes, first: int, flaws: Flaws) -> list[Value]:
        """The numbers; what is wrong with them goes to `flaws`, the first one being column `first`."""
        part = raw[self._slice] if self._slice is not None else raw[self._index].ravel()
        numbers = part.view(self._number.dtype)
        if self._invalid is not None:
            columns, invalid = self._invalid
            _mark(flaws, first, columns[numbers[columns] == invalid], INVALID_VALUE)
        if self._number.is_bcd:
            numbers, wrong = _from_bcd(numbers.astype(_native(self._number)), self._number.size)
            _mark(flaws, first, np.flatnonzero(wrong), NOT_BCD)
        if self._scale is not None:
            factor, divisor, offset = self._scale
            numbers = numbers.astype(np.float64) * factor / divisor + offset
        if numbers.dtype.kind == "f":
            finite = np.isfinite(numbers)
            if not finite.all():
                _mark(flaws, first, np.flatnonzero(~finite), NOT_FINITE)
        if self._limits is not None:
            low, high = self._limits
            _mark(flaws, first, np.flatnonzero((numbers < low) | (numbers > high)), OUT_OF_RANGE)
        values: list[Value] = numbers.tolist()
        return values


def _mark(flaws: Flaws, first: int, columns: NDArray[np.intp], flaw: Quality) -> None:
    for column in columns.tolist():
        flaws.setdefault(first + column, flaw)


def _native(number: Number) -> np.dtype[np.generic]:
    return np.dtype(number.dtype).newbyteorder("=")


def _as_raw(number: Number, value: int | float) -> int | float:
    """An invalid value as the type reads it: 0x8000 of an int16 is -32768."""
    if isinstance(value, int) and number.is_signed and value >= 1 << (8 * number.size - 1):
        return value - (1 << 8 * number.size)
    return value


def _byte_positions(tag: ModbusTag, number: Number, byte: int) -> list[int]:
    """Where the bytes of a number are, the most significant first."""
    if number.size == 1:
        low = 1 if tag.byte_order == "big" else 0
        return [byte + (low if tag.byte == "low" else 1 - low)]
    return _in_standard_order(tag, byte, number.registers)


def _in_standard_order(tag: ModbusTag, byte: int, registers: int) -> list[int]:
    words = [[byte + 2 * k, byte + 2 * k + 1] for k in range(registers)]
    if tag.word_order == "little":
        words.reverse()
    if tag.byte_order == "little":
        words = [word[::-1] for word in words]
    return [position for word in words for position in word]


def _from_bcd(numbers: NDArray[np.generic], size: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The decimal numbers, and which were none: a digit above nine."""
    shifts = np.arange(0, 8 * size, 4, dtype=numbers.dtype)
    digits = (numbers[:, np.newaxis] >> shifts) & 0xF
    powers = 10 ** np.arange(2 * size, dtype=np.int64)
    return (digits.astype(np.int64) * powers).sum(axis=1), (digits > 9).any(axis=1)


SingleReader = Callable[[bytes], tuple[Value, Quality | None]]


def _single_reader(tag: ModbusTag, place: Place) -> SingleReader:
    """How a string or a time is read."""
    positions = _in_standard_order(tag, place.byte, tag.extent)
    pick = itemgetter(*positions)
    if tag.type in TIMES:
        form = TIMES[tag.type]

        def read_time(data: bytes) -> tuple[Value, Quality | None]:
            try:
                return form.read(bytes(pick(data))), None
            except (ValueError, OverflowError):
                return None, NOT_A_TIME

        return read_time

    def read_string(data: bytes) -> tuple[Value, Quality | None]:
        content, _, _ = bytes(pick(data)).partition(b"\x00")
        try:
            return content.decode(tag.encoding).rstrip(" "), None
        except UnicodeDecodeError:
            return None, NOT_TEXT

    return read_string
