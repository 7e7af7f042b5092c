"""Records, and the runs in which they are kept: neighbours of one class together, compressed.

A run carries all that is needed to find its place again, so that it can be saved from a damaged file.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from edge_agent.contract.messages import number
from edge_agent.contract.topics import RecordClass

RUN_BYTES = 256 * 1024
"""A run takes no more records from here on: it is read as a whole, whatever is wanted of it."""
_LEVEL = 1
"""Of zlib: a second of telemetry shrinks to a ninth at 270 MB/s. zstd makes a twelfth of it in half the time,
and would be one more library; level 6 makes a twelfth in four times the time."""


class DamagedRunError(Exception):
    """These bytes are no run, or not the one that should be there."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is queued: an encoded message without its number, and how many readings it holds."""

    record_class: RecordClass
    subject: str
    body: bytes
    readings: int = 0
    only: str = ""
    """Id of the one uplink that gets it, whatever that carries; empty: all that carry its class."""


Told = Callable[[Record], bytes]
"""What an uplink tells of a record, as the body of a message."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with the number that it has for one uplink, for good."""

    seq: int
    record: Record
    after: int = 0
    """The number of the record of its class before it, if it may overtake readings; 0: not known, or none."""

    def payload(self, told: Told) -> bytes:
        """The message as it is sent, each time the same."""
        return number(told(self.record), self.seq, self.after)


class Run(msgspec.Struct, array_like=True):
    """Records of one class and the same takers, one after the other: `numbers` are those of the first.

    `from_ms` and `to_ms` are when the first and the last was recorded. `after`: by taker, the number of the
    record of this class before the run, or 0; empty where none is sent.
    """

    record_class: RecordClass
    only: str
    from_ms: int
    to_ms: int
    numbers: dict[str, int]
    subjects: list[str]
    readings: list[int]
    bodies: list[bytes]
    after: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.bodies)

    def add(self, record: Record) -> None:
        self.subjects.append(record.subject)
        self.readings.append(record.readings)
        self.bodies.append(record.body)

    def last(self, uplink: str) -> int:
        """The last number that it has for a taker."""
        return self.numbers[uplink] + len(self) - 1

    def entries(self, uplink: str, after: int, limit: int) -> list[Entry]:
        """Up to `limit` of its entries for `uplink` with numbers above `after`; none if it is no taker."""
        if uplink not in self.numbers:
            return []
        first, before = self.numbers[uplink], self.after.get(uplink)
        start = max(0, after + 1 - first)
        part = slice(start, start + limit)
        columns = zip(self.subjects[part], self.bodies[part], self.readings[part], strict=True)
        return [
            Entry(
                first + index,
                Record(self.record_class, subject, body, readings, self.only),
                0 if before is None else first + index - 1 if index else before,
            )
            for index, (subject, body, readings) in enumerate(columns, start)
        ]

    def goes_on_with(self, other: "Run") -> bool:
        """Whether `other` may be appended: what it has follows what is here for each taker."""
        return (
            self.record_class is other.record_class
            and self.only == other.only
            and {name: self.last(name) + 1 for name in self.numbers} == other.numbers
            and ({name: self.last(name) for name in self.numbers} if self.after else {}) == other.after
            and sum(map(len, self.bodies)) < RUN_BYTES
        )

    def joined(self, other: "Run") -> "Run":
        return Run(
            self.record_class,
            self.only,
            self.from_ms,
            other.to_ms,
            self.numbers,
            self.subjects + other.subjects,
            self.readings + other.readings,
            self.bodies + other.bodies,
            self.after,
        )


_ENCODER = msgspec.msgpack.Encoder()
_RUN = msgspec.msgpack.Decoder(Run)
_RUNS = msgspec.msgpack.Decoder(list[Run])
_ZLIB = b"\x78"
"""All that zlib makes begins with it, and no list in msgpack."""


def joined(runs: Iterable[Run]) -> Iterator[Run]:
    """The same records in as few runs as may be."""
    current: Run | None = None
    for run in runs:
        if current is None:
            current = run
        elif current.goes_on_with(run):
            current = current.joined(run)
        else:
            yield current
            current = run
    if current is not None:
        yield current


def packed(run: Run) -> bytes:
    """A run to be kept; zlib adds a checksum."""
    return zlib.compress(_ENCODER.encode(run), _LEVEL)


def unpacked(content: bytes) -> Run:
    """Raises DamagedRunError."""
    try:
        return _RUN.decode(zlib.decompress(content))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise DamagedRunError(str(error)) from error


def framed(runs: list[Run]) -> bytes:
    """Runs as they stand in the tail: a tenth of the pages are written that way."""
    return zlib.compress(_ENCODER.encode(runs), _LEVEL)


def unframed(content: bytes) -> list[Run]:
    """Raises DamagedRunError."""
    try:
        # A kill of an agent from before tails were compressed has left one that is not.
        return _RUNS.decode(zlib.decompress(content) if content[:1] == _ZLIB else content)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise DamagedRunError(str(error)) from error
