"""Opens the way to the units: a TCP connection, a TLS connection or a serial port, with its framing."""

import asyncio
import errno
import socket
import ssl
import sys

from drivers.modbus.frames import AsciiFraming, Framing, RtuFraming, TcpFraming
from drivers.modbus.line import Line, Owed
from drivers.modbus.options import ModbusConnection, Tls
from drivers.modbus.statistics import ConnectionStatistics
from edge_agent.driver import ConnectionFailed
from edge_agent.model.failure import FailureKind, system_text
from edge_agent.model.state import UnknownCause

_FRAMINGS: dict[str, type[Framing]] = {"tcp": TcpFraming, "rtu": RtuFraming, "ascii": AsciiFraming}

QUIET_CHARACTERS = 3.5
QUIET_AT_LEAST = 0.00175
"""Seconds; above 19,200 baud the standard keeps the silence at this."""

_SERIAL_REMEDIES = {
    errno.ENOENT: "Is the adapter plugged in? See /dev/serial/by-id/ for what there is.",
    errno.EACCES: "The agent's user has no right to the port: add it to the group dialout.",
    errno.EAGAIN: "Another program uses the port, perhaps the agent itself: only one can.",
    errno.ENOTTY: "This is no serial port.",
}
_SERIAL_KINDS = {
    errno.ENOENT: FailureKind.PORT_MISSING,
    errno.EACCES: FailureKind.PORT_FORBIDDEN,
    errno.EAGAIN: FailureKind.PORT_BUSY,
    errno.ENOTTY: FailureKind.NO_SERIAL_PORT,
}
_NETWORK_KINDS = {
    errno.ECONNREFUSED: FailureKind.PORT_CLOSED,
    errno.EHOSTUNREACH: FailureKind.NO_ROUTE,
    errno.ENETUNREACH: FailureKind.NO_ROUTE,
    errno.ECONNRESET: FailureKind.CUT,
    errno.ENOENT: FailureKind.FILES,
    errno.EACCES: FailureKind.FILES,
}


def framing_of(options: ModbusConnection) -> Framing:
    return _FRAMINGS[options.framing]()


def silence_between_frames(character: float) -> float:
    """Seconds of silence that end a frame on a line whose characters take `character` seconds."""
    return max(QUIET_CHARACTERS * character, QUIET_AT_LEAST)


def quiet_time(options: ModbusConnection) -> float:
    """Seconds of silence before each request."""
    if options.pause is not None:
        return options.pause
    if options.serial is not None:
        return silence_between_frames(options.serial.character)
    return 0.0


async def connect(options: ModbusConnection, statistics: ConnectionStatistics, owed: Owed) -> Line:
    """Open the endpoint of `options`. Raises ConnectionFailed."""
    endpoint = options.endpoint
    try:
        return await _connect(options, statistics, owed)
    except TimeoutError as error:
        raise ConnectionFailed(
            UnknownCause.UNREACHABLE,
            f"{endpoint} did not accept a connection within {options.timeout:g} s",
            "Is the device on, and are address and network right?",
            FailureKind.NOT_ACCEPTED,
        ) from error
    except ssl.SSLError as error:
        raise ConnectionFailed(
            UnknownCause.REFUSED,
            f"{endpoint}: no trusted TLS connection: {error}",
            "Check ca, certificate, key and server_name under tls.",
            FailureKind.NOT_TRUSTED,
        ) from error
    except OSError as error:
        of_network = "Is the device on, and are address and port right?"
        of_serial = _SERIAL_REMEDIES.get(error.errno or 0, "Is this the right port?")
        raise ConnectionFailed(
            UnknownCause.UNREACHABLE,
            f"{endpoint}: {system_text(error)}",
            of_network if options.serial is None else of_serial,
            _kind(error, serial=options.serial is not None),
        ) from error


def _kind(error: OSError, *, serial: bool) -> FailureKind | None:
    if isinstance(error, socket.gaierror):
        return FailureKind.HOST_UNKNOWN
    return (_SERIAL_KINDS if serial else _NETWORK_KINDS).get(error.errno or 0)


async def _connect(options: ModbusConnection, statistics: ConnectionStatistics, owed: Owed) -> Line:
    """Raises OSError, ssl.SSLError and TimeoutError among them."""
    loop = asyncio.get_running_loop()

    def line() -> Line:
        return Line(framing_of(options), options.timeout, statistics, owed)

    if options.serial is not None:
        if sys.platform == "win32":
            raise OSError("serial ports are not read on Windows; take a gateway that speaks Modbus TCP")
        from drivers.modbus.serial_port import open_serial  # it needs termios

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
