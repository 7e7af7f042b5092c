"""The harness of the shared contract tests: asyncua's server in a process of its own."""

from collections.abc import Mapping, Sequence
from typing import cast

from asyncua import ua

from drivers.opcua import OpcuaDriver
from drivers.opcua.feed import OpcuaTagSet
from drivers.opcua.options import OpcuaConnection
from edge_agent.driver import AnyDriver, AnyTagSet, TagSet
from edge_agent.model.batch import Value
from tests.drivers.opcua.server import NAMESPACE, ServerProcess, Settings

TAGS = ("t0", "t1", "t2")


def connection(
    port: int, equipment: Mapping[str, Sequence[dict[str, object]]], **more: object
) -> OpcuaConnection:
    """Options for a server at `port`, as they would come from a configuration file.

    A server on a busy machine may take long to answer; tests in which one is to be found silent
    say `timeout`.
    """
    return OpcuaConnection.model_validate(
        {
            "id": "cell",
            "driver": "opcua",
            "endpoint": f"opc.tcp://127.0.0.1:{port}/machines",
            "period": "100ms",
            "timeout": "20s",
            "security": "none",
            "equipment": [{"id": name, "tags": tags} for name, tags in equipment.items()],
        }
        | more
    )


def tag(name: str, node: str, **more: object) -> dict[str, object]:
    return {"id": name, "node": f"nsu={NAMESPACE};s={node}"} | more


def driver_for(options: OpcuaConnection) -> OpcuaDriver:
    tag_sets: list[OpcuaTagSet] = [
        TagSet(equipment, equipment.tags, options.period) for equipment in options.equipment
    ]
    return OpcuaDriver(options, tag_sets)


class OpcuaHarness:
    def __init__(self, settings: Settings | None = None, **more: object) -> None:
        self._more = more
        self._server = ServerProcess(settings or Settings())
        self._values: dict[str, Value] = {f"{equipment}.{name}": 0 for equipment in "AB" for name in TAGS}
        self._silent: set[str] = set()

    async def start(self) -> None:
        self._server.start()
        self._server.ask("put", "A.range", ua.Range(0.0, 1.0), "ExtensionObject")
        for node, value in self._values.items():
            if node[0] not in self._silent:
                self._server.ask("put", node, value)

    async def stop(self) -> None:
        self._server.kill()

    def _options(self, *, bad_tag: bool = False, wrong_type: bool = False) -> OpcuaConnection:
        def node(equipment: str, name: str) -> str:
            if (equipment, name) == ("A", "t1"):
                if bad_tag:
                    return "A.nowhere"
                if wrong_type:
                    return "A.range"
            return f"{equipment}.{name}"

        return connection(
            self._server.port,
            {equipment: [tag(name, node(equipment, name)) for name in TAGS] for equipment in "AB"},
            **self._more,
        )

    def tag_sets(self, *, bad_tag: bool = False, wrong_type: bool = False) -> list[AnyTagSet]:
        options = self._options(bad_tag=bad_tag, wrong_type=wrong_type)
        return [TagSet(equipment, equipment.tags, 0.1) for equipment in options.equipment]

    def driver(self, tag_sets: list[AnyTagSet]) -> AnyDriver:
        # A driver of tags of any kind is what the contract asks for; these are OPC UA's.
        return cast(AnyDriver, OpcuaDriver(self._options(), cast(list[OpcuaTagSet], tag_sets)))

    async def set(self, equipment: str, tag: str, value: Value) -> None:
        node = f"{equipment}.{tag}"
        self._values[node] = value
        if equipment not in self._silent:
            self._server.ask("put", node, value)

    async def silence(self, equipment: str, silent: bool) -> None:
        (self._silent.add if silent else self._silent.discard)(equipment)
        for name in TAGS:
            node = f"{equipment}.{name}"
            if silent:
                self._server.ask("remove", node)
            else:
                self._server.ask("put", node, self._values[node])

    def sessions(self) -> int:
        return self._server.ask("connections") if self._server.running else 0
