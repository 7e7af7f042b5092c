"""Servers for the tests of this folder, ended with each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.drivers.opcua.server import ServerProcess, Settings

StartServer = Callable[..., ServerProcess]


@pytest.fixture(autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Certificates are made and kept here, not where the user of this machine keeps his."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder / "edge-agent" / "pki" / "opcua"


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
