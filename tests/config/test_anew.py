"""The files of a running agent, read again: what is wrong, and what is different."""

from pathlib import Path

import pytest

from edge_agent.config.anew import Change, read_anew
from edge_agent.config.site import Site, load_site
from edge_agent.config.written import unpack
from tests.config.plant import write_site

HEAD = """\
gateway: {id: gw-01, region: "330300", enterprise: 91350100M000100Y43}
register: register.csv
console: {}
connections:
  - id: line-1
    driver: bus
    host: ${HALL}
    equipment:
      - {id: CNC-01, tags: [{id: status, address: 0}]}
uplinks:
  - {id: region, type: mqtt, host: localhost, username: gw, password: "file:secret"}
  - {id: plant, type: mqtt, host: localhost, client_id: b, username: gw, password: plain-secret}
"""
REGISTER = "id,name,workshop\nCNC-01,Lathe,Hall 1\nCNC-02,Mill,Hall 1\n"


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("HALL", "10.1.1.7-secret")
    (tmp_path / "secret").write_text("first-secret\n")
    path = write_site(tmp_path, HEAD, REGISTER)
    return load_site(path)


def change(site: Site, old: str, new: str, file: str = "") -> tuple[Change, ...]:
    path = site.path.parent / file if file else site.path
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    found = read_anew(site)
    assert found.problems == ()
    assert found.site is not None
    return found.changes


def short(changes: tuple[Change, ...]) -> list[tuple[str, str | None, str | None]]:
    return [(one.field, one.before, one.after) for one in changes]


def test_nothing_is_different_if_nothing_is(running: Site) -> None:
    found = read_anew(running)
    assert (found.problems, found.changes) == ((), ())
    assert found.site == running


def test_a_change_has_its_file_line_and_field(running: Site) -> None:
    (found,) = change(running, "address: 0", "address: 4")
    assert found == Change(
        "connections[line-1].equipment[CNC-01].tags[status].address", "0", "4", str(running.path), 9
    )


def test_what_is_new_or_gone_is_told_once_and_not_for_all_that_is_in_it(running: Site) -> None:
    more = "  - {id: third, type: mqtt, host: localhost, client_id: c}\n"
    assert short(change(running, "uplinks:\n", f"uplinks:\n{more}")) == [("uplinks[third]", None, "")]
    assert short(change(running, "console: {}\n", "console: {}\ndata_dir: other\n")) == [
        ("data_dir", None, "other"),
        ("uplinks[third]", None, ""),
    ]
    gone = (
        "  - {id: plant, type: mqtt, host: localhost, client_id: b, username: gw, password: plain-secret}\n"
    )
    assert ("uplinks[plant]", "", None) in short(change(running, gone, ""))


def test_the_order_of_what_has_ids_makes_no_difference(running: Site) -> None:
    lines = running.path.read_text().splitlines(keepends=True)
    running.path.write_text("".join([*lines[:-2], lines[-1], lines[-2]]))
    assert read_anew(running).changes == ()


def test_a_secret_that_has_changed_is_told_and_not_shown(running: Site) -> None:
    (running.path.parent / "secret").write_text("second-secret\n")
    (found,) = change(running, "plain-secret", "plain-secret")
    assert (found.field, found.before, found.after, found.secret) == (
        "uplinks[region].password",
        "file:secret",
        "file:secret",
        True,
    )
    both = change(running, "plain-secret", "other-plain-secret")
    assert "secret" not in repr([(one.before, one.after) for one in both]).replace("file:secret", "")
    assert [one.field for one in both] == ["uplinks[region].password", "uplinks[plant].password"]


def test_nothing_that_is_kept_to_be_shown_has_a_secret_in_it(running: Site) -> None:
    shown = repr(unpack(running.written))
    assert "${HALL}" in shown
    assert "file:secret" in shown
    for secret in ("first-secret", "plain-secret", "10.1.1.7-secret"):
        assert secret not in shown


def test_the_register_is_compared_machine_by_machine(running: Site) -> None:
    assert short(change(running, "CNC-02,Mill", "CNC-03,Drill", "register.csv")) == [
        ("register.equipment[CNC-02]", "Mill", None),
        ("register.equipment[CNC-03]", None, "Drill"),
    ]
    assert ("register.equipment[CNC-01].name", "Lathe", "Turn") in short(
        change(running, "Lathe", "Turn", "register.csv")
    )


def test_what_is_wrong_is_said_and_nothing_compared(running: Site) -> None:
    running.path.write_text(HEAD.replace("region:", "regoin:", 1))
    found = read_anew(running)
    assert found.site is None
    assert found.changes == ()
    assert [(one.line, one.field) for one in found.problems] == [(1, "gateway.region"), (1, "gateway.regoin")]
    running.path.unlink()
    assert "no such file" in read_anew(running).problems[0].found


def test_what_no_reload_changes_is_named(running: Site) -> None:
    change(running, "330300", "330400")
    assert read_anew(running).needs_restart == ("gateway.region",)


def test_text_that_looks_like_a_number_has_its_quotes(running: Site) -> None:
    values = {one.field: one.value for one in unpack(running.written)}
    assert values["gateway.region"] == '"330300"'
    assert values["gateway.enterprise"] == "91350100M000100Y43"
    assert values["console"] == "{}"
