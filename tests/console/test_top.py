"""`edge-agent top`: what it shows of an agent, its keys, and what it says when there is no page."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from rich.console import Console

from edge_agent.cli.feed import Access, NoNewsError
from edge_agent.cli.screens import VIEWS, News, Screen, screen_of
from edge_agent.cli.top import language_of, obeyed, top
from edge_agent.console.views import ConnectionView, Overview
from edge_agent.words import Language
from tests.console.conftest import Served
from tests.console.waiting import until
from tests.ports import free_port

COMMAND = [sys.executable, "-m", "edge_agent", "top"]


@pytest.fixture(scope="module")
def news(served: Served) -> News:
    overview: Overview

    def all_is_known() -> bool:
        """Also why CNC-03 does not answer, and nobody else is late for an answer."""
        nonlocal overview
        overview = msgspec.json.decode(served.get("/api/v1/overview").content, type=Overview)
        live = next(one for one in overview.indicators if one.definition.id == "networked-rate/live")
        failing = next(one for one in overview.machines if one.id == "CNC-03")
        return live.figures[0].numerator == 12 and failing.cause == "timeout"

    until(all_is_known, 30)
    connections = msgspec.json.decode(served.get("/api/v1/connections").content, type=list[ConnectionView])
    return News(overview, connections)


def drawn(news: News, screen: Screen, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as captured:
        console.print(screen_of(news, screen, width, height))
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [80, 132])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_view_fits_its_terminal(news: News, language: Language, width: int) -> None:
    shown = {}
    for view, title in enumerate(VIEWS):
        lines = drawn(news, Screen(view, language=language), width)
        assert len(lines) <= 24
        assert max(map(cell_len, lines)) <= width
        assert title.of(language) in lines[1]
        shown[view] = "\n".join(lines)
    assert re.search(r"CNC-03 \? (未知|unknown) +(这台设备不应答|this machine does not)", shown[0])
    assert re.search(r"12/18 +66\.7%", shown[1])
    (cells,) = [one for one in news.connections if one.id == "cells"]
    so_often = rf"{cells.missed_ticks} +\d+"
    assert re.search(rf"cells +(已连接|open) +[\d.e+]+ ms +[\d.e+]+ ms +{so_often}", shown[2])
    assert re.search(r"region +mqtt +(已连接|connected) +\d+ +\d+", shown[3])


def test_a_low_terminal_scrolls_and_not_too_far(news: News) -> None:
    screen = Screen(language="en")
    first = drawn(news, screen, height=12)
    assert "CNC-01" in first[3]
    assert first[-2].strip() == "12 more"
    screen.scroll(1000)
    last = drawn(news, screen, height=12)
    assert (screen.top, "AIR-01" in last[-3]) == (12, True)
    assert len(drawn(news, screen, height=3)) >= 4, "a terminal too low for anything is no reason to fail"


def test_what_machines_call_things_gives_no_orders_to_the_terminal(news: News) -> None:
    machine = replace(news.overview.machines[0], state="alarm", cause="[red]x[/]\x1b[2J\n", failure="")
    changed = replace(news, overview=replace(news.overview, machines=[machine]))
    (line,) = [one for one in drawn(changed, Screen()) if "CNC-01" in one]
    assert "[red]x[/]·[2J·" in line


def test_what_is_lost_and_that_news_are_late_is_shown(news: News) -> None:
    journal = replace(news.overview.journal, dropped=7, over_limit=True, failure="disk full")
    changed = replace(news, overview=replace(news.overview, journal=journal), silent_s=9.0)
    lines = drawn(changed, Screen(3, language="en"))
    text = "\n".join(lines)
    assert "no news for 9 s" in lines[0]
    assert "7 records given up" in text
    assert "over its limit" in text
    assert "disk full" in text


@pytest.mark.parametrize(
    ("typed", "view", "top"),
    [("3", 2, 0), ("\t\t", 2, 0), ("\x1b[D", 3, 0), ("\x1b[C\x1b[Z", 0, 0), ("\x1b[B\x1b[B\x1b[A", 0, 1),
     ("\x1b[6~", 0, 10), ("9x\x1bé", 0, 0), ("\x1b[6~2", 1, 0)],
)  # fmt: skip
def test_keys(typed: str, view: int, top: int) -> None:
    screen = Screen()
    assert obeyed(typed, screen)
    assert (screen.view, screen.top, screen.language) == (view, top, "zh")
    assert obeyed("l", screen)
    assert screen.language == "en"
    assert not obeyed("2q1", screen)
    assert screen.view == 1


@pytest.mark.parametrize(
    ("environment", "language"),
    [({"LANG": "zh_CN.UTF-8"}, "zh"), ({"LANG": "en_GB.UTF-8"}, "en"), ({}, "zh"), ({"LC_ALL": "C"}, "zh"),
     ({"LC_ALL": "de_DE", "LANG": "zh_CN"}, "en"), ({"LC_ALL": "", "LANG": "en_US"}, "en")],
)  # fmt: skip
def test_the_language_is_the_terminals(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


@pytest.mark.parametrize("url", ["", "foo", "127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://a:b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    done = CliRunner().invoke(top, ["--url", url])
    assert done.exit_code == 2
    assert "such as http://127.0.0.1:8080" in done.output


class _Other(BaseHTTPRequestHandler):
    """Somebody else's server: the path of the address says how it answers."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        self.send_response(status)
        self.end_headers()
        if status == 200:
            self.wfile.write(b'{"hello": 1}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "said"),
    [("/401", "--token"), ("/503", "too many"), ("/500", "HTTP 500"), ("/200", "no page of an agent")],
)
def test_what_a_page_refuses_is_said(other: str, path: str, said: str) -> None:
    with pytest.raises(NoNewsError, match=said):
        Access(other + path).read("overview", Overview)


