"""What the agent makes of a device's counters and of how it answers, seen at the broker.

The device is pymodbus' server with two units; their registers `t0` and `t1` count.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.acquisition import supervisor
from edge_agent.acquisition.diagnostics import FAILED_SHARE, Crossing, LimitWatch
from edge_agent.agent import Agent
from edge_agent.config.site import load_site
from edge_agent.contract.messages import Event, State, Telemetry
from edge_agent.driver import Diagnostic
from edge_agent.states.counters import CounterRow
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
      - {{id: parts, table: holding, address: 1, counter: {{}}}}
    states:
      - {{when: parts_total >= 12, state: idle, cause: order done}}
      - {{when: "true", state: running}}
connections:
  - id: bus
    driver: modbus
    host: 127.0.0.1
    port: {modbus}
    period: 100ms
    timeout: {timeout}
    equipment:
      - {{id: A, unit: 1, profile: counting}}
      - {{id: B, unit: 2, profile: counting}}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt}, audience: plant}}
"""


@dataclass
class Scene:
    device: ModbusHarness
    platform: Platform
    configuration: Path

    async def shows(self, strokes: int, parts: int) -> None:
        """A's counters are set to these."""
        await self.device.set("A", "t0", strokes)
        await self.device.set("A", "t1", parts)

    async def wait(self, condition: Callable[[list[Received]], bool], limit: float = 40.0) -> list[Received]:
        async with asyncio.timeout(limit):
            while not condition(self.platform.received()):
                await asyncio.sleep(0.02)
        return self.platform.received()


@asynccontextmanager
async def scene(folder: Path, limit: str) -> AsyncIterator[Scene]:
    device = ModbusHarness()
    await device.start()
    try:
        with Mosquitto(folder / "broker") as broker, Platform(broker.port) as platform:
            (folder / "register.csv").write_text("id,name,workshop\nA,冲床,A\nB,冲床,A\n", "utf-8")
            configuration = folder / "agent.yaml"
            text = CONFIGURATION.format(modbus=device.port, mqtt=broker.port, timeout=limit)
            configuration.write_text(text, "utf-8")
            yield Scene(device, platform, configuration)
    finally:
        await device.stop()


def counted(received: list[Received]) -> list[tuple[object, ...]]:
    """What A showed and what was made of it, in the order of the numbers, without repeats."""
    batches = {
        r.message.seq: r.message
        for r in received
        if isinstance(r.message, Telemetry) and r.message.equipment == "A"
    }
    names = ("strokes", "parts", "strokes_total", "parts_total")
    ordered = [batches[seq] for seq in sorted(batches, key=int)]  # type: ignore[arg-type]  # all are numbered
    return [tuple(dict(zip(b.tags, b.values, strict=True))[name] for name in names) for b in ordered]


def on_disk(folder: Path) -> list[CounterRow]:
    """From where the counters go on after a kill."""
    with closing(HistoryReader.look(folder / "data" / "history.db")) as history:
        return history.counters()


def events(received: list[Received], prefix: str) -> list[Event]:
    """Events of the kinds that begin so, without repeats."""
    told = {r.message.seq: r.message for r in received if isinstance(r.message, Event)}
    return [event for event in told.values() if event.kind.startswith(prefix)]


def unanswered(received: list[Received]) -> list[Event]:
    """What was told of requests that failed; a machine that is busy may be told to be slow, too."""
    return [one for one in events(received, "diagnostics_") if one.detail["name"] == FAILED_SHARE]


