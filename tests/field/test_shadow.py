"""The first day: machines are read and nothing leaves the gateway, whatever the configuration says."""

import asyncio
import re
import signal
from collections import Counter
from pathlib import Path

from tests.drivers.modbus.harness import UNITS, ModbusHarness
from tests.field.agent_process import AgentProcess
from tests.field.certificates import Authority
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform
from tests.field.test_reload import CONFIGURATION
from tests.ports import free_port

A = UNITS["A"]
CELL = """\
  - {{{{id: cell, driver: opcua, endpoint: "opc.tcp://127.0.0.1:{port}", pki: pki, timeout: 1s,
      equipment: [{{{{id: C, tags: [{{{{id: a, node: "ns=2;s=a"}}}}]}}}}]}}}}
"""


class Device(ModbusHarness):
    """Counts what each unit has answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: Counter[int] = Counter()

    def _pass_unless_silent(self, sending: bool, packet: bytes) -> bytes:
        if sending:
            self.answers[packet[6]] += 1
        return super()._pass_unless_silent(sending, packet)


async def until(log: AgentProcess, *texts: str) -> None:
    """Each of these is in the log, after the one before."""
    try:
        async with asyncio.timeout(40):
            while not re.search(".*".join(map(re.escape, texts)), log.log(), re.DOTALL):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(log.log()) from None


def test_a_shadow_run_reads_and_reports_and_sends_nothing(tmp_path: Path) -> None:
    async def main() -> str:
        device = Device()
        await device.start()
        try:
            with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
                (tmp_path / "register.csv").write_text("id,name,workshop\nA,冲床,甲\nB,冲床,甲\nC,车床,甲\n")
                configuration = tmp_path / "agent.yaml"
                cell = CELL.format(port=free_port())
                text = CONFIGURATION.replace("uplinks:\n", f"{cell}uplinks:\n")
                configuration.write_text(text.format(modbus=device.port, mqtt=broker.port))
                (tmp_path / "pki" / "trusted").mkdir(parents=True)
                Authority(tmp_path / "ca").issue("cell", expired=True)[0].rename(
                    tmp_path / "pki/trusted/c.pem"
                )
                with AgentProcess(configuration, tmp_path, "--shadow") as agent:
                    await until(agent, "gateway gw-1:", "connection cell: ")
                    # A reload does not bring back the uplinks.
                    configuration.write_text(configuration.read_text() + "states: {stale_after: 5}\n")
                    assert agent.process is not None
                    agent.process.send_signal(signal.SIGHUP)
                    await until(agent, "configuration changed: connections: ~cell ~left ~right; states")
                    await until(agent, "reading the configuration", "connection cell: ")
                    before = device.answers[A]
                    async with asyncio.timeout(40):
                        while device.answers[A] < before + 3:  # so the second has been taken
                            await asyncio.sleep(0.02)
                    assert await asyncio.to_thread(agent.stop) == 0
                    assert platform.received() == []
                    return agent.log()
        finally:
            await device.stop()

    log = asyncio.run(main())
    _, _, report = log.partition("Shadow run:")
    assert "C (unreachable)" in report.partition("Nothing came from:")[2].partition("\n")[0]
    lines = {line.split()[0]: line for line in report.splitlines() if line.strip()}
    assert "live" in lines["A"]
    assert lines["left"].split()[1:3] == ["1", "0"], "opened once since the reload, without a failure"
    assert "connection cell: " in report
    assert "pki/trusted/c.pem has ended on " in report
    assert {one.name for one in (tmp_path / "data").iterdir()} == {"shadow"}
