"""No code path can make a unit write. Every other test of this folder watches over it as well (conftest)."""

import ast
import asyncio
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers.modbus
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.frames import Request, identify_request, read_request
from drivers.modbus.options import Table
from tests.drivers.modbus.conftest import READING
from tests.drivers.modbus.harness import connection, tag_set
from tests.drivers.modbus.image import image_of_every_type, pymodbus_server
from tests.drivers.modbus.test_transports import equipment

WRITING = [5, 6, 15, 16, 22, 23]
FOLDER = Path(drivers.modbus.__file__).parent


@pytest.mark.parametrize("function", WRITING)
def test_no_request_can_be_made_that_writes(function: int) -> None:
    with pytest.raises(ValueError, match="does not read"):
        Request(1, bytes((function, 0, 0, 0, 1)), 5)


@given(st.integers(0, 255), st.integers(0, 255))
def test_only_reading_and_identification_can_be_requested(function: int, kind: int) -> None:
    """Function 43 has a kind, 13, that can write to a CANopen device."""
    allowed = function in (1, 2, 3, 4) or (function, kind) == (43, 14)
    try:
        Request(1, bytes((function, kind, 0, 0, 1)), None)
    except ValueError:
        assert not allowed
    else:
        assert allowed


@given(st.integers(0, 255), st.sampled_from(get_args(Table)), st.integers(0, 65535), st.integers(1, 125))
def test_every_maker_of_requests_reads(unit: int, table: str, start: int, count: int) -> None:
    assert {read_request(unit, table, start, count).function, identify_request(unit).function} <= READING


def test_bytes_leave_the_driver_in_one_place_only() -> None:
    """Where a request is framed that could not have been made to write."""
    places = [
        f"{file.name}:{name}"
        for file in sorted(FOLDER.glob("*.py"))
        for name in _callers_of(file, {"write", "sendall", "sendto", "writelines"})
    ]
    assert places == ["line.py:_exchange", "serial_port.py:write"]


def _callers_of(file: Path, methods: set[str]) -> list[str]:
    functions = [
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [
        function.name
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods
    ]


def test_the_watch_over_the_other_tests_sees_what_is_sent(functions_sent: set[int]) -> None:
    image = image_of_every_type()

    async def body() -> None:
        one = equipment(1)
        async with pymodbus_server(image.registers) as port:
            driver = ModbusDriver(connection(port, [one]), [tag_set(one)])
            await driver.open()
            try:
                await driver.read(driver.tag_sets[0])
                await driver.probe()
            finally:
                await driver.close()

    asyncio.run(body())
    assert functions_sent == {3, 43}
