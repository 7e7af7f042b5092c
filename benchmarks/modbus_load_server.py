"""Many Modbus TCP devices on one port, at the least cost: answers reads of holding registers from memory.

Register `a` holds `(a + n) % 65536`, where `n` counts the reads of the connection, so that a receiver can
see that the values it gets belong together. A process of its own, so that its CPU time is not the agent's.
"""

import asyncio
import struct
import sys

import uvloop

_RAMP = b"".join(struct.pack(">H", value & 0xFFFF) for value in range(65536 + 65536))


class Device(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""
        self._reads = 0

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 12:
            request, self._buffer = self._buffer[:12], self._buffer[12:]
            transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", request)
            self._reads += address == 0
            first = (address + self._reads) % 65536
            answer = _RAMP[2 * first : 2 * (first + count)]
            head = struct.pack(">HHHBBB", transaction, 0, 3 + len(answer), unit, function, len(answer))
            self._transport.write(head + answer)  # type: ignore[attr-defined]  # uvloop's own class


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Device, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        uvloop.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
