"""The yardstick: the same reads by pymodbus alone, its values as JSON by msgspec, published by paho.

No journal, no states, no figures, no time limits of its own: what the libraries cost by themselves.
"""

import asyncio
import sys

import msgspec
import paho.mqtt.client as paho
import uvloop
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import AsyncModbusTcpClient

BLOCK = 125


async def device(
    name: str, port: int, registers: int, period: float, phase: float, client: paho.Client
) -> None:
    modbus = AsyncModbusTcpClient("127.0.0.1", port=port)
    await modbus.connect()
    loop = asyncio.get_running_loop()
    due = loop.time() + phase * period
    tags = [f"r{i}" for i in range(registers)]
    while True:
        await asyncio.sleep(due - loop.time())
        values: list[int] = []
        for address in range(0, registers, BLOCK):
            count = min(BLOCK, registers - address)
            answer = await modbus.read_holding_registers(address, count=count, device_id=1)
            values += answer.registers
        received = int(loop.time() * 1000) + OFFSET_MS
        body = {"seq": 0, "equipment": name, "received": received, "tags": tags, "values": values}
        client.publish(f"bare/{name}", msgspec.json.encode(body), qos=1)
        due += period


async def main() -> None:
    devices, registers, period, modbus_port, mqtt_port = (float(a) for a in sys.argv[1:6])
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(100)
    client.connect("127.0.0.1", int(mqtt_port))
    client.loop_start()
    count = int(devices)
    await asyncio.gather(
        *(device(f"D{i}", int(modbus_port), int(registers), period, i / count, client) for i in range(count))
    )


if __name__ == "__main__":
    import time

    OFFSET_MS = int((time.time() - time.monotonic()) * 1000)
    uvloop.run(main())
