"""The simulated workshop as a whole: all servers up, one line printed, all servers down."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from edge_agent.model.clock import CLOCK
from edge_agent.simulator.fleet import MODBUS_SERVERS, OPCUA_MACHINES, ModbusServerPlan
from edge_agent.simulator.modbus import modbus_server
from edge_agent.simulator.opcua import OpcuaWorkshop
from edge_agent.simulator.story import Story


async def run(
    story: Story, modbus_port: int, opcua_port: int, announce: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serve until `stop` is set; `announce` gets one line once every port is open.

    The Modbus servers take as many ports as there are in `MODBUS_SERVERS`, from `modbus_port` up. Raises
    OSError if a port is taken.
    """
    async with AsyncExitStack() as servers:
        for port, plan in enumerate(MODBUS_SERVERS, modbus_port):
            server = modbus_server(plan, port, story.current)
            servers.push_async_callback(server.shutdown)
            try:
                await server.serve_forever(background=True)
            except RuntimeError as error:
                raise OSError(f"cannot listen on 127.0.0.1:{port}; is it in use?") from error
        opcua = OpcuaWorkshop(OPCUA_MACHINES, opcua_port, story)
        servers.push_async_callback(opcua.stop)
        await opcua.start()
        announce(_ready(story, modbus_port, opcua_port))
        await _show_each_tick(opcua, story, stop)


async def _show_each_tick(opcua: OpcuaWorkshop, story: Story, stop: asyncio.Event) -> None:
    shown = story.tick()
    while not stop.is_set():
        wait_ms = max(0, story.time_of(shown + 1) - CLOCK.now_ms())
        try:
            await asyncio.wait_for(stop.wait(), wait_ms / 1000)
        except TimeoutError:
            tick = story.tick()
            if tick > shown:
                await opcua.show(tick)
                shown = tick


def _ready(story: Story, modbus_port: int, opcua_port: int) -> str:
    modbus = ", ".join(
        f"127.0.0.1:{port} ({_units(plan)})" for port, plan in enumerate(MODBUS_SERVERS, modbus_port)
    )
    return (
        f"ready: modbus {modbus}; opcua opc.tcp://127.0.0.1:{opcua_port}; "
        f"seed {story.seed}, since {story.since_ms}, tick {story.tick_ms} ms"
    )


def _units(plan: ModbusServerPlan) -> str:
    if len(plan.units) == 1:
        return plan.units[0].machine.id
    units = ", ".join(f"unit {unit.unit} {unit.machine.id}" for unit in plan.units)
    return units + "".join(f", unit {unit} without power" for unit in plan.dead)
