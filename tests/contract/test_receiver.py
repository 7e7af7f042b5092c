"""The receiver over a real mosquitto. The gateway is played: it has to do what a real one never should."""

import asyncio
import json
import subprocess
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace

import msgspec
import paho.mqtt.client as paho
import pytest
from msgspec.structs import replace
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.contract import receiver as module
from edge_agent.contract.compression import LIMIT, is_packed, packed
from edge_agent.contract.digests import counted, hash_of
from edge_agent.contract.messages import (
    Digest,
    Event,
    Gone,
    Replay,
    ReplayEnd,
    ReplayRequest,
    Status,
    Telemetry,
    bundle,
    decode,
    encode,
    number,
)
from edge_agent.contract.receiver import LOOK_EVERY_S, Broker, Delivery, Item, Notice, Receiver, Rules
from tests.field.mosquitto import Mosquitto

ROOT = "fta/v1/330300/91330300MA00DEM06A/gw-1"
QUICK = Rules(patience=0.3, ask_again=60, give_up=60)
"""What is missing is asked for soon, and once, however late the answer."""
PATIENT = Rules(patience=60)
"""What comes late is not asked for."""
LIMIT_S = 20.0


def event(seq: int, text: str = "", kind: str = "test", after: int = 0, **detail: int) -> bytes:
    body = encode(Event(time=0, kind=kind, subject="", message=text or f"number {seq}", detail=detail))
    return number(body, seq, after)


def reading(seq: int) -> bytes:
    return number(encode(Telemetry(equipment="M1", received=0, tags=["t"], values=[1])), seq)


def status(
    last_seq: int = 0, acknowledged_seq: int | None = None, *, online: bool = True, live_after: int = 0
) -> bytes:
    """Of a gateway that has delivered everything, if it is not said how far it is."""
    acknowledged = last_seq if acknowledged_seq is None else acknowledged_seq
    said = Status(online=online, time=0, since=0, version="0", configuration="")
    return encode(replace(said, last_seq=last_seq, acknowledged_seq=acknowledged, live_after=live_after))


