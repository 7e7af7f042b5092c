"""Ways to a broker out of a works that is closed: WebSocket, ALPN, proxies; and more than one broker."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from edge_agent.config.models import TlsOptions
from edge_agent.contract.compression import CONTENT_TYPE
from edge_agent.contract.messages import Event, encode, number
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.uplinks import broker as module
from tests.field.certificates import Authority
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform
from tests.field.test_mqtt_uplink import Bench
from tests.ports import free_port


def delivers(bench: Bench, count: int = 50) -> None:
    async def work() -> None:
        bench.add(count)
        await bench.journal.flush()
        async with asyncio.timeout(40):
            await bench.journal.delivered()

    bench.run(work)
    assert bench.uplink.statistics.acknowledged == count
    assert bench.told == []


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextlib.contextmanager
def listening(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_over_websocket(tmp_path: Path, version: str, encrypted: bool) -> None:
    port, tls = free_port(), None
    # A listener beside the plain one, without which this broker does not start.
    extra = f"listener {port} 127.0.0.1\nprotocol websockets"
    if encrypted:
        authority = Authority(tmp_path / "authority")
        certificate, key = authority.issue("server")
        extra += f"\ncertfile {certificate}\nkeyfile {key}"
        tls = TlsOptions(ca=authority.ca)
    with Mosquitto(tmp_path / "broker", extra):
        wait_for(port)
        delivers(Bench(tmp_path, port, version=version, path="/mqtt", tls=tls), 500)


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_port_that_speaks_no_websocket_is_told(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        bench = Bench(tmp_path, broker.port, path="/mqtt")

        async def work() -> None:
            await bench.until(lambda: bool(bench.told))

        bench.run(work)
    assert bench.told[0][0] == "uplink_down"
    assert "no connection to 127.0.0.1" in bench.told[0][1]


def test_a_port_shared_with_others_hears_what_is_meant(tmp_path: Path) -> None:
    """What stands before the broker is played: it takes nobody who does not ask for `mqtt`."""
    authority = Authority(tmp_path / "authority")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("server"))
    context.set_alpn_protocols(["http/1.1", "mqtt"])
    asked: list[str | None] = []

    with Mosquitto(tmp_path / "broker") as broker:

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
            if asked[-1] != "mqtt":
                writer.close()
                return
            there, back = await asyncio.open_connection("127.0.0.1", broker.port)

            async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                with contextlib.suppress(OSError):
                    while data := await source.read(65536):
                        target.write(data)
                        await target.drain()
                target.close()

            try:
                await asyncio.gather(pump(reader, back), pump(there, writer))
            finally:
                back.transport.abort()
                writer.transport.abort()

        async def end() -> None:
            server.close()
            passing = asyncio.all_tasks() - {asyncio.current_task()}
            for one in passing:
                one.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            await asyncio.sleep(0.1)  # what was aborted is closed in the next turn of the loop

        def bench_on(port: int, *alpn: str) -> Bench:
            (tmp_path / (alpn[0] if alpn else "none")).mkdir()
            folder = tmp_path / (alpn[0] if alpn else "none")
            return Bench(folder, port, tls=TlsOptions(ca=authority.ca, alpn=alpn))

        port = free_port()
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(pass_on, "127.0.0.1", port, ssl=context))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            delivers(bench_on(port, "mqtt"))
            without = bench_on(port)

            async def work() -> None:
                await without.until(lambda: bool(without.told))

            without.run(work)
        finally:
            asyncio.run_coroutine_threadsafe(end(), loop).result(20)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(20)
            loop.close()
    assert asked[0] == "mqtt"
    assert asked[1] is None


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_through_a_proxy(tmp_path: Path, kind: str) -> None:
    port, user, password = free_port(), "gw", "s3cret"
    if kind == "socks5":
        program = str(shutil.which("microsocks"))
        command = [program, "-i", "127.0.0.1", "-p", str(port), "-u", user, "-P", password]
    else:
        settings = f"Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth {user} {password}\n"
        (tmp_path / "tinyproxy.conf").write_text(settings)
        command = [str(shutil.which("tinyproxy")), "-d", "-c", str(tmp_path / "tinyproxy.conf")]
    proxy: dict[str, Any] = {"type": kind, "host": "127.0.0.1", "port": port, "username": user}
    with Mosquitto(tmp_path / "broker") as broker, listening(command, port):
        delivers(Bench(tmp_path, broker.port, proxy={**proxy, "password": password}))
        (tmp_path / "wrong").mkdir()
        refused = Bench(tmp_path / "wrong", broker.port, proxy={**proxy, "password": "wr0ng"})

        async def work() -> None:
            await refused.until(lambda: bool(refused.told))
            assert refused.uplink.statistics.connects == 0

        refused.run(work)
    assert "no connection to" in refused.told[0][1]
    assert "wr0ng" not in str(refused.told)


def test_the_next_broker_takes_over_and_nothing_is_lost(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path / "first") as first,
        Mosquitto(tmp_path / "second") as second,
        Platform(first.port) as platform,
        Platform(second.port) as other,
    ):
        bench = Bench(tmp_path, first.port, fallback=[{"host": "127.0.0.1", "port": second.port}])

        async def work() -> None:
            bench.add(10)
            await bench.until(lambda: bench.journal.acknowledged("region") == 10)
            await asyncio.to_thread(first.stop)
            bench.add(10)
            await bench.until(lambda: bench.journal.acknowledged("region") == 20)
            await bench.until(lambda: set(range(11, 21)) <= other.numbered().keys())
            await asyncio.to_thread(first.start)
            await asyncio.to_thread(second.stop)
            bench.add(10)
            await bench.until(lambda: bench.journal.acknowledged("region") == 30)

        bench.run(work)
        platform.wait_for(lambda _: {*range(1, 11), *range(21, 31)} <= platform.numbered().keys())


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_a_renewed_certificate_is_used_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TLS_FILES_EVERY_S", 0.1)
    authority = Authority(tmp_path / "authority")
    server = authority.issue("server")
    extra = (
        f"cafile {authority.ca}\ncertfile {server[0]}\nkeyfile {server[1]}\n"
        "require_certificate true\nuse_identity_as_username true"
    )
    certificate, key = authority.issue("gw-old")
    with Mosquitto(tmp_path / "broker", extra) as broker:
        bench = Bench(
            tmp_path, broker.port, tls=TlsOptions(ca=authority.ca, certificate=certificate, key=key)
        )

        async def work() -> None:
            bench.add(1)
            await bench.until(lambda: bench.journal.acknowledged("region") == 1)
            new_certificate, new_key = authority.issue("gw-new")
            key.write_bytes(new_key.read_bytes())
            certificate.write_bytes(new_certificate.read_bytes())
            await bench.until(lambda: "u'gw-new'" in broker.log())
            bench.add(1)
            await bench.until(lambda: bench.journal.acknowledged("region") == 2)

        bench.run(work)
        assert "u'gw-old'" in broker.log()


def test_messages_expire_and_topics_are_told_once(tmp_path: Path) -> None:
    """mosquitto tells what is left of the time; it allows ten topic aliases unless configured otherwise."""
    found: list[tuple[str, int | None]] = []
    compressed: list[bytes] = []
    with Mosquitto(tmp_path / "broker") as broker:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)

        def take(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
            properties: Properties | None = message.properties
            found.append((message.topic, getattr(properties, "MessageExpiryInterval", None)))
            if getattr(properties, "ContentType", None) == CONTENT_TYPE:
                compressed.append(bytes(message.payload))

        client.on_message = take
        client.connect("127.0.0.1", broker.port)
        ready = threading.Event()
        client.on_subscribe = lambda *_: ready.set()
        client.loop_start()
        client.subscribe("fta/v1/#", qos=1)
        assert ready.wait(30)
        bench = Bench(tmp_path, broker.port, expiry={"readings": "1h"}, compression="zlib")
        long = encode(Event(time=1, kind="k", subject="s", message="so long that it is worth it " * 9))

        async def work() -> None:
            for _ in range(3):
                bench.add(1, RecordClass.READINGS)
                bench.add(1, RecordClass.EVENTS)
            bench.journal.append(Record(RecordClass.EVENTS, "", long))
            await bench.until(lambda: len([t for t, _ in found if not t.endswith("status")]) == 7)

        bench.run(work)
        client.disconnect()
        client.loop_stop()
    below = [
        (topic.rpartition("gw-test/")[2], limit) for topic, limit in found if not topic.endswith("status")
    ]
    assert sorted(topic for topic, _ in below) == ["event"] * 4 + ["telemetry/M1"] * 3
    assert all(limit is not None and 3590 <= limit <= 3600 for topic, limit in below if topic != "event")
    assert {limit for topic, limit in below if topic == "event"} == {None}
    assert [zlib.decompress(payload) for payload in compressed] == [number(long, 7, after=6)]
