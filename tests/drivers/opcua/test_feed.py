"""How readings become batches."""

from drivers.opcua.feed import NO_FIRST_VALUE, Feed
from drivers.opcua.values import Reading
from edge_agent.driver import TagSet
from edge_agent.model.quality import bad
from tests.drivers.opcua.harness import TAGS, connection, tag


def feed() -> Feed:
    (equipment,) = connection(4840, {"A": [tag(name, name) for name in TAGS]}).equipment
    return Feed(TagSet(equipment, equipment.tags, 0.1))


def test_the_first_batch_waits_for_all_tags_and_keeps_every_value() -> None:
    f = feed()
    f.add("t1", Reading(1, None, 10))
    f.add("t0", Reading(None, bad("BadNodeIdUnknown"), None))
    f.confirm()
    assert f.take(1) is None
    assert f.holding
    f.add("t1", Reading(2, None, 20))
    f.add("t2", Reading(3, None, 30))
    batch = f.take(2)
    assert batch is not None
    assert (batch.equipment, batch.received_ms) == ("A", 2)
    assert batch.tags == ["t1", "t0", "t1", "t2"]
    assert batch.values == [1, None, 2, 3]
    assert batch.source_ms == [10, None, 20, 30]
    assert batch.flaws == {1: bad("BadNodeIdUnknown")}


def test_a_tag_that_never_comes_is_bad() -> None:
    f = feed()
    f.add("t0", Reading(1, None, None))
    f.give_up_waiting()
    batch = f.take(1)
    assert batch is not None
    assert batch.tags == ["t0", "t1", "t2"]
    assert batch.flaws == {1: NO_FIRST_VALUE, 2: NO_FIRST_VALUE}


def test_an_empty_batch_only_when_confirmed_and_then_once() -> None:
    f = feed()
    f.give_up_waiting()
    assert f.take(1) is not None
    assert f.take(2) is None
    f.confirm()
    batch = f.take(3)
    assert batch is not None
    assert not batch.tags
    assert f.take(4) is None
    f.add("t0", Reading(5, None, None))
    after = f.take(5)
    assert after is not None
    assert after.flaws == {}
