"""A secret stays one, wherever it is put and whatever goes wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cli.check import check
from edge_agent.config import ConfigError, load_site
from edge_agent.config.models import MqttUplinkOptions
from edge_agent.config.secrets import Hidden
from edge_agent.config.tree import Node, Place, Route
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


def hidden(*values: str) -> Hidden:
    """As of a configuration with these secrets."""
    all_of_them = Hidden()
    for number, value in enumerate(values):
        node = Node(Place("f"), Place("f"), value, value, (f"s{number}",))
        all_of_them.add(node, "***")
    return all_of_them


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        # Inside other words it is not the secret, and to hide it there would tell it.
        ("pass", "password: pass, bypass passes", "password: ***, bypass passes"),
        ("word", 'in "word" or word_order', 'in "***" or word_order'),
        ("4711", "port 47110, pin 4711.", "port 47110, pin ***."),
        # Wherever it stands as a value it is hidden.
        ("pass", "user=pass;x=pass", "user=***;x=***"),
        ("pass", "gw:pass@host/pass?p=pass", "gw:***@host/***?p=***"),
        ("pass", "密码pass错误", "密码***错误"),
        ("pass", r"one\npass\ttwo \x0apass %20pass \u4e2dpass", r"one\n***\ttwo \x0a*** %20*** \u4e2d***"),
        ("x7!", "x7! everywhere, as it is short", "x7! everywhere, as it is short"),
        ("pa$$", "pa$$word", "***word"),
        ("密码密码", "旧密码密码在", "旧***在"),
        # Long ones are no part of a word by chance.
        ("hunter2-correct", "xhunter2-correctx", "x***x"),
    ],
)
def test_a_value_is_hidden_where_it_stands_as_one(secret: str, text: str, shown: str) -> None:
    assert hidden(secret).clean(text) == shown


def test_a_short_value_is_hidden_only_about_its_own_field() -> None:
    two = hidden("a1", "b2b2")
    assert two.clean("a1, a10, b2b2", ("s0",)) == "***, a10, ***"
    assert two.clean("a1, a10, b2b2", ("s1",)) == "a1, a10, ***"


def test_of_two_values_the_longer_one_is_hidden_as_a_whole() -> None:
    assert hidden("pass", "pass-2", "pass-2-and-more").clean("pass pass-2 pass-2-and-more") == "*** *** ***"


@given(
    st.lists(st.text(r"aZ9_-.$!密\%", min_size=4, max_size=12), min_size=1, max_size=4),
    st.sampled_from([" ", "'", '"', ": ", "=", "@", "/", "\n", "，"]),
)
def test_values_between_signs_never_show(secrets: list[str], between: str) -> None:
    text = between.join(["", *secrets, ""])
    assert hidden(*secrets).clean(text) == between.join(["", *["***"] * len(secrets), ""])
