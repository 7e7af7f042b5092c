"""`edge-agent modbus …` as a technician uses it, against servers that were not written here."""

import asyncio
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from tests import loop_time
from tests.drivers.modbus.hostile import Question, Script, answer_pdu, hostile_line, value_at
from tests.drivers.modbus.image import pymodbus_server
from tests.drivers.modbus.ptys import pty_to_tcp

REGISTERS = (215, 7, *struct.unpack(">2H", struct.pack(">f", 123.25)), 0x4241, 0x4443, *range(6, 20))
UNITS = (1, 2, 4, 7)
LIMIT = ("--timeout", "3s")
"""For units of which some answer and some do not: enough for those that do, on a busy computer, too."""
PATIENT = ("--timeout", "30s")
"""Where everybody answers."""
ORDERS = {"CDAB": ("big", "little"), "BADC": ("little", "big"), "DCBA": ("little", "little")}


@contextmanager
def in_background(server: AbstractAsyncContextManager[int]) -> Iterator[int]:
    """Run a server in a thread of its own, as the commands have an event loop of theirs; gives its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
        try:
            yield port
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def in_its_loop(script: Script, framing: str = "tcp") -> Iterator[int]:
    """Have `script` answer a command, in the time of the command's loop; gives a port."""
    with hostile_line(script, framing) as port, mock.patch("asyncio.run", loop_time.run):
        yield port


def modbus(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["modbus", *arguments])


