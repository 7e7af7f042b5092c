"""Each assertion of the specification that says something of an edge node, checked on a whole life of one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from edge_agent.uplinks.sparkplug.schema import Payload
from tests.field.sparkplug.assertions import CHECKS, COUNT, NOT_APPLICABLE
from tests.field.sparkplug.bench import GROUP, NODE
from tests.field.sparkplug.scenario import Evidence, played
from tests.field.sparkplug.tap import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE
from tests.house.documents import ROOT


@pytest.fixture(scope="module", params=["5", "3.1.1"])
def evidence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return played(tmp_path_factory.mktemp("life"), request.param)


@pytest.mark.parametrize("name", CHECKS)
def test_assertion(evidence: Evidence, name: str) -> None:
    CHECKS[name](evidence)


def test_each_assertion_is_checked_or_there_is_a_reason() -> None:
    others = [name for names in NOT_APPLICABLE.values() for name in names]
    assert len({*CHECKS, *others}) == len(CHECKS) + len(others) == COUNT


def test_the_page_says_how_many_are_checked() -> None:
    page = " ".join((ROOT / "docs" / "sparkplug.md").read_text(encoding="utf-8").split())
    others = sum(map(len, NOT_APPLICABLE.values()))
    assert f"the {COUNT} testable assertions" in page
    assert f"{len(CHECKS)} concern an edge node" in page
    assert f"the other {others} do not apply" in page


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return played(tmp_path_factory.mktemp("life"), "5")


def spoilt(payload: Any) -> None:
    """Nothing of a payload is as it should be."""
    payload.ClearField("seq")
    payload.timestamp = 1
    for metric in payload.metrics:
        metric.ClearField("alias")
        metric.name, metric.datatype, metric.timestamp = "Same", 99, 1 << 50
        metric.is_null = not metric.is_null
        metric.is_historical = False
        metric.properties.keys.append("Quality")
        metric.properties.keys.append("more")
        metric.properties.values.add(type=99, int_value=7)


def numbered_wrongly(payload: Any) -> None:
    payload.seq = (payload.seq + 1) % 256
    for metric in payload.metrics:
        metric.alias += 1000
        if metric.name == "bdSeq":
            metric.long_value += 5


def reversed_and_repeated(payload: Any) -> None:
    metrics = [copy for one in reversed(payload.metrics) for copy in (one, one)]
    fresh = Payload(metrics=metrics)
    payload.ClearField("metrics")
    payload.metrics.extend(fresh.metrics)


def with_payloads(life: Evidence, change: Callable[[Any], None]) -> Evidence:
    packets = []
    for one in life.packets:
        if one.kind in (PUBLISH, CONNECT):
            payload = Payload.FromString(one.payload)
            change(payload)
            one = replace(one, payload=payload.SerializeToString())
        packets.append(one)
    return replace(life, packets=packets)


def without(life: Evidence, *verbs: str) -> Evidence:
    packets = [p for p in life.packets if p.kind != PUBLISH or p.topic.split("/")[2] not in verbs]
    return replace(life, packets=packets)


def with_packets(life: Evidence, kind: int, **changes: Any) -> Evidence:
    return replace(life, packets=[replace(p, **changes) if p.kind == kind else p for p in life.packets])


def broken(life: Evidence) -> Iterator[Evidence]:
    """The life of edge nodes that do something wrong each."""
    yield replace(life, packets=[], heard=[])
    for change in (spoilt, numbered_wrongly, reversed_and_repeated):
        yield with_payloads(life, change)
    for verbs in (
        ("NBIRTH",),
        ("DBIRTH",),
        ("NBIRTH", "DBIRTH"),
        ("NDEATH",),
        ("DDEATH",),
        ("NDATA", "DDATA"),
    ):
        yield without(life, *verbs)
    yield with_packets(life, CONNECT, clean=False, qos=0, retain=True, has_will=False, topic="t")
    yield with_packets(life, PUBLISH, qos=1, retain=True)
    yield with_packets(life, PUBLISH, topic="spAv1.0/+/DDATA/Node/CNC-01/more")
    yield with_packets(life, PUBLISH, topic=f"spBv1.0/{GROUP}/DBIRTH/{NODE}/{NODE.upper()}")
    yield with_packets(life, SUBSCRIBE, topic="t", qos=0)
    yield with_packets(life, DISCONNECT, reason=0)
    yield replace(life, most_open=2)
    yield replace(life, marks=dict.fromkeys(life.marks, life.packets[-1].at))
    births_elsewhere = [
        replace(p, topic=p.topic.replace(GROUP, "Other")) if "/DBIRTH/" in p.topic else p
        for p in life.packets
    ]
    yield replace(life, packets=births_elsewhere)


def test_each_check_fails_with_some_edge_node_that_does_it_wrong(life: Evidence) -> None:
    always = set(CHECKS)
    for evidence in broken(life):
        for name in list(always):
            try:
                CHECKS[name](evidence)
            except (AssertionError, LookupError, ValueError, StopIteration):
                always.remove(name)
    assert always == set()
