"""A look around a network of eleven hosts: what is found there, and what nobody touched."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial

import pytest

from edge_agent.discovery import survey
from edge_agent.discovery.protocols import recognisers
from edge_agent.discovery.survey import HOST_LIMIT_S, Results, Survey, Surveyor, visits
from edge_agent.model.found import Found
from tests.discovery import network as net
from tests.drivers.opcua.server import ServerProcess, Settings
from tests.field.libmodbus.server import libmodbus_server
from tests.ports import free_port, free_ports

OPCUA, MODBUS, HTTP, MTCONNECT = "127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"
S7, EIP, SLMP, FOCAS, LSV2 = "127.0.0.15", "127.0.0.16", "127.0.0.17", "127.0.0.18", "127.0.0.19"
ENDLESS, DRIP = "127.0.0.20", "127.0.0.21"
NAMED = (OPCUA, MODBUS, HTTP, MTCONNECT, S7, EIP, SLMP, FOCAS, LSV2, ENDLESS, DRIP)
NOT_NAMED = ("127.0.0.10", "127.0.0.22")

LIMIT_S = 4.0
"""For one answer; Modbus units have half of it."""


@pytest.fixture(autouse=True)
def _ports_have_time_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of these take or refuse a connection, though a busy computer may do so late."""
    monkeypatch.setattr(survey, "KNOCK_S", 20.0)


@pytest.fixture(scope="module")
def opcua_port() -> Iterator[int]:
    server = ServerProcess(Settings())
    server.start()
    yield server.port
    server.kill()


async def look(ports: dict[str, list[int]], opcua: int, modbus: int) -> tuple[net.Network, Results]:
    async with net.network() as network:

        async def stand_in(address: str, protocol: str, answer: net.Answer) -> None:
            await network.serve(address, ports[protocol][0], partial(net.StandIn, answer=answer))

        await network.serve(OPCUA, ports["opcua"][0], partial(net.Passage, port=opcua))
        await network.serve(MODBUS, ports["modbus"][0], partial(net.Passage, port=modbus))
        await stand_in(HTTP, "http", net.http(b"<html><title>Laser &amp; Co \x1b[2J</title>"))
        await stand_in(MTCONNECT, "mtconnect", net.http(net.PROBE, "/probe"))
        await stand_in(S7, "s7", net.slots(1))
        await stand_in(EIP, "ethernet-ip", net.whole(24, net.ETHERNET_IP))
        await stand_in(SLMP, "slmp", net.whole(15, net.SLMP))
        await stand_in(FOCAS, "focas", net.whole(12, net.FOCAS_OPENED))
        await stand_in(LSV2, "lsv2", net.lsv2)
        for those in ports.values():
            for port in those:
                await network.serve(ENDLESS, port, net.Endless)
                await network.serve(DRIP, port, net.Drip)
                for address in NOT_NAMED:
                    await network.serve(address, port, partial(net.StandIn, answer=net.whole(0, b"")))
        results = Results()
        asked = Survey(NAMED, visits(recognisers(), ports), (), (), LIMIT_S)
        await Surveyor(asked, results).look()
        return network, results


def test_a_network_with_two_hostile_hosts(opcua_port: int) -> None:
    protocols = [one.protocol for one in recognisers()]
    ports = {name: [port] for name, port in zip(protocols, free_ports(len(protocols)), strict=True)}
    began = time.monotonic()
    with libmodbus_server() as modbus_port:
        network, results = asyncio.run(look(ports, opcua_port, modbus_port))
    assert time.monotonic() - began < 0.75 * HOST_LIMIT_S

    found: dict[str, list[Found]] = {}
    for one in results.found:
        found.setdefault(one.host, []).append(one)
    assert {host: {one.protocol for one in those} for host, those in found.items()} == {
        OPCUA: {"opcua"}, MODBUS: {"modbus"}, HTTP: {"http"}, MTCONNECT: {"mtconnect"}, S7: {"s7"},
        EIP: {"ethernet-ip"}, SLMP: {"slmp"}, FOCAS: {"focas"}, LSV2: {"lsv2"},
    }  # fmt: skip
    said = {host: (those[0].maker, those[0].model, those[0].firmware) for host, those in found.items()}
    assert said[EIP] == ("Rockwell Automation", "1756-L83E/B", "32.11")
    assert said[SLMP] == ("Mitsubishi Electric", "R08CPU", "")
    assert said[LSV2] == ("Heidenhain", "TNC640", "340590 07")
    assert said[FOCAS] == ("FANUC", "", "")
    assert said[MTCONNECT] == ("Mazak", "VCN-530C", "")
    assert found[MTCONNECT][0].serial_number == "M8010N9172N"
    assert found[EIP][0].serial_number == "00C0FFEE"
    assert found[HTTP][0].name == "Laser & Co [2J"  # nothing that a terminal would obey
    assert {one.driver for one in results.found if one.host not in (OPCUA, MODBUS)} == {""}

    assert {trouble.where.partition(":")[0] for trouble in results.troubles} == {ENDLESS, DRIP}
    assert results.answered == set(NAMED)
    assert results.done == len(NAMED) * len(ports)

    hosts = network.hosts
    assert {address: hosts[address].accepted for address in NOT_NAMED} == dict.fromkeys(NOT_NAMED, 0)
    assert {address: hosts[address].most_open for address in NAMED} == dict.fromkeys(NAMED, 1)
    assert net.modbus_functions(hosts[MODBUS].requests) == {3, 43}
    assert {request[5] for request in hosts[S7].requests} == {0xE0}  # connection requests only
    assert {request[4:8] for request in hosts[LSV2].requests} == {b"A_LG", b"R_VR", b"A_LO"}


async def stop_amid() -> Results:
    """Cancel while one host answers and the other keeps us waiting."""
    (s7, lsv2) = free_ports(2)
    async with net.network() as network:
        await network.serve(S7, s7, partial(net.StandIn, answer=net.slots(2)))
        await network.serve(DRIP, lsv2, net.Drip)
        results, seen = Results(), asyncio.Event()
        asked = Survey((S7, DRIP), visits(recognisers(), _only(s7=s7, lsv2=lsv2)), (), (), 30.0)
        work = asyncio.create_task(Surveyor(asked, results, lambda _: seen.set()).look())
        await asyncio.wait_for(seen.wait(), 30)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        while any(host.open for host in network.hosts.values()):
            await asyncio.sleep(0.01)
        return results


def _only(**ports: int) -> dict[str, list[int]]:
    return {one.protocol: [ports[one.protocol]] if one.protocol in ports else [] for one in recognisers()}


def test_what_was_found_before_a_stop_is_kept_and_nothing_stays_open() -> None:
    results = asyncio.run(asyncio.wait_for(stop_amid(), 60))
    assert [one.protocol for one in results.found] == ["s7"]


async def nobody() -> tuple[Results, float]:
    port = free_port()
    results = Results()
    hosts = tuple(f"127.0.1.{number}" for number in range(1, 31))
    asked = Survey(hosts, visits(recognisers(), _only(s7=port)), (), (), LIMIT_S)
    began = time.monotonic()
    await Surveyor(asked, results).look()
    return results, time.monotonic() - began


def test_connections_are_begun_at_a_rate() -> None:
    results, seconds = asyncio.run(nobody())
    assert (results.found, results.troubles, len(results.answered)) == ([], [], 30)
    assert seconds >= 29 / 20
