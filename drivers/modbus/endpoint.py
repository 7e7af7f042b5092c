"""Opens the way to the units: a TCP connection, a TLS connection or a serial port, with its framing."""

import asyncio
import ssl

from drivers.modbus.frames import AsciiFraming, Framing, RtuFraming, TcpFraming
from drivers.modbus.line import Line, Owed
from drivers.modbus.options import ModbusConnection, Tls
from drivers.modbus.serial_port import open_serial
from drivers.modbus.statistics import ConnectionStatistics

_FRAMINGS: dict[str, type[Framing]] = {"tcp": TcpFraming, "rtu": RtuFraming, "ascii": AsciiFraming}

QUIET_CHARACTERS = 3.5
QUIET_AT_LEAST = 0.00175
"""Seconds; above 19,200 baud the standard keeps the silence at this."""


def quiet_time(options: ModbusConnection) -> float:
    """Seconds of silence before each request."""
    if options.pause is not None:
        return options.pause
    if options.serial is not None:
        return max(QUIET_CHARACTERS * options.serial.character, QUIET_AT_LEAST)
    return 0.0


async def connect(options: ModbusConnection, statistics: ConnectionStatistics, owed: Owed) -> Line:
    """Open the endpoint of `options`. Raises OSError (ssl.SSLError, TimeoutError among them)."""
    loop = asyncio.get_running_loop()

    def line() -> Line:
        return Line(_FRAMINGS[options.framing](), options.timeout, statistics, owed)

    if options.serial is not None:
        return await open_serial(options.serial, line)
    host = str(options.host)
    async with asyncio.timeout(options.timeout):
        if options.tls is None:
            _, made = await loop.create_connection(line, host, options.port)
        else:
            context = await asyncio.to_thread(tls_context, options.tls)
            name = options.tls.server_name or host
            _, made = await loop.create_connection(
                line, host, options.port, ssl=context, server_hostname=name
            )
        return made


def tls_context(tls: Tls) -> ssl.SSLContext:
    """A context that verifies the server. Reads files; raises OSError."""
    context = ssl.create_default_context(cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context
