"""A configuration that is changed while the agent runs, as the technician does it: edit, SIGHUP, look.

The device is pymodbus' server with two units; each has a connection of its own.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from edge_agent.contract.messages import Event, Numbered, RegisterMessage, State, Status, Telemetry
from edge_agent.model.clock import CLOCK
from edge_agent.states.reading import HistoryReader
from tests.drivers.modbus.harness import ModbusHarness
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received

CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
profiles:
  counting:
    driver: modbus
    tags:
      - {{id: strokes, table: holding, address: 0, counter: {{modulus: 65536}}}}
    states:
      - {{when: "true", state: running}}
connections:
  - {{id: left, driver: modbus, host: 127.0.0.1, port: {modbus}, period: 100ms, timeout: 10s,
      equipment: [{{id: A, unit: 1, profile: counting}}]}}
  - {{id: right, driver: modbus, host: 127.0.0.1, port: {modbus}, period: 100ms, timeout: 10s,
      equipment: [{{id: B, unit: 2, profile: counting}}]}}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt}, audience: plant}}
"""
SECOND_UPLINK = """\
  - {{id: plant, type: mqtt, host: 127.0.0.1, port: {mqtt}, client_id: p, root: works/gw-1,
      audience: plant}}
"""


@dataclass
class Scene:
    folder: Path
    device: ModbusHarness
    broker: Mosquitto
    platform: Platform
    agent: AgentProcess

    def write(self, configuration: str, register: str = "A,冲床,甲\nB,冲床,甲\n") -> None:
        text = configuration.format(modbus=self.device.port, mqtt=self.broker.port)
        (self.folder / "register.csv").write_text(f"id,name,workshop\n{register}", "utf-8")
        (self.folder / "agent.yaml").write_text(text, "utf-8")

    async def wait(self, condition: Callable[[list[Received]], bool], limit: float = 40.0) -> list[Received]:
        try:
            async with asyncio.timeout(limit):
                while not condition(self.platform.received()):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(self.agent.log()) from None
        return self.platform.received()

    async def reload(self, kind: str) -> Event:
        """Send SIGHUP, and wait for one more event of this kind."""
        before = len(events(self.platform.received(), kind))
        self.ask_to_reload()
        return events(await self.wait(lambda r: len(events(r, kind)) > before), kind)[-1]

    def ask_to_reload(self) -> None:
        assert self.agent.process is not None
        self.agent.process.send_signal(signal.SIGHUP)

    async def one_more_of(self, equipment: str) -> None:
        """Wait for a reading that is taken from now on, whatever is still on its way."""
        now_ms = CLOCK.now_ms()
        await self.wait(lambda r: any(one.received > now_ms for one in readings(r, equipment)))

    async def everything(self) -> list[Received]:
        """What has come, as soon as no number is missing: what is urgent overtakes readings."""
        return await self.wait(lambda r: set(numbers(r)) == set(range(1, max(numbers(r)) + 1)))


@asynccontextmanager
async def running(folder: Path, configuration: str = CONFIGURATION) -> AsyncIterator[Scene]:
    device = ModbusHarness()
    await device.start()
    try:
        with Mosquitto(folder / "broker") as broker, Platform(broker.port, "+/+/+/+/+") as platform:
            agent = AgentProcess(folder / "agent.yaml", folder, module="tests.field.patient_agent")
            scene = Scene(folder, device, broker, platform, agent)
            scene.write(configuration)
            with scene.agent:
                await scene.one_more_of("A")
                await scene.one_more_of("B")
                yield scene
                assert await asyncio.to_thread(scene.agent.stop) == 0, scene.agent.log()
                await scene.wait(lambda r: len(events(r, "agent_stopped")) == 1)
    finally:
        await device.stop()


def events(received: list[Received], kind: str) -> list[Event]:
    told = {r.message.seq: r.message for r in received if isinstance(r.message, Event)}
    return [event for event in told.values() if event.kind == kind]


def numbers(received: list[Received]) -> list[int]:
    """The numbers of all messages that have one, repeats too."""
    return sorted(r.message.seq for r in received if isinstance(r.message, Numbered) and r.message.seq)


def farewells(received: list[Received]) -> list[Received]:
    return [r for r in received if isinstance(r.message, Status) and not r.message.online]


def total(batch: Telemetry) -> int:
    value = dict(zip(batch.tags, batch.values, strict=True))["strokes_total"]
    assert isinstance(value, int)
    return value


def readings(received: list[Received], equipment: str) -> list[Telemetry]:
    return [
        r.message for r in received if isinstance(r.message, Telemetry) and r.message.equipment == equipment
    ]


