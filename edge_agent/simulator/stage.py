"""The demo's stage: simulated workshop and broker as processes, on free ports, with a configuration that
leads to them."""

import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from edge_agent.simulator.fleet import (
    DEFAULT_BROKER_PORT,
    DEFAULT_MODBUS_PORT,
    DEFAULT_OPCUA_PORT,
    DEFAULT_PAGE_PORT,
    MODBUS_SERVERS,
)
from edge_agent.simulator.life import DEFAULT_SEED

READY_LIMIT_S = 30.0
END_LIMIT_S = 5.0
LOOK_EVERY_S = 0.05
_LISTEN_TRIES = 200
BROKER = "amqtt>=0.12,<0.13"


class StageError(Exception):
    """A process of the demo did not come up; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Ports:
    """`modbus` is the first of as many as the workshop has Modbus servers."""

    modbus: int = DEFAULT_MODBUS_PORT
    opcua: int = DEFAULT_OPCUA_PORT
    broker: int = DEFAULT_BROKER_PORT
    page: int = DEFAULT_PAGE_PORT

    def all(self) -> list[int]:
        return [*range(self.modbus, self.modbus + len(MODBUS_SERVERS)), self.opcua, self.broker, self.page]

    def instead_of(self, other: "Ports") -> Mapping[str, str]:
        """Which port of `other` becomes which of these, as they stand in a text."""
        return {str(old): str(new) for old, new in zip(other.all(), self.all(), strict=True)}


def free_ports() -> Ports:
    """The ports that the documentation names if they are free, otherwise others that are."""
    ports = Ports()
    for _ in range(_LISTEN_TRIES):
        if all(_is_free(port) for port in ports.all()):
            return ports
        base = random.randrange(20_000, 30_000, 10)  # noqa: S311 - no secret
        ports = Ports(base, *(base + len(MODBUS_SERVERS) + more for more in range(3)))
    raise StageError("no free ports on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if sys.platform != "win32":  # where it would bind what somebody listens on
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def copy_configuration(source: Path, target: Path, ports: Ports) -> Path:
    """Copy the demo's configuration folder to `target`, leading to `ports`; returns `target`."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("data"))
    file = target / "agent.yaml"
    moved = ports.instead_of(Ports())
    pattern = re.compile(rf"\b({'|'.join(moved)})\b")
    file.write_text(pattern.sub(lambda match: moved[match[0]], file.read_text("utf-8")), "utf-8")
    return target


@dataclass
class Process:
    """A process of the stage, in a session of its own so that a Ctrl-C reaches only who started it."""

    name: str
    command: list[str]
    _popen: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it and wait until it says that it is ready; returns that line. Raises StageError."""
        # A file and not a pipe: what nobody reads must not block who writes.
        with tempfile.TemporaryFile() as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own program
                self.command,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
            )
            deadline = time.monotonic() + READY_LIMIT_S
            while time.monotonic() < deadline:
                ended = self._popen.poll() is not None
                output.seek(0)
                said = output.read().decode(errors="replace")
                for line in said.splitlines(keepends=True):
                    if line.startswith("ready:") and line.endswith("\n"):
                        return line.strip()
                if ended:
                    break
                time.sleep(LOOK_EVERY_S)
        self.end()
        raise StageError(f"{self.name} did not start:\n{said}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._popen is not None:
            self._popen.kill()
            self._forget()

    def end(self) -> None:
        """Ask it to end, and see that it does; safe twice."""
        if self._popen is None:
            return
        self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._forget()

    def _forget(self) -> None:
        if self._popen is not None:
            self._popen.wait()
            self._popen = None

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def workshop(ports: Ports, seed: int = DEFAULT_SEED, since_ms: int | None = None) -> Process:
    """The simulated workshop; with `since_ms` it goes on with a history that began then."""
    command = [sys.executable, "-m", "edge_agent", "simulate", "--seed", str(seed)]
    command += ["--modbus-port", str(ports.modbus), "--opcua-port", str(ports.opcua)]
    if since_ms is not None:
        command += ["--since", str(since_ms)]
    return Process("simulated workshop", command)


def embedded_broker(ports: Ports) -> Process:
    """The demo's broker. Raises StageError if it is not installed."""
    if find_spec("amqtt") is None:
        raise StageError(
            f'the demo needs its broker, which is not installed: pip install "{BROKER}"'
            f' (with pipx: pipx inject edge-agent "{BROKER}")'
        )
    command = [sys.executable, "-m", "edge_agent.simulator.broker", "--port", str(ports.broker)]
    return Process("embedded broker", command)
