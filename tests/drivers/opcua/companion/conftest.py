"""One server for all tests of this folder: filling it takes seconds."""

from collections.abc import Iterator

import pytest

from tests.drivers.opcua.companion.model_server import ModelServer


@pytest.fixture(scope="session")
def model() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()
