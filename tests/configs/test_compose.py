"""compose.yaml, as far as it can be held against the code without Docker."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from ruamel.yaml import YAML

from edge_agent.config import load_site
from tests.console.waiting import until
from tests.field.mosquitto import Mosquitto
from tests.house.documents import ROOT, text_of

COMPOSE = text_of(ROOT / "compose.yaml")
ROOT_TOPIC = "fta/v1/330300/91330300MA00DEM06A/gw-demo-01"


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(text_of(path))
    return found


SERVICES: dict[str, dict[str, Any]] = read(ROOT / "compose.yaml")["services"]


def test_no_password_has_a_default_and_all_are_made(tmp_path: Path) -> None:
    asked = re.findall(r"\$\{(\w+)([^}]*)\}", COMPOSE)
    assert {rest for _, rest in asked} == {":?run scripts/compose-secrets"}
    for name in ("compose-secrets", "lib.sh"):
        (tmp_path / "scripts").mkdir(exist_ok=True)
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    command = [str(tmp_path / "scripts" / "compose-secrets")]
    subprocess.run(command, check=True, capture_output=True)
    made = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    assert made.keys() == {name for name, _ in asked}
    assert len({value for value in made.values() if re.fullmatch("[0-9a-f]{48}", value)}) == len(made)
    assert os.stat(tmp_path / ".env").st_mode & 0o077 == 0  # noqa: PTH116 - the mode is what matters
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 1
    assert "there already" in again.stderr


def test_passwords_are_in_no_other_field() -> None:
    literal = [
        value
        for one in SERVICES.values()
        for name, value in one.get("environment", {}).items()
        if re.search("PASSWORD|TOKEN", name) and "${" not in value
    ]
    assert literal == []


def test_everything_is_on_the_loopback_and_every_mounted_file_is_there() -> None:
    for name, one in SERVICES.items():
        for port in one.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        for volume in one.get("volumes", ()):
            source = volume.split(":")[0]
            assert (
                (ROOT / source).exists()
                if source.startswith("./")
                else source in read(ROOT / "compose.yaml")["volumes"]
            )


def test_the_agents_configuration_is_the_demos_with_other_uplinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, demo = (
        read(ROOT / "configs" / "compose" / "agent.yaml"),
        read(ROOT / "configs" / "demo" / "agent.yaml"),
    )
    others = {"uplinks", "data_dir", "indicators", "console"}
    assert {k: v for k, v in ours.items() if k not in others} == {
        k: v for k, v in demo.items() if k not in others
    }
    for volume in SERVICES["agent"]["volumes"]:
        source, target, *_ = volume.split(":")
        if target.startswith("/etc/edge-agent/"):
            shutil.copy(ROOT / source, tmp_path / Path(target).name)
    monkeypatch.setenv("MQTT_GATEWAY_PASSWORD", "x")
    token, file = tmp_path / "token", tmp_path / "agent.yaml"
    token.write_text("y")
    file.write_text(text_of(file).replace("/run/tokens/agent", str(token)), encoding="utf-8")
    site = load_site(tmp_path)
    assert [one.id for one in site.uplinks] == ["region", "plant"]
    influx = next(one for one in ours["uplinks"] if one["type"] == "influxdb")
    environment = SERVICES["influxdb"]["environment"]
    assert influx["org"] == environment["DOCKER_INFLUXDB_INIT_ORG"]
    assert influx["bucket"] == environment["DOCKER_INFLUXDB_INIT_BUCKET"]


INFLUX = """#!/bin/sh
# Stands in for the program: says what it was asked, and answers as it does.
echo "$*" >>"$SEEN"
case "$1 $2" in
"bucket list") printf 'b1\\tplant\\t720h\\n' ;;
"auth list") printf 'a1\\tadmin\\tx\\na2\\tedge-agent-writes\\ty\\n' ;;
"auth create") printf '{\\n\\t"id": "a3",\\n\\t"token": "%s",\\n\\t"status": "active"\\n}\\n' "$MADE" ;;
esac
"""


def test_the_agent_gets_a_token_that_may_only_write(tmp_path: Path) -> None:
    """The script that compose.yaml runs once, with a stand-in for the database's own program."""
    for name, content in (("influx", INFLUX), ("chown", "#!/bin/sh\n")):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    tokens, seen = tmp_path / "tokens", tmp_path / "seen"
    tokens.mkdir()
    script = text_of(ROOT / "configs" / "compose" / "influxdb-agent-token.sh")
    (tmp_path / "script").write_text(script.replace("/tokens/", f"{tokens}/"), encoding="utf-8")
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SEEN": str(seen),
        "INFLUX_ORG": "works",
        "INFLUX_BUCKET": "plant",
    }

    def run(made: str) -> int:
        command = ["sh", str(tmp_path / "script")]
        return subprocess.run(command, env=environment | {"MADE": made}, capture_output=True).returncode

    assert run("") == 1
    assert list(tokens.iterdir()) == []
    assert run("t0==") == 0
    assert (tokens / "agent").read_text() == "t0=="
    assert (tokens / "agent").stat().st_mode & 0o777 == 0o400
    asked = seen.read_text().splitlines()
    (made,) = set(one for one in asked if one.startswith("auth create"))
    assert re.findall("--(?:write|read|all|operator)[^ ]*(?: [^ -]+)?", made) == ["--write-bucket b1"]
    assert "auth delete --id a2" in asked
    assert run("another") == 0
    assert (tokens / "agent").read_text() == "t0=="
    assert seen.read_text().splitlines() == asked


