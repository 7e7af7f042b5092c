"""A receiver as the regional platform would be: it subscribes to everything of one gateway."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.contract.compression import unpacked
from edge_agent.contract.messages import AnyMessage, Bundle, Numbered, Telemetry, decode


@dataclass(frozen=True)
class Received:
    topic: str
    """Below the root."""
    payload: bytes
    message: AnyMessage
    retained: bool


def _of_bundle(payload: bytes) -> Received:
    message = decode(payload)
    assert isinstance(message, Telemetry)
    return Received(f"telemetry/{message.equipment}", payload, message, retained=False)


class Platform:
    """A durable MQTT session: what comes while it or the broker is away is delivered afterwards."""

    def __init__(
        self,
        port: int,
        root: str = "fta/v1/+/+/+",
        username: str | None = None,
        client_id: str = "platform",
    ) -> None:
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            clean_session=False,
        )
        if username is not None:
            self._client.username_pw_set(username, username)
        self._root = root
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self.messages = 0
        """MQTT messages; several of the gateway's may come in one."""
        self._subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(f"{root}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(30)

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        below = "/".join(message.topic.split("/")[len(self._root.split("/")) :])
        payload = unpacked(bytes(message.payload))
        content = decode(payload)
        received = [Received(below, payload, content, message.retain)]
        if isinstance(content, Bundle):
            received = [_of_bundle(bytes(one)) for one in content.messages]
        with self._lock:
            self.messages += 1
            self._received += received

    def received(self) -> list[Received]:
        with self._lock:
            return list(self._received)

    def numbered(self) -> dict[int, bytes]:
        """Payloads by sequence number; fails if one number came with two contents."""
        found: dict[int, bytes] = {}
        for item in self.received():
            if not isinstance(item.message, Numbered):
                continue
            seq = item.message.seq
            assert isinstance(seq, int)
            assert found.setdefault(seq, item.payload) == item.payload, f"two messages with number {seq}"
        return found

    def wait_for(self, condition: Callable[[list[Received]], bool], limit: float = 40.0) -> list[Received]:
        """What was received by the time that `condition` held."""
        deadline = time.monotonic() + limit
        while True:
            received = self.received()
            if condition(received):
                return received
            assert time.monotonic() < deadline, f"not within {limit} s; {len(received)} messages came"
            time.sleep(0.02)

    def publish(self, topic: str, payload: bytes) -> None:
        """Below the root, which has no wildcard then."""
        self._client.publish(f"{self._root}/{topic}", payload, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
