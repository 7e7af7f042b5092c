"""What a session tells: births, data that has changed, deaths."""

from typing import Any

import pytest

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.model.batch import Value
from edge_agent.model.link import LinkLevel
from edge_agent.model.quality import bad, uncertain
from edge_agent.uplinks.sparkplug.node import HOLD_MS
from edge_agent.uplinks.sparkplug.payloads import asks_for_rebirth
from edge_agent.uplinks.sparkplug.schema import Payload
from edge_agent.uplinks.sparkplug.values import DataType
from tests.uplinks.sparkplug.lives import PLANT, SAID_AT, Life, Message, batch, figures, queued, state

LIVE, DATA_VALID, REACHABLE, REGISTERED = (
    LinkLevel.LIVE,
    LinkLevel.DATA_VALID,
    LinkLevel.REACHABLE,
    LinkLevel.REGISTERED,
)
FULL: dict[str, Value] = {"speed": 1200.5, "parts": 3, "program": "O1000"}


def verbs(messages: list[Message]) -> list[str]:
    return [f"{message.verb} {message.device}".strip() for message in messages]


def named(message: Message) -> dict[str, Any]:
    return {metric.name: metric for metric in message.payload.metrics}


def properties(metric: Any) -> dict[str, Any]:
    return {
        key: getattr(value, value.WhichOneof("value"))
        for key, value in zip(metric.properties.keys, metric.properties.values, strict=True)
    }


def running() -> Life:
    """CNC-01 is read, PRS-01 is not."""
    life = Life()
    life.before(batch("CNC-01", FULL), state("CNC-01", LIVE))
    life.session.begin()
    return life


def test_the_births_tell_everything_that_there_will_be() -> None:
    life = running()
    assert verbs(life.sent) == ["NBIRTH", "DBIRTH CNC-01"]
    node, device = (named(message) for message in life.sent)
    assert set(node) == {
        "bdSeq",
        "Node Control/Rebirth",
        "properties/version",
        "properties/configuration",
        *(
            f"indicators/nc-rate/by-count/enterprise/{part}"
            for part in ("numerator", "denominator", "rate", "unknown", "reason")
        ),
    }
    assert node["bdSeq"].long_value == 7
    assert not node["Node Control/Rebirth"].HasField("alias")
    assert node["indicators/nc-rate/by-count/enterprise/rate"].is_null
    assert set(device) == {
        "state", "state_cause", "state_since", "link_level", "tags/speed", "tags/parts", "tags/program",
    }  # fmt: skip
    assert properties(device["tags/speed"]) == {"engUnit": "/min"}
    assert device["tags/speed"].double_value == 1200.5
    assert device["tags/parts"].datatype == DataType.INT64
    assert device["state_since"].datatype == DataType.DATETIME
    assert device["state_since"].long_value == SAID_AT
    aliases = [metric.alias for message in life.sent for metric in message.payload.metrics if metric.alias]
    assert len(set(aliases)) == len(aliases)


def test_only_what_has_changed_is_told() -> None:
    life = running()
    (message,) = life.news(batch("CNC-01", FULL | {"parts": 4}, SAID_AT + 1000))
    assert message.verb == "DDATA"
    assert life.values(message) == [("CNC-01 tags/parts", 4)]
    (metric,) = message.payload.metrics
    assert not metric.HasField("name")
    assert not metric.HasField("datatype")
    assert metric.timestamp == SAID_AT + 1000
    assert life.news(batch("CNC-01", FULL | {"parts": 4}, SAID_AT + 2000)) == []


def test_a_value_that_goes_bad_and_comes_back_is_told_with_its_quality() -> None:
    life = running()
    flaw = {0: bad("illegal_data_address")}
    (gone,) = life.news(batch("CNC-01", {"parts": None}, SAID_AT + 1, flaws=flaw))
    (metric,) = gone.payload.metrics
    assert metric.is_null
    assert properties(metric) == {"Quality": 0, "reason": "illegal_data_address"}
    (back,) = life.news(batch("CNC-01", {"parts": 3}, SAID_AT + 2))
    (metric,) = back.payload.metrics
    assert (metric.long_value, properties(metric)) == (3, {"Quality": 192, "reason": ""})
    (doubtful,) = life.news(batch("CNC-01", {"parts": 3}, SAID_AT + 3, flaws={0: uncertain("LastUsable")}))
    (metric,) = doubtful.payload.metrics
    assert (metric.long_value, properties(metric)) == (3, {"Quality": 0, "reason": "uncertain: LastUsable"})


