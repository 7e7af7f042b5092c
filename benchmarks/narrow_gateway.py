"""A gateway with a backlog of readings, and machines that go on working; a process of its own.

    python -m benchmarks.narrow_gateway PORT MACHINES BACKLOG FOLDER '{"rate": "56kbit/s"}'

Fills a journal with so many old messages, prints `ready`, and begins with a line on standard input. Then each
machine gives a reading a second, and a state and an event each 20 s, until it is ended.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from benchmarks.uplink_contender import ROOT, TAGS, random_telemetry
from edge_agent.cli.run import run_loop
from edge_agent.config.models import MqttUplinkOptions
from edge_agent.contract.messages import Event, State, Status, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Record, Store
from edge_agent.uplinks.mqtt import MqttUplink

CLASSES = {"region": frozenset({RecordClass.READINGS, RecordClass.STATES, RecordClass.EVENTS})}
STATE_EVERY_S = 20
_GROUP = 5000


def readings(machines: int, count: int) -> list[Record]:
    return [
        Record(RecordClass.READINGS, one.equipment, encode(one), TAGS)
        for one in random_telemetry(machines, count)
    ]


def fill(path: Path, machines: int, count: int) -> None:
    store = Store(path, CLASSES)
    records = readings(machines, count)
    for begin in range(0, count, _GROUP):
        store.commit(records[begin : begin + _GROUP], {}, sync=True)
    store.close()


async def work(journal: Journal, machines: int) -> None:
    """Each machine once a second, one after the other, for ever."""
    begin, told = time.monotonic(), 0
    for index, telemetry in enumerate(random_telemetry(machines, sys.maxsize)):
        await asyncio.sleep(max(0.0, begin + index / machines - time.monotonic()))
        now = round(1000 * time.time())
        body = encode(replace(telemetry, received=now))
        journal.append(Record(RecordClass.READINGS, telemetry.equipment, body, TAGS))
        if index // STATE_EVERY_S == told:
            told += 1
            state = State(equipment=telemetry.equipment, time=now, since=now, state="alarm", link="live")
            event = Event(time=now, kind="alarm_begun", subject=telemetry.equipment, message="")
            journal.append(Record(RecordClass.STATES, telemetry.equipment, encode(state)))
            journal.append(Record(RecordClass.EVENTS, telemetry.equipment, encode(event)))


async def main(port: int, machines: int, backlog: int, folder: Path, more: dict[str, Any]) -> int:
    await asyncio.to_thread(fill, folder / "journal.db", machines, backlog)
    journal = Journal(folder / "journal.db", CLASSES)
    journal.start()
    given = {"id": "region", "type": "mqtt", "host": "127.0.0.1", "port": port, "client_id": "narrow"}
    options = MqttUplinkOptions.model_validate(given | {"root": ROOT, "audience": "plant"} | more)
    status = Status(online=True, time=0, since=0, version="1", configuration="c")
    uplink = MqttUplink(options, journal, lambda: status, lambda *said: print(*said, file=sys.stderr))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(uplink.run(), work(journal, machines))
    return 0


if __name__ == "__main__":
    _, port, machines, backlog, folder, more = sys.argv
    run_loop(lambda: main(int(port), int(machines), int(backlog), Path(folder), json.loads(more)))