def test_only_what_differs_is_touched_and_what_is_wrong_changes_nothing(tmp_path: Path) -> None:
    async def main() -> list[Received]:
        async with running(tmp_path) as s:
            await s.device.set("A", "t0", 5)
            await s.device.set("B", "t0", 7)
            await s.one_more_of("B")

            s.write(CONFIGURATION.replace("unit: 2", "unit: two"))
            refused = await s.reload("configuration_refused")
            assert refused.message.startswith(f"{tmp_path / 'agent.yaml'}:")

            s.write(CONFIGURATION.replace("gw-1", "gw-2"))
            refused = await s.reload("configuration_refused")
            assert "gateway.id" in refused.message
            assert "restart" in refused.message

            slower = CONFIGURATION.replace(
                "period: 100ms, timeout: 10s,\n      equipment: [{{id: B",
                "period: 200ms, timeout: 10s,\n      equipment: [{{id: B",
            )
            s.write(slower, "A,冲床,甲\nB,压力机,甲\nC,车床,甲\n")
            changed = await s.reload("configuration_changed")
            assert changed.detail["changes"] == "connections: ~right; register"
            (started,) = events(s.platform.received(), "agent_started")
            assert changed.detail["before"] == started.detail["configuration"] != changed.detail["after"]
            await s.device.set("B", "t0", 9)
            await s.one_more_of("B")

            s.write(
                slower.replace("  - {{id: right", "  - {{id: other"), "A,冲床,甲\nB,压力机,甲\nC,车床,甲\n"
            )
            changed = await s.reload("configuration_changed")
            assert changed.detail["changes"] == "connections: +other -right"
            await s.one_more_of("B")

            left_alone, _, _ = slower.partition("  - {{id: right")
            _, uplinks, rest = slower.partition("uplinks:")
            s.write(left_alone + uplinks + rest, "A,冲床,甲\nC,车床,甲\n")
            changed = await s.reload("configuration_changed")
            assert changed.detail["changes"] == "connections: -other; register"
            await s.one_more_of("A")
            return await s.everything()

    received = asyncio.run(main())
    # The other connection was never closed, and nobody said so.
    opened = [event.subject for event in events(received, "connection_open")]
    assert sorted(opened) == ["left", "other", "right", "right"]
    assert events(received, "connection_lost") == []
    assert len({r.message.since for r in received if isinstance(r.message, Status) and r.message.online}) == 1
    states = [r.message for r in received if isinstance(r.message, State)]
    of_a = [one.state for one in states if one.equipment == "A"]
    assert of_a == sorted(of_a, reverse=True), "it was running from its first reading on"
    assert [one.cause for one in states if one.equipment == "C"] == ["not_connected"]
    registers = [r.message for r in received if isinstance(r.message, RegisterMessage)]
    assert [[e.name for e in one.equipment] for one in registers] == [
        ["冲床", "冲床"],
        ["冲床", "压力机", "车床"],
        ["冲床", "车床"],
    ]
    # Its totals go on, and each number came once.
    totals = [total(one) for one in readings(received, "B")]
    assert totals == sorted(totals)
    assert totals[-1] == 9
    assert numbers(received) == list(range(1, len(numbers(received)) + 1))
    # Time is accounted for without gap or overlap, and of the machine that is gone up to when it went.
    with closing(HistoryReader.look(tmp_path / "data" / "history.db")) as history:
        for equipment in "ABC":
            intervals = history.intervals_of(equipment, 0, 2**60)
            assert all(one.end_ms == two.start_ms for one, two in pairwise(intervals)), intervals
            assert all(one.end_ms is not None for one in intervals[:-1])
        gone = history.intervals_of("B", 0, 2**60)[-1]
        assert gone.end_ms is not None


def test_an_uplink_is_added_and_removed_and_the_other_does_not_notice(tmp_path: Path) -> None:
    async def main() -> tuple[list[Received], list[Received]]:
        async with running(tmp_path) as s:
            with Platform(s.broker.port, "works/gw-1", client_id="works") as works:
                s.write(CONFIGURATION + SECOND_UPLINK)
                changed = await s.reload("configuration_changed")
                assert changed.detail["changes"] == "uplinks: +plant"
                await asyncio.to_thread(works.wait_for, lambda r: bool(readings(r, "A")))
                s.write(CONFIGURATION)
                changed = await s.reload("configuration_changed")
                assert changed.detail["changes"] == "uplinks: -plant"
                await s.one_more_of("A")
                await asyncio.to_thread(works.wait_for, lambda r: bool(farewells(r)))
                return await s.everything(), works.received()

    received, works = asyncio.run(main())
    once = list(range(1, len(numbers(received)) + 1))
    assert numbers(received) == once, "nothing is lost, and nothing comes twice"
    assert len({r.message.since for r in received if isinstance(r.message, Status) and r.message.online}) == 1
    (farewell,) = farewells(works)
    assert farewell is works[-1]


def test_files_that_change_are_taken_over_where_that_is_wanted(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, CONFIGURATION + "follow_files: true\n") as s:
            # What it has read by itself once is what it compares the files with.
            s.ask_to_reload()
            await s.wait(lambda _: "the configuration is the one that runs" in s.agent.log())
            s.write(CONFIGURATION + "follow_files: true\n", "A,冲床,甲\nB,压力机,甲\n")
            received = await s.wait(lambda r: len(events(r, "configuration_changed")) == 1)
            (changed,) = events(received, "configuration_changed")
            assert changed.detail["changes"] == "register"

    asyncio.run(main())
