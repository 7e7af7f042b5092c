"""What compression makes of the messages of the demo: bytes, and CPU of the gateway.

    python -m benchmarks.compression --seconds 60

Each message by itself, and telemetry of so many neighbours together, as zlib makes it, zlib with a dictionary
that both sides have, and zstd likewise where the package `zstandard` is installed. Dictionaries are made of
the first half of the messages and used on the second.
"""

import re
import subprocess
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import click
import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table

from edge_agent.contract.messages import bundle

try:
    import zstandard
except ImportError:
    zstandard = None

TOGETHER = (1, 5, 10, 20, 50, 100)
LEVEL = 6
DICTIONARY_BYTES = 16_384
ENOUGH = 20
"""Messages to make a dictionary of, at least."""
CPU_S = 0.15


def demo_messages(seconds: float) -> Iterator[tuple[str, bytes]]:
    """Topic below the root, and content, of what the demo sends in this time."""
    found: list[tuple[str, bytes]] = []
    command = [sys.executable, "-u", "-m", "edge_agent", "demo", "--seconds", f"{seconds}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        port = next(int(m[1]) for line in demo.stdout if (m := re.search(r"mosquitto_sub .* -p (\d+)", line)))
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_message = lambda _c, _d, m: found.append(("/".join(m.topic.split("/")[5:]), m.payload))
        while True:
            try:
                client.connect("127.0.0.1", port)
                break
            except OSError:
                time.sleep(0.1)
        client.subscribe("fta/v1/#", qos=1)
        client.loop_start()
        for _ in demo.stdout:
            pass
        client.loop_stop()
    yield from found


@dataclass(frozen=True)
class Way:
    """How to compress, given messages of before to make a dictionary of."""

    name: str
    made: Callable[[Sequence[bytes]], Callable[[bytes], bytes]]


def _zlib_with_dictionary(before: Sequence[bytes]) -> Callable[[bytes], bytes]:
    dictionary = b"".join(before)[-DICTIONARY_BYTES:]

    def pack(payload: bytes) -> bytes:
        stream = zlib.compressobj(LEVEL, zdict=dictionary)
        return stream.compress(payload) + stream.flush()

    return pack


def ways() -> tuple[list[Way], list[Way]]:
    """Without a dictionary, and with one."""
    without = [Way("zlib", lambda _: lambda payload: zlib.compress(payload, LEVEL))]
    with_one = [Way("zlib, dictionary", _zlib_with_dictionary)]
    if zstandard is not None:
        without.append(Way("zstd", lambda _: zstandard.ZstdCompressor().compress))
        with_one.append(
            Way(
                "zstd, dictionary",
                lambda before: (
                    zstandard.ZstdCompressor(
                        dict_data=zstandard.train_dictionary(DICTIONARY_BYTES, list(before))
                    ).compress
                ),
            )
        )
    return without, with_one


def cost(pack: Callable[[bytes], bytes], payloads: Sequence[bytes]) -> tuple[float, float]:
    """Bytes and CPU µs of one, on average."""
    size, rounds, begin = sum(len(pack(one)) for one in payloads), 0, time.process_time()
    while time.process_time() - begin < CPU_S:
        for one in payloads:
            pack(one)
        rounds += 1
    return size / len(payloads), 1e6 * (time.process_time() - begin) / rounds / len(payloads)


def by_class(found: Mapping[str, Sequence[bytes]]) -> Table:
    without, with_one = ways()
    table = Table("class", "messages", "bytes", *(way.name for way in (*without, *with_one)))
    for name, payloads in found.items():
        half = len(payloads) // 2
        before, after = payloads[:half], payloads[half:]
        cells = [f"{sum(map(len, after)) / len(after):.0f}"]
        for way in (*without, *with_one):
            if way in with_one and half < ENOUGH:
                cells.append("")
                continue
            size, cpu = cost(way.made(before), after)
            cells.append(f"{size:.0f} ({cpu:.0f} µs)")
        table.add_row(name, f"{len(payloads)}", *cells)
    return table


def together(telemetry: Sequence[bytes]) -> Table:
    """In bytes a value, and CPU µs for each of the messages that go together."""
    without, _ = ways()
    table = Table("telemetry together", "bytes a value", *(way.name for way in without))
    values = sum(len(msgspec.json.decode(one)["values"]) for one in telemetry) / len(telemetry)
    for count in TOGETHER:
        groups = [bundle(telemetry[i : i + count]) for i in range(0, len(telemetry) - count + 1, count)]
        cells = [f"{sum(map(len, groups)) / len(groups) / count / values:.1f}"]
        for way in without:
            size, cpu = cost(way.made(()), groups)
            cells.append(f"{size / count / values:.1f} ({cpu / count:.0f} µs)")
        table.add_row(f"{count}", *cells)
    return table


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long the demo runs.")
def main(seconds: float) -> None:
    """Measure compression."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for topic, payload in demo_messages(seconds):
        found[topic.partition("/")[0]].append(payload)
    Console().print(by_class(found))
    Console().print(together(found["telemetry"]))


if __name__ == "__main__":
    main()
