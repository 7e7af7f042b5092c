"""Serial ports without hardware: socat's pseudo terminals."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT = 30.0
"""Seconds until socat has made its ports."""


class Socat:
    """A running socat; `port` is the serial port that it has made, `other` the one at the other end."""

    def __init__(self, process: subprocess.Popen[bytes], port: Path, other: Path) -> None:
        self.port = port
        self.other = other
        self._process = process

    def kill(self) -> None:
        """As when the adapter is pulled out. Safe twice."""
        self._process.kill()
        self._process.wait()


def _pty(link: Path) -> str:
    return f"pty,raw,echo=0,link={link}"


@contextmanager
def _socat(folder: Path, other_end: str, *links: Path) -> Iterator[Socat]:
    port = folder / "port"
    process = subprocess.Popen(["socat", _pty(port), other_end], stdin=subprocess.DEVNULL)
    socat = Socat(process, port, folder / "other")
    try:
        end = time.monotonic() + LIMIT
        while not all(link.exists() for link in (port, *links)):
            assert process.poll() is None, "socat has ended"
            assert time.monotonic() < end, "socat makes no ports"
            time.sleep(0.005)
        yield socat
    finally:
        socat.kill()


@contextmanager
def pty_pair(folder: Path) -> Iterator[Socat]:
    """Two serial ports that are connected with one another."""
    with _socat(folder, _pty(folder / "other"), folder / "other") as socat:
        yield socat


@contextmanager
def pty_to_tcp(folder: Path, tcp_port: int) -> Iterator[Socat]:
    """A serial port whose line leads to a TCP server."""
    with _socat(folder, f"tcp:127.0.0.1:{tcp_port}") as socat:
        yield socat
