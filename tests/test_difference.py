"""What another configuration changes."""

from pathlib import Path

import pytest

from edge_agent.config.difference import Difference
from edge_agent.config.site import Site, load_site

CONFIGURATION = """
gateway: {id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}
register: register.csv
profiles:
  press:
    driver: modbus
    tags: [{id: status, table: holding, address: 0}]
    states: [{when: status == 1, state: running}]
connections:
  - {id: left, driver: modbus, host: 10.0.0.1, equipment: [{id: A, unit: 1, profile: press}]}
  - {id: right, driver: modbus, host: 10.0.0.2,
     equipment: [{id: B, unit: 2, tags: [{id: s, table: holding, address: 0}]}]}
uplinks:
  - {id: region, type: mqtt, host: broker, username: u, password: "file:password"}
"""


def site(folder: Path, text: str = CONFIGURATION, file: str = "one") -> Site:
    (folder / "password").write_text(file)
    (folder / "register.csv").write_text("id,name,workshop\nA,冲床,甲\nB,冲床,甲\n", "utf-8")
    (folder / "agent.yaml").write_text(text, "utf-8")
    return load_site(folder / "agent.yaml")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", ""),
        ("10.0.0.2", "10.0.0.3", "connections: ~right"),
        ("{id: right,", "{id: other,", "connections: +other -right"),
        ("status == 1", "status == 2", "connections: ~left"),
        ("host: broker", "host: other", "uplinks: ~region"),
        ("gw-1,", "gw-1, name: 北厅,", "gateway"),
        ("register: reg", "states: {stale_after: 4}\nregister: reg", "connections: ~left ~right; states"),
        ("register: reg", "journal: {max_size: 300MB}\nregister: reg", "journal"),
        (
            "register: reg",
            "indicators: {definitions: [nc-rate/by-count]}\nregister: reg",
            "indicators; definitions",
        ),
    ],
)
def test_what_is_changed_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in CONFIGURATION
    difference = Difference.between(site(tmp_path), site(tmp_path, CONFIGURATION.replace(old, new, 1)))
    assert str(difference) == told
    assert bool(difference) == bool(told)
    assert difference.needs_restart == ()


def test_a_secret_that_is_another_one_changes_the_uplink_that_has_it(tmp_path: Path) -> None:
    difference = Difference.between(site(tmp_path), site(tmp_path, file="two"))
    assert str(difference) == "uplinks: ~region"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("gw-1", "gw-2", "gateway.id"),
        ('"330300"', '"330200"', "gateway.region"),
        ("gw-1,", "gw-1, timezone: UTC,", "gateway.timezone"),
        ("register: reg", "data_dir: other\nregister: reg", "data_dir"),
        ("register: reg", "journal: {key_file: a.key}\nregister: reg", "journal.key_file"),
    ],
)
def test_what_only_a_restart_changes_is_named(tmp_path: Path, old: str, new: str, field: str) -> None:
    difference = Difference.between(site(tmp_path), site(tmp_path, CONFIGURATION.replace(old, new, 1)))
    assert difference.needs_restart == (field,)
