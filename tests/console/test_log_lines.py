"""The lines of the log that the page shows."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.config.site import Site, load_site
from edge_agent.console.log_lines import KEPT, LONGEST, LogLines
from tests.config.plant import write_site

log = logging.getLogger("edge_agent.uplinks.mqtt")


REGISTER = "id,name,workshop\nCNC-1,Lathe,Hall 1\nCNC-10,Mill,Hall 1\n"
SITE = """\
gateway: {id: gw-01, region: "330300", enterprise: 91350100M000100Y43}
register: register.csv
uplinks: [{id: region, type: mqtt, host: localhost, username: gw, password: "file:broker"}]
"""


class Changing:
    """A configuration that is taken over by another."""

    def __init__(self, folder: Path) -> None:
        (folder / "broker").write_text("s3cret-of-the-broker")
        self.site = load_site(write_site(folder, SITE, REGISTER))

    def __call__(self) -> Site:
        return self.site


@pytest.fixture
def running(tmp_path: Path) -> Changing:
    return Changing(tmp_path)


@pytest.fixture
def lines(running: Changing) -> Iterator[LogLines]:
    one = LogLines(running)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(one)
    root.setLevel(logging.DEBUG)
    yield one
    root.removeHandler(one)
    root.setLevel(level)


def texts(lines: LogLines, **wanted: str) -> list[str]:
    return [line.text for line in lines.newest(100, **wanted)]


def test_a_line_says_when_what_and_about_whom(lines: LogLines) -> None:
    log.warning("uplink %s: CNC-10 and CNC-1, again CNC-10, not xCNC-1 nor CNC-100", "region")
    (line,) = lines.newest(10)
    assert (line.level, line.part, line.subjects) == ("warning", "uplinks", ("region", "CNC-10", "CNC-1"))


@pytest.mark.parametrize(
    ("logger", "part"),
    [
        ("edge_agent.acquisition.supervisor", "connections"),
        ("drivers.modbus.driver", "connections"),
        ("edge_agent", "agent"),
        ("edge_agent.figures", "agent"),
        ("edge_agentx", "libraries"),
        ("somebody.elses", "libraries"),
    ],
)
def test_the_loggers_name_tells_the_part(lines: LogLines, logger: str, part: str) -> None:
    logging.getLogger(logger).error("x")
    assert lines.newest(1)[0].part == part


def test_filters_work_together_and_the_newest_comes_first(lines: LogLines) -> None:
    log.info("one CNC-1")
    log.error("two CNC-1")
    logging.getLogger("edge_agent.journal.store").error("Three CNC-1")
    log.debug("four")
    assert texts(lines) == ["four", "Three CNC-1", "two CNC-1", "one CNC-1"]
    assert texts(lines, level="warning", part="uplinks") == ["two CNC-1"]
    assert texts(lines, subject="CNC-1", text="THREE") == ["Three CNC-1"]
    assert texts(lines, subject="CNC-10") == []
    assert [line.text for line in lines.newest(2, level="error")] == ["Three CNC-1", "two CNC-1"]


def test_no_secret_gets_into_a_line(lines: LogLines) -> None:
    log.info("password s3cret-of-the-broker at mqtt://gw:other/pw@broker.lan and http://u:p@h/x")
    try:
        raise ValueError("s3cret-of-the-broker does not do")
    except ValueError:
        log.exception("failed")
    both = "\n".join(texts(lines))
    assert "password file:broker at mqtt://***@broker.lan and http://***@h/x" in both
    assert "ValueError: file:broker does not do" in both
    assert "s3cret" not in both


def test_secrets_of_the_configuration_before_stay_hidden(lines: LogLines, running: Changing) -> None:
    log.info("one")
    folder = running.site.path.parent
    (folder / "broker").write_text("n3xt-of-the-broker")
    (folder / "register.csv").write_text(REGISTER.replace("CNC-10", "CNC-20"))
    running.site = load_site(running.site.path)
    log.info("s3cret-of-the-broker, n3xt-of-the-broker, CNC-10 and CNC-20")
    (line,) = lines.newest(1)
    assert line.text == "file:broker, file:broker, CNC-10 and CNC-20"
    assert line.subjects == ("CNC-20",)


def test_a_line_has_no_control_characters_and_an_end(lines: LogLines) -> None:
    log.info("bell \x07 and more\nnext line %s", "x" * 1_000_000)
    (line,) = lines.newest(1)
    assert line.text.startswith("bell � and more\nnext line")
    assert len(line.text) == LONGEST


def test_what_cannot_be_put_into_words_harms_nobody(lines: LogLines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.info("%d", "no number")
    log.info("next")
    assert texts(lines) == ["next"]


def test_old_lines_make_room(lines: LogLines) -> None:
    for number in range(KEPT + 10):
        log.info("line %d", number)
    assert lines.kept == KEPT
    assert texts(lines)[0] == f"line {KEPT + 9}"
