"""Runs a Modbus TCP server made with Debian's libmodbus (libmodbus-dev and gcc are needed)."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SOURCE = Path(__file__).with_name("server.c")

HOLDING = {address: 3 * address + 1 for address in range(200)}
"""Holding registers by address; 200-201 hold FLOAT32, 202-203 INT32, 204 0x7FFF."""
FLOAT32 = 3.5
INT32 = -123456
INPUT = {address: 1000 + address for address in range(100)}
COILS = {address: address % 3 == 0 for address in range(64)}
DISCRETE = {address: address % 5 == 0 for address in range(64)}


def is_available() -> bool:
    """Whether the server can be built here."""
    return shutil.which("gcc") is not None and Path("/usr/include/modbus/modbus.h").exists()


@contextmanager
def libmodbus_server() -> Iterator[int]:
    """Compile and start the server; gives its port on 127.0.0.1. The process is ended on leaving."""
    with TemporaryDirectory() as folder:
        program = Path(folder, "server")
        subprocess.run(
            ["gcc", "-Wall", "-Werror", "-I/usr/include/modbus", "-o", program, SOURCE, "-lmodbus"],
            check=True,
        )
        with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield int(process.stdout.readline())
            finally:
                process.kill()
