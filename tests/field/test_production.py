"""Pieces from the registers of a device into the history, over a kill, a reset and a link that is lost."""

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from edge_agent.model.clock import CLOCK
from edge_agent.model.minutes import HOUR_MS
from edge_agent.states.produced import Produced, ProductionRecord
from edge_agent.states.reading import HistoryReader
from tests.drivers.modbus.harness import ModbusHarness
from tests.field.agent_process import AgentProcess

CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
connections:
  - id: bus
    driver: modbus
    host: 127.0.0.1
    port: {modbus}
    period: 100ms
    timeout: 2s
    equipment:
      - id: A
        unit: 1
        tags:
          - {{id: parts, table: holding, address: 0, counter: {{}}}}
          - {{id: rejects, table: holding, address: 1, counter: {{}}}}
        states: [{{when: "true", state: running}}]
        production: {{parts: parts, rejects: rejects, cycle_time: 1s}}
"""
LIMIT_MS = 2300
"""Longer than the machine that runs the test may stand still."""


def produced(file: Path) -> Produced:
    """In the hours about now, as it is on disk."""
    try:
        with closing(HistoryReader.look(file)) as history:
            now_ms = CLOCK.now_ms()
            window = (now_ms - HOUR_MS, now_ms + HOUR_MS)
            return ProductionRecord(history, LIMIT_MS).produced("A", [window])
    except sqlite3.OperationalError:  # the agent has not made it yet
        return Produced()


async def until(agent: AgentProcess, file: Path, parts: int, good: int) -> None:
    async with asyncio.timeout(40):
        while (found := produced(file)).parts != parts or found.good != good:
            assert agent.process is not None
            assert agent.process.poll() is None, agent.log()
            await asyncio.sleep(0.05)


def test_pieces_are_counted_once_over_a_kill_a_reset_and_a_lost_link(tmp_path: Path) -> None:
    async def main() -> None:
        device = ModbusHarness()
        await device.start()
        try:
            (tmp_path / "register.csv").write_text("id,name,workshop\nA,冲床,一车间\n", "utf-8")
            configuration = tmp_path / "agent.yaml"
            configuration.write_text(CONFIGURATION.format(modbus=device.port), "utf-8")
            await device.set("A", "t0", 100)
            with AgentProcess(configuration, tmp_path) as agent:
                await until(agent, file, 0, 0)
                await device.set("A", "t0", 107)
                await until(agent, file, 7, 7)
                agent.stop(signal.SIGKILL)
                await device.set("A", "t0", 110)
                await device.set("A", "t1", 2)
                await asyncio.sleep(LIMIT_MS / 1000)  # longer than the counter is taken to be in sight
                agent.start()
                await until(agent, file, 10, 8)
                await device.silence("A", True)
                await asyncio.sleep(1.1 * LIMIT_MS / 1000)
                await device.set("A", "t0", 115)
                await device.silence("A", False)
                await until(agent, file, 15, 13)
                await device.set("A", "t0", 1)
                await until(agent, file, 16, 14)
                assert agent.stop(signal.SIGTERM) == 0, agent.log()
        finally:
            await device.stop()

    file = tmp_path / "data" / "history.db"
    asyncio.run(main())
    assert produced(file).resets == 1
    with closing(HistoryReader.look(file)) as history:
        now_ms = CLOCK.now_ms()
        spans = history.production("A", now_ms - HOUR_MS, now_ms + HOUR_MS).spans
        totals = {tag: total for _, tag, _, total in history.counters()}
    lost = [span for span in spans if span.quantity == "parts"]
    assert [span.n for span in lost] == [3, 5], "while it was killed, and while it was not heard"
    assert all(span.to_ms - span.from_ms > LIMIT_MS for span in lost)
    assert totals == {"parts": 16, "rejects": 2}
