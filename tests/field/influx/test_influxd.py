"""The uplink against a real influxd: nothing is lost, nothing is there twice, and mistakes are told."""

import re
import signal
import time
from pathlib import Path

import pytest

from edge_agent.contract import messages
from edge_agent.contract.topics import RecordClass
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.quality import bad
from edge_agent.uplinks import uplink as base_module
from edge_agent.uplinks.uplink import UplinkState
from tests.field.certificates import Authority
from tests.field.influx.bench import Bench
from tests.field.influx.influxd import PASSWORD, USER, Influxd
from tests.house.documents import ROOT, blocks


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_module, "RETRY_FIRST_S", 0.1)
    monkeypatch.setattr(base_module, "RETRY_LIMIT_S", 0.3)
    monkeypatch.setattr(base_module, "REFUSED_PAUSE_S", 0.3)


def test_readings_arrive_with_their_types_and_places(tmp_path: Path) -> None:
    with Influxd(tmp_path / "db") as database:
        database.create()
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            bench.read(
                {"speed": 1.5, "parts": 7, "door": True, "program": 'O "1"\\', "line": 3, "none": None}
            )
            await bench.delivered()

        bench.run(work)
        (row,) = database.query("SELECT * FROM readings", "plant")
        assert row == {
            "time": bench.time,
            "clock": "gateway",
            "door": 1,
            "enterprise": "91330300MA00DEM06A",
            "equipment": "M1",
            "gateway": "gw-test",
            "line": "L=1",
            "line.value": 3,
            "parts": 7,
            "speed": 1.5,
            "workshop": "机加 工,车间",
        }
        (texts,) = database.query("SELECT program FROM texts", "plant")
        assert texts["program"] == 'O "1"\\'
        types = {
            row["fieldKey"]: row["fieldType"]
            for row in database.query("SHOW FIELD KEYS FROM readings", "plant")
        }
        assert set(types.values()) == {"float"}
        assert bench.uplink.points_written == 2


def test_what_was_queued_stands_at_its_own_times_and_flaws_apart(tmp_path: Path) -> None:
    with Influxd(tmp_path / "db") as database:
        database.create()
        bench = Bench(tmp_path, database.url)
        now = bench.time
        batch = Batch(
            "M2",
            now,
            ["speed", "speed", "speed", "load", "heat", "turns", "turns"],
            [1.0, 2.0, 3.0, 50.0, None, 8, 9],
            {4: bad("sensor_failure")},
            [now - 2000, now - 1000, now - 10, now - 10, None, None, None],
        )

        async def work() -> None:
            bench.send(RecordClass.READINGS, messages.telemetry(batch), 7)
            await bench.delivered()

        bench.run(work)
        rows = database.query("SELECT speed, load, turns, clock FROM readings", "plant")
        assert [(r["time"] - now, r["speed"], r["load"], r["turns"], r["clock"]) for r in rows] == [
            (-2000, 1, None, None, "source"),
            (-1000, 2, None, None, "source"),
            (-1, None, None, 8, "gateway"),
            (0, 3, 50, 9, "gateway"),
        ]
        (flaw,) = database.query("SELECT * FROM flaws", "plant")
        assert flaw["heat"] == "bad: sensor_failure"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_database_that_is_killed_loses_nothing_and_has_nothing_twice(
    tmp_path: Path, how: signal.Signals
) -> None:
    with Influxd(tmp_path / "db") as database:
        database.create()
        bench = Bench(tmp_path, database.url, lines=100)

        async def work() -> None:
            for _ in range(3):
                before = bench.journal.acknowledged("plant")
                bench.read_many(2000)
                await bench.until(lambda: bench.journal.acknowledged("plant") > before + 200)  # noqa: B023 - of this round
                database.stop(how)
                await bench.until(lambda: bench.uplink.state is UplinkState.CONNECTING)
                assert bench.journal.depth("plant") > 0
                database.start()
                await bench.delivered()

        bench.run(work)
        assert database.count("readings") == 6000
        assert database.query("SELECT sum(parts) FROM readings", "plant")[0]["sum"] == 3 * 1999 * 1000
        assert bench.uplink.points_written == 6000
        kinds = [kind for kind, _ in bench.told]
        assert kinds[0] == "uplink_down"
        assert kinds[-1] == "uplink_up"


def test_an_uplink_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    with Influxd(tmp_path / "db") as database:
        database.create()
        first = Bench(tmp_path, database.url, lines=50)

        async def interrupted() -> None:
            first.read_many(1000)
            await first.until(lambda: first.journal.acknowledged("plant") > 100)

        first.run(interrupted)
        second = Bench(tmp_path, database.url)
        assert second.journal.depth("plant") > 0
        second.run(second.delivered)
        assert database.count("readings") == 1000


def test_points_of_another_type_are_set_aside_and_the_others_counted_once(tmp_path: Path) -> None:
    with Influxd(tmp_path / "db") as database:
        database.create()
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            bench.read({"program": "O1", "door": True})
            bench.read({"program": 1, "door": "open"})  # a controller may change its mind: nothing is refused
            await bench.delivered()
            assert bench.told == []
            # Somebody else writes numbers where texts are.
            assert bench.uplink._database is not None
            bench.uplink._database.write([f"texts,who=else mode=5 {bench.time}"])
            for number in range(300):
                bench.read({"speed": number, "mode": "auto"} if number % 10 == 0 else {"speed": number})
            await bench.delivered()

        bench.run(work)
        assert database.count("readings") == 300
        assert bench.uplink.points_refused == 30
        assert bench.uplink.points_written == 304
        ((kind, message),) = bench.told
        assert kind == "uplink_points_refused"
        assert "mode" in message
        assert "field type conflict" in message
        assert "write to a bucket of its own, or drop that measurement" in message
        aside = (tmp_path / "plant.refused.lp").read_text()
        assert len([line for line in aside.splitlines() if line.startswith("texts,")]) == 30
        assert aside.startswith("# HTTP 400: ")


