"""Sessions that a tag starts: from batches and states to rows on disk, over a kill and a write that fails."""

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_agent.config.sharing import SharedMachineOptions, SharingOptions
from edge_agent.keeping import HistoryKeeper
from edge_agent.model.batch import Batch, Value
from edge_agent.model.quality import bad
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.sharing.holds import Hold
from edge_agent.sharing.reading import KeptRecords
from edge_agent.sharing.recording import Row, SessionRecorder, SessionStore, TagSessions
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval

MACHINE = SharedMachineOptions.model_validate(
    {
        "equipment": "M1",
        "sessions": "tag",
        "tag": "user",
        "tenants": {"1": "zhenghe", "2": "lian", "true": "lian", "AB": "zhenghe"},
    }
)
SHARING = SharingOptions.model_validate(
    {
        "tenants": [{"id": "zhenghe", "name": "正和精密"}, {"id": "lian", "name": "联创模具"}],
        "machines": [MACHINE.model_dump(exclude_unset=True)],
    }
)
TAGS = ("speed", "user")
RUNNING = StateWithCause(MachineState.RUNNING)


def read(time_ms: int, user: Value, tags: Sequence[str] = TAGS) -> Batch:
    return Batch("M1", time_ms, tags, [0.5 if tag == "speed" else user for tag in tags])


def said(sessions: TagSessions) -> list[tuple[int, int | None, str]]:
    """What is on disk once all rows are written: start, end, and the tenant or why there is none."""
    last = {row[1]: row for row in sessions.take_changed()}
    return [(start, end, tenant or reason) for _, start, end, tenant, reason, _ in sorted(last.values())]


def change(time_ms: int, state: StateWithCause) -> Interval:
    return Interval("M1", time_ms, None, state)


def test_values_name_tenants() -> None:
    sessions = TagSessions([MACHINE], 0)
    values: list[Value] = [1, 1.0, "1", " 2 ", True, 7, 8, None, [1], "AB", 2.5]
    for time, value in enumerate(values, start=1):
        sessions.batch(read(10 * time, value))
    assert said(sessions) == [
        (0, 10, "gateway_down"),
        (10, 40, "zhenghe"),
        (40, 60, "lian"),
        (60, 80, "unmapped_value"),
        (80, 100, "bad_value"),
        (100, 110, "zhenghe"),
        (110, None, "unmapped_value"),
    ]


def test_a_value_that_stands_for_nobody_is_told() -> None:
    sessions = TagSessions([MACHINE], 0)
    sessions.batch(read(10, 7))
    sessions.batch(read(20, 9))
    batch = Batch("M1", 30, TAGS, [0.5, None], {1: bad("illegal_data_address")})
    sessions.batch(batch)
    rows = {row[1]: row for row in sessions.take_changed()}
    assert rows[10] == ("M1", 10, 30, "", "unmapped_value", "7"), "the first of them, not a row for each"
    assert rows[30] == ("M1", 30, None, "", "bad_value", "illegal_data_address")


def test_a_batch_without_the_tag_changes_nothing() -> None:
    sessions = TagSessions([MACHINE], 0)
    sessions.batch(read(5, 0, tags=("speed",)))
    assert said(sessions) == [(0, None, "gateway_down")], "nobody has said anything yet"
    sessions.batch(read(10, 1))
    sessions.batch(read(20, 0, tags=("speed",)))
    sessions.batch(Batch("M2", 30, TAGS, [0.5, 2]))
    assert said(sessions) == [(0, 10, "gateway_down"), (10, None, "zhenghe")]


def test_of_several_values_in_a_batch_the_last_is_the_current_one() -> None:
    sessions = TagSessions([MACHINE], 0)
    sessions.batch(Batch("M1", 10, ("user", "speed", "user"), [2, 0.5, 1]))
    assert said(sessions) == [(0, 10, "gateway_down"), (10, None, "zhenghe")]


@pytest.mark.parametrize("cause", [UnknownCause.TIMEOUT, UnknownCause.UNREACHABLE, UnknownCause.REFUSED])
def test_a_lost_machine_is_nobodys_until_it_says_again_whose_it_is(cause: UnknownCause) -> None:
    sessions = TagSessions([MACHINE], 0)
    sessions.batch(read(10, 1))
    sessions.state_changed(change(20, unknown(cause)))
    sessions.state_changed(change(30, RUNNING))
    assert said(sessions) == [(0, 10, "gateway_down"), (10, 20, "zhenghe"), (20, None, cause.value)]
    sessions.batch(read(35, 1))
    assert said(sessions) == [(20, 35, cause.value), (35, None, "zhenghe")]


@pytest.mark.parametrize("cause", [UnknownCause.STALE, UnknownCause.CLOCK_STEP])
def test_after_silence_the_last_value_holds_again(cause: UnknownCause) -> None:
    """A controller that only tells what has changed does not repeat the value."""
    sessions = TagSessions([MACHINE], 0)
    sessions.batch(read(10, 1))
    sessions.state_changed(change(20, unknown(cause)))
    sessions.state_changed(change(30, RUNNING))
    assert said(sessions) == [
        (0, 10, "gateway_down"),
        (10, 20, "zhenghe"),
        (20, 30, cause.value),
        (30, None, "zhenghe"),
    ]


