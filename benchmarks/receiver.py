"""Counts what arrives at the broker and how old it is; a process of its own.

Prints one JSON line per `count` request on standard input: messages, values, latencies and gaps since the
last one.
"""

import json
import sys
import threading
import time
from collections import defaultdict

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


class Head(msgspec.Struct):
    """What is looked at of a telemetry message; the values are counted, not read."""

    seq: int
    equipment: str
    received: int
    values: list[int | float | bool | str | None]
    tags: list[str] = []
    source: list[int | None] | None = None


class Receiver:
    def __init__(self, port: int, topic: str) -> None:
        self._decoder = msgspec.json.Decoder(Head)
        self._lock = threading.Lock()
        self._reset()
        self._last: dict[str, int] = {}
        self._counters: dict[str, int] = {}
        self.total = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(topic, qos=0)
        self._client.loop_start()

    def _reset(self) -> None:
        self.messages = self.values = self.torn = self.missed = self.repeated = 0
        self.latencies: list[float] = []
        self.ages: list[float] = []
        self.gaps: dict[str, list[int]] = defaultdict(list)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        now = time.time() * 1000
        head = self._decoder.decode(message.payload)
        values = head.values
        with self._lock:
            self.messages += 1
            self.values += len(values)
            self.latencies.append(now - head.received)
            last = self._last.get(head.equipment)
            if last is not None:
                self.gaps[head.equipment].append(head.received - last)
            self._last[head.equipment] = head.received
            self.total += len(values)
            if head.source is not None:
                self.ages.append(now - min(source for source in head.source if source is not None))
                self._count(head)
            elif isinstance(values[0], int) and values[-1] != (values[0] + len(values) - 1) % 65536:
                self.torn += 1

    def _count(self, head: Head) -> None:
        """Where there are source times, the tag `t0` counts up by one with each change."""
        for tag, value in zip(head.tags, head.values, strict=True):
            if tag == "t0" and isinstance(value, int):
                step = value - self._counters.get(head.equipment, value - 1)
                self.missed += max(step - 1, 0)
                self.repeated += step <= 0
                self._counters[head.equipment] = value

    def take(self) -> dict[str, object]:
        with self._lock:
            gaps = sorted(gap for per_device in self.gaps.values() for gap in per_device)
            latencies = sorted(self.latencies)
            result = {
                "messages": self.messages,
                "values": self.values,
                "torn": self.torn,
                "missed": self.missed,
                "repeated": self.repeated,
                "total": self.total,
                "source_ms": [_part(sorted(self.ages), p) for p in (0.5, 0.99, 1.0)],
                "devices": len(self.gaps),
                "latency_ms": [_part(latencies, p) for p in (0.5, 0.99, 1.0)],
                "gap_ms": [_part(gaps, p) for p in (0.0, 0.01, 0.5, 0.99, 1.0)],
            }
            self._reset()
            return result


def _part(ordered: list[float] | list[int], part: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 1) if ordered else 0.0


if __name__ == "__main__":
    receiver = Receiver(int(sys.argv[1]), sys.argv[2])
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(receiver.take()), flush=True)
