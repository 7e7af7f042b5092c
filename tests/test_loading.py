"""What `edge-agent run` loads: nothing that its configuration has no use for, and what it needs but once."""

import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from edge_agent import driver
from edge_agent.driver import driver_names, load_driver
from tests.config.plant import write_site

SITE = """\
gateway: {id: gw-01, region: "330300", enterprise: 91350100M000100Y43}
register: register.csv
uplinks:
  - {id: region, type: mqtt, host: 127.0.0.1, port: 1}
"""
REGISTER = "id,name,workshop\nLATHE-1,Lathe,A\n"
STARTED = "uplink region: no connection to 127.0.0.1:1"
UNUSED = {
    "argon2": "passwords of the page",
    "asyncua": "OPC UA",
    "cryptography.x509": "certificates from the region",
    "edge_agent.console.server": "the page",
    "edge_agent.contract.enrolment": "certificates from the region",
    "edge_agent.report": "the monthly report",
    "edge_agent.simulator": "the demo",
    "google.protobuf": "Sparkplug",
    "influxdb_client": "InfluxDB",
    "numpy.random": "nothing",
    "numpy.testing": "nothing",
    "openpyxl": "a register that is a workbook",
    "prometheus_client": "the page",
    "pymodbus": "serial lines",
    "reportlab": "the monthly report",
    "rich": "tables of a shadow run",
    "starlette": "the page",
    "uvicorn": "the page",
}
"""What would be used for what else."""


def test_a_run_loads_nothing_that_its_configuration_has_no_use_for(tmp_path: Path) -> None:
    command = (
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "edge_agent",
        "run",
        write_site(tmp_path, SITE, REGISTER),
    )
    loaded, told = set(), []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as agent:
        try:
            assert agent.stderr is not None
            for line in agent.stderr:
                if STARTED in line:
                    break
                name = re.fullmatch(r"import time:.*\| +(\S+)\n", line)
                if name is not None:
                    loaded.add(name[1])
                else:
                    told.append(line)
            else:
                pytest.fail(f"it ended with {agent.wait()}: {''.join(told)}")
        finally:
            agent.kill()
    assert "edge_agent.uplinks.mqtt" in loaded
    assert loaded & UNUSED.keys() == set()


def test_installed_drivers_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def entry_points(group: str) -> list[EntryPoint]:
        looked.append(group)
        return [EntryPoint("path", "pathlib:Path", group), EntryPoint("pure", "pathlib:PurePath", group)]

    monkeypatch.setattr(driver, "entry_points", entry_points)
    driver._installed.cache_clear()
    try:
        assert driver_names() == ["path", "pure"]
        loaded = [load_driver(name).__name__ for name in ("pure", "path", "pure")]
        assert loaded == ["PurePath", "Path", "PurePath"]
        with pytest.raises(LookupError, match="installed: path, pure"):
            load_driver("s7")
    finally:
        driver._installed.cache_clear()
    assert looked == [driver.ENTRY_POINT_GROUP]
