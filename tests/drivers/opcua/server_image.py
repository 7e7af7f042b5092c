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
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field
from asyncua.common.utils import ServiceError
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.uaprocessor import UaProcessor
from asyncua.server.user_managers import UserManager
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import BadTooManyOperations
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from drivers.opcua.nodes import node_id
from tests.drivers.opcua.server import APPLICATION_URI, NAMESPACE, Settings

_BAD_TIMEOUT: Any = StatusCodes.BadTimeout
_TOO_MANY_ITEMS: Any = StatusCodes.BadTooManyMonitoredItems
_NO_FILTER: Any = StatusCodes.BadFilterNotAllowed
_UNTRUSTED: Any = StatusCodes.BadCertificateUntrusted
_WRONG_URI: Any = StatusCodes.BadCertificateUriInvalid

logging.disable(logging.CRITICAL)
SERVER = Server()
asyncio.run(SERVER.init())


@dataclass(frozen=True)
class Users(UserManager):
    user: tuple[str, str] | None
    user_certificate: bytes | None

    def get_user(
        self,
        iserver: Any,  # noqa: ARG002 - the library's signature
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> User | None:
        by_name = username is not None and (username, password) == self.user
        by_certificate = username is None and certificate is not None and certificate == self.user_certificate
        return User(role=UserRole.User) if by_name or by_certificate else None


@dataclass(frozen=True)
class Gatekeeper:
    """Lets only clients in whose certificate lies in `folder`."""

    folder: Path

    async def __call__(self, certificate: x509.Certificate, application: ua.ApplicationDescription) -> None:
        der = certificate.public_bytes(Encoding.DER)
        if der not in [path.read_bytes() for path in self.folder.glob("*.der")]:
            rejected = self.folder / "rejected"
            rejected.mkdir(exist_ok=True)
            (rejected / f"{certificate.serial_number}.der").write_bytes(der)
            raise ServiceError(_UNTRUSTED)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if application.ApplicationUri not in names.get_values_for_type(x509.UniformResourceIdentifier):
            raise ServiceError(_WRONG_URI)


class Machine:
    """The running server and the commands that tests give."""

    def __init__(self) -> None:
        self.index = 0
        self.seen: Counter[str] = Counter()
        self.largest_call = 0
        self.items_made = 0

    async def start(self, settings: Settings) -> int:
        SERVER.set_endpoint(f"opc.tcp://127.0.0.1:{settings.port}/machines")
        await SERVER.set_application_uri(APPLICATION_URI)
        policies = [ua.SecurityPolicyType.NoSecurity]
        if settings.user is not None or settings.user_certificate is not None:
            SERVER.iserver.user_manager = Users(settings.user, settings.user_certificate)
            tokens: list[type] = [] if settings.user is None else [ua.UserNameIdentityToken]
            tokens += [] if settings.user_certificate is None else [ua.X509IdentityToken]
            SERVER.set_identity_tokens(tokens)
        if settings.trusts is not None:
            SERVER.set_certificate_validator(Gatekeeper(settings.trusts))
        if settings.certificate is not None:
            policies.append(ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt)
            key, certificate = settings.certificate / "key.pem", settings.certificate / "certificate.der"
            if not certificate.exists():
                await setup_self_signed_certificate(
                    key, certificate, APPLICATION_URI, "localhost", [ExtendedKeyUsageOID.SERVER_AUTH], {}
                )
            await SERVER.load_certificate(str(certificate))
            await SERVER.load_private_key(str(key))
        SERVER.set_security_policy([ua.SecurityPolicyType[name] for name in settings.security] or policies)
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
            room = max(settings.max_items - self.items_made, 0)
            params.ItemsToCreate, refused = params.ItemsToCreate[:room], params.ItemsToCreate[room:]
            self.items_made += len(params.ItemsToCreate)
            full = ua.MonitoredItemCreateResult(ua.StatusCode(_TOO_MANY_ITEMS))
            if not settings.filters and any(item.RequestedParameters.Filter for item in params.ItemsToCreate):
                return [ua.MonitoredItemCreateResult(ua.StatusCode(_NO_FILTER))] * len(params.ItemsToCreate)
            return await create(params) + [full] * len(refused)

        async def none_made(*_: Any, **__: Any) -> Any:
            raise ServiceError(StatusCodes.BadServiceUnsupported)

        if not settings.subscriptions:
            service.create_subscription = none_made
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

    async def put_below(self, path: str, value: Any, kind: str = "Int64") -> None:
        """Make a variable at a path of names below Objects, which is its id, and the objects on the way."""
        *ways, name = path.split("/")
        below = SERVER.nodes.objects
        for count, way in enumerate(ways, start=1):
            node = self._node("/".join(ways[:count]))
            if node.nodeid not in SERVER.iserver.aspace:
                await below.add_object(node.nodeid, ua.QualifiedName(way, self.index))
            below = node
        await below.add_variable(
            self._node(path).nodeid,
            ua.QualifiedName(name, self.index),
            ua.Variant(value, ua.VariantType[kind]),
        )

    async def announce_model_change(self) -> None:
        # Not one of the subtypes that servers send in earnest: this server's OfType knows no subtypes.
        generator = await SERVER.get_event_generator(node_id(ObjectIds.BaseModelChangeEventType))
        await generator.trigger()

    async def put_structures(self) -> None:
        """Structures and enumerations of the server's own, nested and in arrays; see `test_types`."""
        point = await new_struct(
            SERVER,
            self.index,
            "Point",
            [new_struct_field("X", ua.VariantType.Double), new_struct_field("Y", ua.VariantType.Double)],
        )
        mode = await new_enum(SERVER, self.index, "Mode", ["Hand", "Auto 自动"])
        part = await new_struct(
            SERVER,
            self.index,
            "Part",
            [
                new_struct_field("Name", ua.VariantType.String),
                new_struct_field("At", point[0]),
                new_struct_field("Corners", point[0], array=True),
                new_struct_field("Weight", ua.VariantType.Double, optional=True),
                new_struct_field("Mode", mode),
            ],
        )
        types: Any = await SERVER.load_data_type_definitions()
        corners = [types["Point"](X=float(x), Y=2.0 * x) for x in range(3)]
        value = types["Part"](
            Name="Welle 轴", At=types["Point"](X=1.5, Y=-2.5), Corners=corners, Mode=types["Mode"](1)
        )
        await SERVER.nodes.objects.add_variable(
            self._node("A.part").nodeid,
            "A.part",
            ua.Variant(value, ua.VariantType.ExtensionObject),
            datatype=part[0].nodeid,
        )
        await SERVER.nodes.objects.add_variable(
            self._node("A.mode").nodeid, "A.mode", ua.Variant(1, ua.VariantType.Int32), datatype=mode.nodeid
        )
        speed = await SERVER.nodes.objects.add_variable(self._node("A.speed").nodeid, "A.speed", 12.5)
        unit: Any = ua.EUInformation(
            NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
            UnitId=int.from_bytes(b"RPM", "big"),
            DisplayName=ua.LocalizedText("rpm"),
        )
        await speed.add_property(0, "EngineeringUnits", unit)
        await speed.add_property(0, "EURange", ua.Range(0.0, 6000.0))

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

    async def lose_message(self, keep: bool) -> None:
        """Have the next notification message made and not sent; `keep` it for those who ask again."""
        subscription: Any
        (subscription,) = SERVER.iserver.subscription_service.subscriptions.values()
        pop = subscription._pop_publish_result

        def lost() -> Any:
            result = pop()
            if result.NotificationMessage.NotificationData:
                subscription._pop_publish_result = pop
                if not keep:
                    del subscription._not_acknowledged_results[result.NotificationMessage.SequenceNumber]
                return pop()
            return result

        subscription._pop_publish_result = lost

    async def stick(self, name: str) -> None:
        """Have the variable's monitored items say nothing any more."""
        attributes = SERVER.iserver.aspace[self._node(name).nodeid].attributes
        attributes[AttributeIds.Value].datachange_callbacks.clear()

    async def forget_sessions(self) -> None:
        """As after their time-out, but the subscriptions stay."""
        SERVER.iserver._external_sessions.clear()

    async def set_service_level(self, level: int) -> None:
        node = SERVER.get_node(node_id(ObjectIds.Server_ServiceLevel))
        await node.write_value(ua.Variant(level, ua.VariantType.Byte))

    async def items(self) -> int:
        """How many monitored items there are."""
        return sum(
            len(subscription.monitored_item_srv._monitored_items)
            for subscription in SERVER.iserver.subscription_service.subscriptions.values()
        )

    async def filters(self) -> list[float]:
        """The dead-bands of all monitored items."""
        return [
            item.filter.DeadbandValue
            for subscription in SERVER.iserver.subscription_service.subscriptions.values()
            for item in subscription.monitored_item_srv._monitored_items.values()
            if hasattr(item.filter, "DeadbandValue")
        ]

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
