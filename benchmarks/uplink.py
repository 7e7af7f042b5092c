"""Uplinks and the journal: how fast a backlog goes out, and what a message and a value cost.

    python -m benchmarks.uplink --minutes 10

A backlog of so many minutes of 100 machines, each read once a second with ten values that all change, is
sent to a mosquitto on the loopback by the MQTT uplink, by the Sparkplug uplink, and by paho alone, which has
the same bytes in memory. Then the same messages are appended and drained by the journal and by SQLite alone.
Under three minutes with the default.
"""

import json
import sys
import tempfile
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table

from benchmarks.common import line_of, process
from benchmarks.uplink_contender import MACHINES, TAGS, payloads
from tests.field.mosquitto import Mosquitto

_LIMIT_S = 120
HOUR_MESSAGES = MACHINES * 3600


@dataclass(frozen=True)
class Sent:
    name: str
    messages: int
    wall: float
    cpu: float
    wire: int
    """Bytes that the broker received."""

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.wall


class Meter:
    """How many bytes the broker says it has received; it says so every second."""

    def __init__(self, port: int) -> None:
        self._newest, self._came = 0, threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("$SYS/broker/bytes/received")
        self._client.loop_start()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._newest = int(message.payload)
        self._came.set()

    def settled(self) -> int:
        """The count when it does not change any more."""
        before = -1
        while before != self._newest:
            before = self._newest
            self._came.clear()
            self._came.wait(2.5)
        return before

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def send(name: str, kind: str, messages: int, folder: Path) -> Sent:
    (folder / kind).mkdir()
    with Mosquitto(folder / f"broker-{kind}", "sys_interval 1\nset_tcp_nodelay true") as broker:
        meter = Meter(broker.port)
        command = [sys.executable, "-m", "benchmarks.uplink_contender", kind, str(broker.port)]
        with process(*command, str(messages), str(folder / kind)) as contender:
            assert line_of(contender) == "ready"
            before = meter.settled()
            assert contender.stdin is not None
            contender.stdin.write("\n")
            contender.stdin.flush()
            cost = json.loads(line_of(contender))
            contender.wait(_LIMIT_S)
            time.sleep(1.1)
            wire = meter.settled() - before
        meter.close()
    return Sent(name, messages, cost["wall"], cost["cpu"], wire)


def sent_table(contenders: list[Sent], zlib_bytes: float) -> Table:
    messages = contenders[0].messages
    made = Table(title=f"{messages:,} messages of {TAGS} values of {MACHINES} machines, to one mosquitto")
    made.add_column("")
    for one in contenders:
        made.add_column(one.name, justify="right")
    bare = contenders[-1]
    rows = {
        "messages/s": [f"{one.rate:,.0f}" for one in contenders],
        "values/s": [f"{one.rate * TAGS:,.0f}" for one in contenders],
        "beside paho": [f"{one.rate / bare.rate:.2f}" for one in contenders],
        "CPU µs per message": [f"{1e6 * one.cpu / one.messages:.0f}" for one in contenders],
        "CPU beside paho": [f"{one.cpu / bare.cpu:.2f}" for one in contenders],
        "bytes per value": [f"{one.wire / one.messages / TAGS:.1f}" for one in contenders],
        "with zlib (worked out)": [f"{zlib_bytes:.1f}", "", ""],
        "an hour, s": [_backlog(one, 1) for one in contenders],
        "7 days, h (worked out)": [f"{7 * 24 * HOUR_MESSAGES / one.rate / 3600:.1f}" for one in contenders],
    }
    for name, cells in rows.items():
        made.add_row(name, *cells)
    return made


def _backlog(one: Sent, hours: float) -> str:
    wanted = round(hours * HOUR_MESSAGES)
    return f"{one.wall:.0f}" if one.messages == wanted else f"{wanted / one.rate:.0f} (worked out)"


def zlib_saving(messages: int) -> float:
    """Bytes per value that zlib would take from the content of each message."""
    saved = count = 0
    for _, payload in payloads(messages):
        saved += len(payload) - len(zlib.compress(payload, 6))
        count += TAGS
    return saved / count


def journal_costs(kind: str, messages: int, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    (folder / kind).mkdir()
    command = [sys.executable, "-m", "benchmarks.journal_contender", kind, str(messages), str(folder / kind)]
    with process(*command) as contender:
        return json.loads(line_of(contender)), json.loads(line_of(contender))


def journal_table(messages: int, folder: Path) -> Table:
    made = Table(title=f"{messages:,} messages appended in groups of 100, and drained")
    for name in ("", "journal", "encrypted", "SQLite alone", "journal beside SQLite"):
        made.add_column(name, justify="right" if name else "left")
    costs = [journal_costs(kind, messages, folder) for kind in ("journal", "encrypted", "sqlite")]
    for index, name in enumerate(("appended", "drained")):
        rates = [messages / one[index]["wall"] for one in costs]
        made.add_row(f"{name} messages/s", *(f"{rate:,.0f}" for rate in rates), f"{rates[0] / rates[-1]:.2f}")
        cpu = [1e6 * one[index]["cpu"] / messages for one in costs]
        made.add_row(f"{name}, CPU µs", *(f"{one:.1f}" for one in cpu), f"{cpu[0] / cpu[-1]:.2f}")
    sizes = [one[0]["bytes"] / messages for one in costs]
    made.add_row(
        "bytes a message on the disk", *(f"{one:.0f}" for one in sizes), f"{sizes[0] / sizes[-1]:.2f}"
    )
    return made


@click.command()
@click.option("--minutes", default=10, show_default=True, help="How long a backlog to send.")
def main(minutes: int) -> None:
    """Measure uplinks and journal."""
    messages = 60 * MACHINES * minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contenders = [
            send(title, kind, messages, folder)
            for title, kind in (("JSON", "mqtt"), ("Sparkplug", "sparkplug"), ("paho alone", "paho"))
        ]
        json_bytes = contenders[0].wire / messages / TAGS
        zlib_bytes = json_bytes - zlib_saving(min(messages, 10_000))
        Console().print(sent_table(contenders, zlib_bytes))
        Console().print(journal_table(messages, folder))


if __name__ == "__main__":
    main()
