"""What the uplink makes of answers: those of 2.x and 3.x, and of databases that have too much to do."""

import asyncio
import json
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from edge_agent.uplinks import uplink as base_module
from edge_agent.uplinks.uplink import UplinkState
from tests.field.influx.answering import Answer, Answering, Written
from tests.field.influx.bench import Bench
from tests.ports import free_port


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_module, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(base_module, "RETRY_LIMIT_S", 0.1)
    monkeypatch.setattr(base_module, "REFUSED_PAUSE_S", 0.1)


def readings(written: list[Written]) -> list[str]:
    return [line for one in written for line in one.lines if line.startswith("readings,")]


def test_writes_are_as_the_database_asks(tmp_path: Path) -> None:
    with Answering(lambda _: Answer()) as database:
        bench = Bench(tmp_path, database.url, bucket="plant", org="works", token="t0", lines=100)  # noqa: S106

        async def work() -> None:
            bench.read_many(250)
            await bench.delivered()

        bench.run(work)
    assert len(readings(database.written)) == 250
    assert max(len(one.lines) for one in database.written) <= 100
    first = database.written[0]
    assert first.query == {"org": ["works"], "bucket": ["plant"], "precision": ["ms"]}
    assert first.headers["Authorization"] == "Token t0"
    assert first.headers["Content-Encoding"] == "gzip"
    assert any(line.startswith("gateway,") for one in database.written for line in one.lines)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_a_busy_database_is_left_alone_as_long_as_it_says(tmp_path: Path, status: int, as_date: bool) -> None:
    times: list[float] = []

    def answer(_: Written) -> Answer:
        times.append(time.time())
        if len(times) == 1:
            after = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
            return Answer(status, '{"message": "too much"}', (("Retry-After", after),))
        return Answer()

    with Answering(answer) as database:
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            bench.read_many(3)
            await bench.delivered()

        bench.run(work)
    assert times[1] - times[0] >= 0.95
    assert [kind for kind, _ in bench.told] == ["uplink_down", "uplink_up"]
    assert f"HTTP {status}: too much" in bench.told[0][1]
    assert ("raise the limit" if status == 429 else "busy or down") in bench.told[0][1]


@pytest.mark.parametrize("version", ["2", "3", "says nothing"])
def test_lines_that_are_refused_are_found_and_the_others_are_written(tmp_path: Path, version: str) -> None:
    """Lines with a speed that ends in 7 are refused; 2.x names the first of them, 3.x all."""

    def answer(one: Written) -> Answer:
        refused = [i for i, line in enumerate(one.lines) if "7.5," in line]
        if not refused:
            return Answer()
        if version == "2":
            return Answer(
                400,
                json.dumps({"code": "invalid", "message": f"unable to parse '{one.lines[refused[0]]}': bad"}),
            )
        if version == "3":
            data = [
                {"original_line": one.lines[i], "line_number": i + 1, "error_message": "bad"} for i in refused
            ]
            return Answer(400, json.dumps({"error": "partial write of line protocol occurred", "data": data}))
        return Answer(422, "<html>")

    with Answering(answer) as database:
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            bench.read_many(100)
            await bench.delivered()

        bench.run(work)
    taken = {
        line for one in database.written for line in one.lines if not any("7.5," in x for x in one.lines)
    }
    assert len([line for line in taken if line.startswith("readings,")]) == 90
    assert (bench.uplink.points_written, bench.uplink.points_refused) == (90, 10)
    assert [kind for kind, _ in bench.told] == ["uplink_points_refused"]
    assert len((tmp_path / "plant.refused.lp").read_text().splitlines()) == 20
    assert len(database.written) < 130


def test_a_database_that_refuses_every_line_is_not_to_be_believed(tmp_path: Path) -> None:
    """Whatever is wrong then, it is not the lines: they are kept."""
    with Answering(lambda _: Answer(400, '{"error": "database is required"}')) as database:
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            bench.read_many(20)
            await bench.until(lambda: bench.uplink.state is UplinkState.REFUSED)

        bench.run(work)
        assert bench.journal.acknowledged("plant") == 0
        assert "takes nothing at all" in bench.told[0][1]
        assert bench.uplink.points_refused == 0
        assert not (tmp_path / "plant.refused.lp").exists()


