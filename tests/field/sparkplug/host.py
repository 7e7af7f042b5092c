"""A Sparkplug host application: it listens to everything, says whether it is there, and asks for births."""

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.uplinks.sparkplug.schema import Payload


@dataclass(frozen=True)
class Heard:
    at: float
    topic: str
    payload: bytes

    @property
    def verb(self) -> str:
        return self.topic.split("/")[2]

    @property
    def device(self) -> str:
        return "/".join(self.topic.split("/")[4:])

    def decoded(self) -> Any:
        return Payload.FromString(self.payload)


class Host:
    """What it says is sent at QoS 1 and has arrived at the broker when the call returns."""

    def __init__(self, port: int, host_id: str = "scada") -> None:
        self.id = host_id
        self.said: list[tuple[float, str]] = []
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe("spBv1.0/#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(10)

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        if "/STATE/" not in message.topic and "/NCMD/" not in message.topic:
            with self._lock:
                self._heard.append(Heard(time.monotonic(), message.topic, bytes(message.payload)))

    def heard(self, verb: str = "") -> list[Heard]:
        with self._lock:
            return [one for one in self._heard if not verb or one.verb == verb]

    def state(self, online: bool, timestamp: int, host_id: str = "") -> None:
        host_id = host_id or self.id
        content = json.dumps({"online": online, "timestamp": timestamp}).encode()
        self._say(f"state {host_id} {online} {timestamp}", f"spBv1.0/STATE/{host_id}", content, retain=True)

    def ask_for_births(self, group: str, node: str, *, retain: bool = False) -> None:
        payload = Payload(timestamp=int(time.time() * 1000))
        payload.metrics.add(name="Node Control/Rebirth", datatype=11, boolean_value=True)
        self._say("rebirth", f"spBv1.0/{group}/NCMD/{node}", payload.SerializeToString(), retain=retain)

    def say(self, topic: str, content: bytes) -> None:
        self._say(topic, topic, content, retain=False)

    def _say(self, what: str, topic: str, content: bytes, *, retain: bool) -> None:
        self.said.append((time.monotonic(), what))
        self._client.publish(topic, content, qos=1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
