"""A right configuration, and what comes of it."""

from pathlib import Path

import pytest

from edge_agent.config import ConfigError, Site, load_site, tag_sets
from edge_agent.config import profiles as profiles_module
from edge_agent.config.models import MqttUplinkOptions, SparkplugUplinkOptions, UplinkOptions
from edge_agent.config.site import counting
from edge_agent.driver import AnyDriver
from edge_agent.states.production import CountedTag, Counting, Counts, Quantity
from tests.config.plant import GOOD, load, write_site

PROFILES = """\
profiles:
  lathe:
    driver: bus
    tags: [{id: status, address: 1}, {id: alarm, address: 2, period: 5s}]
    states: [{when: status == 1, state: running}]
connections:
  - id: cell-b
    driver: bus
    host: ok
    period: 500ms
    equipment:
      - {id: CNC-02, profile: lathe}
      - id: CNC-03
        profile: lathe
        tags: [{id: parts, address: 7, period: 5s}, {id: alarm, address: 3}]
        states: [{when: parts > 0, state: idle}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "a.yaml").write_text(PROFILES)
    write_site(tmp_path)
    return load_site(tmp_path)


def test_defaults(tmp_path: Path) -> None:
    site = load_site(write_site(tmp_path))
    assert site.data_dir == tmp_path / "data"
    assert [one.id for one in site.register.equipment] == ["CNC-01", "CNC-02", "CNC-03"]
    assert site.uplinks == ()
    assert (site.indicators.every, site.indicators.definitions, site.states.stale_after) == (60.0, None, 3.0)


def test_a_profile_gives_tags_and_rules(site: Site) -> None:
    cnc_02, cnc_03 = site.connections[0].equipment
    assert [tag.id for tag in cnc_02.tags] == ["status", "alarm"]
    assert [rule.state for rule in cnc_02.states] == ["running"]
    assert [tag.id for tag in cnc_03.tags] == ["status", "alarm", "parts"]
    assert [getattr(tag, "address", None) for tag in cnc_03.tags] == [1, 3, 7]
    assert [rule.state for rule in cnc_03.states] == ["idle"]


def test_tag_sets_are_by_equipment_and_period(site: Site) -> None:
    sets = [(one.equipment.id, one.period, one.names) for one in tag_sets(site.connections[0])]
    assert sets == [
        ("CNC-02", 0.5, ("status",)),
        ("CNC-02", 5.0, ("alarm",)),
        ("CNC-03", 0.5, ("status", "alarm")),
        ("CNC-03", 5.0, ("parts",)),
    ]


def test_a_profile_is_checked_against_the_equipment_that_uses_it(tmp_path: Path) -> None:
    text = PROFILES.replace("{id: CNC-02, profile: lathe}", "{id: CNC-02, profile: lathe, highest: 1}")
    (tmp_path / "a.yaml").write_text(text)
    write_site(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_site(tmp_path)
    (problem,) = caught.value.problems
    assert (problem.field, problem.line) == ("connections[0].equipment[0]", 12)
    assert problem.found == "tag alarm is at 2, above the highest address 1"


UPLINKS = """\
uplinks:
  - {id: region, type: mqtt, host: broker, tls: {}, username: me, password: "${TOP_SECRET}"}
  - {id: plant, type: mqtt, host: broker, port: 1884, client_id: own, root: "plant/{gateway}"}
"""


def test_uplinks_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOP_SECRET", "hunter2")
    region, plant = load_site(write_site(tmp_path, GOOD + UPLINKS)).uplinks
    assert isinstance(region, MqttUplinkOptions)
    assert isinstance(plant, MqttUplinkOptions)
    assert (region.port, region.client_id) == (8883, "gw-01")
    assert region.root == "fta/v1/330300/91350100M000100Y43/gw-01"
    assert region.password is not None
    assert region.password.get_secret_value() == "hunter2"
    assert (plant.port, plant.client_id, plant.root) == (1884, "own", "plant/gw-01")


def test_a_sparkplug_uplink_is_filled_in(tmp_path: Path) -> None:
    text = """\
uplinks:
  - {id: scada, type: sparkplug, host: broker, group: Plant 1}
  - {id: other, type: sparkplug, host: broker, group: G, node: N, client_id: own, primary_host: ignition}
