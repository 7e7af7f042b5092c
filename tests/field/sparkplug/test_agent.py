"""The agent as a process, with Sparkplug beside JSON, in front of the simulated workshop."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge_agent.config.shipped import shipped
from edge_agent.model.clock import CLOCK
from edge_agent.simulator.fleet import MACHINES
from edge_agent.simulator.stage import copy_configuration, workshop
from edge_agent.simulator.story import Story
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform
from tests.field.sparkplug.host import Heard, Host
from tests.ports import demo_ports

LIVE = set(MACHINES) - {"AIR-01"}
UPLINK = """\
  - id: scada
    type: sparkplug
    host: 127.0.0.1
    port: {port}
    client_id: gw-demo-scada
    group: Demo
"""


def wait(agent: AgentProcess, condition: Callable[[], object], limit: float = 90.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, agent.log()[-4000:]
        time.sleep(0.05)


def newest(heard: list[Heard]) -> dict[str, float | int | str | None]:
    """The newest value of each metric of the node."""
    names: dict[int, str] = {}
    values: dict[str, float | int | str | None] = {}
    for one in heard:
        if one.verb in ("NBIRTH", "NDATA"):
            for metric in one.decoded().metrics:
                if metric.name:
                    names[metric.alias] = metric.name
                kind = metric.WhichOneof("value")
                values[metric.name or names[metric.alias]] = kind and getattr(metric, kind)
    return values


def test_machines_are_born_figures_are_right_and_sessions_are_numbered(tmp_path: Path) -> None:
    story = Story(CLOCK.now_ms())
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Host(broker.port) as host,
        Platform(broker.port) as platform,
    ):
        ports = replace(demo_ports(), broker=broker.port)
        folder = copy_configuration(shipped("demo"), tmp_path / "demo", ports)
        file = folder / "agent.yaml"
        text = file.read_text("utf-8")
        assert text.count("\nuplinks:\n") == 1
        added = UPLINK.format(port=broker.port)
        file.write_text(text.replace("\nuplinks:\n", f"\nuplinks:\n{added}"), "utf-8")
        plant = workshop(ports, story.seed, story.since_ms)
        plant.start()
        try:
            with AgentProcess(folder, tmp_path) as agent:
                wait(agent, lambda: {one.device for one in host.heard("DBIRTH")} >= LIVE)
                folder_name = "indicators/nc-rate/by-count/enterprise"
                found: dict[str, float | int | str | None] = {}

                def all_are_counted() -> bool:
                    found.update(newest(host.heard()))
                    return found.get(f"{folder_name}/numerator") == 11

                wait(agent, all_are_counted)
                assert found[f"{folder_name}/denominator"] == 18
                assert found[f"{folder_name}/rate"] == 11 / 18
                assert found["bdSeq"] == 0
                wait(agent, lambda: len(host.heard("DDATA")) > 200)
                assert len(host.heard("NBIRTH")) == 1, "all metrics of the node were foreseen"
                births = Counter(one.device for one in host.heard("DBIRTH"))
                births -= Counter(one.device for one in host.heard("DDEATH"))
                assert max(births.values()) <= 4, births
                wait(agent, platform.numbered)  # the other uplink has the same journal
                agent.stop(signal.SIGKILL)
                wait(agent, lambda: host.heard("NDEATH"))
                before = len(host.heard("DBIRTH"))
                agent.start()
                wait(agent, lambda: len(host.heard("NBIRTH")) == 2)
                assert newest(host.heard())["bdSeq"] == 1
                wait(agent, lambda: {one.device for one in host.heard("DBIRTH")[before:]} >= LIVE)
                assert agent.stop() == 0
                wait(agent, lambda: len(host.heard("NDEATH")) >= 2)
        finally:
            plant.end()
