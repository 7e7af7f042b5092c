"""Packs: readers never see whether days lie in rows or in packs, and nothing tears while one is made."""

import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.states.columns import Columns
from edge_agent.states.history import KEEP_MS, PACK_ROWS, Changes, History
from edge_agent.states.history_file import FORMAT, HistoryFormatError, open_read_only
from edge_agent.states.reading import HistoryReader
from edge_agent.states.tracker import Interval
from tests.states.lives import DAY_MS, DOOR, IDLE, MINUTE, NO_DATA, RUNNING, TIMEOUT, lives

LATER = 100 * DAY_MS
NEVER = 1 << 60
TIMES = st.integers(-2 * DAY_MS, 20 * DAY_MS)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = History(tmp_path / "history.db")
    yield found
    found.close()


def pack_all(history: History, now_ms: int = LATER) -> int:
    packs = 0
    while history.pack(now_ms):
        packs += 1
    return packs


def rows(history: History, table: str = "intervals") -> int:
    found: int = history._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
    return found


@settings(deadline=None)
@given(lives("A"), lives("B"), st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=5), TIMES)
@example([Interval("A", 0, 10, NO_DATA), Interval("A", 10, DAY_MS, TIMEOUT)], [], [(5, 20)], 0)
def test_readers_do_not_see_packs(
    a: list[Interval], b: list[Interval], asked: list[tuple[int, int]], half_ms: int
) -> None:
    def answers(stored: History) -> list[object]:
        return [
            *[stored.intervals(from_ms, to_ms) for from_ms, to_ms in asked],
            *[stored.intervals_of(name, *times) for name in "ABC" for times in asked],
            *[stored.unheard(name, *times) for name in "AB" for times in asked],
        ]

    def by_row(name: str, from_ms: int, to_ms: int) -> list[Interval]:
        """The rule of `intervals_of`, one interval after the other."""
        life = [interval for interval in [*a, *b] if interval.equipment == name]
        before = [interval.start_ms for interval in life if interval.start_ms <= from_ms]
        known = [i.start_ms for i in life if i.start_ms <= from_ms and i.state.state.value != "unknown"]
        begin = max(known or before or [from_ms])
        return [interval for interval in life if begin <= interval.start_ms < to_ms]

    with tempfile.TemporaryDirectory() as folder, closing(History(Path(folder) / "h.db")) as stored:
        stored.save(Changes(0, [*b, *a]))
        before = answers(stored)
        assert stored.intervals(-NEVER, NEVER) == [
            i for i in [*a, *b] if i.end_ms is None or i.end_ms > -NEVER
        ]
        assert [stored.intervals_of(name, *times) for name in "AB" for times in asked] == [
            by_row(name, *times) for name in "AB" for times in asked
        ]
        pack_all(stored, half_ms)
        assert answers(stored) == before
        pack_all(stored)
        assert answers(stored) == before
        assert rows(stored) <= sum(1 for i in [*a, *b] if i.end_ms is None) * 25
        # What is written again, also into days that are packed, is as if it had been a row.
        stored.save(Changes(0, [*a, *b]))
        assert answers(stored) == before


def test_a_day_is_packed_when_it_is_over_and_all_its_intervals_are(history: History) -> None:
    noon, evening = DAY_MS // 2, DAY_MS - 1
    history.save(Changes(0, [Interval("A", 0, noon, RUNNING), Interval("A", noon, None, IDLE)]))
    assert not history.pack(DAY_MS - 1)
    assert not history.pack(DAY_MS), "the last interval lasts still"
    after = DAY_MS + MINUTE
    history.save(Changes(0, [Interval("A", noon, evening, IDLE), Interval("A", evening, None, DOOR)]))
    history.save(Changes(0, [Interval("A", evening, after, DOOR), Interval("A", after, None, RUNNING)]))
    assert history.pack(after)
    assert not history.pack(after)
    assert (rows(history), rows(history, "packs")) == (1, 1)
    assert [i.start_ms for i in history.intervals(0, NEVER)] == [0, noon, evening, after]


def test_a_pack_has_a_bounded_size(history: History) -> None:
    life = [Interval("A", n, n + 1, RUNNING if n % 2 else IDLE) for n in range(2 * PACK_ROWS + 1)]
    history.save(Changes(0, life))
    assert pack_all(history) == 3
    assert history.intervals(0, NEVER) == life