"""
    scada, other = load_site(write_site(tmp_path, GOOD + text)).uplinks
    assert isinstance(scada, SparkplugUplinkOptions)
    assert isinstance(other, SparkplugUplinkOptions)
    assert (scada.port, scada.client_id, scada.node, scada.primary_host) == (
        1883,
        "gw-01",
        "gw-01",
        None,
    )
    assert (other.client_id, other.node, other.primary_host) == ("own", "N", "ignition")


def test_the_digest_is_of_what_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOP_SECRET", "one")
    config = write_site(tmp_path, GOOD + UPLINKS)
    digest = load_site(config).digest
    monkeypatch.setenv("TOP_SECRET", "another")
    config.write_text(f"# a remark\n{UPLINKS}{GOOD}profiles: {{}}\n")
    assert load_site(config).digest == digest
    config.write_text((GOOD + UPLINKS).replace("address: 1", "address: 2"))
    assert load_site(config).digest != digest
    write_site(tmp_path, GOOD + UPLINKS, register="id,name,workshop\nCNC-01,Lathe,Hall 1\n")
    assert load_site(config).digest != digest


def test_a_shipped_profile_is_named_with_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "profiles" / "bus"
    shipped.mkdir(parents=True)
    (shipped / "mill.yaml").write_text("driver: bus\ntags: [{id: status, address: 8}]\n")
    monkeypatch.setattr(profiles_module, "shipped", lambda *parts: tmp_path.joinpath(*parts))
    text = GOOD.split("        tags:")[0] + "        profile: bus/mill\n"
    (equipment,) = load_site(write_site(tmp_path / "site", text)).connections[0].equipment
    assert [getattr(tag, "address", None) for tag in equipment.tags] == [8]

    (shipped / "mill.yaml").write_text("driver: bus\ntags: [{id: status, adress: 8}]\n")
    with pytest.raises(ConfigError) as caught:
        load_site(tmp_path / "site" / "site.yaml")
    assert {(problem.file, problem.line) for problem in caught.value.problems} == {
        (str(shipped / "mill.yaml"), 2)
    }

    with pytest.raises(ConfigError, match='did you mean "bus/mill"'):
        load_site(write_site(tmp_path / "site", text.replace("bus/mill", "bus/mil")))


OWN = """\
id: own/one
version: 1
title: {zh: 甲, en: one}
standing: ours
source: {document: ours, without_quote: nobody has written it down}
denominator: production
numerator: nc
"""


def test_definitions_of_the_plants_own(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "one.yaml").write_text(OWN, encoding="utf-8")
    config = write_site(tmp_path, GOOD + "indicators: {definitions_dir: own}\n")
    site = load_site(config)
    assert {"own/one", "nc-rate/by-count"} <= {one.id for one in site.definitions}

    write_site(tmp_path, GOOD + "indicators: {definitions_dir: own, definitions: [own/one]}\n")
    chosen = load_site(config)
    assert [one.id for one in chosen.definitions] == ["own/one"]
    (tmp_path / "own" / "one.yaml").write_text(OWN.replace("version: 1", "version: 2"), encoding="utf-8")
    assert load_site(config).digest != chosen.digest

    (tmp_path / "own" / "one.yaml").write_text(OWN.replace("own/one", "nc-rate/by-count"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_site(config)
    repeated, unknown = sorted(caught.value.problems, key=lambda problem: problem.file, reverse=True)
    assert unknown.found.startswith('found "nc-rate/by-count", already in ')
    assert repeated.found == 'found "own/one", which is no definition'

    write_site(tmp_path, GOOD + "indicators: {definitions_dir: register.csv}\n")
    with pytest.raises(ConfigError, match="which is not a folder"):
        load_site(config)


def test_processes_and_headcount_belong_to_the_register(tmp_path: Path) -> None:
    text = GOOD.replace("register.csv\n", "register.csv\nprocesses: ops.csv\n")
    text = text.replace("gateway: {", "gateway: {headcount: 12, ")
    (tmp_path / "ops.csv").write_text("id,name,workshop,key\nOP1,turning,Hall 1,yes\n", encoding="utf-8")
    register = "id,name,workshop,processes\nCNC-01,Lathe,Hall 1,turning\n"
    site = load_site(write_site(tmp_path, text, register))
    assert (site.register.headcount, [one.id for one in site.register.processes]) == (12, ["OP1"])
    assert site.register.by_id["CNC-01"].processes == ("OP1",)
    other = load_site(write_site(tmp_path, text.replace("12", "13"), register))
    assert other.register.digest == site.register.digest
    assert other.digest != site.digest

    with pytest.raises(ConfigError) as caught:
        load_site(write_site(tmp_path, text, "id,name,workshop\nCNC-01,Lathe,Hall 1\n"))
    assert [str(problem).partition(" (")[0] for problem in caught.value.problems] == [
        f"{tmp_path}/ops.csv:2:1: A2 id: OP1 is a key process, and no equipment serves it"
    ]


def test_a_driver_that_cannot_be_imported_is_a_mistake_of_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr("edge_agent.config.site.load_driver", broken)
    with pytest.raises(ConfigError) as caught:
        load_site(write_site(tmp_path))
    (problem,) = caught.value.problems
    assert problem.field == "connections[0].driver"
    assert problem.found == "the driver bus cannot be loaded: No module named 'bus'"


def test_only_the_drivers_that_are_named_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load_and_note(name: str) -> type[AnyDriver]:
        loaded.append(name)
        return load(name)

    monkeypatch.setattr("edge_agent.config.site.load_driver", load_and_note)
    load_site(write_site(tmp_path))
    assert loaded == ["bus"]


def test_the_demo_is_right(installed_drivers: None) -> None:
    site = load_site(Path(__file__).parents[2] / "configs" / "demo")
    assert len(site.register.equipment) == 20


PRODUCTION = """\
gateway: {id: gw-01, region: "330300", enterprise: 91350100M000100Y43}
register: register.csv
profiles:
  lathe:
    driver: bus
    tags:
      - {id: parts, address: 1, counter: {}}
      - {id: bad, address: 2, counter: {}, period: 5s}
      - {id: meter, address: 3, counter: {}, unit: MW.h}
