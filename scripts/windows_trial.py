"""What scripts/try-windows runs on a Python for Windows: the agent at work, killed, reconfigured, stopped.

Beside it the simulated workshop, the demo's broker, and a receiver that watches the numbers.
"""

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import msgspec

from edge_agent.cli.health import Health, read_health
from edge_agent.config.shipped import shipped
from edge_agent.simulator.stage import copy_configuration, embedded_broker, free_ports, workshop

LIMIT_S = 120.0
LIVE = 13
"""Machines of the demo that answer."""

# Windows begins a thread at this function in each program of a console when Ctrl-Break is pressed in it.
AGENT = """
import ctypes, os, sys, threading, time
from edge_agent.cli.main import main

def press_ctrl_break():
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.1)
    ctypes.windll.kernel32.CtrlRoutine(1)

threading.Thread(target=press_ctrl_break, daemon=True).start()
main(["run", sys.argv[2]])
"""

Program = subprocess.Popen[bytes]


class Trial:
    """Everything of it lies in `folder`."""

    def __init__(self, folder: Path, stage: ExitStack) -> None:
        self._stage = stage
        self._ports = free_ports()
        self.site = copy_configuration(shipped("demo"), folder / "site", self._ports)
        self.data = self.site / "data"
        self._log, self._stop, self._received = folder / "agent.log", folder / "stop", folder / "received.db"
        self._began_s = time.monotonic()
        self.failures = 0

    def expect(self, what: str, holds: bool, said: object = "") -> None:
        self.failures += not holds
        mark = "ok    " if holds else "FAILED"
        print(f"{time.monotonic() - self._began_s:4.0f} s  {mark}  {what}  {said}".rstrip(), flush=True)

    def set_stage(self) -> None:
        for server in (embedded_broker(self._ports), workshop(self._ports)):
            self._stage.enter_context(server).start()
        broker = ("--host", "127.0.0.1", "--port", str(self._ports.broker), "--mqtt", "3.1.1")
        ledger = self._received.with_name("ledger.db")
        self._start("-m", "edge_agent", "receive", *broker, "--ledger", ledger, "--sqlite", self._received)

    def agent(self) -> Program:
        """A new one, once it has live machines."""
        before_s = time.monotonic()
        program = self._start("-c", AGENT, self._stop, self.site)
        well = within_limit(
            lambda: (told := self.health()) is not None and told.told_s > before_s and told.live >= LIVE
        )
        self.expect("the agent runs, and machines are live", well, self.health())
        return program

    def stop(self, agent: Program) -> None:
        asked_s = time.monotonic()
        self._stop.touch()
        with suppress(subprocess.TimeoutExpired):
            agent.wait(LIMIT_S)
        took = f"within {time.monotonic() - asked_s:.1f} s"
        self.expect("Ctrl-Break stops it in order", agent.returncode == 0 and self.health() is None, took)

    def _start(self, *command: str | Path) -> Program:
        with self._log.open("ab") as log:
            program = subprocess.Popen([sys.executable, *command], stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - ours
        self._stage.callback(program.wait)
        self._stage.callback(program.kill)
        return program

    def health(self) -> Health | None:
        with suppress(OSError, msgspec.MsgspecError):
            return read_health(self.data)
        return None

    def log(self) -> str:
        return self._log.read_text("utf-8")

    def received(self) -> tuple[int, int]:
        """How many messages, and the number of the last."""
        with closing(sqlite3.connect(self._received)) as db:
            count, last = db.execute("SELECT count(*), max(seq) FROM messages").fetchone()
            return count, last or -1


def within_limit(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def change(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")


def main() -> int:
    """Exit status: 0 all as it should be, 1 something is not."""
    with (
        tempfile.TemporaryDirectory(prefix="车间 ", ignore_cleanup_errors=True) as folder,
        ExitStack() as stage,
    ):
        trial = Trial(Path(folder), stage)
        settings = trial.site / "agent.yaml"
        change(settings, "\nuplinks:", "\nfollow_files: true\nuplinks:")
        trial.set_stage()
        agent = trial.agent()
        run = [sys.executable, "-m", "edge_agent", "run", str(trial.site)]
        second = subprocess.run(run, capture_output=True, timeout=LIMIT_S, check=False)  # noqa: S603 - our own program
        trial.expect("a second one is refused", second.returncode == 1, second.stderr.decode().strip())
        agent.kill()
        agent.wait()
        agent = trial.agent()
        change(settings, "- id: press-1\n", "- id: press-1\n    enabled: false\n")
        changed = within_limit(lambda: "configuration changed: connections: ~press-1" in trial.log())
        trial.expect("a changed configuration is taken over", changed)
        trial.stop(agent)
        every = within_limit(lambda: len(set(trial.received())) == 1)
        count, last = trial.received()
        trial.expect("every number was received", every, f"{count} messages, the last is number {last}")
        trial.expect("nothing fell over", "Traceback" not in trial.log())
        if trial.failures:
            print(trial.log())
        return int(trial.failures > 0)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(sys.version, sys.platform, flush=True)
    sys.exit(main())
