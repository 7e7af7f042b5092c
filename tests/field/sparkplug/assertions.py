"""The testable assertions of chapters 2, 4, 5 and 6 of Sparkplug 3.0, by their ids (without `tck-id-`).

A check gets the evidence of the scenario and fails with an AssertionError. What does not apply to this edge
node stands below with the reason. Each id is in one of the two.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from edge_agent.model.batch import Value
from edge_agent.uplinks.sparkplug.values import DataType
from tests.field.sparkplug.bench import GROUP, NODE
from tests.field.sparkplug.scenario import Evidence, Published
from tests.field.sparkplug.tap import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE
from tests.uplinks.sparkplug.lives import PLANT

COUNT = 4 + 67 + 99 + 108
"""How many testable assertions chapters 2, 4, 5 and 6 have; chapter 3 has none of edge nodes."""

Check = Callable[[Evidence], None]
CHECKS: dict[str, Check] = {}

REBIRTH = "Node Control/Rebirth"
SEQUENCED = ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH")
BIRTHS, DATA = ("NBIRTH", "DBIRTH"), ("NDATA", "DDATA")


def asserts(*ids: str) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        for one in ids:
            assert one not in CHECKS, one
            CHECKS[one] = check
        return check

    return add


def metric(message: Published, name: str) -> Any:
    (found,) = [one for one in message.payload.metrics if one.name == name]
    return found


def value_of(one: Any) -> Value:
    kind = one.WhichOneof("value")
    return None if kind is None else getattr(one, kind)


def will(evidence: Evidence, connection: int) -> Any:
    """The payload of the Will of a connection."""
    (connect,) = [one for one in evidence.kind(CONNECT) if one.connection == connection]
    return Published(connect).payload


def numbers(evidence: Evidence) -> list[int]:
    """bdSeq of each CONNECT."""
    return [Published(one).payload.metrics[0].long_value for one in evidence.kind(CONNECT)]


def spans(evidence: Evidence) -> Iterable[list[Published]]:
    """From each NBIRTH to the next on the same connection."""
    for session in evidence.sessions():
        starts = [at for at, one in enumerate(session) if one.verb == "NBIRTH"]
        assert starts, "nothing is published on a connection without a birth"
        for start, end in pairwise([*starts, len(session)]):
            yield [one for one in session[start:end] if one.verb != "NDEATH"]


# Chapter 2: principles.


@asserts("principles-rbe-recommended")
def _by_exception(evidence: Evidence) -> None:
    _what_has_changed(evidence)


@asserts("principles-birth-certificates-order")
def _birth_is_first(evidence: Evidence) -> None:
    for session in evidence.sessions():
        assert session[0].verb == "NBIRTH"


@asserts("principles-persistence-clean-session-311", "principles-persistence-clean-session-50")
def _clean_sessions(evidence: Evidence) -> None:
    for one in evidence.kind(CONNECT):
        assert one.clean
        assert one.session_expiry == 0


# Chapter 4: topics.


@asserts("topic-structure", "topic-structure-namespace-a")
def _structure(evidence: Evidence) -> None:
    for one in evidence.published:
        assert one.levels[0] == "spBv1.0"
        assert one.verb in ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH")


@asserts(
    "topic-structure-namespace-valid-group-id",
    "topic-structure-namespace-valid-edge-node-id",
    "topic-structure-namespace-valid-device-id",
    "topic-structure-namespace-device-id-associated-message-types",
    "topic-structure-namespace-device-id-non-associated-message-types",
)
def _levels(evidence: Evidence) -> None:
    for one in evidence.published:
        assert (one.levels[1], one.levels[3]) == (GROUP, NODE)
        assert len(one.levels) == (5 if one.verb.startswith("D") else 4)
        assert not any(set(level) & set("+#") or not level for level in one.levels)


@asserts("topic-structure-namespace-unique-device-id")
def _devices(evidence: Evidence) -> None:
    assert {one.device for one in evidence.of("DBIRTH", "DDATA", "DDEATH")} <= set(PLANT.devices)


def _topic_of(verb: str) -> Check:
    def check(evidence: Evidence) -> None:
        for one in evidence.of(verb):
            end = f"/{one.device}" if verb.startswith("D") else ""
            assert one.packet.topic == f"spBv1.0/{GROUP}/{verb}/{NODE}{end}"

    return check


def _mqtt_of(*verbs: str) -> Check:
    def check(evidence: Evidence) -> None:
        for one in evidence.of(*verbs):
            assert (one.packet.qos, one.packet.retain) == (0, False)

    return check


def _timestamp_of(*verbs: str) -> Check:
    def check(evidence: Evidence) -> None:
        for one in evidence.of(*verbs):
            assert evidence.began_ms <= one.payload.timestamp <= evidence.ended_ms

    return check


def _seq_of(*verbs: str) -> Check:
    """Also that 255 is followed by 0, and that the scenario is long enough for it."""

    def check(evidence: Evidence) -> None:
        assert any(len(span) > 256 for span in spans(evidence))
        found = False
        for span in spans(evidence):
            assert [one.payload.seq for one in span] == [at % 256 for at in range(len(span))]
            found |= any(one.verb in verbs for one in span)
        assert found

    return check


def _seq_included(*verbs: str) -> Check:
    def check(evidence: Evidence) -> None:
        for one in evidence.of(*verbs):
            assert one.payload.HasField("seq")
            assert 0 <= one.payload.seq <= 255

    return check


for _verb in ("NBIRTH", "NDATA", "DBIRTH", "DDATA", "NDEATH", "DDEATH"):
    asserts(f"topics-{_verb.lower()}-topic")(_topic_of(_verb))
for _verb in SEQUENCED:
    _name = _verb.lower()
    asserts(f"topics-{_name}-mqtt")(_mqtt_of(_verb))
    if _verb != "DDEATH":
        asserts(f"topics-{_name}-timestamp")(_timestamp_of(_verb))
        asserts(f"payloads-{_name}-qos", f"payloads-{_name}-retain")(_mqtt_of(_verb))
    asserts(f"payloads-{_name}-timestamp")(_timestamp_of(_verb))
    asserts(f"payloads-{_name}-seq")(_seq_included(_verb))
    if _verb != "NBIRTH":
        asserts(f"payloads-{_name}-seq-inc")(_seq_of(_verb))
for _id, _verb in (
    ("topics-ndata-seq-num", "NDATA"),
    ("topics-dbirth-seq", "DBIRTH"),
    ("topics-ddata-seq-num", "DDATA"),
    ("topics-ddeath-seq-num", "DDEATH"),
    ("message-flow-device-birth-publish-dbirth-payload-seq", "DBIRTH"),
    ("payloads-sequence-num-incrementing", "DDATA"),
):
    asserts(_id)(_seq_of(_verb))
asserts("payloads-sequence-num-always-included", "payloads-ddeath-seq-number")(_seq_included(*SEQUENCED))
asserts("message-flow-edge-node-birth-publish-nbirth-payload-seq", "payloads-sequence-num-req-nbirth")(
    _seq_included("NBIRTH")
)


@asserts("topics-nbirth-seq-num")
def _seq_of_births(evidence: Evidence) -> None:
    assert {one.payload.seq for one in evidence.of("NBIRTH")} == {0}


@asserts(
    "topics-nbirth-metric-reqs",
    "topics-dbirth-metric-reqs",
    "operational-behavior-data-publish-nbirth",
    "operational-behavior-data-publish-dbirth",
)
def _everything_is_born(evidence: Evidence) -> None:
    for span in spans(evidence):
        born: set[int] = set()
        for one in span:
            aliases = {metric.alias for metric in one.payload.metrics if metric.HasField("alias")}
            if one.verb in BIRTHS:
                born |= aliases
            assert aliases <= born, one.packet.topic
    for one in evidence.of("DBIRTH"):
        tags = {f"tags/{tag}" for tag in PLANT.devices[one.device]}
        assert tags <= {metric.name for metric in one.payload.metrics}
    for one in evidence.of("NBIRTH"):
        folders = {metric.name.rpartition("/")[0] for metric in one.payload.metrics}
        assert set(PLANT.indicators) <= folders


@asserts(
    "topics-nbirth-metrics",
    "topics-dbirth-metrics",
    "operational-behavior-data-publish-nbirth-values",
    "operational-behavior-data-publish-dbirth-values",
)
def _metrics_of_births(evidence: Evidence) -> None:
    nulls = 0
    for one in evidence.of(*BIRTHS):
        for each in one.payload.metrics:
            assert each.name
            assert each.HasField("datatype")
            assert each.is_null == (each.WhichOneof("value") is None)
            nulls += each.is_null
    assert nulls
    newest = [one for one in evidence.of("DBIRTH") if one.device == "CNC-01"][-1]
    assert value_of(metric(newest, "tags/parts")) == 901, "the value of now, not of before"


@asserts("topics-nbirth-bdseq-included", "payloads-nbirth-bdseq")
def _birth_number(evidence: Evidence) -> None:
    for one in evidence.of("NBIRTH"):
        assert metric(one, "bdSeq").HasField("long_value")


@asserts(
    "topics-nbirth-bdseq-matching",
    "payloads-nbirth-bdseq-repeat",
    "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
    "operational-behavior-data-commands-rebirth-action-3",
)
def _birth_number_of_the_will(evidence: Evidence) -> None:
    repeated = False
    for session in evidence.sessions():
        births = [one for one in session if one.verb == "NBIRTH"]
        expected = will(evidence, session[0].packet.connection).metrics[0].long_value
        for one in births:
            assert metric(one, "bdSeq").datatype == DataType.INT64
            assert metric(one, "bdSeq").long_value == expected
        repeated |= len(births) > 1
    assert repeated


@asserts("topics-nbirth-bdseq-increment")
def _birth_numbers_count(evidence: Evidence) -> None:
    found = numbers(evidence)
    assert found == list(range(len(found))), "also after the restart of the agent, which is the last"
    assert len(found) >= 4


@asserts(
    "topics-nbirth-rebirth-metric",
    "payloads-nbirth-rebirth-req",
    "operational-behavior-data-commands-rebirth-name",
    "operational-behavior-data-commands-rebirth-name-aliases",
    "operational-behavior-data-commands-rebirth-datatype",
    "operational-behavior-data-commands-rebirth-value",
)
def _rebirth_metric(evidence: Evidence) -> None:
    for one in evidence.of("NBIRTH"):
        found = metric(one, REBIRTH)
        assert found.datatype == DataType.BOOLEAN
        assert found.HasField("boolean_value")
        assert found.boolean_value is False
        assert not found.HasField("alias")


@asserts(
    "topics-ndata-payload",
    "topics-ddata-payload",
    "operational-behavior-data-publish-nbirth-change",
    "operational-behavior-data-publish-dbirth-change",
)
def _what_has_changed(evidence: Evidence) -> None:
    parts = PLANT.devices["CNC-01"].keys()
    assert len(parts) > 1
    first = next(iter(spans(evidence)))
    last: dict[int, Value] = {}
    told = 0
    for one in first:
        for each in one.payload.metrics:
            if one.verb in DATA and not each.is_historical:
                assert last[each.alias] != value_of(each), "told, and has not changed"
                told += 1
            if not each.is_historical:
                last[each.alias] = value_of(each)
    assert told >= 300, "each of the values that differ"


@asserts("topics-ndeath-payload", "payloads-ndeath-bdseq", "payloads-ndeath-seq", "topics-ndeath-seq")
def _death(evidence: Evidence) -> None:
    heard = [one.decoded() for one in evidence.heard if one.verb == "NDEATH"]
    wills = [will(evidence, one.connection) for one in evidence.kind(CONNECT)]
    assert heard
    for one in (*heard, *wills, *(each.payload for each in evidence.of("NDEATH"))):
        (only,) = one.metrics
        assert only.name == "bdSeq"
        assert not one.HasField("seq")
    for session in evidence.sessions():
        expected = metric(session[0], "bdSeq").long_value
        assert will(evidence, session[0].packet.connection).metrics[0].long_value == expected


# Chapter 5: operational behaviour.


@asserts("case-sensitivity-sparkplug-ids")
def _ids_differ(evidence: Evidence) -> None:
    ids = {one.device for one in evidence.of("DBIRTH")} | {GROUP, NODE}
    assert len({one.lower() for one in ids}) == len(ids)


@asserts("case-sensitivity-metric-names")
def _names_differ(evidence: Evidence) -> None:
    for one in evidence.of(*BIRTHS):
        names = [each.name.lower() for each in one.payload.metrics]
        assert len(set(names)) == len(names)


@asserts("message-flow-edge-node-ncmd-subscribe")
def _subscribes_to_commands(evidence: Evidence) -> None:
    for connect in evidence.kind(CONNECT):
        first = next(one for one in evidence.kind(SUBSCRIBE) if one.connection == connect.connection)
        assert (first.topic, first.qos) == (f"spBv1.0/{GROUP}/NCMD/{NODE}", 1)


@asserts("message-flow-edge-node-birth-publish-connect", "message-flow-device-birth-publish-nbirth-wait")
def _births_after_connect(evidence: Evidence) -> None:
    for session in evidence.sessions():
        assert session[0].verb == "NBIRTH"
        own = [one for one in evidence.packets if one.connection == session[0].packet.connection]
        assert own[0].kind == CONNECT


@asserts(
    "message-flow-edge-node-birth-publish-will-message",
    "message-flow-edge-node-birth-publish-will-message-topic",
    "message-flow-edge-node-birth-publish-will-message-payload",
    "message-flow-edge-node-birth-publish-will-message-qos",
    "message-flow-edge-node-birth-publish-will-message-will-retained",
    "payloads-ndeath-will-message",
    "payloads-ndeath-will-message-qos",
    "payloads-ndeath-will-message-retain",
)
def _will(evidence: Evidence) -> None:
    for one in evidence.kind(CONNECT):
        assert one.has_will
        assert one.topic == f"spBv1.0/{GROUP}/NDEATH/{NODE}"
        assert (one.qos, one.retain) == (1, False)
        assert Published(one).payload.metrics


@asserts("message-flow-edge-node-birth-publish-will-message-payload-bdSeq")
def _will_number(evidence: Evidence) -> None:
    for one in evidence.kind(CONNECT):
        (only,) = Published(one).payload.metrics
        assert (only.name, only.datatype) == ("bdSeq", DataType.INT64)
    for before, after in pairwise(numbers(evidence)):
        assert after == (before + 1) % 256


@asserts(
    "message-flow-edge-node-birth-publish-phid-wait",
    "message-flow-edge-node-birth-publish-phid-wait-id",
    "message-flow-edge-node-birth-publish-phid-wait-online",
    "operational-behavior-edge-node-birth-sequence-wait",
)
def _waits_for_the_host(evidence: Evidence) -> None:
    words = [what for at, what in evidence.said if at < evidence.marks["host comes"]]
    assert words == ["state other True 1000", "state scada False 1000"]
    for start, end in (("start", "host comes"), ("waiting", "host comes back")):
        silent = [
            one
            for one in evidence.packets
            if evidence.marks.get(start, 0) <= one.at <= evidence.marks[end] and one.kind == PUBLISH
        ]
        assert silent == []
    assert evidence.of("NBIRTH")[0].packet.at > evidence.marks["host comes"]


@asserts(
    "message-flow-edge-node-birth-publish-phid-wait-timestamp",
    "operational-behavior-edge-node-termination-host-offline-timestamp",
)
def _old_state_is_not_heeded(evidence: Evidence) -> None:
    assert "state scada False 1500" in [what for _, what in evidence.said]
    between = evidence.between("old news", "host goes")
    assert not any(one.kind in (CONNECT, DISCONNECT) for one in between)
    assert any(one.kind == PUBLISH for one in between), "data goes on"


asserts("message-flow-edge-node-birth-publish-nbirth-topic")(_topic_of("NBIRTH"))
asserts("message-flow-device-birth-publish-dbirth-topic")(_topic_of("DBIRTH"))
asserts(
    "message-flow-edge-node-birth-publish-nbirth-qos",
    "message-flow-edge-node-birth-publish-nbirth-retained",
)(_mqtt_of("NBIRTH"))
asserts("message-flow-device-birth-publish-dbirth-qos", "message-flow-device-birth-publish-dbirth-retained")(
    _mqtt_of("DBIRTH")
)


@asserts(
    "message-flow-edge-node-birth-publish-nbirth-payload",
    "message-flow-device-birth-publish-dbirth-payload",
)
def _protobuf(evidence: Evidence) -> None:
    for one in evidence.of(*BIRTHS):
        assert one.payload.metrics
        assert one.payload.SerializeToString() == one.packet.payload, "no field that protobuf skipped"


@asserts("message-flow-device-birth-publish-dbirth-match-edge-node-topic")
def _births_belong_together(evidence: Evidence) -> None:
    for session in evidence.sessions():
        places = {(one.levels[1], one.levels[3]) for one in session if one.verb in BIRTHS}
        assert len(places) == 1


@asserts(
    "message-flow-edge-node-birth-publish-phid-offline",
    "operational-behavior-edge-node-termination-host-offline",
    "operational-behavior-edge-node-termination-host-offline-reconnect",
    "operational-behavior-primary-application-state-with-multiple-servers-walk",
)
def _host_goes(evidence: Evidence) -> None:
    found = evidence.between("host goes", "host comes back")
    kinds = [one.kind for one in found if one.kind != SUBSCRIBE]
    assert kinds == [PUBLISH, DISCONNECT, CONNECT], "the next broker in its list is the same one"
    assert Published(found[0]).verb == "NDEATH"


@asserts(
    "operational-behavior-edge-node-intentional-disconnect-ndeath",
    "operational-behavior-edge-node-intentional-disconnect-packet",
    "payloads-ndeath-will-message-publisher",
    "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
)
def _says_goodbye(evidence: Evidence) -> None:
    for one in evidence.kind(DISCONNECT):
        own = [each for each in evidence.packets if each.connection == one.connection]
        assert own[-1] is one
        assert Published(own[-2]).verb == "NDEATH"


@asserts("payloads-ndeath-will-message-publisher-disconnect-mqtt50")
def _disconnects_with_will(evidence: Evidence) -> None:
    expected = 0x04 if evidence.version == "5" else 0
    assert {one.reason for one in evidence.kind(DISCONNECT)} == {expected}


@asserts("operational-behavior-device-ddeath")
def _device_dies(evidence: Evidence) -> None:
    assert [one.device for one in evidence.of("DDEATH")] == ["PRS-01"]
    own = [one.verb for one in evidence.sessions()[0] if one.device == "PRS-01"]
    after = own[own.index("DDEATH") + 1 :]
    assert after[0] == "DBIRTH", "nothing of it until it is born again"


@asserts("operational-behavior-primary-application-state-with-multiple-servers-state-subs")
def _subscribes_to_state(evidence: Evidence) -> None:
    for connect in evidence.kind(CONNECT):
        topics = {one.topic for one in evidence.kind(SUBSCRIBE) if one.connection == connect.connection}
        assert "spBv1.0/STATE/scada" in topics


@asserts("operational-behavior-primary-application-state-with-multiple-servers-single-server")
def _one_connection(evidence: Evidence) -> None:
    assert evidence.most_open == 1


@asserts("operational-behavior-data-publish-nbirth-order", "operational-behavior-data-publish-dbirth-order")
def _in_order(evidence: Evidence) -> None:
    for one in evidence.of(*BIRTHS, *DATA):
        times = [each.timestamp for each in one.payload.metrics if not each.is_historical]
        assert times == sorted(times)


@asserts(
    "operational-behavior-data-commands-rebirth-action-1",
    "operational-behavior-data-commands-rebirth-action-2",
)
def _rebirth(evidence: Evidence) -> None:
    found = [Published(one) for one in evidence.between("rebirth", "rebirth over") if one.kind == PUBLISH]
    at = [one.verb for one in found].index("NBIRTH")
    assert sum(one.verb == "NBIRTH" for one in found) == 1
    assert [(one.verb, one.device) for one in found[at + 1 : at + 3]] == [
        ("DBIRTH", "CNC-01"),
        ("DBIRTH", "PRS-01"),
    ]
    values = [value_of(each) for one in found if one.verb == "DDATA" for each in one.payload.metrics]
    assert {*range(400, 450)} <= {*values, value_of(metric(found[at + 1], "tags/parts"))}, (
        "nothing is left out"
    )


# Chapter 6: payloads.


@asserts("payloads-timestamp-in-UTC", "payloads-metric-timestamp-in-UTC")
def _utc(evidence: Evidence) -> None:
    _timestamp_of(*SEQUENCED)(evidence)
    for one in evidence.of(*BIRTHS):
        for each in one.payload.metrics:
            assert 0 < each.timestamp <= 2**42, "milliseconds"


@asserts("payloads-name-requirement", "payloads-alias-data-cmd-requirement")
def _data_by_alias(evidence: Evidence) -> None:
    for one in evidence.of(*DATA):
        for each in one.payload.metrics:
            assert each.HasField("alias")
            assert not each.HasField("name")


@asserts("payloads-alias-uniqueness", "payloads-alias-birth-requirement")
def _aliases(evidence: Evidence) -> None:
    for span in spans(evidence):
        by_alias: dict[int, tuple[str, str]] = {}
        for one in span:
            if one.verb not in BIRTHS:
                continue
            for each in one.payload.metrics:
                assert each.name
                if each.name != REBIRTH:
                    assert each.HasField("alias")
                    name = one.device, each.name
                    assert by_alias.setdefault(each.alias, name) == name


@asserts("payloads-name-birth-data-requirement")
def _every_metric_has_its_time(evidence: Evidence) -> None:
    for one in evidence.of(*BIRTHS, *DATA):
        assert all(each.HasField("timestamp") for each in one.payload.metrics)


@asserts(
    "payloads-metric-datatype-value-type",
    "payloads-metric-datatype-value",
    "payloads-metric-datatype-req",
    "payloads-metric-datatype-not-req",
)
def _datatypes(evidence: Evidence) -> None:
    for one in evidence.of(*BIRTHS):
        assert all(1 <= each.datatype <= 34 for each in one.payload.metrics)
    for one in evidence.of(*DATA):
        assert not any(each.HasField("datatype") for each in one.payload.metrics)


def _property_sets(evidence: Evidence) -> list[Any]:
    found = [
        each.properties
        for one in evidence.of(*BIRTHS, *DATA)
        for each in one.payload.metrics
        if each.HasField("properties")
    ]
    assert found
    return found


@asserts("payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size")
def _property_sizes(evidence: Evidence) -> None:
    assert all(len(one.keys) == len(one.values) for one in _property_sets(evidence))


@asserts(
    "payloads-metric-propertyvalue-type-type",
    "payloads-metric-propertyvalue-type-value",
    "payloads-metric-propertyvalue-type-req",
)
def _property_types(evidence: Evidence) -> None:
    assert all(1 <= value.type <= 15 for one in _property_sets(evidence) for value in one.values)


@asserts("payloads-propertyset-quality-value-type", "payloads-propertyset-quality-value-value")
def _quality(evidence: Evidence) -> None:
    codes = [
        value
        for one in _property_sets(evidence)
        for key, value in zip(one.keys, one.values, strict=True)
        if key == "Quality"
    ]
    assert {one.type for one in codes} == {3}
    assert {one.int_value for one in codes} <= {0, 192, 500}
    assert 0 in {one.int_value for one in codes if one.HasField("int_value")}


@asserts("payloads-dbirth-order", "payloads-ndata-order", "payloads-ddata-order")
def _births_come_first(evidence: Evidence) -> None:
    """Of each device that can be heard; one that is heard later is born later, before its own data."""
    for span in spans(evidence):
        born: set[str] = set()
        for one in span:
            if one.verb == "DBIRTH":
                born.add(one.device)
            elif one.verb == "DDEATH":
                born.remove(one.device)
            elif one.verb == "DDATA":
                assert one.device in born
        first_data = [one.verb in DATA for one in span].index(True) if len(span) > 3 else len(span)
        assert all(one.verb in BIRTHS for one in span[:first_data])
        assert "CNC-01" in {one.device for one in span[:first_data]} or len(span) == 1


NOT_APPLICABLE = {
    reason: ids.split()
    for reason, ids in {
        "of the whole plant: whoever configures it gives the names": """
            topic-structure-namespace-unique-edge-node-descriptor
            topic-structure-namespace-duplicate-device-id-across-edge-node
            payloads-nbirth-edge-node-descriptor
        """,
        "there are no templates": """
            topics-nbirth-templates
            payloads-template-definition-nbirth-only
            payloads-template-definition-is-definition
            payloads-template-definition-ref
            payloads-template-definition-members
            payloads-template-definition-nbirth
            payloads-template-definition-parameters
            payloads-template-definition-parameters-default
            payloads-template-instance-is-definition
            payloads-template-instance-ref
            payloads-template-instance-members
            payloads-template-instance-members-birth
            payloads-template-instance-members-data
            payloads-template-instance-parameters
            payloads-template-version
            payloads-template-ref-definition
            payloads-template-ref-instance
            payloads-template-is-definition
            payloads-template-is-definition-definition
            payloads-template-is-definition-instance
            payloads-template-parameter-name-required
            payloads-template-parameter-name-type
            payloads-template-parameter-value-type
            payloads-template-parameter-type-value
            payloads-template-parameter-type-req
            payloads-template-parameter-value
        """,
        "of the host that sends commands": """
            topics-ncmd-topic
            topics-ncmd-mqtt
            topics-ncmd-timestamp
            topics-ncmd-payload
            operational-behavior-data-commands-ncmd-rebirth-verb
            operational-behavior-data-commands-ncmd-rebirth-name
            operational-behavior-data-commands-ncmd-rebirth-value
            operational-behavior-data-commands-ncmd-verb
            operational-behavior-data-commands-ncmd-metric-name
            operational-behavior-data-commands-ncmd-metric-value
            payloads-name-cmd-requirement
            payloads-ncmd-timestamp
            payloads-ncmd-seq
            payloads-ncmd-qos
            payloads-ncmd-retain
        """,
        "there is nothing to write: the agent never writes to machines": """
            topics-dcmd-topic
            topics-dcmd-mqtt
            topics-dcmd-timestamp
            topics-dcmd-payload
            message-flow-device-dcmd-subscribe
            operational-behavior-data-commands-dcmd-verb
            operational-behavior-data-commands-dcmd-metric-name
            operational-behavior-data-commands-dcmd-metric-value
            payloads-dcmd-timestamp
            payloads-dcmd-seq
            payloads-dcmd-qos
            payloads-dcmd-retain
        """,
        "of host applications": """
            host-topic-phid-birth-message
            host-topic-phid-birth-qos
            host-topic-phid-birth-retain
            host-topic-phid-birth-topic
            host-topic-phid-birth-sub-required
            host-topic-phid-birth-required
            host-topic-phid-birth-payload
            host-topic-phid-birth-payload-timestamp
            host-topic-phid-death-qos
            host-topic-phid-death-retain
            host-topic-phid-death-topic
            host-topic-phid-death-required
            host-topic-phid-death-payload
            host-topic-phid-death-payload-timestamp-connect
            host-topic-phid-death-payload-timestamp-disconnect-clean
            host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet
            message-flow-phid-sparkplug-clean-session-311
            message-flow-phid-sparkplug-clean-session-50
            message-flow-phid-sparkplug-subscription
            message-flow-phid-sparkplug-state-publish
            message-flow-phid-sparkplug-state-publish-payload
            message-flow-phid-sparkplug-state-publish-payload-timestamp
            message-flow-hid-sparkplug-state-message-delivered
            operational-behavior-edge-node-termination-host-action-ndeath-node-offline
            operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale
            operational-behavior-edge-node-termination-host-action-ndeath-devices-offline
            operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale
            operational-behavior-edge-node-termination-host-action-ddeath-devices-offline
            operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale
            operational-behavior-host-reordering-param
            operational-behavior-host-reordering-start
            operational-behavior-host-reordering-rebirth
            operational-behavior-host-reordering-success
            operational-behavior-primary-application-state-with-multiple-servers-state
            operational-behavior-host-application-host-id
            operational-behavior-host-application-connect-will
            operational-behavior-host-application-connect-will-topic
            operational-behavior-host-application-connect-will-payload
            operational-behavior-host-application-connect-will-qos
            operational-behavior-host-application-connect-will-retained
            operational-behavior-host-application-connect-birth
            operational-behavior-host-application-connect-birth-topic
            operational-behavior-host-application-connect-birth-payload
            operational-behavior-host-application-connect-birth-qos
            operational-behavior-host-application-connect-birth-retained
            operational-behavior-host-application-multi-server-timestamp
            operational-behavior-host-application-termination
            operational-behavior-host-application-death-topic
            operational-behavior-host-application-death-payload
            operational-behavior-host-application-death-qos
            operational-behavior-host-application-death-retained
            operational-behavior-host-application-disconnect-intentional
            payloads-state-will-message
            payloads-state-will-message-qos
            payloads-state-will-message-retain
            payloads-state-will-message-payload
            payloads-state-subscribe
            payloads-state-birth
            payloads-state-birth-payload
        """,
        "there are no data sets": """
            payloads-dataset-column-size
            payloads-dataset-column-num-headers
            payloads-dataset-types-def
            payloads-dataset-types-num
            payloads-dataset-types-type
            payloads-dataset-types-value
            payloads-dataset-parameter-type-req
            payloads-template-dataset-value
        """,
    }.items()
}
"""By reason, the ids of assertions that say nothing of this edge node."""
