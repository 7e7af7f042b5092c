"""A secret stays one, wherever it is put and whatever goes wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_agent.cli.check import check
from edge_agent.config import ConfigError, load_site
from edge_agent.config.models import MqttUplinkOptions
from edge_agent.config.tree import Route
from edge_agent.config.yaml_files import parse_yaml
from tests.config.plant import GOOD, write_site

KNOWN = "hunter2-correct-horse"
REFUSED = "bad-battery-staple"

FULL = """\
gateway: {id: gw-01, region: "330300", enterprise: 91350100M000100Y43, name: hall}
data_dir: data
register: register.csv
profiles:
  lathe:
    driver: bus
    description: a lathe
    tags: [{id: alarm, address: 2, period: 5s, unit: mm, description: alarm}]
    states: [{when: alarm == 1, state: alarm, cause: door}]
connections:
  - id: cell-a
    driver: bus
    host: ok
    port: "502"
    period: 1s
    secure: "yes"
    login: {kind: name, user: me, password: word}
    pin: "1234"
    ca: register.csv
    limits: ["1"]
    texts: {1: one}
    equipment:
      - id: CNC-01
        unit: "1"
        profile: lathe
        tags: [{id: status, address: "1", kind: number}]
        states: [{when: status == 1, state: running}]
  - {id: cell-b, driver: feed, url: x, equipment: [{id: CNC-02, tags: [{id: a, node: a}]}]}
uplinks:
  - id: region
    type: mqtt
    host: broker
    port: "8883"
    version: "5"
    client_id: gw
    username: me
    password: pass
    root: fta
    tls: {ca: register.csv, certificate: register.csv, key: register.csv}
    carries: [states]
indicators: {every: 60s, definitions: [nc-rate/by-count]}
states: {stale_after: "3"}
"""


def texts_in(folder: Path) -> Iterator[tuple[Route, int, int, str]]:
    """Every text of `FULL` with its place."""
    tree, _ = parse_yaml(write_site(folder, FULL))
    assert tree is not None
    for node in tree.walk():
        if isinstance(node.value, str):
            yield node.route, node.place.line, node.place.column, node.text


def everything_shown(config: Path) -> tuple[str, int]:
    """All that people get to see of a configuration, and the exit status of `check`."""
    shown = []
    try:
        site = load_site(config)
    except ConfigError as error:
        shown += [str(error), repr(error), repr(error.problems)]
    else:
        secret_fields = [repr(uplink.password) for uplink in site.uplinks]
        shown += [repr(site), str(site), *secret_fields]
    result = CliRunner().invoke(check, [str(config), "--connect"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return "\n".join([*shown, result.output]), result.exit_code


def test_the_configuration_of_these_tests_is_right(tmp_path: Path) -> None:
    assert everything_shown(write_site(tmp_path, FULL))[1] == 0


@pytest.mark.parametrize("secret", [KNOWN, REFUSED, 'quote"and\\slash', "two\nlines"])
def test_a_value_of_the_environment_never_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("TOP_SECRET", secret)
    lines = FULL.splitlines()
    for number, (route, line, column, text) in enumerate(texts_in(tmp_path / "plain")):
        if route[-1] == "driver":
            continue
        before, after = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
        rest = after.removeprefix('"').removeprefix(text).removeprefix('"')
        changed = [*lines[: line - 1], f'{before}"${{TOP_SECRET}}"{rest}', *lines[line:]]
        shown, status = everything_shown(write_site(tmp_path / str(number), "\n".join(changed)))
        assert status in (0, 1, 2)
        for form in (secret, repr(secret)[1:-1]):
            assert form not in shown, f"{route} shows it"


@pytest.mark.parametrize("way", ["literal", "environment", "file"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pin: ", ""),
        ("login: {kind: name, user: me, password: ", "}"),
        ("login: {kind: token, token: ", "}"),
        ("login: {kind: token, token: [", "]}"),
        ("login: {kind: token, tokne: ", "}"),
        ("pim: ", ""),
        ("pin: 1\n    pin: ", ""),
        ("pin: {x: ", "}"),
    ],
)
@pytest.mark.parametrize("secret", [KNOWN, REFUSED, "x7!", "4711"])
def test_a_secret_field_never_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, way: str, secret: str
) -> None:
    monkeypatch.setenv("TOP_SECRET", secret)
    (tmp_path / "secret").write_text(f"{secret}\n")
    written = {"literal": secret, "environment": '"${TOP_SECRET}"', "file": "file:secret"}[way]
    config = write_site(
        tmp_path, GOOD.replace("    host: ok\n", f"    host: ok\n    {before}{written}{after}\n")
    )
    shown, _ = everything_shown(config)
    assert secret not in shown.replace(str(tmp_path), "")


def test_files_lose_one_newline_only(tmp_path: Path) -> None:
    config = write_site(
        tmp_path,
        GOOD + "uplinks: [{id: a, type: mqtt, host: b, username: c, password: file:secret}]\n",
    )
    for content, expected in (("word", "word"), ("word\n", "word"), ("word\r\n", "word"), (" w\n\n", " w\n")):
        (tmp_path / "secret").write_bytes(content.encode())
        password = load_site(config).uplinks[0].password
        assert password is not None
        assert password.get_secret_value() == expected


def test_references_are_for_any_text_and_can_be_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALL", "1")
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("CREDENTIALS", str(tmp_path))
    (tmp_path / "secret").write_text("file:is-not-followed")
    text = GOOD.replace("gw-01,", "gw-01, name: 'hall ${HALL}, $${HALL} $HALL $5',") + (
        "uplinks: [{id: a, type: mqtt, host: b, port: '${PORT}', username: c,"
        " password: 'file:${CREDENTIALS}/secret'}]\n"
    )
    site = load_site(write_site(tmp_path, text))
    assert site.gateway.name == "hall 1, ${HALL} $HALL $5"
    (uplink,) = site.uplinks
    assert isinstance(uplink, MqttUplinkOptions)
    assert uplink.port == 9000
    assert uplink.password is not None
    assert uplink.password.get_secret_value() == "file:is-not-followed"


def test_a_variable_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALL", "\udcff")
    with pytest.raises(ConfigError) as caught:
        load_site(write_site(tmp_path, GOOD.replace("gw-01,", "gw-01, name: '${HALL}',")))
    (problem,) = caught.value.problems
    assert problem.found == "the environment variable HALL is not UTF-8"
