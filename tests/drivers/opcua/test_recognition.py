"""OPC UA servers as `edge-agent discover` finds them: plain ones, closed ones, and discovery servers."""

import asyncio
from pathlib import Path

import pytest
from asyncua import ua

from drivers.opcua import recognition
from drivers.opcua.channel import Discovered
from drivers.opcua.recognition import OpcuaRecogniser
from edge_agent.model.found import Found, SerialPlace, TcpPlace
from tests.drivers.opcua.conftest import StartServer


def found_at(place: TcpPlace | SerialPlace) -> list[Found]:
    async def find() -> list[Found]:
        return [one async for one in OpcuaRecogniser().recognise(place, 20.0)]

    return asyncio.run(find())


def test_a_server_that_describes_no_machine(start_server: StartServer) -> None:
    server = start_server()
    (one,) = found_at(TcpPlace("127.0.0.1", server.port))
    assert (one.access, one.unit, one.part) == ({"security": "none"}, {}, "")
    assert [tag["id"] for tag in one.tags] == ["server_state"]
    assert "edge-agent opcua browse" in one.note


def test_one_that_lets_nobody_in_without_a_certificate(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(certificate=tmp_path, security=("Basic256Sha256_SignAndEncrypt",))
    (one,) = found_at(TcpPlace("127.0.0.1", server.port))
    assert (one.access, one.part) == ({}, "")
    assert "edge-agent opcua discover" in one.note


def server_of(uri: str, *urls: str) -> ua.ApplicationDescription:
    described = ua.ApplicationDescription()
    described.ApplicationUri, described.DiscoveryUrls = uri, list(urls)
    return described


def test_only_ports_of_the_same_host_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    itself = ua.EndpointDescription(EndpointUrl="opc.tcp://PLC-7:4840")
    itself.Server.ApplicationType = ua.ApplicationType.DiscoveryServer
    itself.Server.ApplicationUri = "urn:lds"
    servers = [
        server_of("urn:lds", "opc.tcp://plc-7:4843"),
        server_of("urn:a", "opc.tcp://plc-7:4841", "http://plc-7:80", "opc.tcp://[", ""),
        server_of("urn:b", "opc.tcp://10.0.0.7:4842/path", "opc.tcp://10.0.0.8:4844"),
        server_of("urn:c", "opc.tcp://elsewhere:4845"),
    ]

    async def told(endpoint: str, _limit: float, **_more: object) -> Discovered:
        asked.append(endpoint)
        return Discovered([itself], servers)

    monkeypatch.setattr(recognition, "discover", told)
    found = found_at(TcpPlace("10.0.0.7", 4840))
    assert asked == ["opc.tcp://10.0.0.7:4840", "opc.tcp://10.0.0.7:4841", "opc.tcp://10.0.0.7:4842"]
    assert {one.driver for one in found} == {""}


def test_there_is_none_on_a_serial_port() -> None:
    assert found_at(SerialPlace("/dev/ttyS9", 9600, "N")) == []
