"""One session with a server: connection, secure channel, login, and the services used on it."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaError

from drivers.opcua.errors import explained
from drivers.opcua.identity import token_policy
from drivers.opcua.nodes import node_id
from drivers.opcua.options import OpcuaConnection
from drivers.opcua.values import status_code
from edge_agent.driver import ConnectionFailed
from edge_agent.model.state import UnknownCause

SESSION_TIMEOUT_MS = 60_000
"""After how long without a request the server forgets the session, if the connection broke unseen."""
CHANNEL_LIFETIME_MS = 3_600_000
CLOSE_LIMIT = 2.0
"""Seconds at most for a server to confirm the end of the session."""
READ_AT_ONCE = 100
"""Nodes per read, if the server allows as many or states no limit."""

_log = logging.getLogger(__name__)

# The library logs requests whole, with the password where that is not encrypted, and a traceback for each
# failure that `errors` puts into words.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server accepts in one request; 0 where it states no limit."""

    nodes_per_read: int = 0
    items_per_call: int = 0


class _Client(Client):
    """The library's client, except that the login is the one we chose: its own choice is the first offered.

    Used step by step: its `connect` would start tasks that reconnect and renew behind our back.
    """

    token_policy = ua.UserTokenPolicy()

    def server_policy(self, token_type: ua.UserTokenType) -> ua.UserTokenPolicy:  # noqa: ARG002 - theirs
        return self.token_policy


class Session:
    """Used once: `open`, then services, then `close`. All but `close` raise ConnectionFailed or what
    `errors.explained` turns into it."""

    def __init__(self, options: OpcuaConnection) -> None:
        self.endpoint = options.endpoint
        self.timeout = options.timeout
        self.namespaces: Sequence[str] = ()
        self.limits = Limits()
        self._options = options
        self._renew_at = float("inf")
        client = _Client(options.endpoint, timeout=options.timeout)
        client.name = "edge-agent"
        client.description = f"edge-agent {options.id}"
        client.application_uri = client.product_uri = "urn:edge-agent"
        client.session_timeout = SESSION_TIMEOUT_MS
        client.secure_channel_timeout = CHANNEL_LIFETIME_MS
        if options.username is not None and options.password is not None:
            client.set_user(options.username)
            client.set_password(options.password.get_secret_value())
        self._client = client

    async def open(self) -> None:
        """Connect, log in, and learn the server's namespaces and limits."""
        with explained(self.endpoint):
            await self._connect()
            await self._client.open_secure_channel()
            self._renew_at = self._next_renewal()
            await self._log_in()
            await self._learn()

    async def _connect(self) -> None:
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task is not None else 0
        await self._client.connect_socket()
        if task is not None and task.cancelling() > cancelled_before:
            # It waits with asyncio.wait_for, which before Python 3.12 can swallow a cancellation.
            raise asyncio.CancelledError
        remedy = "check that this port belongs to an OPC UA server, and that it has a connection left"
        try:
            await self._client.send_hello()
        except TimeoutError as error:
            raise ConnectionFailed(
                UnknownCause.TIMEOUT, f"{self.endpoint} takes the connection and says nothing", remedy
            ) from error
        except ConnectionError as error:
            raise ConnectionFailed(
                UnknownCause.PROTOCOL_ERROR,
                f"{self.endpoint} ends the connection at the first message",
                remedy,
            ) from error

    async def _log_in(self) -> None:
        client = self._client
        created = await client.create_session()
        channel = client.security_policy
        endpoint = client.find_endpoint(created.ServerEndpoints, channel.Mode, channel.URI)
        # Without message security some servers give their certificate with the session, some with the
        # endpoint, some not at all. The library encrypts the password for the one that is set here.
        channel.peer_certificate = channel.peer_certificate or endpoint.ServerCertificate or None
        client.token_policy = token_policy(
            self._options, endpoint, can_encrypt=channel.peer_certificate is not None
        )
        await client.activate_session(
            self._options.username,
            self._options.password.get_secret_value() if self._options.password else None,
        )

    async def _learn(self) -> None:
        per_read, per_call = await self.read_values(
            [
                ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
                ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
            ]
        )
        self.limits = Limits(
            nodes_per_read=per_read if isinstance(per_read, int) else 0,
            items_per_call=per_call if isinstance(per_call, int) else 0,
        )
        await self.read_namespaces()

    async def read_namespaces(self) -> None:
        """Read the namespace array again: servers may add to it while they run."""
        (namespaces,) = await self.read_values([ObjectIds.Server_NamespaceArray])
        self.namespaces = namespaces if isinstance(namespaces, list) else ()

    async def close(self) -> None:
        """End the session and the connection, within `CLOSE_LIMIT` whatever the server does."""
        protocol = self._client.uaclient.protocol
        if protocol is None:
            return
        try:
            if protocol.transport is not None:
                async with asyncio.timeout(min(CLOSE_LIMIT, self.timeout)):
                    await self._client.uaclient.close_session(True)
                    await self._client.close_secure_channel()
        except Exception as error:  # it is going away in any case
            _log.debug("%s: closing the session: %r", self.endpoint, error)
        finally:
            # The library's own way waits for what was written to leave, and so for ever if nobody takes it.
            gone = asyncio.Event()
            protocol.on_connection_lost = lambda _: gone.set()
            if protocol.transport is not None:
                protocol.transport.abort()
                await gone.wait()

    async def send(self, request: Any, limit: float | None = None) -> Buffer:
        """Send any service request and return the body of its answer.

        `limit` in seconds; None for that of the connection, 0 for none (publish requests wait at the
        server). Raises UaStatusCodeError when the server answers with a fault.
        """
        protocol = self._client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("not connected")
        return await protocol.send_request(request, limit)

    async def call(self, request: Any, response_type: type[R]) -> R:
        """Send a service request and decode its answer."""
        response = struct_from_binary(response_type, await self.send(request))
        response.ResponseHeader.ServiceResult.check()  # type: ignore[attr-defined]  # every response has one
        return response

    async def read(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[ua.DataValue]:
        """One attribute of many nodes, in requests as large as the server allows."""
        at_once = min(self.limits.nodes_per_read or READ_AT_ONCE, READ_AT_ONCE)
        values: list[ua.DataValue] = []
        for start in range(0, len(nodes), at_once):
            request = ua.ReadRequest()
            request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
            request.Parameters.NodesToRead = [
                ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in nodes[start : start + at_once]
            ]
            response = await self.call(request, ua.ReadResponse)
            values.extend(response.Results)
        if len(values) != len(nodes):
            raise UaError(f"{len(values)} results for {len(nodes)} nodes to read")
        return values

    async def read_values(self, ids: Sequence[int]) -> list[object]:
        """Values of standard nodes by their numbers in namespace 0; None where the server has none."""
        data = await self.read([node_id(number) for number in ids], AttributeIds.Value)
        return [
            value.Value.Value if value.Value is not None and not status_code(value) else None
            for value in data
        ]

    async def renew_if_due(self) -> None:
        """Renew the secure channel after three quarters of its life, as OPC 10000-4, 5.6.2.1 demands."""
        if time.monotonic() < self._renew_at:
            return
        await self._client.open_secure_channel(renew=True)
        self._client.uaclient.revolve_security_token()
        self._renew_at = self._next_renewal()

    def _next_renewal(self) -> float:
        return time.monotonic() + 0.75 * self._client.secure_channel_timeout / 1000