def test_totals_go_on_over_the_end_of_a_counter_its_reset_and_a_kill_of_the_agent(tmp_path: Path) -> None:
    async def main() -> list[Received]:
        async with scene(tmp_path, "10s") as s:
            await s.shows(65530, 100)
            with AgentProcess(s.configuration, tmp_path, module="tests.field.patient_agent") as agent:
                await s.wait(lambda r: (65530, 100, 0, 0) in counted(r))
                await s.shows(3, 107)
                await s.wait(lambda r: (3, 107, 9, 7) in counted(r))
                await s.device.set("A", "t1", 2)
                await s.wait(
                    lambda r: (3, 2, 9, 9) in counted(r) and ("A", "parts", 2, 9) in on_disk(tmp_path)
                )
                agent.stop(signal.SIGKILL)
                await s.shows(10, 1)
                agent.start()
                await s.wait(lambda r: (10, 1, 16, 10) in counted(r))
                await s.device.set("A", "t1", 3)
                await s.wait(
                    lambda r: any(
                        isinstance(x.message, State) and x.message.cause == "order done" for x in r
                    ),
                )
                assert await asyncio.to_thread(agent.stop) == 0, agent.log()
                return await s.wait(lambda r: len(events(r, "agent_stopped")) == 1)

    received = asyncio.run(main())
    told = [(e.subject, dict(e.detail)) for e in events(received, "counter_reset")]
    assert told == [
        ("A", {"tag": "parts", "before": 107, "after": 2}),
        ("A", {"tag": "parts", "before": 2, "after": 1}),
    ]
    totals = [row[2:] for row in counted(received)]
    assert totals == sorted(totals)
    assert counted(received)[-1] == (10, 3, 16, 12)


def test_a_unit_that_stops_answering_is_told_once_and_so_is_its_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOOK_EVERY_S", 1.0)
    monkeypatch.setattr(supervisor, "PARK_FIRST_S", 0.3)
    monkeypatch.setattr(supervisor, "PARK_LIMIT_S", 0.3)
    looks: list[None] = []

    class Watch(LimitWatch):
        def look(self, diagnostics: Sequence[Diagnostic]) -> list[Crossing]:
            looks.append(None)
            return super().look(diagnostics)

    monkeypatch.setattr(supervisor, "LimitWatch", Watch)

    async def main() -> list[Received]:
        async with scene(tmp_path, "2s") as s:
            agent = Agent(load_site(s.configuration))
            await agent.start()
            try:
                await s.wait(lambda r: len(counted(r)) >= 5)
                await s.device.silence("B", True)
                await s.wait(lambda r: len(unanswered(r)) == 1)
                before = len(looks)
                await s.wait(lambda _: len(looks) >= before + 3)
                await s.device.silence("B", False)
                return await s.wait(lambda r: unanswered(r)[-1].kind == "diagnostics_normal")
            finally:
                await agent.stop()

    received = asyncio.run(main())
    limit, normal = unanswered(received)
    assert (limit.kind, limit.subject) == ("diagnostics_limit", "bus")
    assert limit.detail["unit"] == normal.detail["unit"] == "unit 2"
    assert limit.detail["limit"] == 0.1
    assert 0.1 < float(limit.detail["value"]) <= 1
    assert 0 <= float(normal.detail["value"]) <= 0.08
    assert normal.kind == "diagnostics_normal"


def test_check_shows_how_the_units_answer(tmp_path: Path) -> None:
    async def main() -> str:
        async with scene(tmp_path, "2s") as s:
            await s.device.silence("B", True)
            check = [sys.executable, "-m", "edge_agent", "check", str(s.configuration), "--connect"]
            process = await asyncio.create_subprocess_exec(*check, stdout=asyncio.subprocess.PIPE)
            output, _ = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 1, "one unit is silent"
            return output.decode()

    output = asyncio.run(main())
    rows = [line.split() for line in output.splitlines()]
    begin = next(number for number, row in enumerate(rows) if row[:1] == ["requests"])
    heading, *rows_below = rows[begin:]
    assert heading == [
        "requests",
        "answers",
        "timeouts",
        "response_p50",
        "ms",
        "response_p99",
        "ms",
        *heading[7:],
    ]
    first, second = (row for row in rows_below if row[:1] == ["unit"])
    assert first[1] == "1"
    assert int(first[3]) >= 1
    assert first[4] == "0"
    assert float(first[5]) <= float(first[6])
    assert second[:2] == ["unit", "2"]
    assert second[3] == "0"
    assert int(second[2]) == int(second[4]) >= 1
    assert any(row[:2] == ["bytes_out", "By:"] for row in rows)
