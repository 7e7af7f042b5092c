"""A receiver that misses numbers asks, and the agent's uplink sends the same bytes again: over mosquitto."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.contract.messages import Event, ReplayEnd, ReplayRequest, encode
from edge_agent.contract.receiver import Broker, Delivery, Item, Notice, Receiver, Rules
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.uplinks import replay
from edge_agent.uplinks.disclosure import told_to
from edge_agent.uplinks.replay import Replays
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform
from tests.field.test_mqtt_uplink import ROOT, Bench

RULES = Rules(patience=0.2, ask_again=20.0, give_up=30.0)


async def events(items: AsyncIterator[Item], last: int) -> tuple[dict[int, bytes], list[Notice]]:
    """What comes up to the number `last`."""
    payloads: dict[int, bytes] = {}
    notices = []
    async with asyncio.timeout(40):
        async for item in items:
            if isinstance(item, Notice):
                notices.append(item)
            elif isinstance(item, Delivery) and isinstance(item.message, Event):
                assert isinstance(item.message.seq, int)
                payloads[item.message.seq] = item.payload
                if item.message.seq >= last:
                    return payloads, notices
    raise AssertionError("the receiver ended")


@pytest.mark.parametrize("limit", ["", "max_inflight_messages 3"])
def test_what_a_receiver_missed_comes_again_with_the_same_bytes(tmp_path: Path, limit: str) -> None:
    with Mosquitto(tmp_path / "broker", limit) as broker, Platform(broker.port, ROOT) as platform:
        bench = Bench(tmp_path, broker.port)

        def receiver() -> Receiver:
            return Receiver(Broker("127.0.0.1", broker.port), "fta/v1/#", tmp_path / "ledger.db", RULES)

        async def work() -> None:
            async with receiver().items() as items:
                async for _ in items:  # the retained status: it is subscribed
                    break
                bench.add(3)
                before, _ = await events(items, 3)
            bench.add(250)  # while it is away, without a session at the broker
            await bench.journal.flush()
            await bench.journal.delivered()
            async with receiver().items() as items:
                async for _ in items:
                    break
                bench.add(1)
                after, notices = await events(items, 254)
            everything = before | after
            assert sorted(everything) == list(range(1, 255))
            assert {notice.kind for notice in notices} == {"gap"}
            sent = await asyncio.to_thread(platform.wait_for, lambda _: len(platform.numbered()) == 254)
            assert sent
            assert everything == platform.numbered()
            assert bench.uplink.statistics.connects == 1, broker.log()

        bench.run(work)


def test_what_is_not_kept_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1)

    async def work() -> None:
        replays = Replays("region", bench.journal, told_to("plant"))
        bench.add(2)
        await bench.journal.flush()
        for payload in (b"nonsense", encode(Event(time=0, kind="k", subject="", message=""))):
            replays.ask(payload)
        replays.ask(encode(ReplayRequest(id="r", first=2, last=3)))
        message, end = await asyncio.wait_for(replays.answers(), 20)
        assert b'"message":{"seq":2,' in message
        assert b'"first":2,"last":3,"gone":[{"first":3,"last":3,"reason":"not given yet"}]' in end

    bench.run(work)


def test_a_long_request_is_answered_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PAUSE_S", 0.0)
    bench = Bench(tmp_path, 1)

    async def work() -> None:
        replays = Replays("region", bench.journal, told_to("plant"))
        for _ in range(300):
            bench.journal.append(Record(RecordClass.READINGS, "M1", b'{"schema":"x"}'))
        await bench.journal.flush()
        replays.ask(encode(ReplayRequest(id="r", first=1, last=10**9)))
        answers = await asyncio.wait_for(replays.answers(), 20)
        assert len(answers) == replay.AT_ONCE + 1
        assert b'"last":100' in answers[-1]
        for first in (*range(1, 1000), *[999] * 1000):
            replays.ask(encode(ReplayRequest(id="r", first=first, last=first)))
        assert len(replays._waiting) == replay.WAITING
        assert replays._waiting[-2].first == 998, "the same one does not wait twice"
        replays.ask(encode(ReplayRequest(id="r", first=1, last=2**63)))
        assert replays._waiting[-1].first == 999, "no file can be asked for that"

    bench.run(work)


def test_an_answer_ends_where_it_is_large_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PAUSE_S", 0.0)
    monkeypatch.setattr(replay, "BYTES_AT_ONCE", 5_000)
    bench = Bench(tmp_path, 1)

    async def work() -> None:
        replays = Replays("region", bench.journal, told_to("plant"))
        for _ in range(4):
            bench.journal.append(Record(RecordClass.READINGS, "M1", b'{"schema":"%b"}' % (b"x" * 3_000)))
        await bench.journal.flush()
        replays.ask(encode(ReplayRequest(id="r", first=1, last=5)))
        *messages, end = await asyncio.wait_for(replays.answers(), 20)
        assert len(messages) == 2
        assert end == b'{"schema":"fta.replay-end/1","id":"r","first":1,"last":2,"gone":[]}'

    bench.run(work)


def test_what_is_sent_again_keeps_to_the_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10 messages of some 2 kB, at 10 kB a second: the first time, and again."""
    monkeypatch.setattr(replay, "PAUSE_S", 0.0)
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port, ROOT) as platform:
        bench = Bench(tmp_path, broker.port, rate="80kbit/s")

        async def work() -> None:
            event = encode(Event(time=1, kind="k", subject="s", message="m" * 2_000))
            for _ in range(10):
                bench.journal.append(Record(RecordClass.EVENTS, "", event))
            await bench.journal.flush()
            await bench.journal.delivered()
            began = time.monotonic()
            platform.publish("replay/request", encode(ReplayRequest(id="r", first=1, last=10)))
            await asyncio.to_thread(
                platform.wait_for, lambda all: any(isinstance(one.message, ReplayEnd) for one in all)
            )
            assert time.monotonic() - began > 10 * len(event) / 10_000 - 0.5

        bench.run(work)
