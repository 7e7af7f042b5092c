"""The simulated workshop and its broker as processes, on ports that are free now."""

import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from edge_agent.simulator.fleet import MODBUS_SERVERS
from edge_agent.simulator.life import DEFAULT_SEED
from edge_agent.simulator.story import Story
from tests.ports import free_ports

START_LIMIT_S = 30.0
STOP_LIMIT_S = 30.0

SIMULATE = (sys.executable, "-c", "from edge_agent.cli.simulate import simulate; simulate()")
BROKER = (sys.executable, "-m", "edge_agent.simulator.broker")


def listens(port: int) -> bool:
    """Whether something accepts connections on the loopback's `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def started(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `command` until the end of the block; yields it with the line that it says it is ready with."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, _ready_line(process)
    finally:
        process.kill()
        process.communicate()


def _ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(START_LIMIT_S), "not ready in time"
    line = process.stdout.readline()
    if not line.startswith("ready: "):
        process.kill()
        raise AssertionError(f"not ready: {line}{process.communicate()[1]}")
    return line


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal; the exit status and what was written to standard error."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=STOP_LIMIT_S)
    return process.returncode, errors


class Workshop:
    """The simulator, which can be killed and started again on the same ports with the same history."""

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self.ports = free_ports(len(MODBUS_SERVERS) + 1)
        self.modbus_port, self.opcua_port = self.ports[0], self.ports[-1]
        self.story = Story(since_ms=time.time_ns() // 1_000_000, seed=seed)
        self._running = ExitStack()

    def start(self) -> subprocess.Popen[str]:
        """Start, and return when it says that it is ready."""
        process, line = self._running.enter_context(started([*SIMULATE, *self.arguments]))
        assert re.search(rf"seed {self.story.seed}, since {self.story.since_ms}, ", line)
        return process

    @property
    def arguments(self) -> list[str]:
        return [
            *("--seed", str(self.story.seed)),
            *("--since", str(self.story.since_ms)),
            *("--modbus-port", str(self.modbus_port)),
            *("--opcua-port", str(self.opcua_port)),
        ]

    def kill(self) -> None:
        """SIGKILL; safe if it does not run."""
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
