"""A whole agent with its page: the demo's workshop and broker as processes, and the agent beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from click.testing import CliRunner

from edge_agent.cli.recompute import recompute
from edge_agent.config.shipped import shipped
from edge_agent.simulator.stage import Ports, copy_configuration, embedded_broker, workshop
from tests.console.guarded import Guarded
from tests.console.guarded import start as start_guarded
from tests.console.waiting import until
from tests.field.agent_process import AgentProcess
from tests.ports import demo_ports


@dataclass
class Served:
    """The page of a running agent."""

    url: str
    process: AgentProcess
    ports: Ports
    stated: date | None = None
    """The day of which it has statements from the beginning; days that end meanwhile are added."""

    def get(self, path: str, **options: object) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=10, trust_env=False, **options)  # type: ignore[arg-type]


def start(folder: Path, ports: Ports) -> Served:
    """An agent on the demo's configuration, whose figures are there."""
    demo = copy_configuration(shipped("demo"), folder / "demo", ports)
    file = demo / "agent.yaml"
    # A machine that answers does so in time, however busy this computer is.
    patient = file.read_text("utf-8").replace("timeout: 200ms", "timeout: 2s")
    assert "timeout: 2s" in patient
    file.write_text(patient, "utf-8")
    process = AgentProcess(demo, folder)
    process.start()
    served = Served(f"http://127.0.0.1:{ports.page}", process, ports)

    def figures_are_there() -> bool:
        try:
            found = served.get("/api/v1/indicators/networked-rate/live").json()
        except httpx.TransportError:
            return False
        return bool(found.get("indicator")) and found["indicator"]["figures"][0]["numerator"] == 12

    until(figures_are_there, 60, process.log)
    return served


def state_a_day(folder: Path) -> date:
    """Have statements made of a day that is over, of which nothing is known but the register."""
    demo = folder / "demo"
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    day = today - timedelta(days=1)
    if today.day == 1:
        day -= timedelta(days=1)  # with the last day of a month come the statements of the month
    files = {"--register": demo / "register.csv", "--processes": demo / "processes.csv"}
    days = {"--from": day, "--to": day + timedelta(days=1)}
    given = [str(word) for pair in (*days.items(), *files.items()) for word in pair]
    made = CliRunner().invoke(recompute, [str(demo), *given])
    assert made.exit_code == 0, made.output
    return day


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, ports = tmp_path_factory.mktemp("console"), demo_ports()
    with workshop(ports) as plant, embedded_broker(ports) as broker:
        broker.start()
        plant.start()
        served = start(folder, ports)
        served.stated = state_a_day(folder)
        with_agent = served.process
        try:
            yield served
            assert with_agent.stop() == 0
            assert "Traceback" not in with_agent.log()
        finally:
            if with_agent.process is not None and with_agent.process.poll() is None:
                with_agent.process.kill()
                with_agent.process.wait()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    one = start_guarded(tmp_path_factory.mktemp("guarded"))
    try:
        yield one
        assert one.process.stop() == 0
        assert "Traceback" not in one.process.log()
    finally:
        if one.process.process is not None and one.process.process.poll() is None:
            one.process.process.kill()
            one.process.process.wait()
