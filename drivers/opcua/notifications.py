"""Publish responses from bytes: data changes in bulk, everything else by the library.

A message of data changes is mostly runs of numbers of one type, each entry as long as the one before. Such
runs are read by numpy at once, single entries of that kind by `struct`, and entries of any other kind (a
status that is not good, arrays, structures, ...) by the library, one by one. A message whose frame is not
the usual one goes to the library whole. Encoding: OPC 10000-6, 5.2.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import extensionobject_from_binary, struct_from_binary

from drivers.opcua.values import epoch_ms

Plain: TypeAlias = bool | int | float | str
"""What needs no further look: a good status, finite, and text that is UTF-8."""


@dataclass(slots=True)
class Changes:
    """Data changes, column by column, in the order of the message; the three lists are of one length.

    A value is plain, or the library's DataValue where there is more to say; a DataValue brings its source
    time itself, and the one beside it is None. Source times are epoch milliseconds.
    """

    handles: list[int] = field(default_factory=list)
    values: "list[Plain | ua.DataValue]" = field(default_factory=list)
    sources: list[int | None] = field(default_factory=list)

    def add(self, handle: int, value: "Plain | ua.DataValue", source: int | None) -> None:
        self.handles.append(handle)
        self.values.append(value)
        self.sources.append(source)


class Message(NamedTuple):
    """One notification message; one without notifications is a keep-alive."""

    sequence: int
    """Its number; in a keep-alive that of the next message."""
    notifications: Sequence[object]
    """Changes, and the library's own for events and changes of the subscription's status."""


class Publication(NamedTuple):
    """One publish response."""

    subscription: int
    more: bool
    """Whether the server has further messages ready."""
    message: Message


_PUBLISH_RESPONSE = b"\x01\x00" + struct.pack("<H", ObjectIds.PublishResponse_Encoding_DefaultBinary)
_DATA_CHANGE = b"\x01\x00" + struct.pack("<H", ObjectIds.DataChangeNotification_Encoding_DefaultBinary)
_HEADER_TAIL = bytes(1 + 4 + 3)
"""No diagnostics, no string table, no additional header."""
_EMPTY_TABLE = b"\x00\xff\xff\xff\xff\x00\x00\x00"
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_EXTENSION = struct.Struct("<4sBi")

_STATUS, _SOURCE, _SERVER, _SOURCE_PICO, _SERVER_PICO = 0x02, 0x04, 0x08, 0x10, 0x20
_TYPES = {1: "?", 2: "b", 3: "B", 4: "<h", 5: "<H", 6: "<i", 7: "<I", 8: "<q", 9: "<Q", 10: "<f", 11: "<d"}
_FLOATS = {10, 11}
_TEXT = 12
_EPOCH_TICKS = 116_444_736_000_000_000
"""1970-01-01 in steps of 100 ns since 1601-01-01, in which the protocol counts time."""
_FIRST_TICKS = 10
"""Less than a microsecond after its zero is no time."""
_LAST_TICKS = 2_650_467_743_990_000_000
"""9999-12-31 23:59:59: from here on the protocol means "for ever"."""


class _Tail(NamedTuple):
    """Sizes of what follows a text."""

    status: int
    source: int


_TEXT_TAILS = {0x01: _Tail(0, 0), 0x03: _Tail(4, 0), 0x05: _Tail(0, 8), 0x07: _Tail(4, 8)}
"""By DataValue mask."""
_RUN = 16
"""Entries of one layout from which numpy pays."""


class _Layout(NamedTuple):
    """Entries of one DataValue mask and one scalar type: all of one size."""

    size: int
    entry: struct.Struct
    """handle, value, status, source time; the last two are 0 bytes long where the mask has none."""
    run: np.dtype[np.void]
    has_status: bool
    has_source: bool
    floats: bool
    boolean: bool


def _layout(mask: int, kind: int) -> _Layout | None:
    if kind not in _TYPES or not mask & 0x01 or mask & 0xC0:
        return None
    code = _TYPES[kind].strip("<")
    entry = "<I2x" + code
    fields = [("handle", "<u4"), ("layout", "<u2"), ("value", "u1" if code == "?" else _TYPES[kind])]
    for bit, name, letter, dtype in (
        (_STATUS, "status", "I", "<u4"),
        (_SOURCE, "source", "q", "<i8"),
        (_SOURCE_PICO, "source_pico", "2x", "<u2"),
        (_SERVER, "server", "8x", "<i8"),
        (_SERVER_PICO, "server_pico", "2x", "<u2"),
    ):
        if mask & bit:
            entry += letter
            fields.append((name, dtype))
    compiled = struct.Struct(entry)
    return _Layout(
        compiled.size,
        compiled,
        np.dtype(fields),
        bool(mask & _STATUS),
        bool(mask & _SOURCE),
        kind in _FLOATS,
        kind == 1,
    )


_LAYOUTS = {
    mask | kind << 8: layout
    for mask in range(0x40)
    for kind in _TYPES
    if (layout := _layout(mask, kind)) is not None
}
"""By the two bytes after the handle, as a little-endian number."""


def decode(body: bytes) -> Publication:
    """A publish response from its body, the part after the sequence header.

    Raises UaStatusCodeError for a fault that the server tells, and whatever the library raises for what is
    no publish response.
    """
    try:
        publication = _usual(body)
    except (struct.error, IndexError, ValueError):
        publication = None  # cut short somewhere: the library has its own words for that
    return publication if publication is not None else _by_library(body)


def message_of(message: ua.NotificationMessage) -> Message:
    """A notification message that the library has decoded."""
    return Message(
        int(message.SequenceNumber),
        [
            _changes_of(each) if isinstance(each, ua.DataChangeNotification) else each
            for each in message.NotificationData or ()
        ],
    )


def _by_library(body: bytes) -> Publication:
    response = struct_from_binary(ua.PublishResponse, Buffer(body))
    response.ResponseHeader.ServiceResult.check()
    result = response.Parameters
    return Publication(
        int(result.SubscriptionId), bool(result.MoreNotifications), message_of(result.NotificationMessage)
    )


def _changes_of(notification: ua.DataChangeNotification) -> Changes:
    changes = Changes()
    for item in notification.MonitoredItems or ():
        changes.add(int(item.ClientHandle), item.Value, None)
    return changes


def _usual(body: bytes) -> Publication | None:
    """None if the frame is not the usual one. Raises struct.error, IndexError or ValueError."""
    # Type, timestamp (8), request handle (4), service result (4), then what `_HEADER_TAIL` names.
    if body[:4] != _PUBLISH_RESPONSE or body[16:20] != bytes(4):
        return None
    if body[20:28] not in (_HEADER_TAIL, _EMPTY_TABLE):
        return None
    (subscription,) = _U32.unpack_from(body, 28)
    (available,) = _I32.unpack_from(body, 32)
    at = 36 + 4 * max(available, 0)
    more = body[at] != 0
    (sequence,) = _U32.unpack_from(body, at + 1)
    (count,) = _I32.unpack_from(body, at + 13)
    at += 17
    notifications: list[object] = []
    for _ in range(count):
        kind, encoding, size = _EXTENSION.unpack_from(body, at)
        if encoding != 1 or size < 0 or at + 9 + size > len(body):
            return None
        end = at + 9 + size
        if kind == _DATA_CHANGE:
            notifications.append(_data_changes(body, at + 9, end))
        else:
            notifications.append(extensionobject_from_binary(Buffer(body, at, 9 + size)))
        at = end
    return Publication(subscription, more, Message(sequence, notifications))


def _data_changes(body: bytes, at: int, end: int) -> Changes:
    """The changes between `at` and `end`. Raises struct.error, IndexError or ValueError."""
    changes = Changes()
    (left,) = _I32.unpack_from(body, at)
    at += 4
    while left > 0:
        layout = _LAYOUTS.get(body[at + 4] | body[at + 5] << 8)
        if layout is None:
            at = _other(body, at, end, changes)
            left -= 1
            continue
        taken = 1
        handle, value, *rest = layout.entry.unpack_from(body, at)
        status = rest[0] if layout.has_status else 0
        ticks = rest[-1] if layout.has_source else None
        if status or (layout.floats and not math.isfinite(value)):
            changes.add(handle, _data_value(body[at + 5], value, status, ticks), None)
        elif left >= _RUN and _goes_on(body, at, end, layout):
            taken = _run(body, at, min(left, (end - at) // layout.size), layout, changes)
        else:
            changes.add(handle, value, _source_ms(ticks))
        at += taken * layout.size
        left -= taken
        if at > end:
            raise ValueError("entries beyond the end of the notification")
    return changes


def _goes_on(body: bytes, at: int, end: int, layout: _Layout) -> bool:
    """Whether the entries after the one at `at` look like it; `_run` looks closer."""
    ahead = at + (_RUN - 1) * layout.size + 4
    return ahead + 2 <= end and body[ahead : ahead + 2] == body[at + 4 : at + 6]


def _run(body: bytes, at: int, most: int, layout: _Layout, changes: Changes) -> int:
    """Take good entries of `layout` from `at` on, at most `most`; returns how many there were.

    The first is known to be one.
    """
    entries = np.frombuffer(body, layout.run, most, at)
    other = entries["layout"] != entries["layout"][0]
    if layout.has_status:
        other |= entries["status"] != 0
    if layout.floats:
        other |= ~np.isfinite(entries["value"])
    if other.any():
        # Ends before the first entry that is anything else; behind one of another size there are no entries.
        entries = entries[: int(other.argmax())]
    values = entries["value"]
    changes.handles += entries["handle"].tolist()
    changes.values += (values != 0).tolist() if layout.boolean else values.tolist()
    if layout.has_source:
        ticks = entries["source"]
        if int(ticks.min()) >= _FIRST_TICKS and int(ticks.max()) < _LAST_TICKS:
            changes.sources += ((ticks - _EPOCH_TICKS) // 10_000).tolist()
        else:
            changes.sources += [_source_ms(each) for each in ticks.tolist()]
    else:
        changes.sources += [None] * len(entries)
    return len(entries)


def _data_value(kind: int, value: object, status: int, ticks: int | None) -> ua.DataValue:
    """What the library makes of a number that is not good."""
    code: Any = status  # the library asks for types of its own, and needs none
    time: Any = None if ticks is None else ua.win_epoch_to_datetime(ticks)
    return ua.DataValue(ua.Variant(value, ua.VariantType(kind)), ua.StatusCode(code), time)


def _other(body: bytes, at: int, end: int, changes: Changes) -> int:
    """Take one entry of any kind; returns where the next one begins."""
    (handle,) = _U32.unpack_from(body, at)
    tail = _TEXT_TAILS.get(body[at + 4]) if body[at + 5] == _TEXT else None
    if tail is not None:
        (length,) = _I32.unpack_from(body, at + 6)
        after = at + 10 + length
        if length >= 0 and after + tail.status + tail.source <= end:
            text = _text(body[at + 10 : after])
            status = int.from_bytes(body[after : after + tail.status], "little")
            after += tail.status
            ticks = int.from_bytes(body[after : after + tail.source], "little", signed=True)
            if text is not None and not status:
                changes.add(handle, text, _source_ms(ticks if tail.source else None))
                return int(after + tail.source)
    buffer = Buffer(body, at + 4, end - at - 4)
    changes.add(handle, struct_from_binary(ua.DataValue, buffer), None)
    behind: int = buffer.cur_pos
    return behind


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _source_ms(ticks: int | None) -> int | None:
    if ticks is None:
        return None
    if _FIRST_TICKS <= ticks < _LAST_TICKS:
        return (ticks - _EPOCH_TICKS) // 10_000
    time: datetime = ua.win_epoch_to_datetime(ticks)
    return epoch_ms(time)
