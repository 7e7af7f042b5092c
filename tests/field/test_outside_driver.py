"""The driver contract, shown: a driver from another package is found, configured, checked and run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.contract.messages import State, Telemetry
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform

CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
connections:
  - id: old-lathe
    driver: notefile
    path: {path}
    period: 200ms
    equipment:
      - id: LAT-07
        tags:
          - {{id: status, name: ST}}
          - {{id: load, name: LD, scale: 0.5, unit: "%"}}
          - {{id: missing, name: NO}}
        states:
          - {{when: status == 2, state: running}}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {port}, audience: plant}}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the outside package is installed, without touching the one of the tests."""
    target = tmp_path_factory.mktemp("site-packages")
    source = Path(__file__).with_name("outside_driver")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", target, source], check=True)
    return {**os.environ, "PYTHONPATH": str(target), "COLUMNS": "200"}


def agent(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_agent", *arguments],
        env=environment,
        text=True,
        capture_output=True,
        timeout=60,
    )


def test_a_driver_from_another_package_works_with_nothing_changed(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    notes = tmp_path / "machine.txt"
    notes.write_text("ST=2\nLD=84\n")
    (tmp_path / "register.csv").write_text("id,name,workshop\nLAT-07,车床,A\n", "utf-8")
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        configuration = tmp_path / "agent.yaml"
        configuration.write_text(CONFIGURATION.format(path=notes, port=broker.port), "utf-8")

        checked = agent(environment, "check", configuration, "--connect")
        assert "the whole file" in checked.stdout, checked.stdout + checked.stderr
        assert "not_in_file" in checked.stdout

        running = subprocess.Popen(
            [sys.executable, "-m", "edge_agent", "run", configuration], env=environment
        )
        try:
            received = platform.wait_for(  # a state may overtake what it was made of
                lambda r: (
                    any(isinstance(x.message, State) and x.message.state == "running" for x in r)
                    and any(isinstance(x.message, Telemetry) for x in r)
                ),
                60.0,
            )
        finally:
            running.terminate()
            assert running.wait(20) == 0
        batch = next(x.message for x in received if isinstance(x.message, Telemetry))
        assert list(batch.values) == [2.0, 42.0, None]
        assert [(f.index, f.quality, f.reason) for f in batch.flaws] == [(2, "bad", "not_in_file")]


def test_its_options_are_validated_and_in_the_schema(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "register.csv").write_text("id,name,workshop\nLAT-07,车床,A\n", "utf-8")
    configuration = tmp_path / "agent.yaml"
    text = CONFIGURATION.format(path="x.txt", port=1883).replace("path: x.txt", "paht: x.txt")
    configuration.write_text(text, "utf-8")
    refused = agent(environment, "check", configuration)
    assert refused.returncode == 2
    assert 'did you mean "path"?' in refused.stdout + refused.stderr
    assert "NoteConnection" in agent(environment, "schema").stdout
    assert "notefile" in agent(environment, "--help").stdout
    assert "Commands of a driver from outside" in agent(environment, "notefile", "--help").stdout
