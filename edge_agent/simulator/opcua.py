"""The simulated workshop's OPC UA server."""

from collections.abc import Sequence
from datetime import UTC

from asyncua import ua
from asyncua.server.server import Server

from edge_agent.simulator.fleet import OPCUA_NAMESPACE, OpcuaMachine
from edge_agent.simulator.life import Value
from edge_agent.simulator.story import Story


class OpcuaWorkshop:
    """One server on the loopback for all OPC UA machines; anonymous clients may read.

    A node is written when its value changes, with the time of the tick as its source time, as a
    controller with a scan cycle does.
    """

    def __init__(self, machines: Sequence[OpcuaMachine], port: int, story: Story) -> None:
        self._machines = machines
        self._port = port
        self._story = story
        self._server = Server()
        self._namespace = 0
        self._shown: dict[str, Value] = {}

    async def start(self) -> None:
        """Listen, with the current tick shown. Raises OSError if the port is taken."""
        server = self._server
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self._port}")
        server.set_server_name("Simulated workshop")
        await server.set_application_uri(f"{OPCUA_NAMESPACE}:server")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        self._namespace = await server.register_namespace(OPCUA_NAMESPACE)
        for served in self._machines:
            await self._add(served)
        await self.show(self._story.tick())
        await server.start()

    async def stop(self) -> None:
        await self._server.stop()

    async def show(self, tick: int) -> None:
        """Write what changed since the last call. No client is served between two of the writes."""
        source = ua.DateTime.fromtimestamp(self._story.time_of(tick) / 1000, UTC)
        for served in self._machines:
            current = self._story.values(served.machine, tick)
            for tag, type_name in served.nodes:
                name = served.node(tag)
                if self._shown.get(name) == current[tag]:
                    continue
                self._shown[name] = current[tag]
                value = ua.Variant(current[tag], ua.VariantType[type_name])
                await self._server.write_attribute_value(
                    self._node(name),
                    ua.DataValue(value, SourceTimestamp=source, ServerTimestamp=ua.DateTime.now(UTC)),
                )

    async def _add(self, served: OpcuaMachine) -> None:
        name = served.machine.id
        folder = await self._server.nodes.objects.add_object(self._node(name), name)
        first = self._story.values(served.machine, self._story.tick())
        for tag, type_name in served.nodes:
            await folder.add_variable(
                self._node(served.node(tag)),
                ua.QualifiedName(tag, self._namespace),
                first[tag],
                varianttype=ua.VariantType[type_name],
            )

    def _node(self, name: str) -> ua.NodeId:
        return ua.NodeId(ua.String(name), ua.Int16(self._namespace))
