"""The server's side: asyncua's own server, driven over a pipe.

Filling the standard address space takes seconds, so it is done once, at import, in the process that
servers are forked from; see `server`.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from asyncua import ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.uaprocessor import UaProcessor
from asyncua.server.user_managers import UserManager
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import BadTooManyOperations
from cryptography.x509.oid import ExtendedKeyUsageOID

from drivers.opcua.nodes import node_id
from tests.drivers.opcua.server import NAMESPACE, Settings

_BAD_TIMEOUT: Any = StatusCodes.BadTimeout
APPLICATION_URI = "urn:example:machines"

logging.disable(logging.CRITICAL)
SERVER = Server()
asyncio.run(SERVER.init())


@dataclass(frozen=True)
class Users(UserManager):
    user: tuple[str, str]

    def get_user(
        self,
        iserver: Any,  # noqa: ARG002 - the library's signature
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,  # noqa: ARG002 - the library's signature
    ) -> User | None:
        return User(role=UserRole.User) if (username, password) == self.user else None


class Machine:
    """The running server and the commands that tests give."""

    def __init__(self) -> None:
        self.index = 0
        self.seen: Counter[str] = Counter()
        self.largest_call = 0

    async def start(self, settings: Settings) -> int:
        SERVER.set_endpoint(f"opc.tcp://127.0.0.1:{settings.port}/machines")
        await SERVER.set_application_uri(APPLICATION_URI)
        policies = [ua.SecurityPolicyType.NoSecurity]
        if settings.user is not None:
            SERVER.iserver.user_manager = Users(settings.user)
            SERVER.set_identity_tokens([ua.UserNameIdentityToken])
        if settings.certificate is not None:
            policies.append(ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt)
            key, certificate = settings.certificate / "key.pem", settings.certificate / "certificate.der"
            await setup_self_signed_certificate(
                key, certificate, APPLICATION_URI, "localhost", [ExtendedKeyUsageOID.SERVER_AUTH], {}
            )
            await SERVER.load_certificate(str(certificate))
            await SERVER.load_private_key(str(key))
        SERVER.set_security_policy(policies)
        for number in range(settings.namespaces_before):
            await SERVER.register_namespace(f"http://example.com/other/{number}")
        self.index = await SERVER.register_namespace(NAMESPACE)
        limit = SERVER.get_node(
            node_id(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall)
        )
        stated = 0 if settings.refuse_more_items else settings.max_items_per_call
        await limit.write_value(ua.Variant(stated, ua.VariantType.UInt32))
        self._watch_requests(settings)
        await SERVER.start()
        return SERVER.bserver.port if SERVER.bserver else 0

    def _watch_requests(self, settings: Settings) -> None:
        processor_class: Any = UaProcessor
        service: Any = SERVER.iserver.subscription_service
        process = processor_class._process_message
        open_channel = processor_class.open_secure_channel
        create = service.create_monitored_items

        async def watched(processor: Any, typeid: Any, *rest: Any) -> Any:
            self.seen[ObjectIdNames[typeid.Identifier].removesuffix("_Encoding_DefaultBinary")] += 1
            return await process(processor, typeid, *rest)

        def opening(processor: Any, *rest: Any) -> None:
            self.seen["OpenSecureChannelRequest"] += 1
            open_channel(processor, *rest)

        async def limited(params: Any) -> Any:
            self.largest_call = max(self.largest_call, len(params.ItemsToCreate))
            if settings.refuse_more_items and len(params.ItemsToCreate) > settings.max_items_per_call:
                raise BadTooManyOperations
            return await create(params)

        processor_class._process_message = watched
        processor_class.publish_request_limit = lambda *_: settings.publish_requests
        processor_class.open_secure_channel = opening
        service.create_monitored_items = limited

    def _node(self, name: str) -> Any:
        return SERVER.get_node(node_id(name, self.index))

    async def put(
        self, name: str, value: Any, kind: str = "Int64", status: Any = 0, source_ms: int | None = None
    ) -> None:
        """Make the variable `name` if there is none, and write it."""
        node = self._node(name)
        variant = ua.Variant(value, ua.VariantType[kind])
        if node.nodeid not in SERVER.iserver.aspace:
            await SERVER.nodes.objects.add_variable(node.nodeid, name, variant)
        time: Any = datetime.now(UTC) if source_ms is None else datetime.fromtimestamp(source_ms / 1000, UTC)
        data = ua.DataValue(variant, ua.StatusCode(status), time)
        await SERVER.iserver.write_attribute_value(node.nodeid, data)

    async def put_elsewhere(self, uri: str, name: str, value: int) -> None:
        """Make a variable in a namespace of its own, and the namespace too."""
        node = node_id(name, await SERVER.register_namespace(uri))
        await SERVER.nodes.objects.add_variable(node, name, value)

    async def put_all(self, prefix: str, count: int) -> None:
        for number in range(count):
            await self.put(f"{prefix}{number}", number)

    async def remove(self, name: str) -> None:
        """Without a word to those who monitor it: that is how this server does it."""
        node = self._node(name)
        if node.nodeid in SERVER.iserver.aspace:
            await SERVER.delete_nodes([node])

    async def connections(self) -> int:
        return len(SERVER.bserver.clients) if SERVER.bserver else 0

    async def subscriptions(self) -> int:
        return len(SERVER.iserver.subscription_service.subscriptions)

    async def drop_subscriptions(self) -> None:
        """Forget all subscriptions, as a server that is out of memory."""
        service = SERVER.iserver.subscription_service
        await service.delete_subscriptions(list(service.subscriptions))

    async def end_subscriptions(self) -> None:
        """Tell the clients that their subscriptions are over."""
        for subscription in SERVER.iserver.subscription_service.subscriptions.values():
            await subscription.enqueue_statuschange(ua.StatusCode(_BAD_TIMEOUT))
            subscription._startup = True  # has it publish what it would keep for the next data change

    async def requests(self) -> dict[str, int]:
        return dict(self.seen)

    async def largest(self) -> int:
        return self.largest_call


async def serve(pipe: Connection, settings: Settings) -> None:
    """Run until the other end of the pipe is closed."""
    machine = Machine()
    pipe.send(await machine.start(settings))
    readable = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), readable.set)
    while True:
        await readable.wait()
        readable.clear()
        while pipe.poll():
            try:
                command, arguments = pipe.recv()
            except EOFError:
                return
            pipe.send(await getattr(machine, command)(*arguments))
