"""Machines by companion specifications, as `edge-agent discover` finds them."""

import asyncio

from drivers.opcua.recognition import OpcuaRecogniser
from edge_agent.model.found import Found, TcpPlace
from tests.drivers.opcua.companion.model_server import ModelServer


def test_machines_with_identity_kind_and_profile(model: ModelServer) -> None:
    model.set("Lathe.Identification.Manufacturer", "Example Works 示例")
    model.set("Lathe.Identification.SerialNumber", "L-4711")

    async def find() -> list[Found]:
        return [one async for one in OpcuaRecogniser().recognise(TcpPlace("127.0.0.1", model.port), 20.0)]

    found = asyncio.run(find())
    assert {one.access["security"] for one in found} == {"none"}
    assert {one.address["endpoint"] for one in found} == {f"opc.tcp://127.0.0.1:{model.port}"}
    profiles = {one.profile for one in found}
    assert {"opcua/machine-tool-item-state", "opcua/robot", "opcua/cnc", "opcua/packml"} <= profiles
    by_profile = {one.profile: one for one in found}
    assert by_profile["opcua/robot"].kind == "robot"
    tool = by_profile["opcua/machine-tool-item-state"]
    assert tool.kind == "machine_tool"
    lathe = next(one for one in found if one.part == "Lathe")
    assert (lathe.maker, lathe.serial_number) == ("Example Works 示例", "L-4711")
    assert all(one.unit["base"].startswith("/") for one in found)
