"""What a newcomer reads first holds: the configuration is right, and the commands exist."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edge_agent.cli.main import main
from edge_agent.config.models import MqttUplinkOptions
from edge_agent.config.site import load_site
from tests.house.documents import READMES, ROOT, blocks, name_of

readmes = pytest.mark.parametrize("page", READMES, ids=name_of)


def commands(page: Path) -> list[list[str]]:
    """The command lines of the page, without prompt and comment, as words."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    return [shlex.split(line[2:], comments=True) for line in lines]


def in_text(page: Path) -> Iterator[list[str]]:
    """Commands of the agent that stand within a sentence."""
    for command in re.findall(r"`\.venv/bin/(edge-agent [^`]+)`", page.read_text(encoding="utf-8")):
        yield shlex.split(command)


@pytest.fixture
def site(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's configuration, as somebody would save it who reads the page."""
    (configuration,), (register,) = blocks(page, "yaml"), blocks(page, "csv")
    (tmp_path / "site.yaml").write_text(configuration, encoding="utf-8")
    (tmp_path / "register.csv").write_text(register, encoding="utf-8")
    monkeypatch.setenv("MQTT_PASSWORD", "three-words-to-find")
    return tmp_path / "site.yaml"


@readmes
def test_the_configuration_passes_check_without_a_warning(site: Path) -> None:
    checked = CliRunner().invoke(main, ["check", str(site)])
    assert checked.exit_code == 0, checked.output
    assert "CNC-01       1 s      unit 1 holding 1-1" in checked.output
    assert "warning" not in checked.output
    assert "three-words-to-find" not in checked.output


@readmes
def test_the_configuration_is_what_the_page_says_of_it(page: Path, site: Path) -> None:
    assert len(blocks(page, "yaml")[0].splitlines()) == 10
    loaded = load_site(site)
    assert [(e.id, e.nc, e.should_connect) for e in loaded.register.equipment] == [
        ("CNC-01", True, True),
        ("DRL-01", False, False),
    ]
    assert loaded.connections[0].period == 1.0
    (uplink,) = loaded.uplinks
    assert isinstance(uplink, MqttUplinkOptions)
    assert (uplink.version, uplink.port) == ("5", 8883)


@readmes
def test_every_command_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    context = click.Context(main)
    seen = set()
    for program, *arguments in [*commands(page), *in_text(page)]:
        name = Path(program).name
        seen.add(name)
        if name == "make":
            assert arguments[0] in targets, arguments
        elif name == "edge-agent":
            command = main.get_command(context, arguments[0])
            assert command is not None, arguments
            known = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in arguments if word.startswith("--")} <= known, arguments
        else:
            assert name == "mosquitto_sub", program
    assert seen == {"make", "edge-agent", "mosquitto_sub"}


def test_the_topics_to_watch_are_those_of_the_demo() -> None:
    uplink = load_site(ROOT / "configs" / "demo").uplinks[0]
    assert isinstance(uplink, MqttUplinkOptions)
    for page in READMES:
        (line,) = [words for words in commands(page) if words[0] == "mosquitto_sub"]
        given = dict(pairwise(line))
        assert (given["-h"], given["-p"], given["-t"]) == (
            uplink.host,
            str(uplink.port),
            f"{uplink.root}/#",
        )


def test_both_languages_show_the_same_commands() -> None:
    english, chinese = (commands(page) for page in READMES)
    assert english == chinese
