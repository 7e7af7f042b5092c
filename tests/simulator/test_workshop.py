"""Real clients read the workshop's processes and see the history that the seed tells."""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.attribute_ids import AttributeIds
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from edge_agent.simulator.fleet import MODBUS_SERVERS, OPCUA_MACHINES, OPCUA_NAMESPACE, ModbusUnit
from edge_agent.simulator.kinds import Point
from edge_agent.simulator.life import Value
from tests.simulator.process import SIMULATE, Workshop, ended, listens

UNITS = [
    pytest.param(number, unit, id=unit.machine.id)
    for number, server in enumerate(MODBUS_SERVERS)
    for unit in server.units
]
BUS = MODBUS_SERVERS[0]
WIDTHS = {"uint32": 2, "float32": 2}
DATATYPES = {
    "uint16": AsyncModbusTcpClient.DATATYPE.UINT16,
    "int16": AsyncModbusTcpClient.DATATYPE.INT16,
    "uint32": AsyncModbusTcpClient.DATATYPE.UINT32,
    "float32": AsyncModbusTcpClient.DATATYPE.FLOAT32,
}


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with Workshop() as running:
        yield running


@asynccontextmanager
async def modbus_client(port: int) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=30, retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


async def read_table(client: AsyncModbusTcpClient, unit: ModbusUnit, table: str) -> dict[str, Value]:
    """All tags of one table, by one request, as an independent client reads them."""
    points = [point for point in unit.points if point.table == table]
    first = min(point.address for point in points)
    count = max(point.address + WIDTHS.get(point.type, 1) for point in points) - first
    if table in ("coil", "discrete"):
        read = client.read_coils if table == "coil" else client.read_discrete_inputs
        bits = (await read(first, count=count, device_id=unit.unit)).bits
        return {point.tag: bits[point.address - first] for point in points}
    read = client.read_holding_registers if table == "holding" else client.read_input_registers
    answer = await read(first, count=count, device_id=unit.unit)
    assert not answer.isError(), answer
    return {point.tag: decoded(client, point, answer.registers[point.address - first :]) for point in points}


def decoded(client: AsyncModbusTcpClient, point: Point, registers: Sequence[int]) -> Value:
    if point.bit is not None:
        return bool(registers[0] >> point.bit & 1)
    datatype = DATATYPES[point.type]
    raw = client.convert_from_registers(list(registers[: datatype.value[1]]), datatype)
    assert isinstance(raw, int | float)
    return raw if point.scale == 1 else raw * point.scale


async def read_tick(client: AsyncModbusTcpClient, unit: ModbusUnit) -> tuple[int, dict[str, Value]]:
    """The tags of the table that has the tick, and the tick."""
    table = next(point.table for point in unit.points if point.tag == "tick")
    read = await read_table(client, unit, table)
    assert isinstance(read["tick"], int)
    return read["tick"], read


def part(of: Mapping[str, Value], tags: Mapping[str, Value]) -> dict[str, Value]:
    return {tag: of[tag] for tag in tags}


@pytest.mark.parametrize(("number", "unit"), UNITS)
def test_a_modbus_client_reads_what_the_history_says(
    workshop: Workshop, number: int, unit: ModbusUnit
) -> None:
    async def run() -> None:
        story = workshop.story
        async with modbus_client(workshop.modbus_port + number) as client:
            seen: set[int] = set()
            while len(seen) < 4:
                earliest = story.tick()
                tick, read = await read_tick(client, unit)
                assert earliest - 1 <= tick <= story.tick() + 1  # a request sees the tick it comes in
                assert read == part(story.values(unit.machine, tick), read)
                seen.add(tick)
                await asyncio.sleep(0.05)

    asyncio.run(run())


@pytest.mark.parametrize("table", ["discrete", "coil"])
def test_bits_agree_with_the_ticks_around_them(workshop: Workshop, table: str) -> None:
    unit = next(unit for unit in BUS.units if unit.apart)

    async def run() -> None:
        async with modbus_client(workshop.modbus_port) as client:
            before, _ = await read_tick(client, unit)
            bits = await read_table(client, unit, table)
            after, _ = await read_tick(client, unit)
            assert bits.keys() <= unit.apart
            possible = [workshop.story.values(unit.machine, tick) for tick in range(before, after + 1)]
            assert bits in [part(values, bits) for values in possible]

    asyncio.run(run())


def test_the_unit_without_power_is_silent_and_its_neighbours_are_not(workshop: Workshop) -> None:
    async def run() -> None:
        async with modbus_client(workshop.modbus_port) as client:
            client.ctx.comm_params.timeout_connect = 0.5  # for an answer, too
            for read in (client.read_holding_registers, client.read_discrete_inputs):
                with pytest.raises(ModbusIOException, match="No response"):
                    await read(0, count=1, device_id=BUS.dead[0])
        async with modbus_client(workshop.modbus_port) as client:
            for unit in BUS.units:
                await read_tick(client, unit)

    asyncio.run(run())


