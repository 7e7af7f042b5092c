"""A real OPC UA server, asyncua's, whose variables all change once a period; a process of its own.

    python -m benchmarks.opcua_load_server DEVICES TAGS PERIOD

prints its port. Device `i` has the variables `D<i>.t0`, `D<i>.t1`, ... in namespace urn:benchmark; the
devices take turns within the period. Each value counts up by one, its source time is that of the change.
"""

import asyncio
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

import uvloop
from asyncua import ua
from asyncua.server.server import Server

logging.disable(logging.CRITICAL)


async def main() -> None:
    devices, tags = int(sys.argv[1]), int(sys.argv[2])
    period = float(sys.argv[3])
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:benchmark")
    nodes: list[list[ua.NodeId]] = []
    for device in range(devices):
        folder: Any = await server.nodes.objects.add_folder(index, f"D{device}")
        names = [ua.NodeId(f"D{device}.t{tag}", index) for tag in range(tags)]  # type: ignore[arg-type]  # any int
        for name in names:
            await folder.add_variable(name, name.Identifier, 0, ua.VariantType.Int32)
        nodes.append(names)
    await server.start()
    print(server.bserver.port if server.bserver else 0, flush=True)
    start = time.monotonic()
    cycle = 0
    while True:
        cycle += 1
        for device, names in enumerate(nodes):
            await asyncio.sleep(start + (cycle + device / devices) * period - time.monotonic())
            now: Any = datetime.now(UTC)
            value = ua.DataValue(ua.Variant(cycle, ua.VariantType.Int32), SourceTimestamp=now)
            for name in names:
                await server.iserver.write_attribute_value(name, value)


if __name__ == "__main__":
    try:
        uvloop.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
