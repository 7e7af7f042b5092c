"""What a technician reads when an endpoint is not what it should be."""

import asyncio
import socket
from typing import Any

import pytest
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from drivers.opcua.errors import connection_failed, explained
from edge_agent.driver import ConnectionFailed
from edge_agent.model.state import UnknownCause
from tests.drivers.opcua.harness import connection, driver_for, tag


def _failure(port: int, **more: object) -> ConnectionFailed:
    async def body() -> None:
        driver = driver_for(connection(port, {"A": [tag("t", "A.t")]}, **more))
        try:
            await driver.open()
        finally:
            await driver.close()

    with pytest.raises(ConnectionFailed) as failure:
        asyncio.run(body())
    return failure.value


def test_a_port_that_nobody_listens_on() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        failure = _failure(taken.getsockname()[1])
    assert failure.cause is UnknownCause.UNREACHABLE
    assert "refuses the connection" in str(failure)
    assert "port" in failure.remedy


def test_a_host_that_does_not_exist() -> None:
    failure = _failure(0, endpoint="opc.tcp://no-such-host.invalid:4840")
    assert failure.cause is UnknownCause.UNREACHABLE
    assert "unknown" in str(failure)


@pytest.mark.parametrize(
    ("then", "cause"), [("closes", UnknownCause.PROTOCOL_ERROR), ("waits", UnknownCause.TIMEOUT)]
)
def test_a_port_that_speaks_something_else(then: str, cause: UnknownCause) -> None:
    async def body() -> ConnectionFailed:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            if then == "waits":
                await reader.read()
            writer.close()

        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        driver = driver_for(connection(port, {"A": [tag("t", "A.t")]}, timeout="3s"))
        async with server:
            with pytest.raises(ConnectionFailed) as failure:
                await driver.open()
            await driver.close()
        return failure.value

    failure = asyncio.run(body())
    assert failure.cause is cause
    assert "OPC UA server" in failure.remedy


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (StatusCodes.BadUserAccessDenied, UnknownCause.REFUSED),
        (StatusCodes.BadIdentityTokenRejected, UnknownCause.REFUSED),
        (StatusCodes.BadTooManySessions, UnknownCause.REFUSED),
        (StatusCodes.BadSecurityPolicyRejected, UnknownCause.REFUSED),
        (StatusCodes.BadSessionIdInvalid, UnknownCause.UNREACHABLE),
        (StatusCodes.BadRequestTimeout, UnknownCause.TIMEOUT),
        (StatusCodes.BadInternalError, UnknownCause.PROTOCOL_ERROR),
    ],
)
def test_a_fault_of_the_server_is_told_by_name(status: int, cause: UnknownCause) -> None:
    kind: Any = UaStatusCodeError  # its constructor has no types, and makes a class for each status
    error = kind(status)
    failure = connection_failed("opc.tcp://plc:4840", error)
    assert failure.cause is cause
    assert type(error).__name__ in str(failure)
    assert "opc.tcp://plc:4840" in str(failure)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (AssertionError(), UnknownCause.REFUSED),
        (ConnectionResetError(104, "Connection reset by peer"), UnknownCause.UNREACHABLE),
        (TimeoutError(), UnknownCause.TIMEOUT),
        (RuntimeError("odd"), UnknownCause.PROTOCOL_ERROR),
    ],
)
def test_whatever_the_library_raises_becomes_one_kind(error: Exception, cause: UnknownCause) -> None:
    with pytest.raises(ConnectionFailed) as failure, explained("opc.tcp://plc:4840"):
        raise error
    assert failure.value.cause is cause
    assert failure.value.__cause__ is error
