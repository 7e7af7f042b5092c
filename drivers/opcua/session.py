"""One session with a server: connection, secure channel, login, and the services used on it."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509

from drivers.opcua.channel import OpcuaClient, connect, disconnect
from drivers.opcua.errors import explained
from drivers.opcua.identity import encrypts_password, token_policy, user_identity
from drivers.opcua.nodes import node_id
from drivers.opcua.options import OpcuaConnection
from drivers.opcua.secure import OwnCertificateRefused, SecureWay, secure_ways, verify_server
from drivers.opcua.statistics import ServiceStatistics
from drivers.opcua.values import status_code

SESSION_TIMEOUT_MS = 60_000
"""After how long without a request the server forgets the session, if the connection broke unseen."""
RENEW_AFTER = 0.75
"""Share of a secure channel's life after which it is renewed, as OPC 10000-4, 5.6.2.1 demands."""
READ_AT_ONCE = 100
"""Nodes per read, if the server allows as many or states no limit."""

_log = logging.getLogger(__name__)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server accepts in one request; 0 where it states no limit."""

    nodes_per_read: int = 0
    items_per_call: int = 0
    items: int = 0
    """Monitored items in all that the options allow."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """With it a new connection goes on with a session whose connection is lost."""

    authentication_token: ua.NodeId
    server_nonce: bytes | None
    token_policy: ua.UserTokenPolicy
    peer_certificate: bytes | None


class Session:
    """Used once: `open`, then services, then `close`. All but `close` raise ConnectionFailed or what
    `errors.explained` turns into it."""

    def __init__(
        self,
        options: OpcuaConnection,
        statistics: ServiceStatistics | None = None,
        most_bytes: int | None = None,
    ) -> None:
        """`most_bytes`: the connection is cut when more than that has come over it."""
        self._most_bytes = most_bytes
        self.endpoint = options.endpoint
        self.timeout = options.timeout
        self.statistics = statistics or ServiceStatistics()
        self.namespaces: Sequence[str] = ()
        self.limits = Limits()
        self._options = options
        self._renew_at = float("inf")
        self.resumed = False
        """Whether the session is the one of the ticket, with its subscriptions."""
        self._way: SecureWay | None = None
        self._client = self._new_client()

    def _new_client(self) -> OpcuaClient:
        options = self._options
        client = OpcuaClient(options.endpoint, options.timeout)
        client.most_bytes = self._most_bytes
        client.description = f"edge-agent {options.id}"
        client.session_timeout = max(SESSION_TIMEOUT_MS, round(2000 * options.bridge))
        return client

    async def open(self, ticket: Ticket | None = None) -> None:
        """Connect, log in, and learn the server's namespaces and limits.

        With a `ticket` goes on with its session, if the server still has it.
        """
        with explained(self.endpoint):
            if self._options.security == "none":
                await self._enter(ticket)
            else:
                await self._enter_secured(ticket)
            await self._learn()

    async def _enter_secured(self, ticket: Ticket | None) -> None:
        refusals: list[OwnCertificateRefused] = []
        for way in await secure_ways(self._options):
            self._way, self._client = way, self._new_client()
            way.prepare(self._client)
            try:
                await self._enter(ticket)
            except OwnCertificateRefused as refusal:
                refusals.append(refusal)
                await self.close()
                continue
            if refusals:
                _log.warning("%s; until then an older one is used. %s", refusals[0], refusals[0].remedy)
            return
        raise refusals[0]

    async def _enter(self, ticket: Ticket | None) -> None:
        await connect(self._client, self.endpoint)
        with self._way.explained() if self._way is not None else nullcontext():
            await self._client.open_secure_channel()
            self._renew_at = self._next_renewal()
            self.resumed = ticket is not None and await self._resume(ticket)
            created = None if self.resumed else await self._client.create_session()
        if self._way is not None:
            self._way.confirm(created.ServerEndpoints if created else await self._client.get_endpoints())
        if created is not None:
            await self._log_in(created)

    def ticket(self) -> Ticket | None:
        """For a later connection; None if this one never had a session."""
        protocol = self._client.uaclient.protocol
        if protocol is None or not protocol.authentication_token.Identifier:
            return None
        return Ticket(
            protocol.authentication_token,
            self._client._server_nonce,
            self._client.token_policy,
            self._client.security_policy.peer_certificate,
        )

    async def _log_in(self, created: ua.CreateSessionResult) -> None:
        client = self._client
        channel = client.security_policy
        endpoint = client.find_endpoint(created.ServerEndpoints, channel.Mode, channel.URI)
        # Without message security some servers give their certificate with the session, some with the
        # endpoint, some not at all. The library encrypts the password for the one that is set here.
        channel.peer_certificate = channel.peer_certificate or endpoint.ServerCertificate or None
        client.token_policy = token_policy(
            self._options, endpoint, can_encrypt=channel.peer_certificate is not None
        )
        if self._way is None and encrypts_password(client.token_policy) and not self._options.plain_password:
            application_uri = endpoint.Server.ApplicationUri
            await verify_server(self._options, channel.peer_certificate, application_uri)
        await self._activate()

    async def _activate(self) -> None:
        options = self._options
        certificate: x509.Certificate | None = None
        if options.user_certificate is not None and options.user_key is not None:
            user = await asyncio.to_thread(user_identity, options.user_certificate, options.user_key)
            certificate, self._client.user_private_key = user
        await self._client.activate_session(
            options.username, options.password.get_secret_value() if options.password else None, certificate
        )

    async def _resume(self, ticket: Ticket) -> bool:
        """Have the session of `ticket` on this connection; False if the server does not go along."""
        client = self._client
        protocol = client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("not connected")
        channel: Any = client.security_policy
        known_before = channel.peer_certificate
        protocol.authentication_token = ticket.authentication_token
        client._server_nonce = ticket.server_nonce  # type: ignore[assignment]  # theirs is declared as None
        client.token_policy = ticket.token_policy
        channel.peer_certificate = known_before or ticket.peer_certificate
        try:
            await self._activate()
        except UaStatusCodeError as error:
            _log.info("%s: the session is not resumed: %s", self.endpoint, error)
            protocol.authentication_token = ua.NodeId()
            channel.peer_certificate = known_before
            return False
        return True

    async def _learn(self) -> None:
        per_read, per_call = await self.read_values(
            [
                ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
                ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
            ]
        )
        given = self._options.limits
        self.limits = Limits(
            nodes_per_read=_smaller(per_read, given.nodes_per_read),
            items_per_call=_smaller(per_call, given.items_per_call),
            items=given.items or 0,
        )
        await self.read_namespaces()

    async def read_namespaces(self) -> None:
        """Read the namespace array again: servers may add to it while they run."""
        (namespaces,) = await self.read_values([ObjectIds.Server_NamespaceArray])
        self.namespaces = namespaces if isinstance(namespaces, list) else ()

    async def close(self, *, keep: bool = False) -> None:
        """End the session and the connection, within `CLOSE_LIMIT` whatever the server does.

        `keep` leaves the session to whoever has its ticket.
        """
        await disconnect(self._client, self.endpoint, self.timeout, session=True, silently=keep)

    async def send(self, request: Any, limit: float | None = None) -> Buffer:
        """Send any service request and return the body of its answer.

        `limit` in seconds; None for that of the connection, 0 for none (publish requests wait at the
        server). Raises UaStatusCodeError when the server answers with a fault.
        """
        protocol = self._client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("not connected")
        answer = protocol.send_request(request, limit)
        return await (answer if limit == 0 else self.statistics.timed(request, answer))

    async def call(self, request: Any, response_type: type[R]) -> R:
        """Send a service request and decode its answer."""
        response = struct_from_binary(response_type, await self.send(request))
        response.ResponseHeader.ServiceResult.check()  # type: ignore[attr-defined]  # every response has one
        return response

    async def read(
        self,
        nodes: Sequence[ua.NodeId],
        attribute: AttributeIds,
        timestamps: ua.TimestampsToReturn = ua.TimestampsToReturn.Neither,
    ) -> list[ua.DataValue]:
        """One attribute of many nodes, in requests as large as the server allows."""
        at_once = min(self.limits.nodes_per_read or READ_AT_ONCE, READ_AT_ONCE)
        values: list[ua.DataValue] = []
        for start in range(0, len(nodes), at_once):
            request = ua.ReadRequest()
            request.Parameters.TimestampsToReturn = timestamps
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
        """Renew the secure channel when three quarters of its life are over."""
        if time.monotonic() < self._renew_at:
            return
        if self._way is not None:
            await self._way.check_again()
        await self._client.open_secure_channel(renew=True)
        self._client.uaclient.revolve_security_token()
        self._renew_at = self._next_renewal()

    def _next_renewal(self) -> float:
        return time.monotonic() + RENEW_AFTER * self._client.secure_channel_timeout / 1000


def _smaller(stated: object, given: int | None) -> int:
    """The smaller of two limits, of which none is told by 0, by None or by something that is no number."""
    limits = [limit for limit in (stated, given) if isinstance(limit, int) and limit > 0]
    return min(limits, default=0)
