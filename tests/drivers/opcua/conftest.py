"""Servers for the tests of this folder, ended with each test."""

from collections.abc import Callable, Iterator

import pytest

from tests.drivers.opcua.server import ServerProcess, Settings

StartServer = Callable[..., ServerProcess]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Start a server with the given `Settings`; several are allowed."""
    servers: list[ServerProcess] = []

    def start(**settings: object) -> ServerProcess:
        server = ServerProcess(Settings(**settings))  # type: ignore[arg-type]  # checked by the dataclass
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()
