"""The yardstick: the same subscriptions by asyncua alone, values as JSON by msgspec, published by paho.

No journal, no states, no figures, no reconnection of its own: what the libraries cost by themselves.
"""

import asyncio
import sys
import time
from typing import Any

import msgspec
import paho.mqtt.client as paho
import uvloop
from asyncua import ua
from asyncua.client.client import Client
from paho.mqtt.enums import CallbackAPIVersion

AT_ONCE = 500


class Handler:
    """Collects the changes of one device and publishes them together."""

    def __init__(self, client: paho.Client, device: str) -> None:
        self._client = client
        self._device = device
        self._tags: list[str] = []
        self._values: list[Any] = []
        self._source: list[int] = []

    def add(self, tag: str, data: Any) -> None:
        if not self._tags:
            asyncio.get_running_loop().call_soon(self._publish)
        self._tags.append(tag)
        self._values.append(data.Value.Value)
        self._source.append(int(data.SourceTimestamp.timestamp() * 1000))

    def _publish(self) -> None:
        body = {
            "seq": 0,
            "equipment": self._device,
            "received": time.time_ns() // 1_000_000,
            "tags": self._tags,
            "values": self._values,
            "source": self._source,
        }
        self._client.publish(f"bare/{self._device}", msgspec.json.encode(body), qos=1)
        self._tags, self._values, self._source = [], [], []


class Changes:
    def __init__(self, handlers: dict[str, Handler]) -> None:
        self._handlers = handlers

    def datachange_notification(self, node: Any, _value: object, data: Any) -> None:
        device, _, tag = node.nodeid.Identifier.partition(".")
        self._handlers[device].add(tag, data.monitored_item.Value)


async def serve(devices: list[str], tags: int, period: float, port: int, mqtt: paho.Client) -> None:
    client = Client(f"opc.tcp://127.0.0.1:{port}")
    async with client:
        index = await client.get_namespace_index("urn:benchmark")
        handlers = {f"D{place}": Handler(mqtt, device) for place, device in enumerate(devices)}
        subscription = await client.create_subscription(period * 1000, Changes(handlers))
        nodes = [
            client.get_node(ua.NodeId(f"D{place}.t{tag}", index))  # type: ignore[arg-type]  # takes any int
            for place in range(len(devices))
            for tag in range(tags)
        ]
        for first in range(0, len(nodes), AT_ONCE):
            await subscription.subscribe_data_change(nodes[first : first + AT_ONCE], queuesize=10)
        await asyncio.Event().wait()


async def main() -> None:
    devices, tags, period, mqtt_port, *ports = (float(argument) for argument in sys.argv[1:])
    mqtt = paho.Client(CallbackAPIVersion.VERSION2)
    mqtt.max_inflight_messages_set(100)
    mqtt.connect("127.0.0.1", int(mqtt_port))
    mqtt.loop_start()
    names = [f"D{number}" for number in range(int(devices))]
    await asyncio.gather(
        *(
            serve(names[number :: len(ports)], int(tags), period, int(port), mqtt)
            for number, port in enumerate(ports)
        )
    )


if __name__ == "__main__":
    uvloop.run(main())
