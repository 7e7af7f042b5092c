"""From an endpoint's URL to a client that can ask, what it offers before any login, and the end of it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from asyncua import ua
from asyncua.client.client import Client

from drivers.opcua.errors import explained
from edge_agent.driver import ConnectionFailed
from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause

CLOSE_LIMIT = 2.0
"""Seconds at most for a server to confirm the end of the session."""
CHANNEL_LIFETIME_MS = 3_600_000
PRODUCT_URI = "urn:edge-agent"

_log = logging.getLogger(__name__)

# The library logs requests whole, with the password where that is not encrypted, and a traceback for each
# failure that `errors` puts into words; some of these as critical.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)
logging.getLogger("asyncua").addHandler(logging.NullHandler())
logging.getLogger("asyncua").propagate = False


class OpcuaClient(Client):
    """The library's client, except that the login is the one we chose: its own choice is the first offered.

    Used step by step: its `connect` would start tasks that reconnect and renew behind our back.
    """

    token_policy = ua.UserTokenPolicy()
    most_bytes: int | None = None
    """How much may come over its connection; for servers that nobody knows yet."""

    def __init__(self, endpoint: str, timeout: float) -> None:
        super().__init__(endpoint, timeout=timeout)
        self.name = "edge-agent"
        self.application_uri = self.product_uri = PRODUCT_URI
        self.secure_channel_timeout = CHANNEL_LIFETIME_MS

    def server_policy(self, token_type: ua.UserTokenType) -> ua.UserTokenPolicy:  # noqa: ARG002 - theirs
        return self.token_policy


@dataclass(frozen=True)
class Discovered:
    """What a server tells anybody; nothing of it is certain."""

    endpoints: Sequence[ua.EndpointDescription]
    servers: Sequence[ua.ApplicationDescription] = ()


async def discover(
    endpoint: str, limit: float, *, servers: bool = False, most_bytes: int | None = None
) -> Discovered:
    """Ask over a connection of its own, without security: there is no other way. Raises ConnectionFailed."""
    async with asking(endpoint, limit, most_bytes) as client:
        endpoints = await client.get_endpoints()
        return Discovered(endpoints or (), (await client.find_servers() or ()) if servers else ())


@asynccontextmanager
async def asking(endpoint: str, limit: float, most_bytes: int | None = None) -> AsyncIterator[Client]:
    """A client over a channel without security and without a login: enough for discovery."""
    client = OpcuaClient(endpoint, limit)
    client.most_bytes = most_bytes
    try:
        with explained(endpoint):
            await connect(client, endpoint)
            await client.open_secure_channel()
            yield client
    finally:
        await disconnect(client, endpoint, limit)


async def connect(client: OpcuaClient, endpoint: str) -> None:
    """Connect and exchange hellos."""
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task is not None else 0
    await client.connect_socket()
    if task is not None and task.cancelling() > cancelled_before:
        # It waits with asyncio.wait_for, which before Python 3.12 can swallow a cancellation.
        raise asyncio.CancelledError
    if client.most_bytes is not None:
        _bound(client, client.most_bytes)
    remedy = "check that this port belongs to an OPC UA server, and that it has a connection left"
    try:
        await client.send_hello()
    except TimeoutError as error:
        raise ConnectionFailed(
            UnknownCause.TIMEOUT,
            f"{endpoint} takes the connection and says nothing",
            remedy,
            FailureKind.SILENT,
        ) from error
    except ConnectionError as error:
        raise ConnectionFailed(
            UnknownCause.PROTOCOL_ERROR,
            f"{endpoint} ends the connection at the first message",
            remedy,
            FailureKind.WRONG_PROTOCOL,
        ) from error


def _bound(client: Client, most: int) -> None:
    """Cut the connection of `client` when more than `most` bytes have come over it.

    The library gathers a message of whatever length a stranger announces.
    """
    protocol = client.uaclient.protocol
    if protocol is None:
        return
    take, left = protocol.data_received, most

    def counted(data: bytes) -> None:
        nonlocal left
        left -= len(data)
        if left >= 0:
            take(data)
        elif protocol.transport is not None:
            protocol.transport.abort()

    setattr(protocol, "data_received", counted)  # noqa: B010 - it is a method


async def disconnect(
    client: Client, endpoint: str, limit: float, *, session: bool = False, silently: bool = False
) -> None:
    """End the connection, with its session if it has one, within `CLOSE_LIMIT` whatever the server does.

    `limit` as for any answer; `silently` tells the server nothing.
    """
    protocol = client.uaclient.protocol
    if protocol is None:
        return
    try:
        if protocol.transport is not None and not silently:
            async with asyncio.timeout(min(CLOSE_LIMIT, limit)):
                if session:
                    await client.uaclient.close_session(True)
                await client.close_secure_channel()
    except Exception as error:  # it is going away in any case
        _log.debug("%s: closing the session: %r", endpoint, error)
    finally:
        # The library's own way waits for what was written to leave, and so for ever if nobody takes it.
        gone = asyncio.Event()
        protocol.on_connection_lost = lambda _: gone.set()
        if protocol.transport is not None:
            protocol.transport.abort()
            await gone.wait()
