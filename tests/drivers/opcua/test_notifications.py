"""Publish responses: what our decoder says against what the library's says of the same bytes."""

import struct
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.opcua import notifications
from drivers.opcua.notifications import Changes, Publication, decode
from drivers.opcua.values import Reading, reading

T = ua.VariantType
S: Any = StatusCodes
_status: Any = ua.StatusCode
RANGES = {
    T.SByte: (-(2**7), 2**7 - 1),
    T.Byte: (0, 2**8 - 1),
    T.Int16: (-(2**15), 2**15 - 1),
    T.UInt16: (0, 2**16 - 1),
    T.Int32: (-(2**31), 2**31 - 1),
    T.UInt32: (0, 2**32 - 1),
    T.Int64: (-(2**63), 2**63 - 1),
    T.UInt64: (0, 2**64 - 1),
}
numbers = {kind: st.integers(*limits) for kind, limits in RANGES.items()} | {
    T.Boolean: st.booleans(),
    T.Float: st.floats(width=32),
    T.Double: st.floats(),
}
others = {
    T.String: st.none() | st.text(),
    T.ByteString: st.binary(),
    T.LocalizedText: st.text().map(ua.LocalizedText),
    T.DateTime: st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    T.StatusCode: st.integers(0, 2**32 - 1).map(_status),
}


def _variant(kind: T, value: Any) -> ua.Variant:
    return ua.Variant(value, kind, is_array=isinstance(value, list))


variants = st.one_of(
    *(value.map(partial(_variant, kind)) for kind, value in (numbers | others).items()),
    *(st.lists(numbers[kind]).map(partial(_variant, kind)) for kind in (T.Boolean, T.Int16, T.Double)),
    st.just(ua.Variant()),
)
statuses = st.none() | st.sampled_from([0, 0, 0x80000000, 0x480, 0x40900000]).map(_status)
times = st.none() | st.datetimes(datetime(1601, 1, 1), timezones=st.just(UTC))
data_values = st.builds(
    ua.DataValue, variants, statuses, times, times, st.none() | st.just(7), st.none() | st.just(9)
)


@st.composite
def runs(draw: Any) -> list[ua.DataValue]:
    """Numbers of one kind with the same fields, as servers send them, now and then a flaw among them."""
    kind = draw(st.sampled_from(sorted(numbers, key=lambda k: k.value)))
    status, time = draw(statuses), draw(times)
    values = draw(st.lists(numbers[kind], min_size=1, max_size=60))
    return [ua.DataValue(ua.Variant(value, kind), status, time) for value in values]


entries = st.lists(runs() | st.lists(data_values, max_size=4), max_size=6).map(
    lambda groups: [value for group in groups for value in group]
)


def response(*values: list[ua.DataValue], sequence: int = 1, more: bool = False) -> bytes:
    """A publish response with one notification for each list."""
    told = ua.PublishResponse()
    told.Parameters.SubscriptionId = 3
    told.Parameters.MoreNotifications = more
    told.Parameters.AvailableSequenceNumbers = [1, 2, 3]
    message = told.Parameters.NotificationMessage
    message.SequenceNumber = sequence
    for group in values:
        notification = ua.DataChangeNotification()
        notification.MonitoredItems = [
            ua.MonitoredItemNotification(handle, value) for handle, value in enumerate(group)
        ]
        message.NotificationData.append(notification)
    encoded: bytes = struct_to_binary(told)
    return encoded


def by_library(body: bytes) -> list[tuple[int, Reading]]:
    parameters = struct_from_binary(ua.PublishResponse, Buffer(body)).Parameters
    return [
        (item.ClientHandle, reading(item.Value))
        for notification in parameters.NotificationMessage.NotificationData or ()
        for item in notification.MonitoredItems or ()
    ]


def by_ours(body: bytes) -> list[tuple[int, Reading]]:
    told = []
    for changes in decode(body).message.notifications:
        assert isinstance(changes, Changes)
        for handle, value, source in zip(changes.handles, changes.values, changes.sources, strict=True):
            if isinstance(value, ua.DataValue):
                told.append((handle, reading(value)))
            else:
                told.append((handle, Reading(value, None, source)))
    return told


def same(ours: list[tuple[int, Reading]], theirs: list[tuple[int, Reading]]) -> bool:
    """Equal, and of the same types: True is not 1, 1 is not 1.0."""
    return repr(ours) == repr(theirs)