def test_a_device_is_born_when_it_is_read_and_dies_with_its_link() -> None:
    life = running()
    assert life.news(state("PRS-01", REACHABLE)) == []
    assert life.news(batch("PRS-01", {"force": None}, flaws={0: bad("x")})) == [], (
        "bad readings prove nothing"
    )
    assert verbs(life.news(batch("PRS-01", {"force": 12.5}), state("PRS-01", LIVE))) == [
        "DBIRTH PRS-01",
        "DDATA PRS-01",
    ]
    assert verbs(life.news(state("PRS-01", DATA_VALID))) == ["DDATA PRS-01"], "stale, and still connected"
    told, death = life.news(state("PRS-01", REGISTERED, at=SAID_AT + 1))
    assert ("PRS-01 link_level", "registered") in life.values(told), "why it dies can be seen"
    assert death.verb == "DDEATH"
    assert list(death.payload.metrics) == []
    assert life.news(state("PRS-01", REGISTERED, at=SAID_AT + 2)) == [], "nothing of the dead"
    assert verbs(life.news(state("PRS-01", LIVE, at=SAID_AT + 3))) == ["DBIRTH PRS-01"]


def test_values_before_the_newest_of_a_first_batch_are_not_lost() -> None:
    life = running()
    birth, before = life.news(
        queued("PRS-01", "force", {SAID_AT: 1.5, SAID_AT + 1: 2.5, SAID_AT + 2: 3.5}, SAID_AT)
    )
    assert named(birth)["tags/force"].double_value == 3.5
    assert [value for _, value in life.values(before)] == [1.5, 2.5]
    assert all(metric.is_historical for metric in before.payload.metrics)


def test_a_datatype_that_no_longer_fits_is_born_again() -> None:
    life = running()
    (again,) = life.news(batch("CNC-01", FULL | {"parts": 3.5}, SAID_AT + 1))
    assert again.verb == "DBIRTH"
    assert named(again)["tags/parts"].datatype == DataType.DOUBLE
    (data,) = life.news(batch("CNC-01", FULL | {"parts": 4}, SAID_AT + 2))
    assert data.payload.metrics[0].double_value == 4.0


def test_an_indicator_that_was_not_foreseen_is_born_with_all_else() -> None:
    life = running()
    (data,) = life.news(figures(3, 4))
    assert life.values(data) == [
        (f"indicators/nc-rate/by-count/enterprise/{part}", value)
        for part, value in (
            ("numerator", 3), ("denominator", 4), ("rate", 0.75), ("unknown", 0), ("reason", ""),
        )
    ]  # fmt: skip
    assert verbs(life.news(figures(1, 2, "other/one"))) == ["NBIRTH", "DBIRTH CNC-01"]
    assert life.sent[-2].payload.seq == 0


def test_a_first_value_takes_back_that_nothing_had_been_heard() -> None:
    life = running()
    assert properties(named(life.sent[0])["indicators/nc-rate/by-count/enterprise/rate"])["Quality"] == 500
    (first,) = life.news(figures(3, 4))
    assert {properties(metric)["Quality"] for metric in first.payload.metrics} == {192}
    (second,) = life.news(figures(2, 4, at=SAID_AT + 1))
    assert not any(metric.HasField("properties") for metric in second.payload.metrics)


def test_a_message_that_cannot_be_read_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    for body in (b"{", b'{"schema":"fta.telemetry/9"}', b'{"schema":"fta.state/1","equipment":1}'):
        assert running().news(Record(RecordClass.READINGS, "CNC-01", body)) == []
    assert caplog.text.count("is left out") == 3


def test_a_device_that_is_heard_while_its_history_is_told_is_born_again() -> None:
    life = running()
    life.history(batch("PRS-01", {"force": 1.5}, SAID_AT - 5000))
    birth, *_ = life.news(state("PRS-01", LIVE))
    assert birth.verb == "DBIRTH"
    assert not named(birth)["state"].HasField("properties")
    life.session.history_over()
    assert life.sent[-1].verb != "DDEATH"


def test_statements_of_record_are_no_metrics() -> None:
    record = figures(3, 4)
    assert running().news(Record(RecordClass.STATEMENTS, "statement/nc-rate/by-count/day", record.body)) == []


