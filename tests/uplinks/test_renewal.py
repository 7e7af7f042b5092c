"""When a certificate is asked for again, and what is told if nobody answers; the connection is played."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.contract.enrolment import Gateway, check_request
from edge_agent.contract.messages import EnrolmentResponse, encode
from edge_agent.statements.keys import signing_key
from edge_agent.uplinks import renewal as module
from edge_agent.uplinks.identity import Identity
from edge_agent.uplinks.mqtt_connection import MqttError
from edge_agent.uplinks.renewal import Renewal
from tests.uplinks.enrolment import authority_module, certificate_of

GATEWAY = Gateway("330300", "91330300MA00DEM06A", "gw-1")


class Played:
    """A connection on which what is asked is kept."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self._deaf = deaf

    async def subscribe(self, topic: str) -> None:
        if self._deaf:
            raise MqttError(f"the broker refuses the subscription to {topic}")

    def publish(self, topic: str, payload: bytes, *, retain: bool, qos: int) -> None:
        assert not retain
        assert qos == 0, "outside of the window"
        self.asked.append((topic, payload))


class Bench:
    def __init__(self, folder: Path) -> None:
        self.authority = authority_module().make(folder / "region")
        self.identity = Identity(folder / "identity" / "r.pem", GATEWAY, "root", signing_key(folder))
        self.told: list[tuple[str, str]] = []
        self.renewal = Renewal(self.identity, "r", self._tell)

    def _tell(self, kind: str, message: str, subject: str = "", **detail: str | float) -> None:
        assert subject == "r"
        assert detail.keys() == {"ends"}
        self.told.append((kind, message))

    def hold(self, **life: int) -> None:
        """The present certificate is one of this life."""
        self.identity.install(self._certificate(**life))

    def _certificate(self, **life: int) -> bytes:
        key = check_request(encode(self.identity.request())).csr.public_key()
        certificate = certificate_of(self.authority, GATEWAY, key, **life)
        return certificate.public_bytes(Encoding.PEM)

    def answer(self, **life: int) -> bytes:
        id = self.identity.request().id
        return encode(EnrolmentResponse(id=id, time=1, certificate=self._certificate(**life).decode()))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(limited())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_one_that_is_due_is_renewed_and_one_that_is_not_is_not_asked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)

    async def work() -> None:
        connection: Any = Played()
        bench.hold(days=31, begun_days=59)
        over = asyncio.create_task(bench.renewal.over(connection))
        await asyncio.sleep(0.1)
        assert connection.asked == []
        bench.hold(days=29, begun_days=61)
        await until(lambda: connection.asked != [])
        await asyncio.sleep(0.1)
        ((topic, payload),) = connection.asked
        assert topic == "root/enrol/request"
        assert check_request(payload).renews == bench.identity.present()
        bench.renewal.answered(b"garbage")
        bench.renewal.answered(bench.answer(days=90))
        await over

    run(work)
    assert [kind for kind, _ in bench.told] == ["certificate_renewed"]


def test_it_is_asked_again_on_another_day_and_a_refusal_ends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(module, "ASK_EVERY", timedelta(seconds=0.05))

    async def work() -> None:
        bench.hold(days=100, begun_days=265)
        connection: Any = Played()
        over = asyncio.create_task(bench.renewal.over(connection))
        await until(lambda: len(connection.asked) == 1)
        id = bench.identity.request().id
        bench.renewal.answered(encode(EnrolmentResponse(id=id, time=1, reason="not now")))
        await until(lambda: len(connection.asked) == 3)
        assert len({check_request(payload).message.id for _, payload in connection.asked}) == 1
        over.cancel()

    run(work)
    assert bench.told == [], "there are 100 days left"


def test_a_broker_that_does_not_let_it_hear_does_not_stop_deliveries(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        bench.hold(days=2, begun_days=363)
        connection: Any = Played(deaf=True)
        over = asyncio.create_task(bench.renewal.over(connection))
        await until(lambda: len(connection.asked) == 1)
        assert not over.done()
        over.cancel()

    run(work)
    assert [kind for kind, _ in bench.told] == ["certificate_ends"]


@pytest.mark.parametrize(
    ("days", "told"), [(20, 0), (14, 1), (13, 1), (2, 1), (0, 1), (-1, 1)], ids=lambda one: str(one)
)
def test_the_end_is_told_once_for_each_limit(bench: Bench, days: int, told: int) -> None:
    bench.renewal.look()
    assert bench.told == [], "before there is any"
    key = check_request(encode(bench.identity.request())).csr.public_key()
    pem = certificate_of(bench.authority, GATEWAY, key, days=days, begun_days=300)
    bench.identity.file.write_bytes(pem.public_bytes(Encoding.PEM))
    bench.renewal.look()
    bench.renewal.look()
    assert [kind for kind, _ in bench.told] == ["certificate_ends"] * told
    assert all(("ended on" in text) == (days <= 0) for _, text in bench.told)


def test_of_a_short_life_nothing_is_told_before_it_was_asked_for(bench: Bench) -> None:
    bench.hold(days=9, begun_days=19)  # since 8 hours, and it is asked for once in 22
    bench.renewal.look()
    assert bench.told == []


def test_a_damaged_file_raises_nothing(bench: Bench) -> None:
    bench.hold(days=9)
    bench.identity.file.write_text("nothing")
    bench.renewal.look()
    assert bench.told == []