def test_only_what_sets_the_database_up_has_the_administrators_token() -> None:
    """The agent and Grafana get something else."""
    with_it = {name for name, one in SERVICES.items() if "INFLUX_ADMIN_TOKEN" in str(one)}
    assert with_it == {"influxdb", "influxdb-agent-token"}
    environment = SERVICES["influxdb-agent-token"]["environment"]
    setup = SERVICES["influxdb"]["environment"]
    assert environment["INFLUX_ORG"] == setup["DOCKER_INFLUXDB_INIT_ORG"]
    assert environment["INFLUX_BUCKET"] == setup["DOCKER_INFLUXDB_INIT_BUCKET"]
    agent = re.search(r"^USER (\d+)$", text_of(ROOT / "Dockerfile"), re.MULTILINE)
    assert agent is not None
    assert f"uid={agent[1]} " in text_of(ROOT / "configs" / "compose" / "influxdb-agent-token.sh")


def test_grafana_gets_what_its_data_source_asks_for() -> None:
    source = text_of(ROOT / "configs/grafana/provisioning/datasources/influxdb.yaml")
    assert set(re.findall(r"\$\{(\w+)\}", source)) <= SERVICES["grafana"]["environment"].keys()
    provider = read(ROOT / "configs/grafana/provisioning/dashboards/edge-agent.yaml")["providers"][0]
    targets = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    assert provider["options"]["path"] in targets


def test_the_broker_lets_each_do_only_what_it_may(tmp_path: Path) -> None:
    """The shipped ACL, at a real mosquitto."""
    passwords = tmp_path / "passwords"
    for number, user in enumerate(("gateway", "platform", "stranger")):
        subprocess.run(
            ["mosquitto_passwd", *(["-c"] if number == 0 else []), "-b", str(passwords), user, f"of {user}"],
            check=True,
        )
    acl = tmp_path / "acl"
    shutil.copy(ROOT / "configs" / "compose" / "acl", acl)
    for file in (passwords, acl):
        file.chmod(0o600)
    extra = f"allow_anonymous false\npassword_file {passwords}\nacl_file {acl}"

    with Mosquitto(tmp_path / "broker", extra) as broker:

        def publish(user: str, topic: str) -> None:
            port = str(broker.port)
            subprocess.run(
                [
                    "mosquitto_pub",
                    "-p",
                    port,
                    "-u",
                    user,
                    "-P",
                    f"of {user}",
                    "-q",
                    "1",
                    "-r",
                    "-t",
                    topic,
                    "-m",
                    user,
                ],
                check=True,
                capture_output=True,
            )

        publish("gateway", f"{ROOT_TOPIC}/status")
        publish("gateway", "fta/v1/330300/91330300MA00DEM06A/gw-other/status")
        publish("platform", f"{ROOT_TOPIC}/replay/request")
        publish("platform", f"{ROOT_TOPIC}/event")
        publish("stranger", f"{ROOT_TOPIC}/state/X")

        def retained(user: str) -> set[str]:
            """What is kept and it may see, which the broker sends before it answers the next question."""
            topics: set[str] = set()
            answers: list[object] = []
            client = paho.Client(CallbackAPIVersion.VERSION2)

            def begin(*_: Any) -> None:
                client.subscribe("#")

            client.username_pw_set(user, f"of {user}")
            client.on_message = lambda _, __, message: topics.add(
                message.topic.removeprefix(f"{ROOT_TOPIC}/")
            )
            client.on_subscribe = lambda *given: answers.append(given)
            client.on_connect = begin
            client.connect("127.0.0.1", broker.port)

            def answered(times: int) -> bool:
                client.loop(0.1)
                return len(answers) == times

            until(lambda: answered(1), 30)
            client.subscribe("something/else")
            until(lambda: answered(2), 30)
            client.disconnect()
            return topics

        assert retained("platform") == {"status", "replay/request"}
        assert retained("gateway") == {"replay/request"}
        assert retained("stranger") == set()
