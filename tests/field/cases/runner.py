"""Runs a case: the simulated workshop, mosquitto, the platform, and the agent on the case's configuration."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.contract.messages import State, Telemetry
from edge_agent.simulator.stage import workshop
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received
from tests.ports import demo_ports


@dataclass
class Case:
    broker: Mosquitto
    platform: Platform
    agent: AgentProcess


@contextmanager
def running(case: Path, tmp_path: Path) -> Iterator[Case]:
    """`case` is the folder of the test; its agent.yaml may use ${MODBUS_PORT}, the first of the workshop's
    ports, and ${MQTT_PORT}."""
    folder = tmp_path / "case"
    folder.mkdir()
    for name in ("agent.yaml", "register.csv"):
        shutil.copy(case / name, folder)
    ports = demo_ports()
    with Mosquitto(tmp_path / "broker") as broker, workshop(ports) as plant:
        plant.start()
        agent = AgentProcess(folder, tmp_path, MODBUS_PORT=ports.modbus, MQTT_PORT=broker.port)
        with Platform(broker.port) as platform, agent:
            yield Case(broker, platform, agent)


def batches(received: list[Received], equipment: str) -> list[Telemetry]:
    """Telemetry of one equipment in the order of its numbers, repeats left out."""
    found = {
        r.message.seq: r.message
        for r in received
        if isinstance(r.message, Telemetry) and r.message.equipment == equipment
    }
    return [found[seq] for seq in sorted(found, key=int)]  # type: ignore[arg-type]  # all are numbered


def state_of(received: list[Received], equipment: str) -> tuple[str, str] | None:
    """The newest state of one equipment, with its cause."""
    told = [r.message for r in received if isinstance(r.message, State) and r.message.equipment == equipment]
    return (told[-1].state, told[-1].cause) if told else None


def gaps_ms(telemetry: list[Telemetry]) -> list[int]:
    """Time between the answers of one batch and the next."""
    return [after.received - before.received for before, after in itertools.pairwise(telemetry)]
