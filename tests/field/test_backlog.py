"""After an outage: what is urgent overtakes the backlog of readings, over mosquitto."""

import asyncio
from functools import partial
from pathlib import Path

from edge_agent.contract.messages import Numbered, State, Telemetry, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received
from tests.field.test_mqtt_uplink import Bench

VALUES = list(range(100))


def reading() -> Record:
    body = Telemetry(equipment="M1", received=0, tags=["t"] * len(VALUES), values=VALUES)
    return Record(RecordClass.READINGS, "M1", encode(body), len(VALUES))


def state() -> Record:
    return Record(
        RecordClass.STATES,
        "M1",
        encode(State(equipment="M1", time=0, since=0, state="running", link="networked")),
    )


def has_states(count: int, received: list[Received]) -> bool:
    return len(numbers(received, State)) == count


def numbers(received: list[Received], kind: type[Numbered] = Numbered) -> list[object]:
    return [one.message.seq for one in received if isinstance(one.message, kind)]


def test_states_overtake_a_backlog_of_readings_each_in_order(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    bench = Bench(tmp_path, broker.port)

    async def work() -> None:
        for _ in range(10):
            for _ in range(300):
                bench.journal.append(reading())
            bench.journal.append(state())
        await bench.journal.flush()
        await bench.until(lambda: bool(bench.uplink.last_error))
        broker.start()
        with Platform(broker.port) as platform:
            await bench.journal.delivered()
            await asyncio.to_thread(platform.wait_for, lambda _: len(platform.numbered()) == 3010)
            received = platform.received()
        assert bench.journal.acknowledged("region") == 3010
        states = [301 * n for n in range(1, 11)]
        assert numbers(received, State) == states
        assert numbers(received, Telemetry) == [n for n in range(1, 3011) if n not in states]
        assert numbers(received).index(3010) < 600, "the newest state did not wait for 3000 readings"

    try:
        bench.run(work)
    finally:
        broker.stop()


def test_on_a_narrow_line_states_keep_up_while_a_backlog_drains(tmp_path: Path) -> None:
    """About 750 B each: some 20 readings a second, of 10,000."""
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        bench = Bench(tmp_path, broker.port, rate="128kbit/s")
        here: dict[int, int] = {}
        """How much had come when a state was taken, by its number."""

        async def work() -> None:
            for _ in range(10_000):
                bench.journal.append(reading())
            await bench.journal.flush()
            await bench.until(lambda: bench.uplink.statistics.acknowledged > 10)
            for n in range(1, 9):
                here[10_000 + n] = len(platform.received())
                bench.journal.append(state())
                await asyncio.to_thread(platform.wait_for, partial(has_states, n))
                await asyncio.sleep(0.2)

        bench.run(work)
        received = platform.received()
        drained = numbers(received, Telemetry)
        assert drained == list(range(1, len(drained) + 1)), "the backlog goes on in order"
        assert 10 < len(drained) < 2000, "and is not through yet"
        assert numbers(received, State) == list(range(10_001, 10_009))
        at_of = {one.message.seq: at for at, one in enumerate(received) if isinstance(one.message, Numbered)}
        waited_for = {seq: at_of[seq] - had_come for seq, had_come in here.items()}
        assert max(waited_for.values()) < 100, f"not for five seconds' worth of readings: {waited_for}"