def test_what_a_machine_does_not_have_and_every_write_is_refused(workshop: Workshop) -> None:
    async def run() -> None:
        async with modbus_client(workshop.modbus_port) as client:
            beyond = await client.read_holding_registers(14, count=1, device_id=1)
            assert beyond.exception_code == 2
            written = await client.write_register(1, 7, device_id=1)
            assert written.exception_code == 1
            assert (await client.write_coil(0, True, device_id=4)).exception_code == 1

    asyncio.run(run())


OPCUA_NODES = [(served, tag) for served in OPCUA_MACHINES for tag, _ in served.nodes]


@asynccontextmanager
async def opcua_nodes(workshop: Workshop) -> AsyncIterator[tuple[Client, list[Node]]]:
    async with Client(f"opc.tcp://127.0.0.1:{workshop.opcua_port}", timeout=30) as client:
        index = await client.get_namespace_index(OPCUA_NAMESPACE)
        yield client, [client.get_node(f"ns={index};s={served.node(tag)}") for served, tag in OPCUA_NODES]


def test_an_opcua_client_reads_every_node_of_one_tick(workshop: Workshop) -> None:
    async def run() -> None:
        async with opcua_nodes(workshop) as (client, nodes):
            answers = await client.uaclient.read_attributes(
                [node.nodeid for node in nodes], AttributeIds.Value
            )
        read = {
            (served.machine.id, tag): answer.Value.Value
            for (served, tag), answer in zip(OPCUA_NODES, answers, strict=True)
            if answer.Value is not None
        }
        tick = read["MIL-01", "tick"]
        assert read == {
            (served.machine.id, tag): workshop.story.values(served.machine, tick)[tag]
            for served, tag in OPCUA_NODES
        }

    asyncio.run(run())


class Changes:
    """What a subscription delivers: (node, value, source time in epoch ms)."""

    def __init__(self) -> None:
        self.seen: list[tuple[Node, Value, int]] = []

    def datachange_notification(self, node: Node, value: Value, data: object) -> None:
        source = data.monitored_item.Value.SourceTimestamp  # type: ignore[attr-defined]  # asyncua's own
        self.seen.append((node, value, round(source.timestamp() * 1000)))

    def of(self, node: Node) -> list[int]:
        """Source times of the changes of one node, as they came."""
        return [at for changed, _, at in self.seen if changed == node]


def test_subscribed_values_carry_the_time_of_the_tick_that_changed_them(workshop: Workshop) -> None:
    story = workshop.story

    async def run() -> None:
        async with opcua_nodes(workshop) as (client, nodes):
            changes = Changes()
            subscription = await client.create_subscription(100, changes)
            await subscription.subscribe_data_change(nodes, queuesize=20)
            limit = time.monotonic() + 60
            while len(changes.of(nodes[0])) < 10 and time.monotonic() < limit:
                await asyncio.sleep(0.1)
            await subscription.delete()
        by_node = dict(zip(nodes, OPCUA_NODES, strict=True))
        ticks = changes.of(nodes[0])
        assert len(ticks) >= 10
        assert ticks == sorted(ticks)
        last: dict[Node, Value] = {}
        for node, value, at in changes.seen:
            served, tag = by_node[node]
            tick, past = divmod(at - story.since_ms, story.tick_ms)
            assert past == 0
            assert value == story.values(served.machine, tick)[tag]
            assert node not in last or last[node] != value  # only what changed is written
            last[node] = value
        assert last.keys() == set(nodes)

    asyncio.run(run())


def test_a_killed_simulator_goes_on_with_the_same_history() -> None:
    unit = BUS.units[0]
    workshop = Workshop(seed=9)

    async def read() -> tuple[int, dict[str, Value]]:
        async with modbus_client(workshop.modbus_port) as client:
            return await read_tick(client, unit)

    with workshop:
        before, read_before = asyncio.run(read())
        workshop.kill()
        assert not listens(workshop.modbus_port)
        workshop.start()
        after, read_after = asyncio.run(read())
    assert read_before == part(workshop.story.values(unit.machine, before), read_before)
    assert read_after == part(workshop.story.values(unit.machine, after), read_after)
    assert after > before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_with_clients_connected(number: signal.Signals) -> None:
    workshop = Workshop()

    async def run() -> None:
        process = workshop.start()
        assert all(listens(port) for port in workshop.ports)
        async with modbus_client(workshop.modbus_port) as client:
            await read_tick(client, BUS.units[0])
            status, errors = await asyncio.to_thread(ended, process, number)
        assert (status, errors) == (0, "")
        assert not any(listens(port) for port in workshop.ports)

    try:
        asyncio.run(run())
    finally:
        workshop.kill()


def test_a_port_in_use_is_named(workshop: Workshop) -> None:
    second = subprocess.run([*SIMULATE, *workshop.arguments], capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"127.0.0.1:{workshop.modbus_port}" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "99999999999999"], "in the future"),
        (["--tick", "200"], "a number with its unit"),
        (["--modbus-port", "65535"], "--modbus-port"),
    ],
)
def test_wrong_options_are_refused(arguments: list[str], message: str) -> None:
    refused = subprocess.run([*SIMULATE, *arguments], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert message in refused.stderr
