"""What could not be written is written with the next call, and only the newest of it."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from edge_agent.keeping import HistoryKeeper
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.history import Changes
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
    assert keeper.history.evidence(0) == [("A", 0, 1, 5, 0), ("A", 3_600_000, 7, 3_600_007, 1)]
    keeper.close()
