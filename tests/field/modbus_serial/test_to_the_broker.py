"""The agent reads modbus-serial's server: two units that answer, a silent one, and an absent register."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.field.agent_process import AgentProcess
from tests.field.cases.runner import batches, state_of
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform
from tests.npm import NODE, npm_package
from tests.ports import free_port

CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
profiles:
  all-tables:
    driver: modbus
    tags:
{tags}
connections:
  - id: gateway
    driver: modbus
    host: 127.0.0.1
    port: {modbus}
    period: 500ms
    timeout: 2s
    equipment:
      - {{id: U1, unit: 1, profile: all-tables}}
      - {{id: U2, unit: 2, profile: all-tables}}
      - {{id: U3, unit: 3, profile: all-tables}}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt}, audience: plant}}
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Where the server listens."""
    package = npm_package("modbus-serial", "8.0.25")
    environment = {**os.environ, "NODE_PATH": str(package / "node_modules")}
    script = Path(__file__).with_name("server.js")
    port = free_port()
    process = subprocess.Popen(
        [str(NODE), str(script), str(port)], env=environment, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_modbus_serial_serves_arrives_at_the_broker(tmp_path: Path, port: int) -> None:
    lines = [f"{{id: h{a}, table: holding, address: {a}, type: uint16}}" for a in range(0, 300)]
    lines += [f"{{id: i{a}, table: input, address: {a}, type: uint16}}" for a in range(0, 60)]
    lines += [f"{{id: c{a}, table: coil, address: {a}}}" for a in range(0, 40)]
    lines += [f"{{id: d{a}, table: discrete, address: {a}}}" for a in range(0, 40)]
    lines.append("{id: absent, table: holding, address: 500, type: uint16}")
    tags = "\n".join(f"      - {line}" for line in lines)
    (tmp_path / "register.csv").write_text("id,name,workshop\nU1,1,A\nU2,2,A\nU3,3,A\n", "utf-8")
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        file = tmp_path / "agent.yaml"
        file.write_text(CONFIGURATION.format(tags=tags, modbus=port, mqtt=broker.port), "utf-8")
        with AgentProcess(file, tmp_path) as agent:
            received = platform.wait_for(
                lambda r: (
                    len(batches(r, "U1")) >= 6
                    and len(batches(r, "U2")) >= 6
                    and state_of(r, "U3") == ("unknown", "timeout")
                ),
                60,
            )
            assert agent.stop() == 0
    for unit in (1, 2):
        expected: dict[str, object] = {f"h{a}": (a * 7 + unit) % 65536 for a in range(300)}
        expected |= {f"i{a}": a + 1000 * unit for a in range(60)}
        expected |= {f"c{a}": a % 3 == 0 for a in range(40)}
        expected |= {f"d{a}": a % 5 == 0 for a in range(40)}
        expected["absent"] = None
        for batch in batches(received, f"U{unit}"):
            assert dict(zip(batch.tags, batch.values, strict=True)) == expected
            assert [batch.tags[flaw.index] for flaw in batch.flaws] == ["absent"]
    assert not batches(received, "U3")