def test_an_unknown_state_of_a_machine_that_is_heard_ends_no_session() -> None:
    sessions = TagSessions([MACHINE], 0)
    sessions.batch(read(10, 1))
    for time, cause in ((20, UnknownCause.BAD_QUALITY), (30, UnknownCause.UNDECIDED)):
        sessions.state_changed(change(time, unknown(cause)))
    assert said(sessions) == [(0, 10, "gateway_down"), (10, None, "zhenghe")]


def test_whatever_comes_holds_follow_each_other() -> None:
    chance = random.Random(7)  # noqa: S311 - a test
    sessions = TagSessions([MACHINE], 0)
    rows: dict[int, Row] = {}
    time = 0
    for _ in range(5000):
        time += chance.choice((0, 0, 1, 40))
        if chance.random() < 0.7:
            sessions.batch(read(time, chance.choice((1, 2, 7, None))))
        else:
            state = chance.choice((RUNNING, *(unknown(cause) for cause in UnknownCause)))
            sessions.state_changed(change(time, state))
        rows |= {row[1]: row for row in sessions.take_changed()}
    reached: int | None = 0
    for _, start, end, tenant, reason, _ in sorted(rows.values()):
        assert start == reached
        assert end is None or start < end
        assert bool(tenant) != bool(reason)
        reached = end
    assert reached is None


def test_a_session_open_at_a_kill_ends_at_the_last_sign_of_life(tmp_path: Path) -> None:
    """In the agent's own order of writing: sessions first, then the sign of life."""
    file = tmp_path / "history.db"

    async def run(since: int, *events: tuple[int, int]) -> None:
        keeper = HistoryKeeper(file)
        alive = keeper.history.resume(since)
        recorder = SessionRecorder(SHARING, file, alive)
        for time, user in events:
            recorder.batch(read(time, user))
        assert await recorder.save(keeper)
        last = max(time for time, _ in events)
        await keeper.save([], [], last + 5)
        recorder.batch(read(last + 50, 2))  # not written any more: the power is cut
        keeper.close()
        recorder.close()

    asyncio.run(run(1000, (1000, 1)))
    asyncio.run(run(9000, (9000, 1), (9500, 2)))
    records = KeptRecords(file)
    assert records.as_of_ms == 9505
    assert list(records.recorded("M1", 0, 9505)) == [
        Hold(1000, 1005, "zhenghe"),
        Hold(1005, 9000, reason="gateway_down"),
        Hold(9000, 9500, "zhenghe"),
        Hold(9500, 9505, "lian"),
    ]
    assert list(records.recorded("M1", 5000, 9000)) == [Hold(1005, 9000, reason="gateway_down")]
    assert list(records.recorded("M2", 0, 9505)) == []
    records.close()


def test_a_machine_without_its_tag_meanwhile_was_not_in_session_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    for sharing, alive in ((SHARING, 0), (None, 100), (SHARING, 900)):
        recorder = SessionRecorder(sharing, file, alive)
        recorder.batch(read(alive + 10, 1))
        keeper = HistoryKeeper(file)
        assert asyncio.run(recorder.save(keeper))
        keeper.close()
        recorder.close()
    store = SessionStore(file, read_only=True)
    assert [(hold.start_ms, hold.end_ms, hold.tenant) for hold in store.of("M1", 0, 2000)] == [
        (0, 10, ""),
        (10, 100, "zhenghe"),
        (900, 910, ""),
        (910, 2000, "zhenghe"),
    ]
    store.close()


def test_what_could_not_be_written_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "history.db"
    keeper = HistoryKeeper(file)
    recorder = SessionRecorder(SHARING, file, 0)

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async def life() -> None:
        recorder.batch(read(10, 1))
        with monkeypatch.context() as patched:
            patched.setattr(SessionStore, "save", refuse)
            assert not await recorder.save(keeper)
        recorder.batch(read(20, 2))
        assert await recorder.save(keeper)

    asyncio.run(life())
    keeper.close()
    recorder.close()
    store = SessionStore(file, read_only=True)
    assert [(hold.start_ms, hold.tenant) for hold in store.of("M1", 0, 99)] == [
        (0, ""),
        (10, "zhenghe"),
        (20, "lian"),
    ]
    store.close()


def test_a_history_without_sessions_has_none(tmp_path: Path) -> None:
    """One that an agent wrote which did not know of them."""
    file = tmp_path / "history.db"
    history = History(file)
    history.save(Changes(500, [Interval("M1", 0, None, RUNNING)]))
    history.close()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE registers (from_ms INTEGER PRIMARY KEY, digest, version, content)")
    db.close()
    records = KeptRecords(file)
    assert list(records.recorded("M1", 0, 500)) == []
    assert list(records.intervals_of("M1", 100, 500)) == [Interval("M1", 0, None, RUNNING)]
    assert list(records.registers()) == []
    records.close()