connections:
  - id: cell-a
    driver: bus
    host: ok
    equipment:
      - id: CNC-01
        profile: lathe
        production: {parts: parts, rejects: bad, energy: meter, cycle_time: 1.5min}
      - {id: CNC-02, profile: lathe}
  - id: feed
    driver: feed
    url: feed
    equipment:
      - id: CNC-03
        tags: [{id: wh, node: wh, counter: {}, unit: Wh}, {id: parts, node: parts, counter: {}}]
        production: {parts: parts, good: parts, energy: wh}
"""


def test_production_is_counted_by_tags_of_the_profile_too(tmp_path: Path) -> None:
    found = counting(load_site(write_site(tmp_path, PRODUCTION)))
    lathe = Counting(
        (
            CountedTag(Counts.PARTS, "parts"),
            CountedTag(Counts.REJECTS, "bad"),
            CountedTag(Counts.ENERGY, "meter", 1_000_000),
        ),
        limit_ms=3 * 5000 + 3000,
        cycle_time_ms=90_000,
    )
    of_feed = Counting(
        (
            CountedTag(Counts.PARTS, "parts"),
            CountedTag(Counts.GOOD, "parts"),
            CountedTag(Counts.ENERGY, "wh"),
        ),
        limit_ms=6000,
        tells_changes=True,
    )
    assert found == {"CNC-01": lathe, "CNC-03": of_feed}
    assert [lathe.counts(one) for one in (Quantity.PARTS, Quantity.GOOD)] == [True, True]
    assert not Counting((CountedTag(Counts.PARTS, "parts"),), 1).counts(Quantity.GOOD)


def test_an_enrolled_uplink_has_its_certificate_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "register.csv").write_text("id,name,workshop\nA,冲床,甲\n", "utf-8")
    (tmp_path / "agent.yaml").write_text(
        'gateway: {id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}\n'
        "register: register.csv\nuplinks:\n"
        "  - {id: r, type: mqtt, host: broker, tls: {enrolled: true}}\n"
        "  - {id: s, type: sparkplug, host: broker, client_id: s, group: g, tls: {enrolled: true}}\n",
        "utf-8",
    )
    folder = tmp_path / "data" / "identity"
    for uplink in load_site(tmp_path / "agent.yaml").uplinks:
        assert isinstance(uplink, UplinkOptions)
        assert uplink.tls is not None
        assert (uplink.tls.certificate, uplink.tls.key) == (folder / f"{uplink.id}.pem",) * 2
