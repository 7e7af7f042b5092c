"""What a service manager is told, over a real datagram socket; and what `edge-agent health` says of it."""

import asyncio
import os
import re
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from edge_agent.cli import service
from edge_agent.cli.health import HEALTH_FILE, SILENT_S, health, read_health
from edge_agent.cli.service import Notifier, Watching
from edge_agent.config.shipped import shipped
from edge_agent.model import progress
from edge_agent.model.progress import Progress
from edge_agent.simulator.stage import copy_configuration
from tests.field.agent_process import AgentProcess
from tests.ports import demo_ports


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@dataclass
class Manager:
    """The service manager's end of the socket."""

    socket: socket.socket
    environment: dict[str, str]

    def heard(self) -> list[str]:
        """The messages since the last call."""
        messages = []
        try:
            while True:
                messages.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return messages


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    # The path of a test's own folder may be longer than a socket's address can be.
    short = Path(tempfile.mkdtemp(prefix="edge-agent-"))
    path = str(short / "notify")
    bound, told = (path, path) if request.param == "path" else (f"\0{path}", f"@{path}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(bound)
        end.setblocking(False)
        yield Manager(end, {"NOTIFY_SOCKET": told, "WATCHDOG_USEC": "90000000"})
    shutil.rmtree(short)


@dataclass
class Loops:
    """An agent, as far as it is watched over."""

    site: Any
    connection: Progress = field(default_factory=lambda: Progress("connection press-1"))
    journal: Progress = field(default_factory=lambda: Progress("journal"))

    def progress(self) -> list[Progress]:
        return [self.connection, self.journal]

    def live(self) -> tuple[int, int]:
        return 13, 20


def watched(folder: Path, notifier: Notifier) -> tuple[Loops, Watching]:
    agent: Any = Loops(SimpleNamespace(data_dir=folder))
    return agent, Watching(agent, notifier)


def test_a_stuck_loop_stops_the_feeding_and_one_that_goes_on_again_resumes_it(
    manager: Manager, clock: Clock, tmp_path: Path
) -> None:
    agent, watching = watched(tmp_path, Notifier(manager.environment))
    agent.connection.expect(10.0)
    clock.now += 10.0 + service.STALLED_S
    watching.tell()
    assert manager.heard() == ["WATCHDOG=1\nSTATUS=13/20 machines live 台设备在线"]
    clock.now += 0.1
    for _ in range(3):
        watching.tell()
    assert manager.heard() == ["STATUS=stuck 停滞: connection press-1"] * 3, "the clock alone feeds nothing"
    assert read_health(tmp_path).stuck == ["connection press-1"]
    agent.connection.expect(10.0)
    watching.tell()
    assert manager.heard() == ["WATCHDOG=1\nSTATUS=13/20 machines live 台设备在线"]


def test_a_loop_that_waits_for_what_may_never_come_is_not_stuck(
    manager: Manager, clock: Clock, tmp_path: Path
) -> None:
    agent, watching = watched(tmp_path, Notifier(manager.environment))
    agent.connection.expect(1.0)
    agent.connection.rest()
    clock.now += 1e6
    watching.tell()
    assert manager.heard()[0].startswith("WATCHDOG=1\n")


def test_ready_comes_first_and_stopping_last(manager: Manager, tmp_path: Path) -> None:
    _, watching = watched(tmp_path, Notifier(manager.environment))

    async def main() -> None:
        task = asyncio.create_task(watching.run())
        while not (tmp_path / HEALTH_FILE).exists():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    first, *_, last = manager.heard()
    assert first == "READY=1"
    assert last.startswith("STOPPING=1\n")
    assert not (tmp_path / HEALTH_FILE).exists(), "who has ended is not well"


def test_who_is_not_asked_tells_nobody(tmp_path: Path) -> None:
    notifier = Notifier({})
    notifier.tell("READY=1")
    assert notifier.watchdog_s is None
    gone = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    gone.tell("READY=1")


@pytest.mark.parametrize(("more", "watchdog_s"), [(0, 3.0), (1, None)])
def test_the_watchdog_of_another_process_is_not_ours(more: int, watchdog_s: float | None) -> None:
    pid = str(os.getpid() + more)
    notifier = Notifier({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": pid})
    assert notifier.watchdog_s == watchdog_s


def said(folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(health, [str(folder)])
    return done.exit_code, done.output


def test_health_says_what_was_told_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, watching = watched(tmp_path, Notifier({}))
    assert said(tmp_path) == (1, f"no agent runs on {tmp_path} 未运行\n")
    watching.tell()
    assert said(tmp_path) == (0, "ok 正常: 13/20 machines live 台设备在线\n")
    agent.journal.expect(-service.STALLED_S - 1)
    watching.tell()
    assert said(tmp_path) == (1, "stuck 停滞: journal\n")
    (tmp_path / HEALTH_FILE).write_text("")
    assert said(tmp_path)[0] == 1
    agent.journal.rest()
    watching.tell()
    before = read_health(tmp_path).told_s
    for now in (before + SILENT_S + 1, before - 1):  # silent; the computer was started anew
        monkeypatch.setattr("edge_agent.cli.health.time", SimpleNamespace(monotonic=lambda now=now: now))
        assert said(tmp_path)[0] == 1
        assert "silent" in said(tmp_path)[1]


def heard_next(manager: Manager) -> str:
    """The next message that is not about how the agent is."""
    while True:
        message = manager.socket.recv(4096).decode()
        if not message.startswith("WATCHDOG=1"):
            return message


def test_who_fails_to_reload_is_not_ready(manager: Manager) -> None:
    with pytest.raises(RuntimeError), Notifier(manager.environment).reloading():
        raise RuntimeError
    (message,) = manager.heard()
    assert message.startswith("RELOADING=1\n")


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_an_agent_as_a_service(manager: Manager, tmp_path: Path) -> None:
    """The real agent, on machines that are all away: it is at work, and says how many of them it hears."""
    folder = copy_configuration(shipped("demo"), tmp_path / "demo", demo_ports())
    manager.socket.setblocking(True)
    manager.socket.settimeout(60)
    # Once a second: what nobody reads for a while fills the socket, and more is not sent.
    environment = {**manager.environment, "WATCHDOG_USEC": "3000000"}  # WATCHDOG_PID is not known beforehand
    with AgentProcess(folder, tmp_path, **environment) as agent:
        assert manager.socket.recv(4096) == b"READY=1"
        fed = [manager.socket.recv(4096).decode() for _ in range(3)]
        assert set(fed) == {"WATCHDOG=1\nSTATUS=0/14 machines live 台设备在线"}
        assert said(folder / "data") == (0, "ok 正常: 0/14 machines live 台设备在线\n")
        assert agent.process is not None
        before = time.monotonic_ns() // 1000
        agent.process.send_signal(signal.SIGHUP)
        reloading = heard_next(manager)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading)
        assert before <= int(reloading.partition("USEC=")[2]) <= time.monotonic_ns() // 1000
        assert heard_next(manager) == "READY=1"
        assert agent.stop() == 0
    manager.socket.setblocking(False)
    assert manager.heard()[-1].startswith("STOPPING=1\n")
    assert said(folder / "data")[0] == 1
