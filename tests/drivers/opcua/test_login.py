"""Who may log in, and what a listener on the wire sees of the password."""

import asyncio
import logging
from pathlib import Path

import pytest

from drivers.opcua.pki import Pki
from edge_agent.driver import ConnectionFailed
from edge_agent.model.state import UnknownCause
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.harness import connection, driver_for, tag
from tests.drivers.opcua.life import Life
from tests.drivers.opcua.proxy import Proxy

USER = ("operator", "geheim-4711")


async def _open(port: int, **login: object) -> None:
    driver = driver_for(connection(port, {"A": [tag("t", "A.t")]}, **login))
    try:
        await driver.open()
    finally:
        await driver.close()


def _refused(port: int, **login: object) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as failure:
        asyncio.run(_open(port, **login))
    assert failure.value.cause is UnknownCause.REFUSED
    assert failure.value.remedy
    assert USER[1] not in str(failure.value)
    return failure.value


def test_the_password_is_encrypted_where_the_server_can(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(user=USER, certificate=tmp_path)
    server.ask("put", "A.t", 1)
    told = _refused(server.port, username=USER[0], password=USER[1])
    (entry,) = Pki().rejected()
    assert entry.certificate.thumbprint in told.remedy
    assert "ActivateSessionRequest" not in server.ask("requests")
    Pki().accept(entry.certificate.thumbprint)

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            options = connection(proxy.port, {"A": [tag("t", "A.t")]}, username=USER[0], password=USER[1])
            async with Life(driver_for(options)) as life:
                await life.until(lambda: life.shows("A", "t", 1))
            assert USER[0].encode() in proxy.sent
            assert USER[1].encode() not in proxy.sent

    asyncio.run(body())
    assert "BadUserAccessDenied" in str(_refused(server.port, username=USER[0], password=USER[0]))


def test_a_password_does_not_travel_readable_unless_that_is_asked_for(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(user=USER)

    async def body(**more: object) -> bytes:
        async with Proxy(server.port) as proxy:
            try:
                await _open(proxy.port, username=USER[0], password=USER[1], **more)
            finally:
                sent = bytes(proxy.sent)
                assert (USER[1].encode() in sent) == bool(more)
            return sent

    with pytest.raises(ConnectionFailed) as failure:
        asyncio.run(body())
    assert failure.value.cause is UnknownCause.REFUSED
    assert "plain_password" in failure.value.remedy
    caplog.set_level(logging.DEBUG)
    asyncio.run(body(plain_password=True))
    assert USER[1] not in caplog.text


def test_anonymous_where_a_user_is_wanted(start_server: StartServer) -> None:
    failure = _refused(start_server(user=USER).port)
    assert "UserName" in str(failure)
    assert "username" in failure.remedy


def test_a_password_never_shows() -> None:
    options = connection(4840, {"A": []}, username=USER[0], password=USER[1])
    assert USER[1] not in repr(options)
    assert USER[1] not in str(options.model_dump())
