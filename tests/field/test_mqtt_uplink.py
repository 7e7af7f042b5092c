"""The MQTT uplink and the journal against a real mosquitto."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from edge_agent.config.models import MqttUplinkOptions, TlsOptions
from edge_agent.contract.messages import Event, Numbered, Status, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Record
from edge_agent.model.clock import CLOCK
from edge_agent.uplinks import uplink as module
from edge_agent.uplinks.mqtt import MqttUplink
from edge_agent.uplinks.mqtt_failures import (
    MAY_NEED_CERTIFICATE,
    MAY_NEED_NO_TLS,
    MAY_NEED_TLS,
    MAY_REFUSE_CERTIFICATE,
    NOTHING_SAID,
)
from edge_agent.uplinks.uplink import UplinkState
from tests.field.certificates import Authority
from tests.field.delivery import Delivery
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform
from tests.ports import free_port

ROOT = "fta/v1/330300/91330300MA00DEM06A/gw-test"


class Bench(Delivery[MqttUplink]):
    """A journal and one uplink over it."""

    def __init__(self, folder: Path, port: int, **options: Any) -> None:
        given: dict[str, Any] = {"id": "region", "type": "mqtt", "host": "127.0.0.1", "port": port}
        given |= {"root": ROOT, "client_id": "gw-test", "username": None, "audience": "plant", **options}
        self.told: list[tuple[str, str]] = []
        self.journal = Journal(folder / "journal.db", {"region": frozenset(RecordClass)})
        self.uplink = MqttUplink(
            MqttUplinkOptions.model_validate(given),
            self.journal,
            lambda: Status(online=True, time=CLOCK.now_ms(), since=0, version="1", configuration="c"),
            lambda kind, message, uplink: self.told.append((kind, f"{uplink}: {message}")),
        )

    def add(self, count: int, record_class: RecordClass = RecordClass.EVENTS) -> None:
        for _ in range(count):
            event = Event(time=1, kind="k", subject="s", message=str(self.journal.appended))
            self.journal.append(Record(record_class, "M1", encode(event)))


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_everything_arrives_in_order_and_the_cursor_follows(tmp_path: Path, version: str) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        bench = Bench(tmp_path, broker.port, version=version)

        async def work() -> None:
            bench.add(500)
            bench.add(1, RecordClass.STATES)
            await bench.journal.flush()
            await bench.journal.delivered()
            assert bench.journal.acknowledged("region") == 501

        bench.run(work)
        platform.wait_for(lambda _: len(platform.numbered()) == 501)
        numbers = [r.message.seq for r in platform.received() if isinstance(r.message, Numbered)]
        assert numbers == list(range(1, 502))
        assert [r.topic for r in platform.received() if r.topic.startswith("state")] == ["state/M1"]
        with Platform(broker.port, "fta/v1/330300/91330300MA00DEM06A/gw-test") as late:
            retained = late.wait_for(lambda r: len([x for x in r if x.retained]) >= 2)
            assert {r.topic for r in retained if r.retained} == {"state/M1", "status"}


def test_a_broker_that_comes_late_gets_everything(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    bench = Bench(tmp_path, broker.port)

    async def work() -> None:
        bench.add(300)
        await bench.journal.flush()
        await bench.until(lambda: bool(bench.uplink.last_error))
        assert "Connection refused" in bench.uplink.last_error
        assert bench.journal.depth("region") == 300
        broker.start()
        with Platform(broker.port) as platform:
            await bench.journal.delivered()
            platform.wait_for(lambda _: len(platform.numbered()) == 300)

    try:
        bench.run(work)
    finally:
        broker.stop()
    assert [kind for kind, _ in bench.told] == ["uplink_down", "uplink_up"]


def test_a_broker_killed_while_messages_flow_loses_none(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        bench = Bench(tmp_path, broker.port)

        async def work() -> None:
            for kill in (signal.SIGTERM, signal.SIGKILL):
                before = bench.journal.acknowledged("region")
                bench.add(2000)
                await bench.until(lambda: bench.journal.acknowledged("region") > before + 300)  # noqa: B023 - of this round
                await asyncio.to_thread(broker.stop, kill)
                bench.add(100)
                await bench.until(lambda: bench.uplink.state is UplinkState.CONNECTING)
                confirmed = bench.journal.acknowledged("region")
                await asyncio.to_thread(broker.start)
                await bench.journal.flush()
                async with asyncio.timeout(40):
                    await bench.journal.delivered()
                # A broker that is killed may forget what it has confirmed, and nothing else.
                first = 1 if kill is signal.SIGTERM else confirmed + 1
                wanted = set(range(first, bench.journal.last("region") + 1))
                await bench.until(lambda: wanted <= platform.numbered().keys())  # noqa: B023 - of this round

        bench.run(work)
        assert bench.journal.last("region") == 4200


def test_a_message_refused_by_the_broker_is_kept_and_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFUSED_PAUSE_S", 0.5)
    acl = tmp_path / "acl"
    everything = "user gw-test\ntopic readwrite fta/#\nuser platform\ntopic readwrite fta/#\n"
    acl.write_text(everything.replace("topic readwrite fta/#", f"topic write {ROOT}/state/#", 1))
    extra = f"allow_anonymous true\nacl_file {acl}"
    with Mosquitto(tmp_path / "broker", extra) as broker:
        bench = Bench(tmp_path, broker.port, username="gw-test")

        async def work() -> None:
            bench.add(2, RecordClass.STATES)
            bench.add(1, RecordClass.EVENTS)
            bench.add(2, RecordClass.STATES)
            await bench.until(lambda: bench.uplink.state is UplinkState.REFUSED)
            assert bench.journal.acknowledged("region") == 2, "no further than the refused message"
            assert "refuses message 3" in bench.uplink.last_error
            assert "Not authorized" in bench.uplink.last_error
            published = bench.uplink.statistics.published
            began = time.monotonic()
            await asyncio.sleep(1.2)
            tries = 1 + (time.monotonic() - began) / 0.5
            assert bench.uplink.statistics.published <= published + 3 * tries, "not in a loop"
            acl.write_text(everything)
            broker_process = broker._process
            assert broker_process is not None
            broker_process.send_signal(signal.SIGHUP)  # mosquitto reads the list again
            await bench.journal.delivered()

        with Platform(broker.port, username="platform") as platform:
            bench.run(work)
            platform.wait_for(lambda _: sorted(platform.numbered()) == [1, 2, 3, 4, 5])
        assert [kind for kind, _ in bench.told] == ["uplink_refused", "uplink_up"]


def test_a_brokers_limit_on_messages_in_flight_is_heeded(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker", "max_inflight_messages 3") as broker:
        bench = Bench(tmp_path, broker.port)

        async def work() -> None:
            bench.add(1000)
            await bench.journal.flush()
            await bench.journal.delivered()

        bench.run(work)
        assert bench.uplink.statistics.connects == 1, broker.log()


def test_a_wrong_password_is_said_once_and_no_other_way_is_tried(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    extra = f"allow_anonymous false\npassword_file {passwords}"
    with Mosquitto(tmp_path / "broker", extra) as broker:
        bench = Bench(tmp_path, broker.port, username="gw-test", password=SecretStr("s3cret-value"))

        async def work() -> None:
            bench.add(1)
            await bench.until(lambda: "refuses the connection" in bench.uplink.last_error)
            await bench.until(lambda: broker.log().count("not authorised") >= 3)  # so twice it was told
            assert bench.uplink.statistics.connects == 0

        bench.run(work)
        assert bench.told[0][0] == "uplink_down"
        assert "Not authorized" in bench.told[0][1]
        assert len(bench.told) == 1
        assert "s3cret-value" not in str(bench.told) + str(bench.uplink.options)


class TestTls:
    def broker(self, folder: Path, authority: Authority, *, expired: bool = False) -> Mosquitto:
        certificate, key = authority.issue("server", expired=expired)
        return Mosquitto(
            folder,
            f"cafile {authority.ca}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true",
        )

    def options(self, trusted: Authority, client_of: Authority) -> TlsOptions:
        certificate, key = client_of.issue("client")
        return TlsOptions(ca=trusted.ca, certificate=certificate, key=key)

    def test_both_sides_are_verified_and_messages_arrive(self, tmp_path: Path) -> None:
        ours = Authority(tmp_path / "ours")
        with self.broker(tmp_path / "broker", ours) as broker:
            bench = Bench(tmp_path, broker.port, tls=self.options(ours, ours))

            async def work() -> None:
                bench.add(10)
                await bench.journal.flush()
                await bench.journal.delivered()

            bench.run(work)

    # paho leaves the socket of a failed handshake to the garbage collector.
    @pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
    )
    @pytest.mark.parametrize(
        ("case", "words"), [("unknown authority", "not trusted"), ("expired", "has expired")]
    )
    def test_a_server_that_cannot_prove_who_it_is_gets_nothing(
        self, tmp_path: Path, case: str, words: str
    ) -> None:
        ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
        server = theirs if case == "unknown authority" else ours
        with self.broker(tmp_path / "broker", server, expired=case == "expired") as broker:
            bench = Bench(tmp_path, broker.port, tls=self.options(ours, ours))

            async def work() -> None:
                bench.add(1)
                await bench.journal.flush()
                await bench.until(lambda: bool(bench.told))
                assert words in bench.told[0][1]
                assert bench.uplink.statistics.connects == 0
                assert bench.journal.depth("region") == 1

            bench.run(work)

    # paho leaves the socket of a failed handshake to the garbage collector.
    @pytest.mark.filterwarnings("ignore:Exception ignored in. <s:pytest.PytestUnraisableExceptionWarning")
    def test_whoever_speaks_tls_to_the_wrong_port_or_not_to_the_right_one_is_told_so(
        self, tmp_path: Path
    ) -> None:
        authority = Authority(tmp_path / "authority")
        certificate, key = authority.issue("server")
        open_to_all, members = free_port(), free_port()
        files = f"cafile {authority.ca}\ncertfile {certificate}\nkeyfile {key}\n"
        doors = f"listener {open_to_all} 127.0.0.1\n{files}"
        doors += f"listener {members} 127.0.0.1\n{files}require_certificate true\n"
        cases: list[tuple[int, dict[str, Any], str]] = [
            (open_to_all, {}, MAY_NEED_TLS),
            (open_to_all, {"path": "/mqtt"}, MAY_NEED_TLS),
            (members, {"tls": TlsOptions(ca=authority.ca)}, MAY_NEED_CERTIFICATE),
            (members, {"tls": self.options(authority, Authority(tmp_path / "no"))}, MAY_REFUSE_CERTIFICATE),
        ]
        with Mosquitto(tmp_path / "broker", doors) as broker:
            cases.append((broker.port, {"tls": TlsOptions(ca=authority.ca)}, MAY_NEED_NO_TLS))
            for number, (port, options, why) in enumerate(cases):
                (tmp_path / str(number)).mkdir()
                assert why in self.told_of(Bench(tmp_path / str(number), port, **options))

    def told_of(self, bench: Bench) -> str:
        """What is told of the first attempt."""

        async def work() -> None:
            await bench.until(lambda: bool(bench.told))

        bench.run(work)
        assert NOTHING_SAID not in bench.told[0][1]
        return bench.told[0][1]
