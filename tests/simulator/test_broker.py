"""The demo's broker carries what the demo needs, says nothing of its own, and ends when told to."""

import queue
import signal
from collections.abc import Iterator

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.ports import free_port
from tests.simulator.process import BROKER, ended, listens, started


@pytest.fixture
def broker_port() -> Iterator[int]:
    port = free_port()
    with started([*BROKER, "--port", str(port)]) as (process, line):
        assert line == f"ready: mqtt 127.0.0.1:{port}\n"
        yield port
        assert ended(process, signal.SIGTERM) == (0, "")
        assert not listens(port)


def connected(port: int, name: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv311)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def ended_client(client: paho.Client) -> None:
    client.disconnect()
    client.loop_stop()


def test_messages_and_retained_messages_arrive_and_nothing_else(broker_port: int) -> None:
    got: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
    publisher = connected(broker_port, "publisher")
    publisher.publish("demo/status", b"online", qos=1, retain=True).wait_for_publish(30)
    subscriber = connected(broker_port, "subscriber")
    subscribed: queue.Queue[int] = queue.Queue()
    subscriber.on_subscribe = lambda _client, _data, mid, *_rest: subscribed.put(mid)
    subscriber.on_message = lambda _client, _data, message: got.put(
        (message.topic, bytes(message.payload), message.retain)
    )
    subscriber.subscribe([("#", 1), ("$SYS/#", 1)])
    subscribed.get(timeout=30)
    for number in range(100):
        publisher.publish("demo/telemetry", str(number).encode(), qos=1).wait_for_publish(30)
    messages = [got.get(timeout=30) for _ in range(101)]
    ended_client(publisher)
    ended_client(subscriber)
    assert [one for one in messages if one[2]] == [("demo/status", b"online", True)]
    assert [one for one in messages if not one[2]] == [
        ("demo/telemetry", str(number).encode(), False) for number in range(100)
    ]
    assert got.empty()
