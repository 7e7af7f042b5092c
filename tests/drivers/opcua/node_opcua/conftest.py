"""Servers made of node-opcua, ended with each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.drivers.opcua.node_opcua.server import NodeServer, NodeSettings, installed

StartNode = Callable[..., NodeServer]


@pytest.fixture(scope="session")
def node_modules() -> Path:
    return installed()


@pytest.fixture(scope="session")
def node_certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: making a key takes a second."""
    return tmp_path_factory.mktemp("node-opcua")


@pytest.fixture
def start_node(node_modules: Path, node_certificates: Path) -> Iterator[StartNode]:
    """Start a server with the given `NodeSettings`; several are allowed."""
    servers: list[NodeServer] = []

    def start(**settings: object) -> NodeServer:
        server = NodeServer(node_modules, NodeSettings(str(node_certificates), **settings))  # type: ignore[arg-type]  # checked by the dataclass
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()
