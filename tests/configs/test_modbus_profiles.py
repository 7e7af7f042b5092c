"""The shipped Modbus profiles: they load, name their source, and their rules say what they should."""

from pathlib import Path

import pytest

from edge_agent.config.shipped import shipped
from edge_agent.config.site import Site, load_site, tag_sets
from edge_agent.driver import load_driver
from edge_agent.model.batch import Value
from edge_agent.states.rules import RuleSet

PROFILES = sorted(shipped("profiles", "modbus").glob("*.yaml"))

CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
connections:
  - id: line
    driver: modbus
    host: 127.0.0.1
    equipment:
      - {{id: M1, unit: 1, profile: modbus/{profile}}}
"""


def site_with(profile: str, folder: Path) -> Site:
    (folder / "register.csv").write_text("id,name,workshop\nM1,m,A\n", "utf-8")
    (folder / "agent.yaml").write_text(CONFIGURATION.format(profile=profile), "utf-8")
    return load_site(folder / "agent.yaml")


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: file.stem)
def test_a_profile_loads_names_its_source_and_is_read_in_few_requests(file: Path, tmp_path: Path) -> None:
    assert "# Source: " in file.read_text("utf-8"), "where do the addresses come from?"
    (connection,) = site_with(file.stem, tmp_path).connections
    driver = load_driver("modbus")(connection, tag_sets(connection))
    assert 1 <= len(driver.plan()) <= 3
    assert sum(len(request.tags) for request in driver.plan()) == len(connection.equipment[0].tags)


CONTACTS = ("current_flows", "red", "yellow", "green")

# profile, what the machine shows, the state that a person standing before it would name
CASES: list[tuple[str, dict[str, Value], str]] = [
    ("retrofit-stacklight", dict(zip(CONTACTS, (True, False, False, True), strict=True)), "running"),
    ("retrofit-stacklight", dict(zip(CONTACTS, (True, True, False, False), strict=True)), "alarm"),
    ("retrofit-stacklight", dict(zip(CONTACTS, (False, False, False, True), strict=True)), "idle"),
    ("retrofit-stacklight", dict(zip(CONTACTS, (False, False, True, False), strict=True)), "idle"),
    ("retrofit-stacklight", dict(zip(CONTACTS, (False, False, False, False), strict=True)), "off"),
    ("schneider-altivar-312", {"fault": True, "enabled": False, "output_frequency": 0.0}, "alarm"),
    ("schneider-altivar-312", {"fault": False, "enabled": True, "output_frequency": -50.0}, "running"),
    ("schneider-altivar-312", {"fault": False, "enabled": True, "output_frequency": 0.0}, "idle"),
    ("schneider-altivar-312", {"fault": False, "enabled": False, "output_frequency": 0.0}, "idle"),
]


@pytest.mark.parametrize(("profile", "values", "state"), CASES)
def test_rules_say_what_a_person_would(
    profile: str, values: dict[str, Value], state: str, tmp_path: Path
) -> None:
    (connection,) = site_with(profile, tmp_path).connections
    assert RuleSet(connection.equipment[0].states).decide(values).state == state
