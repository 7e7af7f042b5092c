"""Holding registers with a value of every type in every order, and servers of pymodbus that have them."""

import ssl
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.modbus.options import ModbusTag
from edge_agent.model.batch import Value
from tests.drivers.modbus.harness import listening_port

IDENTITY = {"VendorName": "Acme", "ProductCode": "PM-9", "MajorMinorRevision": "2.1"}

_NUMBERS: Mapping[str, tuple[str, float]] = {
    "int16": (">h", -12345),
    "uint16": (">H", 54321),
    "int32": (">i", -123456789),
    "uint32": (">I", 3_456_789_012),
    "int64": (">q", -1_234_567_890_123_456_789),
    "uint64": (">Q", 12_345_678_901_234_567_890),
    "float16": (">e", -1.5),
    "float32": (">f", 123.25),
    "float64": (">d", -9876.54321),
    "bcd16": (">H", 9876),
    "bcd32": (">I", 98765432),
    "bcd64": (">Q", 1234567890123456),
}


@dataclass(frozen=True)
class Image:
    """Tags, the registers that they lie in, and the values that they have there."""

    tags: tuple[ModbusTag, ...]
    registers: tuple[int, ...]
    values: tuple[Value, ...]


def on_the_wire(raw: bytes, byte_order: str, word_order: str) -> bytes:
    """The big-endian bytes of a value as a device with these orders sends them."""
    words = [raw[i : i + 2] for i in range(0, len(raw), 2)]
    if byte_order == "little":
        words = [word[::-1] for word in words]
    return b"".join(words[::-1] if word_order == "little" else words)


def image_of_every_type() -> Image:
    tags: list[ModbusTag] = []
    values: list[Value] = []
    data = b""

    def put(raw: bytes, value: Value, **options: Any) -> None:
        nonlocal data
        given = {"id": f"t{len(tags)}", "table": "holding", "address": len(data) // 2, **options}
        tags.append(ModbusTag.model_validate(given))
        values.append(value)
        data += raw

    for name, (form, number) in _NUMBERS.items():
        digits = struct.calcsize(form) * 2
        raw = bytes.fromhex(f"{number:0{digits}d}") if name[:3] == "bcd" else struct.pack(form, number)
        for byte_order in ("big", "little"):
            for word_order in ("big", "little"):
                orders = {"byte_order": byte_order, "word_order": word_order}
                put(on_the_wire(raw, byte_order, word_order), number, type=name, **orders)
    put(b"\x80\x7f", 127, type="int8")
    put(b"\x80\x7f", 128, type="uint8", byte="high")
    put(b"\x00\x20", True, type="bool", bit=5)
    put("机床-7".encode("gbk").ljust(8, b"\x00"), "机床-7", type="string", length=4, encoding="gbk")
    put("铣 A".encode().ljust(8, b"\x00"), "铣 A", type="string", length=4, encoding="utf-8")
    put(b"NIE  R10", "IN ER 01", type="string", length=4, byte_order="little")
    put(struct.pack(">I", 1_700_000_000), "2023-11-14T22:13:20Z", type="time_unix")
    put(struct.pack(">6H", 2026, 2, 3, 4, 5, 6), "2026-02-03T04:05:06", type="time_words")
    put(bytes.fromhex("260203040506"), "2026-02-03T04:05:06", type="time_bcd")
    put(struct.pack(">3h", 215, -3, 0), [21.5, -0.3, 0.0], type="int16", count=3, scale=0.1)
    put(b"\x00\x02", "manual", type="uint16", texts={1: "auto", 2: "manual"})
    registers = struct.unpack(f">{len(data) // 2}H", data)
    return Image(tuple(tags), registers, tuple(values))


def devices(registers: Sequence[int], units: Sequence[int]) -> list[SimDevice]:
    """Units with these holding registers, as many input registers, and 16 coils and discrete inputs.

    Unit 0 stands for all others: without it pymodbus reports a fault of its own for each request to them.
    """
    return [
        SimDevice(
            id=unit,
            simdata=(
                [SimData(0, values=[k % 3 == 0 for k in range(16)], datatype=DataType.BITS)],
                [SimData(0, values=[k % 5 == 0 for k in range(16)], datatype=DataType.BITS)],
                [SimData(0, values=list(registers), datatype=DataType.REGISTERS)],
                [SimData(0, values=list(registers), datatype=DataType.REGISTERS)],
            ),
        )
        for unit in (0, *units)
    ]


def _unit_of(packet: bytes, framing: str) -> int:
    if framing == "ascii":
        return int(packet[1:3], 16)
    return packet[6] if framing == "tcp" else packet[0]


@asynccontextmanager
async def pymodbus_server(
    registers: Sequence[int],
    units: Sequence[int] = (1,),
    framing: str = "tcp",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A server of pymodbus on TCP, in any framing, which does not answer for other units; gives its port."""

    def only_for_ours(sending: bool, packet: bytes) -> bytes:
        return packet if not sending or _unit_of(packet, framing) in units else b""

    identity = ModbusDeviceIdentification(info_name=IDENTITY)  # type: ignore[no-untyped-call]  # as below
    common: dict[str, Any] = {
        "identity": identity,
        "address": ("127.0.0.1", 0),
        "trace_packet": only_for_ours,
    }
    server: ModbusTcpServer
    if tls is not None:
        server = ModbusTlsServer(devices(registers, units), sslctx=tls, framer=FramerType.TLS, **common)
    else:
        framers = {"tcp": FramerType.SOCKET, "rtu": FramerType.RTU, "ascii": FramerType.ASCII}
        server = ModbusTcpServer(devices(registers, units), framer=framers[framing], **common)
    await server.serve_forever(background=True)
    try:
        yield listening_port(server)
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus does not annotate it
