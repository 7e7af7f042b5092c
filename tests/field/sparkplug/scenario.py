"""Everything that happens in the life of an edge node, once, with all that can be seen of it."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge_agent.model.batch import Value
from edge_agent.model.clock import CLOCK
from edge_agent.model.link import LinkLevel
from edge_agent.model.quality import bad
from edge_agent.uplinks import uplink as base_module
from edge_agent.uplinks.sparkplug.schema import Payload
from tests.field.mosquitto import Mosquitto
from tests.field.sparkplug.bench import GROUP, NODE, Bench, left_behind, until
from tests.field.sparkplug.host import Heard, Host
from tests.field.sparkplug.tap import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE, Packet, Tap
from tests.uplinks.sparkplug.lives import SAID_AT, batch, figures, state

QUIET_S = 0.4
"""How long nothing must happen where nothing may."""


@dataclass
class Published:
    """One message of the node, as it left."""

    packet: Packet
    payload: Any = field(init=False)

    def __post_init__(self) -> None:
        self.payload = Payload.FromString(self.packet.payload)

    @property
    def levels(self) -> list[str]:
        return self.packet.topic.split("/")

    @property
    def verb(self) -> str:
        return self.levels[2]

    @property
    def device(self) -> str:
        return "/".join(self.levels[4:])


@dataclass
class Evidence:
    version: str
    packets: list[Packet]
    heard: list[Heard]
    said: list[tuple[float, str]]
    marks: dict[str, float]
    most_open: int
    began_ms: int
    ended_ms: int

    def __post_init__(self) -> None:
        self.published = [Published(one) for one in self.packets if one.kind == PUBLISH]

    def of(self, *verbs: str) -> list[Published]:
        """All messages with one of `verbs`. Fails if there are none: nothing would be checked."""
        found = [one for one in self.published if one.verb in verbs]
        assert found, f"there is no {verbs}"
        return found

    def kind(self, kind: int) -> list[Packet]:
        found = [one for one in self.packets if one.kind == kind]
        assert found
        return found

    def sessions(self) -> list[list[Published]]:
        """The messages of each connection on which something was published."""
        found: dict[int, list[Published]] = {}
        for one in self.published:
            found.setdefault(one.packet.connection, []).append(one)
        return list(found.values())

    def between(self, start: str, end: str) -> list[Packet]:
        return [one for one in self.packets if self.marks[start] <= one.at <= self.marks[end]]


async def play(folder: Path, version: str) -> Evidence:
    """The scenario; `version` of MQTT."""
    began = CLOCK.now_ms()
    marks: dict[str, float] = {}

    def mark(name: str) -> None:
        marks[name] = time.monotonic()

    cnc: dict[str, Value] = {"speed": 1200.5, "parts": 0, "program": "O1000 主程序"}
    await left_behind(
        folder,
        state("CNC-01", LinkLevel.LIVE, at=SAID_AT - 9000),
        *(batch("CNC-01", {"parts": -n}, SAID_AT - 9000 + n) for n in range(1, 6)),
        figures(1, 4, at=SAID_AT - 8000),
    )
    with Mosquitto(folder / "broker") as broker, Host(broker.port) as host:
        async with Tap(broker.port) as tap:
            options: dict[str, Any] = {"version": version, "primary_host": host.id}

            def births() -> int:
                return len(host.heard("NBIRTH"))

            async with Bench(folder, tap.port, **options) as bench:
                bench.add(state("CNC-01", LinkLevel.LIVE), batch("CNC-01", dict(cnc)))
                await bench.journal.flush()
                await until(lambda: bench.uplink._known == bench.journal.last("scada"))
                await until(lambda: len([p for p in tap.packets if p.kind == SUBSCRIBE]) == 2)
                await asyncio.to_thread(host.state, True, 1000, "other")
                await asyncio.to_thread(host.state, False, 1000)
                await asyncio.sleep(QUIET_S)
                mark("host comes")
                await asyncio.to_thread(host.state, True, 2000)
                await until(births)
                await bench.delivered()
                for n in range(300):
                    bench.add(batch("CNC-01", cnc | {"parts": n}, SAID_AT + n))
                    if n == 150:
                        bench.add(figures(2, 4))
                bench.add(
                    batch("CNC-01", {"parts": None}, SAID_AT + 400, flaws={0: bad("illegal_data_address")}),
                    batch("PRS-01", {"force": 12.5}, SAID_AT + 400),
                    state("PRS-01", LinkLevel.LIVE, at=SAID_AT + 400),
                )
                await bench.delivered()

                mark("rebirth")
                known = births()
                for n in range(50):
                    bench.add(batch("CNC-01", {"parts": 400 + n}, SAID_AT + 500 + n))
                await asyncio.to_thread(host.ask_for_births, GROUP, NODE)
                await until(lambda: births() > known)
                await bench.delivered()
                mark("rebirth over")

                bench.add(state("PRS-01", LinkLevel.REGISTERED, at=SAID_AT + 600))
                await until(lambda: host.heard("DDEATH"))
                bench.add(
                    batch("PRS-01", {"force": 13.5}, SAID_AT + 700),
                    state("PRS-01", LinkLevel.LIVE, at=SAID_AT + 700),
                )
                await bench.delivered()

                mark("old news")
                await asyncio.to_thread(host.state, False, 1500)
                await asyncio.sleep(QUIET_S)
                bench.add(batch("CNC-01", {"parts": 800}, SAID_AT + 800))
                await bench.delivered()
                mark("host goes")
                known = births()
                await asyncio.to_thread(host.state, False, 3000)
                await until(lambda: bench.uplink.state is base_module.UplinkState.WAITING)
                mark("waiting")
                bench.add(batch("CNC-01", {"parts": 900}, SAID_AT + 900))
                bench.add(batch("CNC-01", {"parts": 901}, SAID_AT + 901))
                await bench.journal.flush()
                await asyncio.sleep(QUIET_S)
                mark("host comes back")
                await asyncio.to_thread(host.state, True, 4000)
                await until(lambda: births() > known)
                await bench.delivered()

                known, deaths = births(), len(host.heard("NDEATH"))
                mark("cut")
                tap.cut()
                await until(lambda: len(host.heard("NDEATH")) > deaths)
                await until(lambda: births() > known)
                bench.add(batch("CNC-01", {"parts": 1000}, SAID_AT + 1000))
                await bench.delivered()
                mark("stop")
                deaths = len(host.heard("NDEATH"))
            await until(lambda: len(host.heard("NDEATH")) > deaths)
            mark("stopped")
            known = births()
            async with Bench(folder, tap.port, **options):
                await until(lambda: births() > known)
            await until(lambda: tap.packets[-1].kind == DISCONNECT)
        ended = CLOCK.now_ms()
        return Evidence(version, tap.packets, host.heard(), host.said, marks, tap.most_open, began, ended)


def played(folder: Path, version: str) -> Evidence:
    """The scenario, without long pauses before a new connection."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base_module, "RETRY_FIRST_S", 0.1)
        evidence = asyncio.run(play(folder, version))
    assert evidence.kind(CONNECT)
    return evidence
