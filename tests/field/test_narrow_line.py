"""A narrow line: compressed, several batches in one message, and what is live overtakes the backlog."""

import asyncio
import random
import time
from collections import Counter
from itertools import count
from operator import attrgetter
from pathlib import Path

import pytest

from edge_agent.contract.messages import Event, Numbered, State, Telemetry, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.uplinks import uplink as module
from edge_agent.uplinks.uplink import UplinkState
from tests.field.line import Line
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received
from tests.field.test_mqtt_uplink import ROOT, Bench

LINE_BYTES = 16_000.0
RATE = "112kbit/s"
BACKLOG = 1200
_DRAW = random.Random(1)  # noqa: S311 - no secret


def now_ms() -> int:
    return round(1000 * time.time())


def reading(received: int = 0) -> Record:
    values = [_DRAW.randrange(65_536) for _ in range(10)]
    tags = [f"measured_{index}" for index in range(10)]
    body = encode(Telemetry(equipment="M1", received=received, tags=tags, values=values))
    return Record(RecordClass.READINGS, "M1", body, 10)


def state() -> Record:
    now = now_ms()
    said = State(equipment="M1", time=now, since=now, state="running", link="live")
    return Record(RecordClass.STATES, "M1", encode(said))


def announcement() -> Record:
    """What is said of numbers that do not come."""
    return Record(
        RecordClass.EVENTS, "", encode(Event(time=0, kind="thinned", subject="", message="")), 0, "region"
    )


def on_its_way(bench: Bench) -> set[int]:
    """The numbers of what the broker has not confirmed."""
    return {entry.seq for _, parcel in bench.uplink._by_mid.values() for entry in parcel.entries}


def numbers(received: list[Received], kind: type[Telemetry | State | Event]) -> list[int]:
    return [
        one.message.seq
        for one in received
        if isinstance(one.message, kind) and isinstance(one.message.seq, int)
    ]