def test_what_is_too_large_is_written_in_pieces(tmp_path: Path) -> None:
    def answer(one: Written) -> Answer:
        return Answer(413 if len(one.lines) > 40 else 204)

    with Answering(answer) as database:
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            bench.read_many(200)
            await bench.delivered()

        bench.run(work)
    assert (bench.uplink.points_written, bench.uplink.points_refused) == (200, 0)


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "token or password"), (403, "may not write"), (404, "is not there"), (302, "no InfluxDB")],
)
def test_what_somebody_has_to_do_is_told(tmp_path: Path, status: int, told: str) -> None:
    with Answering(lambda _: Answer(status, "", (("Location", "/login"),))) as database:
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            bench.read_many(1)
            await bench.until(lambda: bench.uplink.state is UplinkState.REFUSED)

        bench.run(work)
    assert told in bench.told[0][1]
    assert [kind for kind, _ in bench.told] == ["uplink_refused"]


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (500, "timeout", "whether its disk is full"),  # what 1.6 says then
        (500, "engine: write _00001.wal: no space left on device", "make room there"),
        (507, "", "make room there"),
        (502, "<html>", "busy or down"),
    ],
)
def test_a_full_disk_is_told_and_everything_is_kept_until_there_is_room(
    tmp_path: Path, status: int, said: str, told: str
) -> None:
    full = True

    def answer(_: Written) -> Answer:
        return Answer(status, json.dumps({"error": said})) if full else Answer()

    with Answering(answer) as database:
        bench = Bench(tmp_path, database.url)

        async def work() -> None:
            nonlocal full
            bench.read_many(5)
            await bench.until(lambda: bool(bench.told))
            assert bench.journal.depth("plant") == 5
            full = False
            await bench.delivered()

        bench.run(work)
    assert told in bench.told[0][1]
    assert [kind for kind, _ in bench.told] == ["uplink_down", "uplink_up"]
    assert bench.uplink.points_written == 5


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_the_trouble_of_one_database_is_not_that_of_another(tmp_path: Path, status: int) -> None:
    """Two uplinks over one journal: while the one is refused, readings are taken and the other delivers."""
    headers = (("Retry-After", "3600"),)
    with (
        Answering(lambda _: Answer(status, "", headers)) as broken,
        Answering(lambda _: Answer()) as sound,
    ):
        first = Bench(tmp_path, broken.url, beside="years")
        second = Bench(tmp_path, sound.url, id="years", journal=first.journal)

        async def work() -> None:
            delivering = asyncio.create_task(second.uplink.run())
            first.read_many(50)
            await first.until(lambda: bool(first.told))
            first.read_many(50)
            await second.until(lambda: second.uplink.points_written == 100)
            delivering.cancel()
            assert first.journal.depth("plant") == 100

        first.run(work)
    assert second.told == []
    assert len(readings(sound.written)) == 100


def test_a_database_that_does_not_answer_is_given_up_in_time(tmp_path: Path) -> None:
    end = threading.Event()

    def answer(_: Written) -> Answer:
        if len(database.written) == 1:
            end.wait(20)
        return Answer()

    with Answering(answer) as database:
        bench = Bench(tmp_path, database.url, timeout="300ms")

        async def work() -> None:
            bench.read_many(10)
            await bench.delivered()

        try:
            bench.run(work)
        finally:
            end.set()
    assert bench.told[0] == ("uplink_down", "no answer within the time limit")


def test_acquisition_goes_on_while_a_database_does_not_answer(tmp_path: Path) -> None:
    """The answer comes when the event loop says so, which it could not while it waited for the answer."""
    asked, recorded = threading.Event(), threading.Event()
    in_time: list[bool] = []

    def answer(_: Written) -> Answer:
        asked.set()
        in_time.append(recorded.wait(30))
        return Answer()

    with Answering(answer) as database:
        bench = Bench(tmp_path, database.url, timeout="60s")

        async def work() -> None:
            bench.read_many(10)
            await bench.until(asked.is_set)
            bench.read_many(10)
            await bench.journal.flush()
            recorded.set()
            await bench.delivered(60)

        bench.run(work)
    assert all(in_time)
    assert len(readings(database.written)) == 20


def test_a_database_that_is_not_running_and_a_name_that_is_none(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    for number, (where, told) in enumerate(
        ((nobody, "Connection refused"), ("http://no.such.invalid", "resolved"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        bench = Bench(folder, where)

        async def work() -> None:
            bench.read_many(1)  # noqa: B023 - of this round
            await bench.until(lambda: bool(bench.told), 60)  # noqa: B023 - of this round; resolvers take time

        bench.run(work)
        assert told in bench.told[0][1]
