"""The journal from the event loop: groups, waiting readers, failing disks."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from edge_agent.contract.messages import Event, decode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal import journal as module
from edge_agent.journal import store
from edge_agent.journal.cipher import KeyCipher
from edge_agent.journal.journal import Journal
from edge_agent.journal.limits import Limits
from edge_agent.journal.store import Record
from tests.journal.test_store import cut_power, kill

ALL = frozenset(RecordClass)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


async def left_of(journal: Journal, how: Callable[[Path, str], Path], folder: Path) -> Path:
    """The journal as a kill or a power cut leaves it now: copied in its thread, while nobody writes."""
    return await asyncio.get_running_loop().run_in_executor(journal._thread, how, folder, "after")


def reading(text: str) -> Record:
    return Record(RecordClass.READINGS, "M1", text.encode())


def test_a_waiting_reader_gets_what_is_appended_and_the_next_run_the_rest(tmp_path: Path) -> None:
    async def work() -> None:
        journal = Journal(tmp_path / "j.db", {"a": ALL})
        journal.start()
        waiting = asyncio.create_task(journal.read("a", 0, 10))
        await asyncio.sleep(0)
        assert not waiting.done()
        journal.append(reading("1"))
        journal.append(reading("2"))
        first = await waiting
        assert [e.record.body for e in first] == [b"1", b"2"]
        journal.acknowledge("a", 1)
        assert journal.depth("a") == 1
        await journal.close()

        journal = Journal(tmp_path / "j.db", {"a": ALL})
        journal.start()
        assert journal.acknowledged("a") == 1
        assert [e.seq for e in await journal.read("a", 1, 10)] == [2]
        await journal.close()

    run(work())


def test_flush_means_on_disk(tmp_path: Path) -> None:
    async def work() -> None:
        journal = Journal(tmp_path / "j.db", {"a": ALL})
        journal.start()
        for i in range(500):
            journal.append(reading(str(i)))
        await journal.flush()
        other = Journal(await left_of(journal, kill, tmp_path), {"a": ALL})
        assert other.last("a") == 500
        await other.close()
        await journal.close()

    run(work())


def test_cursor_moves_reach_the_disk_without_new_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SYNC_S", 0.05)

    async def work() -> None:
        journal = Journal(tmp_path / "j.db", {"a": ALL})
        journal.start()
        journal.append(reading("1"))
        await journal.flush()
        journal.acknowledge("a", 1)
        while journal._saved["a"] < 1:
            await asyncio.sleep(0.01)
        await journal.close()

    run(work())


def test_cursor_moves_go_with_what_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a state or an event comes every second there is never a second without a sync."""
    monkeypatch.setattr(module, "SYNC_S", 3600)

    async def work() -> None:
        journal = Journal(tmp_path / "j.db", {"a": ALL})
        journal.start()
        for seq in range(1, 4):
            journal.append(Record(RecordClass.STATES, "M1", b"{}"))
            await journal.flush()
            assert journal._saved["a"] == seq - 1
            journal.acknowledge("a", seq)
        other = Journal(await left_of(journal, kill, tmp_path), {"a": ALL})
        assert other.acknowledged("a") == 2
        await other.close()
        await journal.close()

    run(work())


def test_a_refusing_disk_loses_nothing_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)

    async def work() -> None:
        journal = Journal(tmp_path / "j.db", {"a": ALL})
        journal.start()
        journal.append(reading("1"))
        await journal.flush()
        journal._store._db.execute("PRAGMA max_page_count = 1")  # stands in for a full disk
        big = Record(RecordClass.EVENTS, "", os.urandom(100_000))  # synced at once
        journal.append(big)
        while journal.failure is None:
            await asyncio.sleep(0.01)
        journal.append(reading("2"))
        journal._store._db.execute("PRAGMA max_page_count = 1000000")
        await journal.flush()
        assert journal.failure is None
        assert [e.record.body for e in await journal.read("a", 0, 10)] == [b"1", big.body, b"2"]
        await journal.close()

    run(work())


