"""Payloads, built metric by metric."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError

from edge_agent.model.batch import Value
from edge_agent.model.quality import Quality, QualityLevel
from edge_agent.uplinks.sparkplug.node import NOT_HEARD, Metric, Taken
from edge_agent.uplinks.sparkplug.schema import Payload
from edge_agent.uplinks.sparkplug.values import DataType, put

REBIRTH = "Node Control/Rebirth"
BIRTH_NUMBER = "bdSeq"
UNIT, QUALITY, REASON = "engUnit", "Quality", "reason"
"""Keys of properties: the unit, the specification's quality, and the agent's words for it."""

_BAD, _GOOD, _STALE = 0, 192, 500
_UNTOLD = DataType.DOUBLE
"""What a metric is said to be as long as no value has told: most are numbers."""


def death(birth_number: int, time_ms: int) -> bytes:
    """NDEATH."""
    payload = Payload(timestamp=time_ms)
    _add_birth_number(payload, birth_number, time_ms)
    return bytes(payload.SerializeToString())


def node_birth(
    metrics: Iterable[Metric], birth_number: int, birth_alias: int, seq: int, time_ms: int
) -> bytes:
    """NBIRTH."""
    payload = Payload(timestamp=time_ms, seq=seq)
    _add_births(payload, metrics, time_ms, stale=False)
    _add_birth_number(payload, birth_number, time_ms).alias = birth_alias
    # Without an alias, so that whoever comes can ask for it without having seen this.
    payload.metrics.add(name=REBIRTH, timestamp=time_ms, datatype=DataType.BOOLEAN, boolean_value=False)
    return bytes(payload.SerializeToString())


def device_birth(metrics: Iterable[Metric], seq: int, time_ms: int, *, stale: bool) -> bytes:
    """DBIRTH; `stale`: the device cannot be heard at the moment."""
    payload = Payload(timestamp=time_ms, seq=seq)
    _add_births(payload, metrics, time_ms, stale=stale)
    return bytes(payload.SerializeToString())


def device_death(seq: int, time_ms: int) -> bytes:
    """DDEATH."""
    return bytes(Payload(timestamp=time_ms, seq=seq).SerializeToString())


def data(taken: Iterable[tuple[Taken, bool]], seq: int, time_ms: int, *, historical: bool) -> bytes:
    """NDATA or DDATA. With each reading stands whether its quality is told though it is good."""
    payload = Payload(timestamp=time_ms, seq=seq)
    for one, with_quality in sorted(taken, key=lambda pair: pair[0].reading.time_ms):
        reading = one.reading
        metric = payload.metrics.add(alias=one.metric.alias, timestamp=reading.time_ms)
        if historical or one.late:
            metric.is_historical = True
        put(metric, one.metric.datatype or _UNTOLD, reading.value)
        if reading.flaw is not None or with_quality:
            _add_quality(metric, reading.flaw)
    return bytes(payload.SerializeToString())


def asks_for_rebirth(content: bytes) -> bool:
    """Whether an NCMD asks for all births. Raises ValueError if it is no payload."""
    try:
        payload = Payload.FromString(content)
    except DecodeError as error:
        raise ValueError(f"not a Sparkplug payload: {error}") from None
    return any(metric.name == REBIRTH and metric.boolean_value for metric in payload.metrics)


def _add_births(payload: Any, metrics: Iterable[Metric], time_ms: int, *, stale: bool) -> None:
    # The specification wants them in the order of their times.
    for one in sorted(metrics, key=lambda metric: metric.time_ms or time_ms):
        datatype = one.datatype or _UNTOLD
        metric = payload.metrics.add(
            name=one.name, alias=one.alias, timestamp=one.time_ms or time_ms, datatype=datatype
        )
        put(metric, datatype, one.value)
        if one.unit:
            _add_property(metric, UNIT, DataType.STRING, one.unit)
        quality = one.quality or (NOT_HEARD if stale else None)
        if quality is not None:
            _add_quality(metric, quality)


def _add_birth_number(payload: Any, number: int, time_ms: int) -> Any:
    return payload.metrics.add(
        name=BIRTH_NUMBER, timestamp=time_ms, datatype=DataType.INT64, long_value=number
    )


def _add_quality(metric: Any, flaw: Quality | None) -> None:
    """Good, bad, or stale for what has not been heard. There is no code for uncertain: it counts as bad, and
    the reason says that it may still be right."""
    code = _GOOD if flaw is None else _STALE if flaw is NOT_HEARD else _BAD
    _add_property(metric, QUALITY, DataType.INT32, code)
    _add_property(metric, REASON, DataType.STRING, _reason(flaw))


def _reason(flaw: Quality | None) -> str:
    if flaw is None:
        return ""
    doubtful = flaw.level is QualityLevel.UNCERTAIN and flaw is not NOT_HEARD
    return f"uncertain: {flaw.reason}" if doubtful else flaw.reason


def _add_property(metric: Any, key: str, datatype: DataType, value: Value) -> None:
    metric.properties.keys.append(key)
    added = metric.properties.values.add(type=datatype)
    if datatype is DataType.STRING:
        added.string_value = value
    else:
        added.int_value = value
