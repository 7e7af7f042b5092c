"""The uplink into VictoriaMetrics, as far as `docs/influxdb.md` says that it works."""

from pathlib import Path

from edge_agent.contract import messages
from edge_agent.contract.topics import RecordClass
from tests.field.influx.bench import WHERE, Bench
from tests.field.influx.victoria import Victoria


def test_numbers_arrive_with_their_times_and_labels_and_texts_do_not(tmp_path: Path) -> None:
    with Victoria(tmp_path / "db") as database:
        bench = Bench(tmp_path, database.url, bucket="plant", org="works", token="t0", lines=100)  # noqa: S106
        begin = bench.time

        async def work() -> None:
            for number in range(300):
                bench.read({"speed": number + 0.5, "door": number % 2 == 0, "mode": "auto"})
            account = messages.Account(
                equipment="M2",
                time=begin,
                period="hour",
                from_=begin - 3_600_000,
                to=begin,
                timezone="Asia/Shanghai",
                times=[messages.StateTime("running", 2_600_000), messages.StateTime("idle", 1_000_000)],
                planned=None,
                failures=0,
                figures=[],
            )
            bench.send(RecordClass.ACCOUNTS, account)
            await bench.delivered()

        bench.run(work)
        assert bench.told == []
        assert bench.uplink.points_written == 601
        ((labels, values),) = database.series("readings_speed")
        assert values == {begin + 1000 * (number + 1): number + 0.5 for number in range(300)}
        assert labels == {
            "__name__": "readings_speed",
            "clock": "gateway",
            "enterprise": WHERE.enterprise,
            "equipment": "M1",
            "gateway": "gw-test",
            "line": "L=1",
            "workshop": "机加 工,车间",
        }
        ((_, doors),) = database.series("readings_door")
        assert set(doors.values()) == {0, 1}
        ((where, running),) = database.series("accounts_running_ms")
        assert (where["workshop"], running) == ("装配", {begin - 3_600_000: 2_600_000})
        # It has no texts: each is 0 there, which is why the page says what to carry.
        ((_, modes),) = database.series("texts_mode")
        assert set(modes.values()) == {0}
