"""What a technician does before a secured connection stands: try, read the refusal, accept."""

import asyncio

import pytest

from drivers.opcua.pki import Pki
from edge_agent.driver import ConnectionFailed
from edge_agent.model.state import UnknownCause
from tests.drivers.opcua.harness import connection, driver_for, tag
from tests.drivers.opcua.life import Life

TAGS = {"A": [tag("t", "A.t")]}


async def opening(port: int, **more: object) -> None:
    driver = driver_for(connection(port, TAGS, **({"security": "strongest"} | more)))
    try:
        await driver.open()
    finally:
        await driver.close()


def refusal(port: int, **more: object) -> ConnectionFailed:
    """Why the driver cannot open a connection with these options."""
    with pytest.raises(ConnectionFailed) as failure:
        asyncio.run(opening(port, **more))
    assert failure.value.cause is UnknownCause.REFUSED
    assert failure.value.remedy
    return failure.value


def trust(port: int) -> None:
    """Accept the server at `port`, after it was refused."""
    told = refusal(port)
    (entry,) = Pki().rejected()
    assert entry.certificate.thumbprint in str(told)
    assert f"edge-agent opcua trust accept {entry.certificate.thumbprint}" in told.remedy
    Pki().accept(entry.certificate.thumbprint)


def failed(life: Life, times: int) -> bool:
    return len(life.failures) >= times