def test_points_that_are_too_old_for_the_database_are_told(tmp_path: Path) -> None:
    with Influxd(tmp_path / "db") as database:
        database.create(duration="1d")
        bench = Bench(tmp_path, database.url)
        long_ago = bench.time - 3 * 86_400_000

        async def work() -> None:
            for number in range(100):
                bench.read({"speed": 1}, time=long_ago + number)
                bench.read({"speed": 2})
            await bench.delivered()

        bench.run(work)
        assert database.count("readings") == 100
        assert (bench.uplink.points_written, bench.uplink.points_refused) == (100, 100)
        assert "beyond retention policy" in bench.told[0][1]
        assert "lengthen its retention" in bench.told[0][1]


def test_a_database_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with Influxd(tmp_path / "db") as database:
        bench = Bench(tmp_path, database.url, retention_policy="kept")

        async def work() -> None:
            bench.read_many(10)
            await bench.until(lambda: bench.uplink.state is UplinkState.REFUSED)
            assert bench.journal.depth("plant") == 10
            database.create()
            await bench.delivered()

        bench.run(work)
        assert [kind for kind, _ in bench.told] == ["uplink_refused", "uplink_up"]
        assert 'the database "plant/kept" is not there' in bench.told[0][1]
        assert "create it" in bench.told[0][1]
        assert database.count("readings") == 10


def test_a_password_that_is_wrong_and_one_that_is_right(tmp_path: Path) -> None:
    with Influxd(tmp_path / "db", auth=True) as database:
        database.create()
        wrong = Bench(tmp_path, database.url, username=USER, password="guess")  # noqa: S106 - no secret

        async def refused() -> None:
            wrong.read_many(5)
            await wrong.until(lambda: wrong.uplink.state is UplinkState.REFUSED)

        wrong.run(refused)
        assert "does not know the token or password" in wrong.told[0][1]
        assert "guess" not in wrong.told[0][1]
        right = Bench(tmp_path, database.url, username=USER, password=PASSWORD)
        right.run(right.delivered)
        assert database.count("readings") == 5


def test_the_certificate_is_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "trusted")
    with Influxd(tmp_path / "db", certificate=authority.issue("db")) as database:
        database.create()
        other = Authority(tmp_path / "other")
        strict = Bench(tmp_path, database.url, tls={"ca": other.ca})

        async def refused() -> None:
            strict.read_many(5)
            await strict.until(lambda: bool(strict.uplink.last_error))

        strict.run(refused)
        assert "its certificate is not trusted" in strict.told[0][1]
        assert database.query("SHOW MEASUREMENTS", "plant") == []
        bench = Bench(tmp_path, database.url, tls={"ca": authority.ca})
        bench.run(bench.delivered)
        assert database.count("readings") == 5


def test_acquisition_does_not_wait_for_a_backlog(tmp_path: Path) -> None:
    """While 20,000 records are written, the event loop never works on one thing for long. What it works is
    measured, and not how long the computer let it wait; that it does not wait either, test_answers shows."""
    with Influxd(tmp_path / "db") as database:
        database.create()
        bench = Bench(tmp_path, database.url)
        longest = 0.0

        async def work() -> None:
            nonlocal longest
            bench.read_many(20_000)
            await bench.journal.flush()
            last = time.thread_time()

            def delivered() -> bool:
                nonlocal last, longest
                now = time.thread_time()
                last, longest = now, max(longest, now - last)
                return bench.journal.depth("plant") == 0

            await bench.until(delivered, 60)

        bench.run(work)
        assert database.count("readings") == 20_000
        assert longest < 0.1


def test_the_statements_of_the_page_are_right(tmp_path: Path) -> None:
    """In the order in which they stand there: a database, retention, down-sampling, questions."""
    making, asking = blocks(ROOT / "docs" / "influxdb.md", "sql")
    with Influxd(tmp_path / "db") as database:
        for statement in re.split(r"\n(?! )", making.strip()):
            database.query(statement)
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            bench.read({"spindle_load": 40}, time=CLOCK.now_ms() - 1000)
            bench.send(
                RecordClass.STATES,
                messages.State(equipment="M1", time=bench.time, state="idle", since=0, link="live"),
            )
            await bench.delivered()

        bench.run(work)
        questions = asking.replace("CNC-01", "M1").strip().splitlines()
        found = [database.query(one, "plant") for one in questions]
        assert len(found[0]) > 0
        assert found[1][0]["last"] == "idle"
        # What the continuous query does once in ten minutes.
        selected = re.search(r"SELECT mean\(\*\).*(?= END)", making, re.DOTALL)
        assert selected is not None
        database.query(selected[0].replace("GROUP BY", "WHERE time > now() - 1h GROUP BY"), "plant")
        (minute,) = database.query('SELECT * FROM "years".readings', "plant")
        assert minute["mean_spindle_load"] == 40
        assert minute["equipment"] == "M1"