def test_live_data_does_not_wait_while_a_backlog_drains(tmp_path: Path) -> None:
    """Some 30 readings a second would fit one by one; 1200 wait. What is live waits for as many as come
    before it, however long they take."""
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Line(broker.port) as line,
        Platform(broker.port) as platform,
    ):
        line.bytes_per_second = 0
        bench = Bench(tmp_path, line.port, rate=RATE, compression="zlib", gather="500ms")
        put_off: list[int] = []
        here: dict[int, int] = {}
        """How much had come when a live one was taken, by its number."""

        async def work() -> None:
            for _ in range(BACKLOG):
                bench.journal.append(reading())
            await bench.journal.flush()
            line.bytes_per_second = LINE_BYTES
            await bench.until(lambda: bench.uplink.statistics.acknowledged > 10)
            number_of = count(BACKLOG + 1)
            for step in range(20):
                here[next(number_of)] = len(platform.received())
                bench.journal.append(reading(now_ms()))
                if step == 10:
                    put_off.append(next(number_of))
                    bench.journal.append(announcement())
                elif step % 5 == 0:
                    here[next(number_of)] = len(platform.received())
                    bench.journal.append(state())
                await asyncio.sleep(0.05)
            assert bench.journal.acknowledged("region") < BACKLOG, "the backlog is not through yet"
            await bench.journal.delivered()
            last = max(here)
            entries, gaps = await bench.journal.again("region", 1, last)
            assert gaps == []
            await asyncio.to_thread(platform.wait_for, lambda _: len(platform.numbered()) == last)
            assert platform.numbered() == {e.seq: e.payload(attrgetter("body")) for e in entries}

        bench.run(work)
        received = platform.received()
        order = numbers(received, Telemetry)
        assert len(order) == len(set(order)), "nothing twice"
        assert [seq for seq in order if seq <= BACKLOG] == list(range(1, BACKLOG + 1))
        live_readings = [seq for seq in order if seq > BACKLOG]
        assert live_readings == sorted(live_readings)
        at_of = {one.message.seq: at for at, one in enumerate(received) if isinstance(one.message, Numbered)}
        waited_for = {seq: at_of[seq] - had_come for seq, had_come in here.items()}
        assert max(waited_for.values()) < BACKLOG / 3, waited_for
        (told,) = numbers(received, Event)
        assert [told] == put_off
        at = next(index for index, one in enumerate(received) if isinstance(one.message, Event))
        assert set(range(1, BACKLOG + 1)) <= set(numbers(received[:at], Telemetry)), "it overtakes no reading"
        assert {seq for seq in live_readings if seq < told} <= set(numbers(received[:at], Telemetry))
        assert platform.messages < BACKLOG / 10, "many travel together"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_was_live_does_not_come_twice_when_the_line_breaks(tmp_path: Path, version: str) -> None:
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Line(broker.port) as line,
        Platform(broker.port) as platform,
    ):
        line.bytes_per_second = 0
        options = {"version": version, "rate": "48kbit/s", "compression": "zlib", "gather": "100ms"}
        bench = Bench(tmp_path, line.port, **options)
        acknowledged: set[int] = set()

        async def work() -> None:
            for _ in range(BACKLOG // 3):
                bench.journal.append(reading())
            await bench.journal.flush()
            line.bytes_per_second = LINE_BYTES
            await bench.until(lambda: bench.uplink.statistics.acknowledged > 10)
            for _ in range(2):
                before = bench.journal.last("region")
                for _ in range(5):
                    bench.journal.append(reading(now_ms()))
                    bench.journal.append(state())
                await bench.journal.flush()
                live = set(range(before + 1, bench.journal.last("region") + 1))
                await bench.until(lambda: live <= platform.numbered().keys())  # noqa: B023 - of this round
                acknowledged.update(live)
                await bench.until(lambda: not live & on_its_way(bench))  # noqa: B023 - of this round
                line.cut()
                connects = bench.uplink.statistics.connects
                await bench.until(lambda: bench.uplink.statistics.connects > connects)  # noqa: B023 - of this round
            assert bench.journal.acknowledged("region") < BACKLOG // 3
            line.bytes_per_second = None
            await bench.journal.delivered()
            await asyncio.to_thread(
                platform.wait_for, lambda _: len(platform.numbered()) == BACKLOG // 3 + 20
            )

        bench.run(work)
        times = Counter(numbers(platform.received(), Telemetry) + numbers(platform.received(), State))
        assert {seq for seq in acknowledged if times[seq] > 1} == set()


def test_messages_that_travel_together_are_refused_together_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFUSED_PAUSE_S", 0.3)
    acl = tmp_path / "acl"
    acl.write_text(f"user gw-test\ntopic write {ROOT}/status\nuser platform\ntopic readwrite fta/#\n")
    with Mosquitto(tmp_path / "broker", f"allow_anonymous true\nacl_file {acl}") as broker:
        bench = Bench(tmp_path, broker.port, username="gw-test", compression="zlib", gather="1s")

        async def fill() -> None:
            for _ in range(30):
                bench.journal.append(reading())
            await bench.journal.flush()

        async def work() -> None:
            await bench.until(lambda: bench.uplink.state is UplinkState.REFUSED)
            assert f"refuses messages 1 to 30 to {ROOT}/telemetry: Not authorized" in bench.uplink.last_error
            assert bench.journal.acknowledged("region") == 0
            acl.write_text(f"user gw-test\ntopic write {ROOT}/#\nuser platform\ntopic readwrite fta/#\n")
            broker.read_again()
            await bench.journal.delivered()

        with Platform(broker.port, username="platform") as platform:
            bench.run(work, fill)
            platform.wait_for(lambda _: sorted(platform.numbered()) == list(range(1, 31)))
        assert [kind for kind, _ in bench.told] == ["uplink_refused", "uplink_up"]