@settings(max_examples=300, deadline=None)
@given(st.lists(entries, max_size=3))
def test_any_message_reads_as_the_library_reads_it(groups: list[list[ua.DataValue]]) -> None:
    body = response(*groups)
    assert same(by_ours(body), by_library(body))


@settings(max_examples=300, deadline=None)
@given(entries, st.data())
@example([ua.DataValue(ua.Variant(1.5, T.Double))] * 40, None)
def test_a_damaged_message_never_reads_as_another(values: list[ua.DataValue], data: Any) -> None:
    """Whatever is cut off or overwritten: the same readings as the library's, or an error."""
    body = bytearray(response(values))
    if data is not None:
        for _ in range(data.draw(st.integers(1, 3))):
            body[data.draw(st.integers(28, len(body) - 1))] = data.draw(st.integers(0, 255))
        del body[data.draw(st.integers(29, len(body))) :]
    try:
        theirs = by_library(bytes(body))
    except Exception:
        return  # the library has no reading to compare with; that ours ends too is tested below
    assert same(by_ours(bytes(body)), theirs)


@given(st.binary(max_size=200))
def test_garbage_ends_in_an_error_or_a_publication(garbage: bytes) -> None:
    with suppress(Exception):  # the library's own, of many kinds
        assert isinstance(decode(garbage), Publication)


def test_every_cut_of_a_message_is_an_error() -> None:
    whole = response([ua.DataValue(ua.Variant(value, T.Int32), None) for value in range(40)])
    behind_the_values = 4 + 4 + 4
    for length in range(len(whole) - behind_the_values):
        with pytest.raises(Exception):  # noqa: B017, PT011 - the library's own, of many kinds
            decode(whole[:length])


def test_what_stands_around_the_values() -> None:
    publication = decode(response([ua.DataValue(ua.Variant(1, T.Int32))], sequence=77, more=True))
    assert (publication.subscription, publication.more, publication.message.sequence) == (3, True, 77)
    keep_alive = decode(response(sequence=78))
    assert (keep_alive.message.sequence, list(keep_alive.message.notifications)) == (78, [])


def test_an_end_of_the_subscription_comes_as_the_librarys() -> None:
    told = ua.PublishResponse()
    told.Parameters.NotificationMessage.NotificationData = [
        ua.StatusChangeNotification(_status(S.BadTimeout))
    ]
    (notification,) = decode(struct_to_binary(told)).message.notifications
    assert isinstance(notification, ua.StatusChangeNotification)


def test_a_fault_is_raised() -> None:
    told = ua.PublishResponse()
    told.ResponseHeader.ServiceResult = _status(S.BadNoSubscription)
    with pytest.raises(ua.uaerrors.BadNoSubscription):
        decode(struct_to_binary(told))


def test_an_unusual_frame_is_left_to_the_library() -> None:
    told = struct_from_binary(ua.PublishResponse, Buffer(response([ua.DataValue(ua.Variant(5, T.Int32))])))
    told.ResponseHeader.StringTable = ["words"]
    body = struct_to_binary(told)
    assert same(by_ours(body), by_library(body))
    assert len(by_ours(body)) == 1


def test_good_numbers_are_not_left_to_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the decoder would be right and worth nothing."""

    def theirs(*_: object) -> Any:
        raise AssertionError("left to the library")

    monkeypatch.setattr(notifications, "struct_from_binary", theirs)
    now: Any = datetime.now(UTC)
    for kind in numbers:
        values = [ua.DataValue(ua.Variant(1, kind), status, now, now) for status in (None, _status(0))]
        assert len(by_ours(response([values[0]] * 50 + [values[1]] * 50 + values * 3))) == 106
    text = ua.DataValue(ua.Variant("运行", T.String), None, now)
    assert by_ours(response([text] * 3))[2][1].value == "运行"


def test_texts_that_are_not_unicode_are_told_so() -> None:
    body = response([ua.DataValue(ua.Variant("ab", T.String), None)])
    broken = body.replace(struct.pack("<i", 2) + b"ab", struct.pack("<i", 2) + b"\xff\xfe")
    assert same(by_ours(broken), by_library(broken))
    assert by_ours(broken)[0][1].flaw is not None
