"""Each lane of an uplink: all of its own in order, and how far that is all."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.journal import Journal
from edge_agent.journal.lanes import Lane, lane_of
from edge_agent.journal.runs import Record
from edge_agent.journal.store import Entry, Store

CLASSES = (RecordClass.READINGS, RecordClass.STATES, RecordClass.EVENTS)
ONE_GROUP = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(["", "", "a", "b"])).map(
        lambda of: Record(of[0], "M1", b"{}", only=of[1])
    ),
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ONE_GROUP, st.booleans()), max_size=8), st.integers(1, 4))
def test_both_lanes_together_have_everything_each_in_order(
    groups: list[tuple[list[Record], bool]], limit: int
) -> None:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "j.db", {"a": frozenset(RecordClass), "b": frozenset(RecordClass)})
        for records, sync in groups:
            store.commit(records, {}, sync=sync)
        last = store.cursors["a"].last_seq
        found: list[Entry] = []
        for lane in Lane:
            at = 0
            while at < last:
                entries, looked = store.read_lane("a", lane, at, limit)
                numbers = [entry.seq for entry in entries]
                assert numbers == sorted(numbers)
                assert len(numbers) <= limit
                assert at < looked <= last, "it goes on"
                assert all(at < seq <= looked for seq in numbers)
                assert all(lane_of(entry.record) is lane for entry in entries)
                found += entries
                at = looked
        assert sorted(found, key=lambda entry: entry.seq) == store.read("a", 0, 1000)
        store.close()


def test_a_journal_says_of_what_is_new_what_the_lane_has_and_how_far(tmp_path: Path) -> None:
    async def life() -> None:
        journal = Journal(tmp_path / "j.db", {"a": frozenset(RecordClass)})
        journal.start()
        waiting = asyncio.create_task(journal.read_lane("a", Lane.URGENT, 0, 10))
        for record_class in (RecordClass.READINGS, RecordClass.STATES, RecordClass.READINGS):
            journal.append(Record(record_class, "M1", b"{}"))
        async with asyncio.timeout(10):
            entries, looked = await waiting
            assert ([entry.seq for entry in entries], looked) == ([2], 3)
            entries, looked = await journal.read_lane("a", Lane.BULK, 0, 1)
            assert ([entry.seq for entry in entries], looked) == ([1], 1)
            entries, looked = await journal.read_lane("a", Lane.BULK, looked, 1)
            assert ([entry.seq for entry in entries], looked) == ([3], 3)
        await journal.close()

    asyncio.run(life())


def test_reading_goes_on_behind_the_group_committed_last(tmp_path: Path) -> None:
    """Keeping within limits gives numbers, too: those of announcements, which no group has."""

    async def life() -> None:
        journal = Journal(tmp_path / "j.db", {"a": frozenset(RecordClass)})
        journal.start()
        journal.append(Record(RecordClass.READINGS, "M1", b"{}"))
        await journal.flush()
        journal._newest = {"a": (await journal.read("a", 0, 10))}
        announcement = Record(RecordClass.EVENTS, "", b"{}", only="a")
        # In the journal's thread, in which it also tidies.
        await asyncio.get_running_loop().run_in_executor(
            journal._thread, lambda: journal._store.commit([announcement], {}, sync=True)
        )
        journal._look()
        assert [entry.seq for entry in await journal.read("a", 1, 10)] == [2]
        assert [entry.seq for entry in (await journal.read_lane("a", Lane.BULK, 1, 10))[0]] == [2]
        await journal.close()

    asyncio.run(life())
