"""The tests' side of a server in a process of its own, that can be killed like any."""

import asyncio
import multiprocessing
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.ports import free_port

NAMESPACE = "http://example.com/machines"
APPLICATION_URI = "urn:example:machines"
ANSWER_LIMIT = 60.0

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["__main__", "tests.drivers.opcua.server_image"])


@dataclass(frozen=True)
class Settings:
    port: int = 0
    """0 for any that is free; it stays the server's own while the server is away."""
    user: tuple[str, str] | None = None
    """Name and password of the only user; None lets anybody in."""
    certificate: Path | None = None
    """Folder for a certificate of the server's own, with which passwords are encrypted; one that lies there
    is used."""
    security: tuple[str, ...] = ()
    """Names of SecurityPolicyType; none for NoSecurity, and with a certificate one endpoint more."""
    trusts: Path | None = None
    """Folder of the client certificates that are let in; others are put into `rejected` there. None lets
    any in."""
    user_certificate: bytes | None = None
    """The only user certificate (DER) that may log in."""
    namespaces_before: int = 0
    """How many foreign namespaces stand before ours, as after an update of the server."""
    max_items_per_call: int = 10_000
    publish_requests: int = 100
    """How many publish requests may wait."""
    refuse_more_items: bool = False
    """Answer requests of more than `max_items_per_call` items with a fault, and state no limit."""
    max_items: int = 1_000_000
    """Monitored items that are made; more are refused, one by one."""
    subscriptions: bool = True
    """Whether subscriptions are made at all."""
    filters: bool = True
    """Whether monitored items with a filter are made."""


def _serve(pipe: Connection, settings: Settings) -> None:
    # Imported where it is preloaded, not in the process of the tests: it takes seconds.
    from tests.drivers.opcua.server_image import serve

    asyncio.run(serve(pipe, settings))


class ServerProcess:
    """`start` and `kill` as often as needed; the port stays the same."""

    def __init__(self, settings: Settings) -> None:
        self.settings = replace(settings, port=settings.port or free_port())
        self._process: ForkServerProcess | None = None
        self._pipe: Connection | None = None

    @property
    def port(self) -> int:
        return self.settings.port

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def start(self) -> None:
        self._pipe, theirs = _forks.Pipe()
        self._process = _forks.Process(target=_serve, args=(theirs, self.settings), daemon=True)
        self._process.start()
        theirs.close()
        assert self._answer() == self.port

    def kill(self) -> None:
        """At once, as a power cut would; safe twice."""
        if self._process is not None and self._pipe is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._pipe.close()
        self._process = self._pipe = None

    def ask(self, command: str, *arguments: object) -> Any:
        """Have a method of `server_image.Machine` called."""
        assert self._pipe is not None
        self._pipe.send((command, arguments))
        return self._answer()

    def _answer(self) -> Any:
        assert self._pipe is not None
        assert self._pipe.poll(ANSWER_LIMIT), "the server does not answer the test"
        return self._pipe.recv()