class Gateway:
    """Publishes what it is told to, and answers requests from what it has kept."""

    def __init__(self, port: int) -> None:
        self.kept: dict[int, bytes] = {}
        self.requests: list[ReplayRequest] = []
        self._asked = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _client, _data, message: self._answer(bytes(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe(f"{ROOT}/replay/request", qos=1)
        assert ready.wait(LIMIT_S)

    def send(self, payload: bytes, topic: str = "event", *, retain: bool = False) -> None:
        self._client.publish(f"{ROOT}/{topic}", payload, qos=1, retain=retain).wait_for_publish(LIMIT_S)

    def events(self, numbers: Iterable[int]) -> None:
        for seq in numbers:
            self.send(event(seq))

    def asked(self) -> list[ReplayRequest]:
        """The requests, of which there is at least one."""
        assert self._asked.wait(LIMIT_S)
        return self.requests

    def _answer(self, payload: bytes) -> None:
        request = decode(payload)
        assert isinstance(request, ReplayRequest)
        self.requests.append(request)
        self._asked.set()
        gone = []
        for seq in range(request.first, request.last + 1):
            if seq in self.kept:
                answer = Replay(id=request.id, topic="event", message=msgspec.Raw(self.kept[seq]))
                self._client.publish(f"{ROOT}/replay/response", encode(answer), qos=1)
            else:
                gone.append(Gone(seq, seq, "thinned on 2026-11-01"))
        end = ReplayEnd(id=request.id, first=request.first, last=request.last, gone=gone)
        self._client.publish(f"{ROOT}/replay/response", encode(end), qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@contextmanager
def gateway(broker: Mosquitto) -> Iterator[Gateway]:
    played = Gateway(broker.port)
    try:
        yield played
    finally:
        played.close()


@asynccontextmanager
async def receiving(
    broker: Mosquitto, ledger: Path | None = None, rules: Rules = QUICK, **more: str
) -> AsyncIterator[AsyncIterator[Item]]:
    address = Broker("127.0.0.1", broker.port, more.get("client_id", ""))
    receiver = Receiver(address, more.get("subscribe", "fta/v1/#"), ledger, rules)
    async with receiver.items() as items:
        yield items


async def collect(items: AsyncIterator[Item], enough: int) -> list[Item]:
    found: list[Item] = []
    async with asyncio.timeout(LIMIT_S):
        async for item in items:
            if isinstance(item, Delivery) and isinstance(item.message, Status):
                continue
            found.append(item)
            if len(found) >= enough:
                return found
    raise AssertionError("the receiver ended")


async def subscribed(items: AsyncIterator[Item], played: Gateway) -> None:
    played.send(
        encode(Status(online=True, time=0, since=0, version="0", configuration="")), "status", retain=True
    )
    async with asyncio.timeout(LIMIT_S):
        async for item in items:
            if isinstance(item, Delivery) and isinstance(item.message, Status):
                return


def numbers(items: Iterable[Item]) -> list[object]:
    return [
        item.message.seq
        for item in items
        if isinstance(item, Delivery)
        and isinstance(item.message, Event | Telemetry)
        and isinstance(item.message.seq, int)
    ]


def notices(items: Iterable[Item]) -> list[tuple[str, int, int]]:
    return [(item.kind, item.first, item.last) for item in items if isinstance(item, Notice)]


def test_repeats_and_disorder_come_out_once_and_in_order(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            async with receiving(broker, rules=PATIENT) as items:
                await subscribed(items, played)
                await asyncio.to_thread(played.events, (7, 8, 8, 11, 10, 9, 7, 12))
                assert numbers(await collect(items, 6)) == [7, 8, 9, 10, 11, 12]
        assert played.requests == []

    asyncio.run(life())


def test_what_is_missing_is_asked_for_and_takes_its_place(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            played.kept = {seq: event(seq) for seq in (3, 4)}
            async with receiving(broker) as items:
                await subscribed(items, played)
                await asyncio.to_thread(played.events, (1, 2, 6, 7))
                found = await collect(items, 8)
        assert numbers(found) == [1, 2, 3, 4, 6, 7], "5 is kept no longer, and the gateway says so"
        assert notices(found) == [("gap", 3, 5), ("lost", 5, 5)]
        assert [(one.first, one.last) for one in played.requests] == [(3, 5)]

    asyncio.run(life())


def test_what_a_gateway_does_not_answer_for_is_told_as_lost(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            rules = Rules(patience=0.2, ask_again=60, give_up=1.0, replay=False)
            async with receiving(broker, rules=rules) as items:
                await subscribed(items, played)
                await asyncio.to_thread(played.events, (1, 4))
                found = await collect(items, 4)
        assert numbers(found) == [1, 4]
        assert notices(found) == [("gap", 2, 3), ("lost", 2, 3)]

    asyncio.run(life())


def test_what_was_not_asked_for_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the consumer was away after it was seen to be missing."""
    now = 0.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    receiver = Receiver(Broker("nowhere"), rules=Rules(patience=5, ask_again=30, give_up=300))
    for seq in (1, 4):
        receiver._account_for_one(ROOT, "event", event(seq), retained=False)
    assert receiver._look_for_holes() == ([], [])
    now = 1000.0
    told, asked = receiver._look_for_holes()
    assert (notices(told), len(asked)) == ([("gap", 2, 3)], 1)
    now = 1029.0
    assert receiver._look_for_holes() == ([], []), "there may be an answer yet"
    now = 1295.0
    told, asked = receiver._look_for_holes()
    assert (notices(told), asked) == ([("lost", 2, 3)], [])
    receiver._ledger.close()


def test_the_last_message_is_missed_too(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            played.kept = {2: event(2)}
            async with receiving(broker) as items:
                await subscribed(items, played)
                played.events([1])
                played.send(status(last_seq=2), "status")
                assert numbers(await collect(items, 3)) == [1, 2]

    asyncio.run(life())


def test_what_overtakes_a_backlog_is_handed_over_at_once_and_the_backlog_not_asked_for(
    broker: Mosquitto,
) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            async with receiving(broker, rules=Rules(patience=0, ask_again=0.1, give_up=0)) as items:
                await subscribed(items, played)
                played.send(status(last_seq=9, acknowledged_seq=0), "status")
                played.send(reading(1), "telemetry/M1")
                await asyncio.to_thread(played.events, (5, 9))
                assert numbers(await collect(items, 3)) == [1, 5, 9]
                await asyncio.to_thread(played.events, [10])
                for seq in (2, 3):
                    played.send(reading(seq), "telemetry/M1")
                assert sorted(map(str, numbers(await collect(items, 3)))) == ["10", "2", "3"]
                # It goes away amid its backlog: that will still come, however long it takes.
                played.send(status(online=False), "status")
                await asyncio.sleep(2.5 * LOOK_EVERY_S)
                for seq in (4, 6, 7, 8):
                    played.send(reading(seq), "telemetry/M1")
                assert numbers(await collect(items, 4)) == [4, 6, 7, 8]
        assert played.requests == []

    asyncio.run(life())


def test_readings_that_overtake_a_backlog_are_handed_over_at_once_and_in_order(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            played.kept = {12: reading(12)}
            async with receiving(broker) as items:
                await subscribed(items, played)
                played.send(status(last_seq=9, acknowledged_seq=0, live_after=9), "status")
                for seq in (1, 10, 11, 13, 2):
                    played.send(reading(seq), "telemetry/M1")
                found = await collect(items, 7)
                came = [seq for seq in numbers(found) if isinstance(seq, int)]
                assert sorted(came) == [1, 2, 10, 11, 12, 13]
                assert [seq for seq in came if seq > 9] == [10, 11, 12, 13], "in their order"
                assert notices(found) == [("gap", 12, 12)], "what lies before the live ones is on its way"
                # The backlog is through, but for one that got lost.
                played.kept = {4: reading(4)}
                for seq in (3, 5, 6, 7, 8, 9):
                    played.send(reading(seq), "telemetry/M1")
                played.send(status(last_seq=13), "status")
                found = await collect(items, 8)
                assert numbers(found) == [*range(3, 10)]
                assert notices(found) == [("gap", 4, 4)]
        assert [(one.first, one.last) for one in played.requests] == [(12, 12), (4, 4)]

    asyncio.run(life())


def test_messages_of_a_narrow_line_come_as_they_were(broker: Mosquitto) -> None:
    """Compressed, several together; and what nobody should send."""

    async def life() -> None:
        with gateway(broker) as played:
            async with receiving(broker, rules=Rules(replay=False)) as items:
                await subscribed(items, played)
                readings = [reading(seq) for seq in (1, 2, 3)]
                played.send(packed(bundle(readings)), "telemetry")
                found = await collect(items, 3)
                assert [(one.topic, one.payload) for one in found if isinstance(one, Delivery)] == [
                    ("telemetry/M1", payload) for payload in readings
                ]
                long = event(4, "so long that it is worth it " * 10)
                assert is_packed(packed(long))
                played.send(packed(long))
                played.send(zlib.compress(bytes(2 * LIMIT)))
                played.send(packed(long)[:-3])
                nested = bundle([event(5), bundle([reading(6)]), reading(7)])
                played.send(nested, "telemetry")
                found = await collect(items, 5)
                assert [one.payload for one in found if isinstance(one, Delivery)] == [long]
                invalid = [one for one in found if isinstance(one, Notice)]
                assert {one.kind for one in invalid} == {"invalid"}
                texts = [one.text for one in invalid]
                assert "has more than" in texts[0]
                assert "its end" in texts[1]
                assert len(texts) == 4

    asyncio.run(life())


def test_a_digest_is_of_messages_however_they_travelled(broker: Mosquitto) -> None:
    """Two streams of readings, packed together; an event among the live ones that got lost."""
    lost = event(12)
    sent = {seq: reading(seq) for seq in (*range(1, 12), 13)} | {12: lost, 14: event(14, after=12)}

    def claim() -> bytes:
        classes = [
            counted(name, min(of_class), max(of_class), [hash_of(sent[seq]) for seq in of_class])
            for name, of_class in (("events", [12, 14]), ("readings", [*range(1, 12), 13]))
        ]
        day = Digest(time=0, day="2026-11-27", timezone="UTC", first=1, last=14, classes=classes)
        return number(encode(day), 15)

    async def life() -> None:
        with gateway(broker) as played:
            played.kept = {12: lost}
            async with receiving(broker) as items:
                await subscribed(items, played)

                def together(*seqs: int) -> None:
                    played.send(packed(bundle([sent[seq] for seq in seqs])), "telemetry")

                played.send(status(last_seq=9, acknowledged_seq=0, live_after=9), "status")
                together(1, 2)
                together(10, 11, 13)
                played.send(sent[14])
                found = await collect(items, 8)
                assert notices(found) == [("gap", 12, 12)], "once, although it is missed twice"
                together(*range(3, 10))
                played.send(claim(), "digest")
                found += await collect(items, 9)
        came = [one for one in found if isinstance(one, Delivery)]
        assert sorted(one.payload for one in came) == sorted([*sent.values(), claim()])
        assert notices(found)[1:] == [("digest_agrees", 1, 14)]
        assert [(one.first, one.last) for one in played.requests] == [(12, 12)]

    asyncio.run(life())


def test_a_reading_that_is_missing_amid_a_backlog_is_asked_for(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            played.kept = {2: reading(2)}
            async with receiving(broker) as items:
                await subscribed(items, played)
                played.send(status(last_seq=100, acknowledged_seq=0), "status")
                await asyncio.to_thread(played.events, [100])
                assert numbers(await collect(items, 1)) == [100]
                for seq in (1, 3):
                    played.send(reading(seq), "telemetry/M1")
                found = await collect(items, 4)
        assert numbers(found) == [1, 2, 3]
        assert notices(found) == [("gap", 2, 2)]
        assert [(one.first, one.last) for one in played.requests] == [(2, 2)]

    asyncio.run(life())


def test_what_overtakes_and_got_lost_is_asked_for_and_keeps_its_place(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            played.kept = {seq: event(seq, after=seq - 10) for seq in (20, 30)}
            async with receiving(broker) as items:
                await subscribed(items, played)
                played.send(status(last_seq=100, acknowledged_seq=0), "status")
                played.send(reading(1), "telemetry/M1")
                for seq in (10, 40, 50):
                    played.send(event(seq, after=seq - 10 if seq > 10 else 0))
                found = await collect(items, 8)
        assert numbers(found) == [1, 10, 20, 30, 40, 50]
        assert notices(found) == [("gap", 30, 30), ("gap", 20, 20)], "each names the one before it"
        assert [(one.first, one.last) for one in played.requests] == [(30, 30), (20, 20)]

    asyncio.run(life())


def test_numbers_too_large_for_any_file_stop_nothing(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            async with receiving(broker) as items:
                await subscribed(items, played)
                for payload in (event(2**63), event(1, kind="thinned", first=1, last=2**63)):
                    played.send(payload)
                gone = [Gone(1, 2**63, "")]
                played.send(encode(ReplayEnd(id="", first=1, last=2**63, gone=gone)), "replay/response")
                played.send(status(last_seq=2**63), "status")
                played.events([1])
                found = await collect(items, 5)
        assert numbers(found) == [1]
        assert [notice[0] for notice in notices(found)] == 4 * ["invalid"]

    asyncio.run(life())


def test_numbers_that_a_power_cut_took_are_not_waited_for(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            async with receiving(broker) as items:
                await subscribed(items, played)
                played.events([1])
                played.send(event(1001, kind="numbers_lost", first=2, last=1000))
                assert numbers(await collect(items, 2)) == [1, 1001]
        assert played.requests == []

    asyncio.run(life())


def test_what_was_thinned_is_not_asked_for_and_what_else_is_missing_is(
    broker: Mosquitto, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.db"

    async def life() -> None:
        with gateway(broker) as played:
            played.kept = {10: event(10)}
            async with receiving(broker, ledger, PATIENT, client_id="platform") as items:
                await subscribed(items, played)
                await asyncio.to_thread(played.events, (1, 3))
                played.send(event(6, kind="thinned", first=2, last=5, count=3))
                await asyncio.to_thread(played.events, (7, 9))
                assert numbers(await collect(items, 4)) == [1, 3, 6, 7]
            # Of 8 to 10 one was thinned, and one got lost on its way: which, only the gateway knows.
            played.send(event(11, kind="thinned", first=8, last=10, count=1))
            async with receiving(broker, ledger, client_id="platform") as items:
                found = await collect(items, 7)
        assert numbers(found) == [7, 9, 10, 11], "7 was handed over, and nobody had said that it was taken"
        assert sorted(notices(found)) == [("gap", 8, 8), ("gap", 10, 10), ("lost", 8, 8)]

    asyncio.run(life())


def test_garbage_and_forgery_are_told_and_stop_nothing(broker: Mosquitto) -> None:
    async def life() -> None:
        with gateway(broker) as played:
            async with receiving(broker) as items:
                await subscribed(items, played)
                for payload in (
                    event(1),
                    b"\xff not json",
                    event(1, "another"),
                    b'{"seq":2,"schema":"fta.event/1"}',
                ):
                    played.send(payload)
                played.events([3])
                found = await collect(items, 5)
        assert numbers(found) == [1, 3], "2 cannot be read, and is not waited for"
        assert notices(found) == [("invalid", 0, 0), ("conflict", 1, 1), ("invalid", 2, 2)]

    asyncio.run(life())


def test_a_receiver_that_was_away_misses_nothing(broker: Mosquitto, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"

    async def life() -> None:
        with gateway(broker) as played:
            async with receiving(broker, ledger, client_id="platform") as items:
                await subscribed(items, played)
                await asyncio.to_thread(played.events, range(1, 6))
                first = numbers(await collect(items, 3))
            await asyncio.to_thread(played.events, range(6, 9))
            async with receiving(broker, ledger, client_id="platform") as items:
                second = numbers(await collect(items, 6))
        assert first == [1, 2, 3]
        assert second == [3, 4, 5, 6, 7, 8], "3 was handed over, and nobody had said that it was taken"

    asyncio.run(life())


def test_workers_share_the_work_and_the_ledger(broker: Mosquitto, tmp_path: Path) -> None:
    rules = Rules(patience=0.5, ask_again=60, give_up=60, in_order=False)
    share = {"subscribe": "$share/platform/fta/v1/#"}

    async def life() -> None:
        found: dict[str, list[object]] = {"w1": [], "w2": []}
        there: set[str] = set()

        async def work(name: str) -> None:
            async with receiving(broker, tmp_path / "ledger.db", rules, client_id=name, **share) as items:
                async for item in items:
                    there.add(name)
                    found[name] += numbers([item])

        with gateway(broker) as played:
            workers = [asyncio.create_task(work(name)) for name in found]
            async with asyncio.timeout(LIMIT_S):
                while len(there) < len(found):
                    await asyncio.to_thread(played.send, status(), "status")
                await asyncio.to_thread(played.events, range(1, 201))
                while sum(map(len, found.values())) < 200:
                    await asyncio.sleep(0.05)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        everything = [*found["w1"], *found["w2"]]
        assert len(everything) == 200
        assert set(everything) == set(range(1, 201))
        assert min(map(len, found.values())) > 20, "both had their share"

    asyncio.run(life())


def test_a_refused_subscription_ends_it_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic read other/#\n")
    with Mosquitto(tmp_path / "broker", f"acl_file {tmp_path}/acl\nallow_anonymous false") as broker:

        async def life() -> None:
            async with receiving(broker) as items:
                await collect(items, 1)

        with pytest.raises(ConnectionError, match=r"refuses the connection: .*[Nn]ot authorized"):
            asyncio.run(life())


def test_it_needs_neither_drivers_nor_configuration() -> None:
    heavy = ("asyncua", "pymodbus", "pydantic", "numpy", "influxdb_client", "ruamel")
    text = (
        "import sys, json, edge_agent.contract.receiver;"
        f"print(json.dumps([name for name in {heavy} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
