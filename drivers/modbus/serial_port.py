"""A serial port as an asyncio transport."""

import asyncio
import fcntl
import os
import termios
from collections.abc import Callable
from typing import TypeVar

from drivers.modbus.options import SerialLine

P = TypeVar("P", bound=asyncio.Protocol)

_READ_SIZE = 4096


class SerialTransport(asyncio.WriteTransport):
    """Reads and writes an opened, non-blocking file descriptor, which it owns."""

    def __init__(self, descriptor: int, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._closing = False
        self._loop.add_reader(descriptor, self._readable)

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write a whole frame; the kernel's buffer takes many. If it does not, the line is stuck."""
        if self._closing:
            return
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            self._close(error)
            return
        if written < len(data):
            self._close(OSError("the serial port takes no more data"))

    def abort(self) -> None:
        self._close(None)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._close(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._close(OSError("the serial port is gone"))

    def _close(self, error: OSError | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._loop.call_soon(self._protocol.connection_lost, error)


async def open_serial(line: SerialLine, protocol: Callable[[], P]) -> P:
    """Open and set up the port, for this process alone. Raises OSError."""
    descriptor = await asyncio.to_thread(_open, line)
    try:
        made = protocol()
        made.connection_made(SerialTransport(descriptor, made))
    except BaseException:
        os.close(descriptor)
        raise
    return made


def _open(line: SerialLine) -> int:
    descriptor = os.open(line.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        termios.tcsetattr(descriptor, termios.TCSANOW, _attributes(line))
        termios.tcflush(descriptor, termios.TCIOFLUSH)
    except termios.error as error:
        os.close(descriptor)
        raise OSError(*error.args) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _attributes(line: SerialLine) -> list[int | list[bytes | int]]:
    """Raw mode: eight or seven bits as they come, no echo, no translation, no flow control."""
    flags = termios.CREAD | termios.CLOCAL | (termios.CS8 if line.databits == 8 else termios.CS7)
    if line.parity != "N":
        flags |= termios.PARENB
    if line.parity == "O":
        flags |= termios.PARODD
    if line.stopbits == 2:
        flags |= termios.CSTOPB
    input_flags = termios.INPCK if line.parity != "N" else 0
    speed: int = getattr(termios, f"B{line.baudrate}")
    characters: list[bytes | int] = [b"\x00"] * 32
    characters[termios.VMIN] = 0
    characters[termios.VTIME] = 0
    return [input_flags, 0, flags, 0, speed, speed, characters]
