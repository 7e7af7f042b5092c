"""What the page keeps: newest readings, last errors, recent events."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.watch import EVENTS_KEPT, LAYOUTS_KEPT, Watch
from edge_agent.contract.messages import Event
from edge_agent.driver import ConnectionFailed, EquipmentFailed
from edge_agent.model.batch import Batch
from edge_agent.model.quality import bad
from edge_agent.model.state import UnknownCause

FAST, SLOW = ("a", "b"), ("c",)

names = st.sampled_from("abcdef")
batches = st.lists(st.lists(st.tuples(names, st.integers(0, 9)), max_size=5), max_size=40)


@given(batches)
def test_the_newest_reading_of_each_tag_is_kept_whatever_comes(
    given_batches: list[list[tuple[str, int]]],
) -> None:
    watch = Watch()
    wanted: dict[str, tuple[int, int]] = {}
    for time_ms, rows in enumerate(given_batches):
        watch.batch(Batch("M", time_ms, [tag for tag, _ in rows], [value for _, value in rows]))
        wanted |= {tag: (value, time_ms) for tag, value in rows}
    found = {tag: (one.value, one.received_ms) for tag, one in watch.readings("M").items()}
    assert found == wanted


def test_tag_sets_of_two_periods_stand_beside_each_other_and_take_no_more_room() -> None:
    watch = Watch()
    for time_ms in range(100):
        watch.batch(
            Batch("M", time_ms, FAST, (time_ms, -time_ms), {1: bad("no_signal")}, (time_ms - 5, None))
        )
        if time_ms % 10 == 0:
            watch.batch(Batch("M", time_ms, SLOW, ("x",)))
    readings = watch.readings("M")
    assert (readings["a"].value, readings["a"].source_ms, readings["a"].flaw) == (99, 94, None)
    assert (readings["b"].source_ms, readings["b"].flaw) == (None, bad("no_signal"))
    assert (readings["c"].value, readings["c"].received_ms) == ("x", 90)
    assert len(watch._newest["M"].batches) == 2


def test_a_stream_is_taken_apart_and_does_not_grow() -> None:
    watch = Watch()
    for time_ms in range(1000):
        watch.batch(Batch("M", time_ms, [f"t{time_ms % 30}"], [time_ms]))
    assert len(watch._newest["M"].batches) == LAYOUTS_KEPT
    assert {one.value for one in watch.readings("M").values()} == set(range(970, 1000))


def test_a_sign_of_life_keeps_the_readings_and_ends_the_error() -> None:
    watch = Watch()
    watch.batch(Batch("M", 1, FAST, (1, 2)))
    watch.equipment_failed("bus", "M", EquipmentFailed(UnknownCause.TIMEOUT, "no answer", "look"), 2)
    trouble = watch.trouble_of_equipment("M")
    assert trouble is not None
    assert (trouble.cause, trouble.message, trouble.remedy, trouble.over_ms) == (
        "timeout",
        "no answer",
        "look",
        None,
    )
    watch.batch(Batch("M", 3, (), ()))
    trouble = watch.trouble_of_equipment("M")
    assert trouble is not None
    assert trouble.over_ms == 3
    assert watch.readings("M")["a"].value == 1


def test_a_connection_and_an_equipment_of_one_name_are_two() -> None:
    watch = Watch()
    watch.opened("M", 1)
    watch.equipment_failed("M", "M", EquipmentFailed(UnknownCause.TIMEOUT, "no answer"), 2)
    assert watch.is_open("M")
    assert watch.trouble_of_connection("M") is None
    watch.lost("M", ConnectionFailed(UnknownCause.UNREACHABLE, "gone"), 3)
    assert not watch.is_open("M")
    watch.opened("M", 4)
    trouble = watch.trouble_of_connection("M")
    assert trouble is not None
    assert trouble.over_ms == 4
    assert watch.outages == {("M", "timeout"): 1, ("M", "unreachable"): 1}


def test_only_the_newest_events_are_kept() -> None:
    watch = Watch()
    for number in range(EVENTS_KEPT + 50):
        watch.events.append(Event(time=number, kind="x", subject="", message=""))
    assert [event.time for event in watch.newest_events(2)] == [EVENTS_KEPT + 49, EVENTS_KEPT + 48]
    assert len(watch.newest_events(1000)) == EVENTS_KEPT
