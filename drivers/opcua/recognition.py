"""Finds OPC UA servers and their machines for `edge-agent discover`; browses and reads, nothing else."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.browsing import Browser, Child
from drivers.opcua.channel import Discovered, discover
from drivers.opcua.companion import BY_NAMESPACE, Machine, machines
from drivers.opcua.errors import explained
from drivers.opcua.nodes import NodeName, node_id
from drivers.opcua.options import OpcuaConnection
from drivers.opcua.session import Session
from drivers.opcua.tag_lists import tag_lines
from drivers.opcua.trees import grow
from edge_agent.driver import DriverError
from edge_agent.model.found import Found, Place, Recogniser, TcpPlace, clean

MOST_BYTES = 8_000_000
"""What one connection may bring before it is cut."""
MOST_SERVERS = 8
"""Servers of the same host that a discovery server names, and that are asked as well."""
MOST_OBJECTS, MOST_NODES, DEEPEST, MOST_TAGS = 32, 100, 2, 20
"""Of a server that describes no machine: how much of it is looked at, and shown as tags."""

_UA = "http://opcfoundation.org/UA/"
_STANDARD = frozenset({"http://opcfoundation.org/UA/DI/", "http://opcfoundation.org/UA/Machinery/"})
"""Their objects stand in many servers, and are no machines."""
_BUILD = (
    ObjectIds.Server_ServerStatus_BuildInfo_ManufacturerName,
    ObjectIds.Server_ServerStatus_BuildInfo_ProductName,
    ObjectIds.Server_ServerStatus_BuildInfo_SoftwareVersion,
)
_SERVER_STATE = {"id": "server_state", "node": f"i={ObjectIds.Server_ServerStatus_State}"}
"""What every server has."""
_KINDS = {"OPC 40010-1": "robot", "OPC 40501-1": "machine_tool", "OPC 40502": "machine_tool"}


class OpcuaRecogniser(Recogniser):
    protocol: ClassVar[str] = "opcua"
    ports: ClassVar[tuple[int, ...]] = (4840,)
    asks: ClassVar[str] = (
        "查询端点与服务器，匿名浏览 asks for endpoints and servers; browses where anybody may without "
        "security; also servers on further ports of the same host that a discovery server there names"
    )

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        if not isinstance(place, TcpPlace):
            return
        told = await discover(f"opc.tcp://{place}", limit, servers=True, most_bytes=MOST_BYTES)
        async for found in _of_server(place, told, limit):
            yield found
        for port in _further_ports(place, told):
            further = TcpPlace(place.host, port)
            with suppress(DriverError):  # a server that was registered, and is down
                told = await discover(f"opc.tcp://{further}", limit, most_bytes=MOST_BYTES)
                async for found in _of_server(further, told, limit):
                    yield found


def _further_ports(place: TcpPlace, told: Discovered) -> list[int]:
    """Ports of servers that are on the same host: at its address, or at the name it gives itself."""
    own = {urlsplit(one.EndpointUrl or "").hostname for one in told.endpoints} | {place.host}
    itself = {one.Server.ApplicationUri for one in told.endpoints}
    ports: dict[int, None] = {}
    for server in told.servers:
        if server.ApplicationUri in itself:
            continue
        for url in server.DiscoveryUrls or ():
            try:
                parts = urlsplit(url or "")
                host, port = parts.hostname, parts.port
            except ValueError:
                continue
            if parts.scheme == "opc.tcp" and host in own and port not in (None, 0, place.port):
                ports[port] = None
    return list(ports)[:MOST_SERVERS]


async def _of_server(place: TcpPlace, told: Discovered, limit: float) -> AsyncGenerator[Found, None]:
    url = f"opc.tcp://{place}"
    application = told.endpoints[0].Server if told.endpoints else ua.ApplicationDescription()
    whole = Found(
        protocol="opcua",
        host=place.host,
        where=url,
        name=application.ApplicationName.Text or "",
        driver="opcua",
        address={"endpoint": url},
        tags=(_SERVER_STATE,),
    ).cleaned()
    if application.ApplicationType == ua.ApplicationType.DiscoveryServer:
        yield replace(
            whole, driver="", note="发现服务器，本身不提供数据 a discovery server, has no data itself"
        )
        return
    if not any(map(_anybody_may, told.endpoints)):
        note = f"需要证书或登录 wants security or a login: edge-agent opcua discover {url}"
        yield replace(whole, note=note)
        return
    options = OpcuaConnection.model_validate(
        {"id": "commissioning", "driver": "opcua", "endpoint": url, "security": "none",
         "equipment": [{"id": "commissioning"}]}
    ).model_copy(update={"timeout": limit})  # fmt: skip
    session = Session(options, most_bytes=MOST_BYTES)
    try:
        await session.open()
        with explained(url):
            async for found in _inside(session, replace(whole, access={"security": "none"})):
                yield found
    except DriverError as error:
        yield replace(whole, note=clean(f"无法浏览 cannot be browsed: {error}"))
    finally:
        await session.close()


async def _inside(session: Session, server: Found) -> AsyncGenerator[Found, None]:
    """The machines of a server; without any, what there is to read."""
    maker, product, version = [str(text or "") for text in await session.read_values(_BUILD)]
    whole = replace(server, maker=maker, model=product, firmware=version)
    found = [_of_machine(server, machine) for machine in await machines(session)]
    if not found:
        known = [profile for namespace, profile in BY_NAMESPACE if namespace in session.namespaces]
        found = [replace(whole, profile=profile, tags=()) for profile in known[:1]]
    if not found:
        found = [one async for one in _objects(session, server, f"{maker} {product} {version}".strip())]
    if not found:
        browse = f"edge-agent opcua browse {server.where} --security none"
        found = [replace(whole, note=f"未发现设备 describes no machine: {browse}")]
    for one in found:
        yield one


def _anybody_may(endpoint: ua.EndpointDescription) -> bool:
    return endpoint.SecurityMode == ua.MessageSecurityMode.None_ and any(
        token.TokenType == ua.UserTokenType.Anonymous for token in endpoint.UserIdentityTokens or ()
    )


def _of_machine(server: Found, machine: Machine) -> Found:
    said = machine.identity
    kinds = [_KINDS[one.number] for one in machine.specifications if one.number in _KINDS]
    return replace(
        server,
        part=machine.name,
        maker=said.get("Manufacturer", ""),
        model=said.get("Model", ""),
        serial_number=said.get("SerialNumber", ""),
        firmware=said.get("SoftwareRevision", ""),
        kind=kinds[0] if kinds else "",
        profile=machine.profile,
        unit={"base": machine.base},
        tags=tuple(_given(asdict(tag)) for tag in machine.tags)
        or (() if machine.profile else (_SERVER_STATE,)),
    )


async def _objects(session: Session, server: Found, product: str) -> AsyncGenerator[Found, None]:
    """What a server that describes no machine has below Objects: in most, an object for each machine."""
    browser = Browser(session)
    objects = Child(node_id(ObjectIds.ObjectsFolder), "Objects", _UA, False, ua.NodeId())
    (answer,) = await browser.children([objects.node])
    children = [
        one
        for one in answer.nodes
        if not one.is_variable and one.node.NamespaceIndex and one.namespace not in _STANDARD
    ]
    for child in children[:MOST_OBJECTS]:
        (root,) = await grow(browser, [(objects, child)], DEEPEST, MOST_NODES)
        variables = [branch for branch in root.variables() if branch.depth][:MOST_TAGS]
        if variables:
            lines = tag_lines(variables, session.namespaces, {}, {}, by_path=True)
            yield replace(
                server,
                part=child.name,
                unit={"base": str(NodeName.of(child.node, session.namespaces))},
                tags=tuple(_given(asdict(line)) for line in lines),
                note=f"服务器 server: {product}" if product else "",
            )


def _given(options: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in options.items() if value}
