"""The agent reads a Modbus server that is not ours, and its values arrive at the broker."""

from pathlib import Path

from edge_agent.contract.messages import Statements, Telemetry
from tests.field.agent_process import AgentProcess
from tests.field.libmodbus.server import COILS, FLOAT32, HOLDING, INPUT, INT32, libmodbus_server
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received

CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
connections:
  - id: meter
    driver: modbus
    host: 127.0.0.1
    port: {modbus}
    period: 200ms
    timeout: 20s
    equipment:
      - id: MTR-01
        unit: 1
        tags:
{tags}
indicators: {{every: 2s}}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt}, audience: plant}}
"""


LIVE = ("networked-rate/live", "enterprise")


def figures_of(received: list[Received]) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """By definition and level. Each definition comes in a message of its own."""
    return {
        (x.message.definition.id, f.scope.level): (f.numerator, f.denominator)
        for x in received
        if isinstance(x.message, Statements)
        for f in x.message.figures
    }


def test_what_libmodbus_serves_arrives_at_the_broker(tmp_path: Path) -> None:
    expected = {f"h{a}": v for a, v in HOLDING.items()} | {f"i{a}": v for a, v in INPUT.items()}
    expected |= {f"c{a}": v for a, v in COILS.items()}
    tables = {"h": "holding", "i": "input", "c": "coil"}
    lines = [
        f"{{id: {tag}, table: {tables[tag[0]]}, address: {tag[1:]}"
        + ("}" if tag[0] == "c" else ", type: uint16}")
        for tag in expected
    ]
    lines += [
        "{id: real, table: holding, address: 200, type: float32}",
        "{id: long, table: holding, address: 202, type: int32}",
        "{id: absent, table: holding, address: 9000, type: uint16}",
    ]
    expected |= {"real": FLOAT32, "long": INT32, "absent": None}  # type: ignore[dict-item]  # None: no value

    (tmp_path / "register.csv").write_text("id,name,workshop\nMTR-01,电表,A\n", "utf-8")
    with (
        libmodbus_server() as modbus,
        Mosquitto(tmp_path / "broker") as broker,
        Platform(broker.port) as platform,
    ):
        configuration = tmp_path / "agent.yaml"
        tags = "\n".join(f"          - {line}" for line in lines)
        configuration.write_text(CONFIGURATION.format(modbus=modbus, mqtt=broker.port, tags=tags), "utf-8")
        with AgentProcess(configuration, tmp_path) as agent:
            received = platform.wait_for(
                lambda r: (
                    sum(isinstance(x.message, Telemetry) for x in r) >= 5
                    and figures_of(r).get(LIVE) == (1, 1)  # (0, 1) before it has answered
                ),
                60,
            )
            assert agent.stop() == 0
        batches = [x.message for x in received if isinstance(x.message, Telemetry)]
        for batch in batches:
            assert dict(zip(batch.tags, batch.values, strict=True)) == expected
            assert [(batch.tags[f.index], f.reason) for f in batch.flaws] == [
                ("absent", "illegal_data_address")
            ]