def test_a_page_that_is_off_is_said_so() -> None:
    done = CliRunner().invoke(top, ["--url", f"http://127.0.0.1:{free_port()}"])
    assert done.exit_code == 1
    assert "配置里有 console 吗" in done.stderr
    assert "does the agent run" in done.stderr


def test_another_protocol_is_said_so(served: Served) -> None:
    with pytest.raises(NoNewsError, match="http or https"):
        Access(served.url.replace("http:", "https:")).read("overview", Overview)


def test_where_nobody_sits_everything_is_printed_once(served: Served) -> None:
    done = CliRunner().invoke(top, ["--url", served.url, "--lang", "en"])
    assert done.exit_code == 0
    assert all(title.en in done.stdout for title in VIEWS)
    assert "machining-bus" in done.stdout


class Terminal:
    """A terminal of 80 columns with the command in it."""

    def __init__(self, url: str) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        self.before = termios.tcgetattr(theirs)
        environment = {**os.environ, "TERM": "xterm", "LC_ALL": "en_GB.UTF-8"}
        environment.pop("COLUMNS", None)
        self._theirs = theirs
        self.process = subprocess.Popen(
            [*COMMAND, "--url", url], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )

    def wait_for(self, text: str) -> str:
        """What came until then."""
        found, end = "", time.monotonic() + 30
        while text not in found:
            assert time.monotonic() < end, f"{text!r} did not come: {found[-2000:]!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                found += os.read(self._ours, 65536).decode("utf-8", "replace")
        return found

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def resize(self, columns: int) -> None:
        termios.tcsetwinsize(self._theirs, (24, columns))

    def end(self) -> int:
        """The exit status; the terminal is as it was."""
        end = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < end:
            if select.select([self._ours], [], [], 0.05)[0]:
                os.read(self._ours, 65536)  # or it waits for room to write
        status = self.process.wait(1)
        assert termios.tcgetattr(self._theirs) == self.before
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(served: Served) -> Iterator[Terminal]:
    one = Terminal(served.url)
    yield one
    one.close()


def test_in_a_terminal(terminal: Terminal) -> None:
    assert "CNC-03" in terminal.wait_for("q: quit")
    terminal.type("3")
    assert "p99" in terminal.wait_for("machining-bus")
    terminal.resize(60)
    terminal.type("\x1b[C")
    terminal.wait_for("region")
    terminal.type("l")
    terminal.wait_for("积压")
    terminal.type("q")
    assert terminal.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whatever_ends_it_leaves_the_terminal_as_it_was(terminal: Terminal, number: int) -> None:
    terminal.wait_for("q: quit")
    terminal.process.send_signal(number)
    assert terminal.end() == 0


def test_it_is_there_at_once() -> None:
    """No agent and no driver is loaded to look at one."""
    script = "import sys, edge_agent.cli.top; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"asyncua", "starlette", "edge_agent.agent"}.isdisjoint(loaded.stdout.split())