def test_a_value_older_than_the_newest_is_history() -> None:
    life = running()
    (late,) = life.news(queued("CNC-01", "parts", {SAID_AT - 5000: 1}, SAID_AT + 1000))
    assert late.payload.metrics[0].is_historical
    assert named_value(life, "tags/parts") == 3
    later = SAID_AT + HOLD_MS + 1000
    (current,) = life.news(queued("CNC-01", "parts", {SAID_AT - 4000: 2}, later))
    assert not current.payload.metrics[0].is_historical, "the controller's clock was set back"
    assert named_value(life, "tags/parts") == 2


def named_value(life: Life, name: str) -> Value:
    return life.node.devices["CNC-01"].metrics.by_name[name].value


def test_history_is_told_as_such_and_changes_nothing_of_now() -> None:
    life = running()
    old = [batch("CNC-01", {"parts": parts}, SAID_AT - 9000 + at) for at, parts in enumerate((1, 1, 2, 3))]
    told = life.history(*old)
    assert [life.values(message) for message in told] == [[("CNC-01 tags/parts", n)] for n in (1, 2, 3)]
    assert all(metric.is_historical for message in told for metric in message.payload.metrics)
    assert named_value(life, "tags/parts") == 3
    assert life.news(batch("CNC-01", FULL, SAID_AT + 1)) == [], "the birth has said so"


def test_history_of_a_device_that_cannot_be_heard_is_told_between_a_birth_and_a_death() -> None:
    life = running()
    told = life.history(
        batch("PRS-01", {"force": 1.5}, SAID_AT - 5000), state("PRS-01", LIVE, at=SAID_AT - 4999)
    )
    assert verbs(told) == ["DBIRTH PRS-01", "DDATA PRS-01", "DDATA PRS-01"]
    assert properties(named(told[0])["state"])["Quality"] == 500
    life.session.history_over()
    assert verbs(life.sent[-1:]) == ["DDEATH PRS-01"]
    life.session.history_over()
    assert verbs(life.sent[-2:]) == ["DDATA PRS-01", "DDEATH PRS-01"], "once"


def test_history_of_equipment_that_is_configured_no_more_is_told_and_of_the_unconnected_is_not() -> None:
    life = running()
    assert verbs(life.history(batch("OLD-01", {"x": 1}))) == ["DBIRTH OLD-01", "DDATA OLD-01"]
    assert life.history(state("HAND-01", REGISTERED)) == []


def test_numbers_go_on_over_all_messages_and_begin_with_each_birth_of_the_node() -> None:
    life = running()
    for parts in range(300):
        life.news(batch("CNC-01", {"parts": parts}, SAID_AT + parts))
    assert [message.payload.seq for message in life.sent] == [at % 256 for at in range(len(life.sent))]
    life.session.begin()
    assert [message.payload.seq for message in life.sent[-2:]] == [0, 1]
    assert {
        metric.long_value for m in life.sent for metric in m.payload.metrics if metric.name == "bdSeq"
    } == {7}


def test_metrics_stand_in_the_order_of_their_times() -> None:
    life = Life()
    life.before(queued("CNC-01", "parts", {SAID_AT + 5: 1}, SAID_AT + 9), batch("CNC-01", {"speed": 1.5}))
    life.before(state("CNC-01", LIVE, at=SAID_AT + 2))
    life.session.begin()
    for message in life.sent:
        times = [metric.timestamp for metric in message.payload.metrics]
        assert times == sorted(times)


@pytest.mark.parametrize("unset", [("CNC-01", "speed"), ("PRS-01", "force")])
def test_a_tag_that_has_not_been_heard_is_null_and_stale(unset: tuple[str, str]) -> None:
    life = Life()
    equipment, tag = unset
    life.before(state(equipment, LIVE))
    life.session.begin()
    metric = named(life.sent[-1])[f"tags/{tag}"]
    assert metric.is_null
    assert metric.datatype == DataType.DOUBLE
    assert properties(metric) == {
        "engUnit": PLANT.devices[equipment][tag],
        "Quality": 500,
        "reason": "not_heard",
    }


def test_commands() -> None:
    def command(name: str, value: bool) -> bytes:
        payload = Payload()
        payload.metrics.add(name=name, boolean_value=value)
        return bytes(payload.SerializeToString())

    assert asks_for_rebirth(command("Node Control/Rebirth", True))
    assert not asks_for_rebirth(command("Node Control/Rebirth", False))
    assert not asks_for_rebirth(command("Node Control/Reboot", True))
    with pytest.raises(ValueError, match="not a Sparkplug payload"):
        asks_for_rebirth(b"\xff\xff")
