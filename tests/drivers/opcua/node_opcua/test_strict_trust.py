"""Trust with a server that was not written here, and whose cryptography is not ours either."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from drivers.opcua.pki import Pki
from tests.drivers.opcua.harness import connection, driver_for, tag
from tests.drivers.opcua.issuing import issue, some_key
from tests.drivers.opcua.life import Life
from tests.drivers.opcua.node_opcua.server import installed
from tests.drivers.opcua.trusting import TAGS, failed, refusal
from tests.ports import free_port

USER: dict[str, object] = {"username": "operator", "password": "geheim-4711"}


class StrictServer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        modules = installed() / "node_modules"
        self._process = subprocess.Popen(
            ["node", Path(__file__).with_name("strict.js"), self.folder, str(self.port)],
            env=os.environ | {"NODE_PATH": str(modules)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == f"listening on {self.port}\n":
                return
        raise AssertionError("the server has not started")

    def kill(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def accept(self, manager: str) -> None:
        """Trust what was rejected, as its administrator would."""
        for path in (self.folder / manager / "rejected").iterdir():
            path.rename(self.folder / manager / "trusted" / "certs" / path.name)
        # it would see that by itself in newer versions
        self.kill()
        self.start()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictServer]:
    server = StrictServer(tmp_path_factory.mktemp("node"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def pki(server: StrictServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each side has accepted the other."""
    folder = tmp_path_factory.mktemp("pki")
    told = refusal(server.port, pki=folder, **USER)
    assert "nobody has accepted" in str(told)
    (entry,) = Pki(folder).rejected()
    Pki(folder).accept(entry.certificate.thumbprint)
    told = refusal(server.port, pki=folder, **USER)
    assert "does not trust our certificate" in str(told)
    assert Pki(folder).own()[0].certificate.thumbprint in told.remedy
    server.accept("clients")
    return folder


async def reads(server: StrictServer, **more: object) -> None:
    options = connection(server.port, TAGS, **({"security": "strongest"} | more))
    async with Life(driver_for(options)) as life:
        await life.until(lambda: life.shows("A", "t", 1))
        assert not life.failures


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"])
def test_all_policies_with_user_and_password(policy: str, mode: str, server: StrictServer, pki: Path) -> None:
    asyncio.run(reads(server, pki=pki, security=policy, mode=mode, **USER))


def test_logins_that_are_refused(server: StrictServer, pki: Path) -> None:
    told = refusal(server.port, pki=pki, **USER | {"password": "geheim"})
    assert "BadUserAccessDenied" in str(told)
    assert "password" in told.remedy
    told = refusal(server.port, pki=pki)
    assert "it offers: Certificate, UserName" in str(told)


def test_a_user_certificate(server: StrictServer, pki: Path, tmp_path: Path) -> None:
    issue("operator", key=some_key(1)).write(tmp_path)
    login = {"user_certificate": tmp_path / "certificate.der", "user_key": tmp_path / "key.pem"}
    refusal(server.port, pki=pki, **login)
    server.accept("users")
    asyncio.run(reads(server, pki=pki, **login))


def test_it_comes_back_as_secure_as_it_was(server: StrictServer, pki: Path) -> None:
    async def body() -> None:
        nodes = {"A": [tag("t", "A.t")]}
        options = connection(server.port, nodes, security="strongest", pki=pki, **USER)
        async with Life(driver_for(options)) as life:
            for restarts in range(1, 3):
                await life.until(lambda: life.shows("A", "t", 1))
                server.kill()
                await life.until(partial(failed, life, restarts))
                server.start()
            await life.until(lambda: life.shows("A", "t", 1))

    asyncio.run(body())
