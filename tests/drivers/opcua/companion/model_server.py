"""A server whose machines are made of the OPC Foundation's node sets; run in a process of its own.

Machines are instances of the published types, with the optional nodes that the tests need. Each node's id is
the text of the way to it, such as `Lathe.Monitoring.MachineTool.OperationMode`.
"""

import asyncio
import logging
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from asyncua import ua
from asyncua.server.server import Server

from tests.drivers.opcua.companion.nodesets import FILES, nodesets

PLANT = "http://example.com/plant"
_START_LIMIT_S = 120.0
_DI = "http://opcfoundation.org/UA/DI/"
_IA = "http://opcfoundation.org/UA/IA/"
_MACHINERY = "http://opcfoundation.org/UA/Machinery/"
_MACHINE_TOOL = "http://opcfoundation.org/UA/MachineTool/"
_CNC = "http://opcfoundation.org/UA/CNC"
_ROBOTICS = "http://opcfoundation.org/UA/Robotics/"
_PACKML = "http://opcfoundation.org/UA/PackML/"

_PARTS: Sequence[tuple[str, str, str, str, str, int]] = (
    # below, name, its namespace, the type's namespace, the type's browse name, its number
    ("Machines", "Lathe", PLANT, _MACHINE_TOOL, "MachineToolType", 13),
    ("Lathe.Monitoring", "Channel1", PLANT, _MACHINE_TOOL, "ChannelMonitoringType", 16),
    ("Lathe.Monitoring", "Stacklight", _MACHINE_TOOL, _IA, "BasicStacklightType", 1002),
    ("Lathe.Monitoring.Stacklight", "Light1", PLANT, _IA, "StackElementLightType", 1006),
    ("Lathe.Monitoring.Stacklight", "Light2", PLANT, _IA, "StackElementLightType", 1006),
    ("Lathe.Production", "Statistics", _MACHINE_TOOL, _MACHINE_TOOL, "ProductionStatisticsType", 20),
    ("Machines", "Mill", PLANT, _MACHINE_TOOL, "MachineToolType", 13),
    ("Mill.Monitoring", "Channel1", PLANT, _MACHINE_TOOL, "ChannelMonitoringType", 16),
    ("Mill.Monitoring", "Channel2", PLANT, _MACHINE_TOOL, "ChannelMonitoringType", 16),
    ("Mill.Monitoring.MachineTool", "MachineryItemState", _MACHINERY, _MACHINERY, "ItemState", 1002),
    ("Machines", "Washer", PLANT, "", "BaseObjectType", 58),
    ("Washer", "Identification", _DI, _MACHINERY, "MachineIdentificationType", 1012),
    ("Washer", "MachineryBuildingBlocks", _MACHINERY, "", "FolderType", 61),
    ("Washer.MachineryBuildingBlocks", "MachineryItemState", _MACHINERY, _MACHINERY, "ItemState", 1002),
    ("Washer.MachineryBuildingBlocks", "MachineryOperationMode", _MACHINERY, _MACHINERY, "Mode", 1008),
    ("Objects", "Cnc", PLANT, _CNC, "CncInterfaceType", 1007),
    ("Cnc.CncChannelList", "Channel1", PLANT, _CNC, "CncChannelType", 1002),
    ("DeviceSet", "Robot", PLANT, _ROBOTICS, "MotionDeviceSystemType", 1002),
    ("Robot.SafetyStates", "Safety", PLANT, _ROBOTICS, "SafetyStateType", 1013),
    ("Robot.MotionDevices", "Arm", PLANT, _ROBOTICS, "MotionDeviceType", 1004),
    ("Robot.Controllers", "Controller", PLANT, _ROBOTICS, "ControllerType", 1003),
    ("Robot.Controllers.Controller.TaskControls", "Task", PLANT, _ROBOTICS, "TaskControlType", 1011),
    (
        "Robot.Controllers.Controller.TaskControls.Task",
        "TaskControlOperation",
        _ROBOTICS,
        _ROBOTICS,
        "TaskControlOperationType",
        1008,
    ),
    ("Objects", "Filler", PLANT, _PACKML, "PackMLBaseObjectType", 6),
)
_OPTIONAL = {"ProductionStatisticsType", "StackElementLightType"}
"""Types of which the optional nodes are made, too."""


class _Model:
    def __init__(self) -> None:
        self._server = Server()
        self._plant = 0

    async def start(self) -> int:
        server = self._server
        await server.init()
        folder = nodesets()
        for name in FILES:
            await server.import_xml(str(folder / name), strict_mode=False)
        self._plant = await server.register_namespace(PLANT)
        namespaces: dict[str, Any] = {
            uri: index for index, uri in enumerate(await server.get_namespace_array())
        }
        namespaces[""] = 0
        roots = {
            "Objects": server.nodes.objects,
            "Machines": server.get_node(_id(1001, namespaces[_MACHINERY])),
            "DeviceSet": server.get_node(_id(5001, namespaces[_DI])),
        }
        for below, name, uri, type_uri, type_name, number in _PARTS:
            parent = roots.get(below) or self._node(below)
            made = name if below in roots else f"{below}.{name}"
            await parent.add_object(
                _id(made, self._plant),
                ua.QualifiedName(name, namespaces[uri]),
                objecttype=_id(number, namespaces[type_uri]),
                instantiate_optional=type_name in _OPTIONAL,
            )
        await self._remove_placeholders()
        server.set_endpoint("opc.tcp://127.0.0.1:0/machines")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await server.start()
        return int(server.bserver.port) if server.bserver else 0

    async def set(self, name: str, value: Any) -> None:
        """Write a variable, in its own data type; text becomes localized where that is its type."""
        node = self._node(name)
        kind = await node.read_data_type_as_variant_type()
        if kind is ua.VariantType.LocalizedText:
            value = ua.LocalizedText(value)
        await node.write_value(ua.DataValue(ua.Variant(value, kind)))

    async def fail(self, name: str, status: Any) -> None:
        await self._node(name).write_value(ua.DataValue(None, ua.StatusCode(status)))

    async def _remove_placeholders(self) -> None:
        """The library makes nodes of the types' placeholders, `<ControllerIdentifier>` and the like."""
        nodes: list[ua.NodeId] = list(self._server.iserver.aspace.keys())
        made = [node for node in nodes if "<" in str(node.Identifier)]
        await self._server.delete_nodes([self._server.get_node(node) for node in made])

    def _node(self, name: str) -> Any:
        return self._server.get_node(_id(name, self._plant))


def _id(identifier: Any, namespace: Any) -> ua.NodeId:
    return ua.NodeId(identifier, namespace)


async def _serve(pipe: Connection) -> None:
    model = _Model()
    pipe.send(await model.start())
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
            pipe.send(await getattr(model, command)(*arguments))


def _main(pipe: Connection) -> None:
    logging.disable(logging.CRITICAL)
    asyncio.run(_serve(pipe))


class ModelServer:
    """The tests' side; `close` ends the process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.port: int = self._answer()

    def set(self, name: str, value: object) -> None:
        self._pipe.send(("set", (name, value)))
        self._answer()

    def fail(self, name: str, status: int) -> None:
        """Make a variable bad."""
        self._pipe.send(("fail", (name, status)))
        self._answer()

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()

    def _answer(self) -> Any:
        assert self._pipe.poll(_START_LIMIT_S), "the model server does not answer"
        return self._pipe.recv()