def rows(text: str) -> list[list[str]]:
    """The cells of a table, which are two blanks apart at least."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


@pytest.fixture
def port() -> Iterator[int]:
    with in_background(pymodbus_server(REGISTERS, UNITS)) as tcp_port:
        yield tcp_port


# read


def test_read_shows_values_with_their_registers(port: int) -> None:
    result = modbus("read", f"127.0.0.1:{port}", *PATIENT, "--address", "0", "--count", "2")
    assert result.exit_code == 0
    assert ["holding 0", "40001", "215", "00D7", "good"] in rows(result.stdout)
    assert ["holding 1", "40002", "7", "0007", "good"] in rows(result.stdout)
    assert "ABCD" not in result.stdout


@pytest.mark.parametrize("name", ["ABCD", *ORDERS])
def test_read_shows_every_order_side_by_side(name: str) -> None:
    byte_order, word_order = ORDERS.get(name, ("big", "big"))
    high, low = REGISTERS[2:4]
    words = [low, high] if word_order == "little" else [high, low]
    if byte_order == "little":
        words = [word >> 8 | (word & 0xFF) << 8 for word in words]
    asked = ("--address", "0", "--type", "float32")
    with in_background(pymodbus_server(words)) as tcp_port:
        result = modbus("read", f"127.0.0.1:{tcp_port}", *PATIENT, *asked)
        assert result.exit_code == 0
        (heading,) = [cells for cells in rows(result.stdout) if "ABCD" in cells]
        table = {cells[1]: dict(zip(heading, cells, strict=True)) for cells in rows(result.stdout)[5:9]}
        assert table.keys() == {"int32", "uint32", "float32", "bcd32"}
        assert table["float32"][name] == "123.25"
        assert sum(table["float32"][other] == "123.25" for other in ("ABCD", *ORDERS)) == 1
        given = ("--byte-order", byte_order, "--word-order", word_order)
        result = modbus("read", f"127.0.0.1:{tcp_port}", *PATIENT, *asked, *given)
        assert ["holding 0", "40001", "123.25", f"{words[0]:04X} {words[1]:04X}", "good"] in rows(
            result.stdout
        )


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("--address", "4", "--type", "string", "--length", "2"), "BADC"),
        (("--address", "4", "--type", "string", "--length", "2", "--byte-order", "little"), "ABCD"),
        (("--address", "0", "--scale", "0.1"), "21.5"),
        (("--address", "0", "--bit", "2"), "True"),
        (("--address", "4", "--type", "uint8", "--byte", "high"), str(0x42)),
        (("--table", "coil", "--address", "3"), "True"),
        (("--table", "input", "--unit", "7", "--address", "1"), "7"),
    ],
)
def test_read_reads_any_type(port: int, arguments: tuple[str, ...], value: str) -> None:
    result = modbus("read", f"127.0.0.1:{port}", *PATIENT, *arguments)
    assert result.exit_code == 0
    assert rows(result.stdout)[1][2] == value


@pytest.mark.parametrize(
    ("address", "remedy"),
    [("40003", "--address 2."), ("100", "scan addresses")],
)
def test_read_says_what_to_do_about_an_illegal_address(port: int, address: str, remedy: str) -> None:
    result = modbus("read", f"127.0.0.1:{port}", *PATIENT, "--address", address)
    assert result.exit_code == 1
    assert "illegal_data_address" in result.stdout
    assert remedy in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--serial"),
        (("h", "--serial", "/dev/x"), "--serial"),
        (("h", "--parity", "N"), "--parity: for --serial only"),
        (("h", "--type", "string"), "length is needed"),
        (("h", "--timeout", "3"), "timeout: expected a number with its unit"),
        (("h", "--framing", "rtu", "--unit", "0"), "broadcast"),
        (("h", "--framing", "rtu", "--tls"), "tls goes with framing tcp"),
        (("a:b", "--unit", "1"), "no HOST"),
    ],
)
def test_mistakes_are_explained_before_anything_is_sent(
    arguments: tuple[str, ...], message: str, functions_sent: set[int]
) -> None:
    result = modbus("read", "--address", "0", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not functions_sent


def test_a_failure_is_a_sentence_with_a_remedy(port: int) -> None:
    absent = modbus("read", f"127.0.0.1:{port}", "--address", "0", "--unit", "9", *LIMIT)
    assert absent.exit_code == 1
    assert absent.stderr.startswith("Error: unit 9 did not answer within 3 s. Is the machine on")
    gone = modbus("read", "127.0.0.1:1", "--address", "0")
    assert gone.exit_code == 1
    assert "Connection refused" in gone.stderr


def test_watch_shows_what_changes() -> None:
    async def script(question: Question) -> None:
        question.answer(struct.pack(">BBH", 3, 2, question.number // 3))

    with in_its_loop(script) as tcp_port:
        arguments = ("--address", "0", "--watch", "--period", "0.05", "--seconds", "0.6")
        result = modbus("read", f"127.0.0.1:{tcp_port}", *arguments)
    assert result.exit_code == 0
    values = [int(line.split()[3]) for line in result.stdout.splitlines()]
    assert len(values) >= 2
    assert values == list(range(len(values)))


# scan units


def test_scan_units_finds_who_is_there(port: int) -> None:
    scanned = ("--last", "5", "--pause", "1ms", *LIMIT)
    result = modbus("scan", "units", f"127.0.0.1:{port}", *scanned)
    assert result.exit_code == 0
    assert rows(result.stdout)[1:] == [
        ["1-2", "215", "Acme PM-9 2.1"],
        ["4", "215", "Acme PM-9 2.1"],
        ["3 个站 units answer (asked: 1-5)"],
    ]


def test_scan_units_on_a_serial_line(tmp_path: Path) -> None:
    with (
        in_background(pymodbus_server(REGISTERS, (3, 5), "rtu")) as tcp_port,
        pty_to_tcp(tmp_path, tcp_port) as socat,
    ):
        line = ("--serial", str(socat.port), "--baudrate", "115200", "--parity", "N")
        result = modbus("scan", "units", *line, "--first", "3", "--last", "5", *LIMIT, "--pause", "5ms")
    assert [cells[0] for cells in rows(result.stdout)[1:-1]] == ["3", "5"]


def test_scan_units_tells_late_answers_and_empty_lines() -> None:
    async def script(question: Question) -> None:
        if question.unit == 2:
            await asyncio.sleep(0.08)
            question.answer()

    with in_its_loop(script, "rtu") as tcp_port:
        line = (f"127.0.0.1:{tcp_port}", "--framing", "rtu", "--timeout", "50ms", "--pause", "5ms")
        late = modbus("scan", "units", *line, "--last", "4")
        empty = modbus("scan", "units", *line, "--first", "5", "--last", "6")
    assert ["2", "too late"] in rows(late.stdout)
    assert "longer --timeout" in late.stderr
    assert empty.exit_code == 1
    assert "No unit answered" in empty.stderr


def test_a_gateway_that_reaches_nobody_is_no_unit() -> None:
    async def script(question: Question) -> None:
        question.answer(None if question.unit == 3 else bytes((0x83, 11)))

    with in_its_loop(script) as tcp_port:
        result = modbus("scan", "units", f"127.0.0.1:{tcp_port}", "--last", "5", "--pause", "1ms")
    assert [cells[0] for cells in rows(result.stdout)[1:-1]] == ["3"]


def test_a_device_that_answers_whatever_the_unit_is_told_from_a_line() -> None:
    async def script(question: Question) -> None:
        question.answer()

    with in_its_loop(script) as tcp_port:
        result = modbus("scan", "units", f"127.0.0.1:{tcp_port}", "--last", "40", "--pause", "1ms")
    assert rows(result.stdout)[1] == ["1-40", str(value_at(0))]
    assert "whatever the unit id" in result.stderr


def test_a_port_on_which_nobody_speaks_modbus_is_given_up() -> None:
    async def script(question: Question) -> None:
        question.send(b"220 welcome to the mail server\r\n")

    with in_its_loop(script) as tcp_port:
        result = modbus("scan", "units", f"127.0.0.1:{tcp_port}", "--pause", "1ms")
    assert result.exit_code == 1
    assert "Is this a Modbus port" in result.stderr


# scan addresses


def addresses_of(result: Result) -> list[int]:
    return [int(found) for found in re.findall(r"^  - .*address: (\d+)}", result.stdout, re.MULTILINE)]


def test_scan_addresses_prints_tags_that_check_accepts(port: int, tmp_path: Path) -> None:
    result = modbus(
        *("scan", "addresses", f"127.0.0.1:{port}", "--pause", "1ms", "--last", "70", *PATIENT),
        *("--table", "holding", "--table", "coil"),
    )
    assert result.exit_code == 0
    assert addresses_of(result) == [*range(20), *range(16)]
    assert "  - {id: holding_0, table: holding, address: 0}  # 215 0x00D7" in result.stdout
    tags = "\n".join(f"        {line}" for line in result.stdout.splitlines())
    (tmp_path / "register.csv").write_text("id,name,workshop\nA,a,W\n", "utf-8")
    (tmp_path / "agent.yaml").write_text(
        f"""
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
connections:
  - id: c
    driver: modbus
    host: 127.0.0.1
    port: {port}
    timeout: 30s
    equipment:
      - id: A
{tags}
uplinks: [{{id: u, type: mqtt, host: 127.0.0.1}}]
""",
        "utf-8",
    )
    checked = CliRunner().invoke(main, ["check", str(tmp_path / "agent.yaml"), "--connect"])
    assert "everything answered" in checked.stdout
    assert "holding 0-19 (function 3)" in checked.stdout
    assert checked.exit_code == 0


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "is silent"])
def test_scan_addresses_settles_every_address(silent: bool) -> None:
    gaps = [range(11, 13), range(20, 21), range(47, 60)]

    async def script(question: Question) -> None:
        answer = answer_pdu(question.pdu, gaps, most=40)
        if len(answer) > 2 or not silent:
            question.answer(answer)

    with in_its_loop(script) as tcp_port:
        result = modbus(
            *("scan", "addresses", f"127.0.0.1:{tcp_port}", "--last", "63", "--at-once", "8"),
            *("--pause", "1ms", "--timeout", "20ms"),
        )
    assert addresses_of(result) == [a for a in range(64) if not any(a in gap for gap in gaps)]
    assert "# holding, 0-63: 0-10, 13-19, 21-46, 60-63" in result.stdout
    assert f"address: 5}}  # {value_at(5)}" in result.stdout


def test_scan_addresses_keeps_values_whole() -> None:
    """A device that gives the two registers of a value together only."""

    async def script(question: Question) -> None:
        start, count = struct.unpack(">HH", question.pdu[1:])
        whole = start % 2 == 0 and count % 2 == 0
        question.answer(answer_pdu(question.pdu, [range(30, 200)]) if whole else bytes((0x83, 2)))

    with in_its_loop(script) as tcp_port:
        result = modbus(
            "scan", "addresses", f"127.0.0.1:{tcp_port}", "--last", "99", "--pause", "1ms", "--timeout", "1s"
        )
    assert addresses_of(result) == list(range(30))


def test_a_table_that_the_unit_does_not_have_is_given_up_at_once() -> None:
    questions = 0

    async def script(question: Question) -> None:
        nonlocal questions
        questions += 1
        question.answer(bytes((0x83, 1)))

    with in_its_loop(script) as tcp_port:
        result = modbus("scan", "addresses", f"127.0.0.1:{tcp_port}", "--pause", "1ms")
    assert questions == 1
    assert "# holding, 0 of 0-999 asked: illegal_function" in result.stdout
    assert result.exit_code == 1


def test_a_unit_that_falls_silent_ends_the_scan_with_what_was_found() -> None:
    async def script(question: Question) -> None:
        if question.number < 2:
            question.answer()

    with in_its_loop(script) as tcp_port:
        result = modbus("scan", "addresses", f"127.0.0.1:{tcp_port}", "--pause", "1ms", "--timeout", "30ms")
    assert addresses_of(result) == list(range(128))
    assert "# holding, 128 of 0-999 asked: 0-127" in result.stdout
    assert "did not answer" in result.stderr
    assert result.exit_code == 1


# Ctrl-C, in a terminal


def interrupt_when(arguments: Sequence[str], shown: Callable[[str], bool]) -> tuple[int, str, str]:
    """Run a command whose standard error is a terminal, and press Ctrl-C once `shown` is true of it."""
    terminal, child_end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-m", "edge_agent", "modbus", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=child_end,
        env=environment,
        text=True,
    ) as process:
        try:
            os.close(child_end)
            on_terminal = ""
            end = time.monotonic() + 30
            while not shown(on_terminal):
                assert time.monotonic() < end, on_terminal
                on_terminal += os.read(terminal, 4096).decode(errors="replace")
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=30)[0]
            with suppress(OSError):  # the end of it
                while rest := os.read(terminal, 65536):
                    on_terminal += rest.decode(errors="replace")
        finally:
            process.kill()
            os.close(terminal)
    return process.returncode, output, on_terminal


def test_ctrl_c_shows_the_units_found_so_far(port: int) -> None:
    code, output, on_terminal = interrupt_when(
        ("scan", "units", f"127.0.0.1:{port}", *LIMIT, "--pause", "1ms"),
        lambda text: any(int(done) >= 4 for done in re.findall(r"(\d+)/247", text)),
    )
    assert code == 130
    assert [cells[0] for cells in rows(output)[1:3]] == ["1-2", "4"]
    assert re.search(r"asked: 1-\d+ of 1-247", output)
    assert "Stopped" in on_terminal
    assert "Traceback" not in on_terminal


def test_ctrl_c_shows_the_addresses_found_so_far(port: int) -> None:
    code, output, on_terminal = interrupt_when(
        ("scan", "addresses", f"127.0.0.1:{port}", *PATIENT, "--pause", "5ms"),
        lambda text: any(int(done) > 64 for done in re.findall(r"(\d+)/1000", text)),
    )
    assert code == 130
    assert "- {id: holding_19, table: holding, address: 19}" in output
    assert re.search(r"# holding, \d+ of 0-999 asked: 0-19", output)
    assert "Traceback" not in on_terminal
