"""Sends the same messages to a broker, by an uplink from its journal or by paho alone; a process of its own.

    python -m benchmarks.uplink_contender mqtt PORT MESSAGES FOLDER

Prints `ready` when everything is prepared, begins with a line on standard input, and prints what it cost as
JSON when the broker has everything.
"""

import asyncio
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.common import Cost
from edge_agent.cli.run import run_loop
from edge_agent.config.models import MqttUplinkOptions, SparkplugUplinkOptions
from edge_agent.contract.messages import Status, Telemetry, encode, number
from edge_agent.contract.topics import RecordClass, Topics
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Record, Store
from edge_agent.uplinks.broker import BrokerUplink
from edge_agent.uplinks.mqtt import MqttUplink
from edge_agent.uplinks.mqtt_connection import IN_FLIGHT
from edge_agent.uplinks.sparkplug.plant import Plant
from edge_agent.uplinks.sparkplug.uplink import SparkplugUplink

ROOT = "fta/v1/330300/91330300MA00DEM06A/bench"
CLASSES = {"region": frozenset({RecordClass.READINGS})}
MACHINES, TAGS = 100, 10
"""Each machine is read once a second."""
GROUP = 100
_BEGIN_MS = 1_760_000_000_000


def random_telemetry(machines: int, messages: int) -> Iterator[Telemetry]:
    """Of machines whose values all change: half of them whole numbers, half with three decimals."""
    draw = random.Random(1)  # noqa: S311 - no secret
    tags = [f"measured_{index}" for index in range(TAGS)]
    for index in range(messages):
        second, machine = divmod(index, machines)
        yield Telemetry(
            equipment=f"CNC-{machine:03}",
            received=_BEGIN_MS + 1000 * second + machine,
            tags=tags,
            values=[draw.randrange(65536) if i % 2 else draw.randrange(10**6) / 1000 for i in range(TAGS)],
        )


def records(messages: int) -> Iterator[Record]:
    for message in random_telemetry(MACHINES, messages):
        yield Record(RecordClass.READINGS, message.equipment, encode(message), TAGS)


def payloads(messages: int) -> Iterator[tuple[str, bytes]]:
    """Topic and content of each message as the MQTT uplink sends it."""
    topics = Topics(ROOT)
    for seq, record in enumerate(records(messages), 1):
        yield topics.of(record.record_class, record.subject), number(record.body, seq)


def fill(path: Path, messages: int) -> None:
    store = Store(path, CLASSES)
    group: list[Record] = []
    for record in records(messages):
        group.append(record)
        if len(group) == 5000:
            store.commit(group, {}, sync=True)
            group = []
    store.commit(group, {}, sync=True)
    store.close()


async def by_uplink(kind: str, port: int, messages: int, folder: Path) -> int:
    await asyncio.to_thread(fill, folder / "journal.db", messages)
    journal = Journal(folder / "journal.db", CLASSES)
    journal.start()
    uplink = _uplink(kind, port, journal, folder)
    _wait_for_start()
    cost = Cost()
    task = asyncio.create_task(uplink.run())
    await journal.delivered()
    cost.tell()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await journal.close()
    return 0


def _uplink(kind: str, port: int, journal: Journal, folder: Path) -> BrokerUplink:
    common: dict[str, Any] = {"id": "region", "type": kind, "host": "127.0.0.1", "port": port}
    common |= {"client_id": "bench", "username": None}
    if kind == "mqtt":
        options = MqttUplinkOptions.model_validate(common | {"root": ROOT, "audience": "plant"})
        status = Status(online=True, time=0, since=0, version="1", configuration="c")
        return MqttUplink(options, journal, lambda: status, _told)
    names = {f"measured_{index}": "" for index in range(TAGS)}
    plant = Plant({}, {f"CNC-{machine:03}": names for machine in range(MACHINES)}, ())
    given = common | {"group": "bench", "node": "bench", "carries": ["readings", "states"]}
    return SparkplugUplink(SparkplugUplinkOptions.model_validate(given), plant, folder, journal, _told)


def _told(kind: str, message: str, _uplink: str) -> None:
    print(kind, message, file=sys.stderr)


def by_paho(port: int, messages: int) -> None:
    """paho's own thread and queue, with as many messages on their way as the uplink allows itself."""
    prepared = list(payloads(messages))
    client = paho.Client(CallbackAPIVersion.VERSION2, "bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(IN_FLIGHT)
    room, done, acknowledged = threading.Semaphore(IN_FLIGHT), threading.Event(), 0

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        room.release()
        if acknowledged == messages:
            done.set()

    client.on_publish = on_publish
    _wait_for_start()
    cost = Cost()
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in prepared:
        room.acquire()
        client.publish(topic, payload, qos=1)
    done.wait()
    cost.tell()
    client.disconnect()
    client.loop_stop()


def _wait_for_start() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    kind, port, messages, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    if kind == "paho":
        by_paho(port, messages)
    else:
        run_loop(lambda: by_uplink(kind, port, messages, folder))
