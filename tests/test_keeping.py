"""What could not be written is written with the next call, and only the newest of it."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from edge_agent.keeping import HistoryKeeper
from edge_agent.model.clock import CLOCK
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.history import DAY_MS, Changes
from edge_agent.states.tracker import Interval

RUNNING = StateWithCause(MachineState.RUNNING)


def test_a_failed_write_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = HistoryKeeper(tmp_path / "history.db")
    write = keeper.history.save

    def refuse(changes: Changes) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async def life() -> None:
        keeper.note([Interval("A", 0, 10, RUNNING)])
        monkeypatch.setattr(keeper.history, "save", refuse)
        assert not await keeper.save([("A", 0, 1, 5, 0), ("A", 3_600_000, 1, 3_600_001, 0)], [], 20)
        assert keeper.unsaved == [Interval("A", 0, 10, RUNNING)]

        def write_while_more_comes(changes: Changes) -> None:
            write(changes)
            keeper.note([Interval("A", 10, None, RUNNING)])

        monkeypatch.setattr(keeper.history, "save", write_while_more_comes)
        assert await keeper.save([("A", 3_600_000, 7, 3_600_007, 1)], [], 30)
        assert keeper.unsaved == [Interval("A", 10, None, RUNNING)], "noted while the others were written"

    asyncio.run(life())
    assert keeper.history.intervals(0, 100) == [Interval("A", 0, 10, RUNNING)]
    assert list(keeper.history.evidence(0)) == [("A", 0, 1, 5, 0), ("A", 3_600_000, 7, 3_600_007, 1)]
    keeper.close()


def test_a_failure_is_told_once_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = HistoryKeeper(tmp_path / "history.db")
    write, why = keeper.history.save, ["disk is full"] * 3 + ["disk I/O error"]

    def refuse(changes: Changes) -> None:
        raise sqlite3.OperationalError(why.pop(0))

    async def life() -> None:
        monkeypatch.setattr(keeper.history, "save", refuse)
        while why:
            assert not await keeper.save([], [], 20)
        monkeypatch.setattr(keeper.history, "save", write)
        assert await keeper.save([], [], 30)
        assert await keeper.save([], [], 40)

    asyncio.run(life())
    keeper.close()
    told = [record.getMessage() for record in caplog.records]
    assert [one.partition(";")[0] for one in told] == [
        "history: cannot write (disk is full)",
        "history: cannot write (disk I/O error)",
        "history: writing again",
    ]


def test_days_that_are_over_are_packed_beside_the_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = HistoryKeeper(tmp_path / "history.db")
    begin = (CLOCK.now_ms() // DAY_MS - 5) * DAY_MS
    days = range(begin, begin + 3 * DAY_MS, DAY_MS)
    life = [Interval(name, day, day + DAY_MS, RUNNING) for name in "AB" for day in days]
    monkeypatch.setattr("edge_agent.keeping.PACK_EVERY_S", 0.01)
    monkeypatch.setattr("edge_agent.keeping.PACK_PAUSE_S", 0.0)
    really_pack = keeper.history.pack
    failures = [sqlite3.OperationalError("database or disk is full")]

    def fail_once(now_ms: int) -> bool:
        if failures:
            raise failures.pop()
        return really_pack(now_ms)

    monkeypatch.setattr(keeper.history, "pack", fail_once)

    async def packs() -> int:
        db = keeper.history._db
        return int((await keeper.run(db.execute, "SELECT count(*) FROM packs")).fetchone()[0])

    async def lived() -> None:
        keeper.note(life)
        assert await keeper.save([], [], 20)
        tending = asyncio.create_task(keeper.tend())
        async with asyncio.timeout(30):
            while await packs() < len(life):
                keeper.note([Interval("C", begin, None, RUNNING)])
                assert await keeper.save([], [], 30)
        assert not tending.done()
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)

    asyncio.run(lived())
    assert keeper.history.intervals(0, begin + DAY_MS * 9) == [*life, Interval("C", begin, None, RUNNING)]
    keeper.close()
