"""Runs a Modbus server made with Debian's libmodbus (libmodbus-dev and gcc are needed)."""

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


def _build(program: Path) -> None:
    """Headers and library are found where C_INCLUDE_PATH and LIBRARY_PATH say, too."""
    try:
        subprocess.run(
            ["gcc", "-Wall", "-Werror", "-o", program, SOURCE, "-lmodbus"],
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise RuntimeError("these tests need a C compiler: scripts/debian-tools brings it") from None
    except subprocess.CalledProcessError as error:
        raise RuntimeError(
            f"these tests need libmodbus: scripts/debian-tools brings it\n{error.stderr}"
        ) from None


@contextmanager
def libmodbus_server() -> Iterator[int]:
    """Compile and start the server; gives its port on 127.0.0.1. The process is ended on leaving."""
    with TemporaryDirectory() as folder:
        program = Path(folder, "server")
        _build(program)
        with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield int(process.stdout.readline())
            finally:
                process.kill()


@contextmanager
def libmodbus_unit(port: Path, unit: int) -> Iterator[None]:
    """The same as a unit of a serial line, at 19,200 baud without parity."""
    with TemporaryDirectory() as folder:
        program = Path(folder, "server")
        _build(program)
        with subprocess.Popen([program, port, str(unit)], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                yield
            finally:
                process.kill()