def test_a_resume_leaves_packed_days_alone(history: History) -> None:
    packed = [Interval("A", 0, 10, RUNNING), Interval("A", 10, DAY_MS + 5, IDLE)]
    history.save(Changes(DAY_MS + 20, [*packed, Interval("A", DAY_MS + 5, None, RUNNING)]))
    assert pack_all(history, DAY_MS + 20) == 1
    assert history.resume(LATER) == DAY_MS + 20
    assert history.intervals(0, NEVER) == [*packed, Interval("A", DAY_MS + 5, DAY_MS + 20, RUNNING)]


def test_a_pack_that_fails_leaves_the_rows(history: History) -> None:
    life = [Interval("A", 0, 10, RUNNING), Interval("A", 10, 20, IDLE)]
    history.save(Changes(0, life))

    def no_delete(action: int, table: str | None, *_: object) -> int:
        refused = action == sqlite3.SQLITE_DELETE and table == "intervals"
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    history._db.set_authorizer(no_delete)
    with pytest.raises(sqlite3.DatabaseError):
        history.pack(LATER)
    history._db.set_authorizer(None)
    assert (rows(history), rows(history, "packs")) == (2, 0)
    assert history.intervals(0, NEVER) == life
    assert history.pack(LATER)
    assert history.intervals(0, NEVER) == life


PACKER = """
import os, sys
from itertools import count
from pathlib import Path
from edge_agent.states.history import History
history = History(Path(sys.argv[1]))
steps = count(1)
def step():
    if history._db.in_transaction and next(steps) == int(sys.argv[2]):
        os._exit(9)
history._db.set_progress_handler(step, 100)
while history.pack(10**13):
    pass
"""
"""Ends without a word, as when it is killed, when it has come so far in writing."""


def test_kills_while_packing_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    life = [
        Interval(name, n * 120_000, (n + 1) * 120_000, RUNNING if n % 3 else DOOR)
        for name in "ABCD"
        for n in range(20 * 720)
    ]
    with closing(History(path)) as history:
        history.save(Changes(0, life))
    chance = random.Random(3)  # noqa: S311 - no secret
    for _ in range(5):
        step = str(chance.randrange(1, 300))
        assert subprocess.run([sys.executable, "-c", PACKER, path, step]).returncode == 9, "interrupted"
        with closing(HistoryReader.look(path)) as reader:
            assert reader.intervals(0, NEVER) == life


def test_damage_is_told_and_not_passed_on(history: History) -> None:
    history.save(Changes(0, [Interval("A", 0, 10, RUNNING)]))
    assert history.pack(LATER)
    (content,) = history._db.execute("SELECT content FROM packs").fetchone()
    history._db.execute("UPDATE packs SET content = ?", (content[:-1] + b"?",))
    with pytest.raises(sqlite3.DatabaseError, match="a pack of A: not as it was written"):
        history.intervals_of("A", 0, 10)


def test_newest_is_behind_what_the_file_has(history: History) -> None:
    history.save(Changes(0, [Interval("A", 0, 10, RUNNING), Interval("A", 10, None, IDLE)]))
    newest = [Interval("B", 3, None, DOOR), Interval("A", 10, 30, IDLE), Interval("A", 30, None, DOOR)]
    columns = history.columns("A", 5, 40, newest)
    assert columns.intervals("A") == [
        Interval("A", 0, 10, RUNNING),
        Interval("A", 10, 30, IDLE),
        Interval("A", 30, None, DOOR),
    ]


def test_what_a_month_costs_does_not_grow_with_the_history(history: History) -> None:
    for day in range(400):
        start = day * DAY_MS
        history.add_pack("A", Columns.of([Interval("A", start, start + DAY_MS, NO_DATA if day else RUNNING)]))
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    history.add_pack("A", Columns.of([Interval("A", 400 * DAY_MS, 401 * DAY_MS, IDLE)]))
    history._db.set_progress_handler(step, 10)
    found = history.intervals_of("A", 400 * DAY_MS + 5, 401 * DAY_MS)
    history._db.set_progress_handler(None, 0)
    assert [i.state for i in found] == [IDLE]
    assert steps < 50


# The format of the file.