def test_memory_stays_bounded_and_only_readings_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PENDING_BYTES", 25)

    async def work() -> None:
        journal = Journal(tmp_path / "j.db", {"a": ALL})
        event = Record(RecordClass.EVENTS, "", b"event")
        journal.append(event)
        for i in range(30):
            journal.append(reading(str(i)))
        assert 19 <= journal.dropped <= 21
        journal.start()
        await journal.flush()
        bodies = [e.record.body for e in await journal.read("a", 0, 100)]
        assert bodies == [b"event"] + [str(i).encode() for i in range(journal.dropped, 30)]
        await journal.close()

    run(work())


def test_what_no_uplink_carries_is_not_kept(tmp_path: Path) -> None:
    async def work() -> None:
        journal = Journal(tmp_path / "j.db", {"a": frozenset({RecordClass.EVENTS})})
        journal.start()
        journal.append(reading("1"))
        journal.append(Record(RecordClass.EVENTS, "", b"event"))
        await journal.flush()
        assert [e.record.body for e in await journal.read("a", 0, 10)] == [b"event"]
        await journal.close()

    run(work())


def test_a_reader_passes_over_numbers_that_a_power_cut_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        monkeypatch.setattr(store, "boot_id", lambda: "monday")
        before = Journal(tmp_path / "j.db", {"a": ALL})
        before.start()
        before.append(reading("1"))
        await before.flush()
        left_behind = await left_of(before, cut_power, tmp_path)
        await before.close()

        monkeypatch.setattr(store, "boot_id", lambda: "tuesday")
        journal = Journal(left_behind, {"a": ALL})
        journal.start()
        assert journal.depth("a") == 2, "what was left, and the event that tells of the rest"
        left, event = await journal.read("a", 0, 10)
        assert left.seq == 1
        lost = decode(event.record.body)
        assert isinstance(lost, Event)
        assert (lost.detail["first"], lost.detail["last"]) == (2, event.seq - 1)
        waiting = asyncio.create_task(journal.read("a", event.seq, 10))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        journal.append(reading("2"))
        assert [e.seq for e in await waiting] == [event.seq + 1]
        journal.acknowledge("a", event.seq + 1)
        assert journal.depth("a") == 0
        await journal.close()

    run(work())


def test_other_uplinks_are_served_while_records_come_and_who_stays_does_not_notice(tmp_path: Path) -> None:
    states = frozenset({RecordClass.STATES})

    async def read_all(journal: Journal, uplink: str, count: int) -> list[bytes]:
        bodies: list[bytes] = []
        while len(bodies) < count:
            at = journal.acknowledged(uplink)
            entries = await journal.read(uplink, at, 7)
            assert [e.seq for e in entries] == list(range(at + 1, at + 1 + len(entries)))
            bodies += [e.record.body for e in entries]
            journal.acknowledge(uplink, entries[-1].seq)
        return bodies

    cipher = KeyCipher(b"k" * 32)  # it has to be there when the file is opened again, too

    async def work() -> None:
        journal = Journal(tmp_path / "j.db", {"stays": ALL, "goes": ALL}, cipher=cipher)
        journal.start()
        reading_all = asyncio.create_task(read_all(journal, "stays", 300))
        for number in range(300):
            journal.append(reading(str(number)))
            if number == 100:
                following = asyncio.create_task(journal.follow({"stays": ALL, "new": states}, Limits()))
            await asyncio.sleep(0)
        await following
        assert await reading_all == [str(number).encode() for number in range(300)]
        journal.append(Record(RecordClass.STATES, "M1", b"idle"))
        assert await read_all(journal, "new", 1) == [b"idle"]
        await journal.follow({}, Limits())
        journal.append(reading("for nobody"))
        await journal.flush()
        assert journal.appended == 301
        await journal.close()

        journal = Journal(tmp_path / "j.db", {"stays": ALL, "new": states}, cipher=cipher)
        assert journal.acknowledged("stays") == 301, "what it was still to get went with it"
        assert journal.acknowledged("new") == 1
        await journal.close()

    run(work())
