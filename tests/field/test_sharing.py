"""A shared machine whose tag names the tenant, over a kill of the agent; and idle capacity at the broker."""

import asyncio
import signal
import sqlite3
from itertools import pairwise
from pathlib import Path

from edge_agent.contract.messages import Capacity, State
from edge_agent.sharing.holds import Hold
from edge_agent.sharing.reading import KeptRecords
from tests.drivers.modbus.harness import ModbusHarness
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received

CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
connections:
  - id: bus
    driver: modbus
    host: 127.0.0.1
    port: {modbus}
    period: 100ms
    timeout: 10s
    equipment:
      - id: A
        unit: 1
        tags: [{{id: user, table: holding, address: 0}}]
        states: [{{when: "true", state: running}}]
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt}, carries: [capacity, states]}}
calendars:
  default:
    holidays: none
    shifts:
      - {{id: all, days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "00:00"}}
sharing:
  publish_capacity: true
  tenants:
    - {{id: zhenghe, name: 正和精密}}
    - {{id: lian, name: 联创模具}}
  machines:
    - {{equipment: A, sessions: tag, tag: user, tenants: {{1: zhenghe, 2: lian}}}}
    - {{equipment: B, sessions: register}}
"""


async def until(agent: AgentProcess, file: Path, *wanted: str) -> None:
    """Wait until the newest holds on disk are these, and the agent has noted that it is alive after them."""
    async with asyncio.timeout(40):
        while True:
            found = holds(file)
            if [hold.tenant or hold.reason for hold, _ in found][-len(wanted) :] == list(wanted):
                hold, as_of_ms = found[-1]
                if as_of_ms > hold.start_ms:
                    return
            assert agent.process is not None
            assert agent.process.poll() is None, agent.log()
            await asyncio.sleep(0.05)


def holds(file: Path) -> list[tuple[Hold, int]]:
    """What is on disk of the machine, with the agent's last sign of life."""
    try:
        records = KeptRecords(file)
    except sqlite3.OperationalError:  # the agent has not made it yet
        return []
    try:
        as_of_ms = records.as_of_ms or 0
        return [(hold, as_of_ms) for hold in records.recorded("A", 0, as_of_ms)]
    finally:
        records.close()


def is_state(one: Received) -> bool:
    return isinstance(one.message, State)


def capacities(received: list[Received]) -> list[Received]:
    return [one for one in received if isinstance(one.message, Capacity)]


def test_sessions_by_a_tag_over_a_kill_and_capacity_at_the_broker(tmp_path: Path) -> None:
    async def main() -> list[Received]:
        device = ModbusHarness()
        await device.start()
        try:
            with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
                (tmp_path / "register.csv").write_text(
                    "id,name,workshop,kind\nA,冲床,一车间,压力机\nB,冲床,一车间,压力机\n", "utf-8"
                )
                configuration = tmp_path / "agent.yaml"
                configuration.write_text(CONFIGURATION.format(modbus=device.port, mqtt=broker.port), "utf-8")
                await device.set("A", "t0", 1)
                with AgentProcess(configuration, tmp_path) as agent:
                    await until(agent, file, "no_data", "zhenghe")
                    await device.set("A", "t0", 7)
                    await until(agent, file, "zhenghe", "unmapped_value")
                    await device.set("A", "t0", 2)
                    await until(agent, file, "unmapped_value", "lian")
                    agent.stop(signal.SIGKILL)
                    killed = holds(file)[-1]
                    agent.start()
                    await until(agent, file, "lian", "gateway_down", "no_data", "lian")
                    found = [hold for hold, _ in holds(file)]
                    assert found[-4].end_ms == killed[1], "it ends where the agent was last known to be alive"
                    received = await asyncio.to_thread(
                        platform.wait_for, lambda r: bool(capacities(r)) and any(map(is_state, r))
                    )
                    assert agent.stop(signal.SIGTERM) == 0, agent.log()
                return received
        finally:
            await device.stop()

    file = tmp_path / "data" / "history.db"
    received = asyncio.run(main())

    found = [hold for hold, _ in holds(file)]
    assert [hold.tenant or hold.reason for hold in found] == [
        "no_data", "zhenghe", "unmapped_value", "lian", "gateway_down", "no_data", "lian",
    ]  # fmt: skip
    for hold, following in pairwise(found):
        assert hold.end_ms == following.start_ms
    message = capacities(received)[-1].message
    assert isinstance(message, Capacity)
    assert {one.topic for one in capacities(received)} == {"capacity"}
    (press,) = message.classes
    assert (press.kind, press.machines, press.unknown) == ("压力机", 2, 1)
    assert [(one.from_, one.to, one.machines) for one in press.free] == [(message.from_, message.to, 1)]