VERSION_0 = """
CREATE TABLE intervals (
    equipment TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER, state TEXT NOT NULL,
    cause TEXT NOT NULL, PRIMARY KEY (equipment, start_ms)
) WITHOUT ROWID;
CREATE TABLE evidence (
    equipment TEXT NOT NULL, hour_ms INTEGER NOT NULL, good_readings INTEGER NOT NULL,
    last_good_ms INTEGER NOT NULL, PRIMARY KEY (equipment, hour_ms)
) WITHOUT ROWID;
CREATE TABLE counters (
    equipment TEXT NOT NULL, tag TEXT NOT NULL, value NOT NULL, total NOT NULL, PRIMARY KEY (equipment, tag)
) WITHOUT ROWID;
CREATE TABLE accounted (period TEXT PRIMARY KEY, to_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE alive (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), time_ms INTEGER NOT NULL);
INSERT INTO intervals VALUES ('A', 0, 10, 'running', 'auto'), ('A', 10, NULL, 'unknown', 'timeout');
INSERT INTO evidence VALUES ('A', 0, 7, 9);
INSERT INTO accounted VALUES ('hour', 3600000);
INSERT INTO alive VALUES (1, 20);
"""


def test_a_file_without_packs_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(VERSION_0)
    with closing(History(path)) as history:
        assert history.resume(LATER) == 20
        life = [Interval("A", 0, 10, RUNNING), Interval("A", 10, 20, TIMEOUT)]
        assert history.intervals(0, NEVER) == life
        assert pack_all(history) == 1
        assert history.intervals(0, NEVER) == life
        assert list(history.evidence(0)) == [("A", 0, 7, 9, 0)]
        assert history.accounted("hour") == 3_600_000
    with closing(open_read_only(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (FORMAT,)


@pytest.mark.parametrize("running", [False, True])
def test_a_newer_file_is_refused_and_not_touched(tmp_path: Path, running: bool) -> None:
    path = tmp_path / "history.db"
    writer = sqlite3.connect(path)
    writer.executescript(f"{VERSION_0} PRAGMA user_version = {FORMAT + 1};")
    if running:
        writer.executescript(
            "PRAGMA journal_mode = WAL; INSERT INTO alive VALUES (1, 5) ON CONFLICT DO NOTHING;"
        )
    else:
        writer.close()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
    for refuse in (History, HistoryReader.look):
        with pytest.raises(HistoryFormatError, match=f"format {FORMAT + 1}, this agent knows formats up to"):
            refuse(path)
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
    assert after == before
    writer.close()


# What is too old.


def test_what_is_older_than_five_years_goes_little_by_little(history: History) -> None:
    now = KEEP_MS + 3 * DAY_MS
    for day in range(5):
        start = day * DAY_MS
        history.save(
            Changes(
                0,
                [Interval(name, start, start + DAY_MS, IDLE) for name in "AB"],
                [("A", start + hour * 3_600_000, 1, start + hour * 3_600_000 + 5, 0) for hour in range(24)],
            )
        )
    pack_all(history)
    history.save(Changes(0, [Interval("C", 5, 10, RUNNING), Interval("C", 10, None, TIMEOUT)]))
    history.forget(now)
    assert rows(history, "packs") == 8, "one of each equipment"
    assert (rows(history, "evidence"), rows(history)) == (5 * 24 - 2, 1)
    for _ in range(100):
        history.forget(now)
    assert [i.start_ms // DAY_MS for i in history.intervals_of("A", -1, NEVER)] == [3, 4]
    assert [i.end_ms for i in history.intervals_of("C", -1, NEVER)] == [None], "it lasts still"
    assert min(hour for _, hour, *_ in history.evidence(0)) == 3 * DAY_MS
    assert rows(history, "evidence") == 2 * 24


def test_a_clock_that_is_wrong_for_a_moment_does_not_cost_the_history(history: History) -> None:
    for day in range(50):
        history.add_pack("A", Columns.of([Interval("A", day * DAY_MS, (day + 1) * DAY_MS, IDLE)]))
    history.forget(100 * KEEP_MS)
    assert rows(history, "packs") == 49


@settings(max_examples=20)
@given(st.integers(0, 30))
def test_evidence_is_found_by_its_time(day: int) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(History(Path(folder) / "h.db")) as history:
        lines = [
            (name, hour * 3_600_000, 1, hour * 3_600_000 + 3_599_999, 1)
            for name in "ABC"
            for hour in range(30)
        ]
        history.save(Changes(0, evidence=lines))
        from_ms = day * 3_600_000 + 5
        assert list(history.evidence(from_ms)) == [line for line in lines if line[3] >= from_ms]
