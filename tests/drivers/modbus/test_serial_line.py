"""One serial line for many: in turn, at their periods, and within what the line can carry."""

import asyncio
import struct
from collections import defaultdict
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.modbus import ModbusDriver
from drivers.modbus.options import ModbusEquipment, ModbusTag
from drivers.modbus.reading import ModbusTagSet
from edge_agent.acquisition.diagnostics import Crossing
from edge_agent.acquisition.supervisor import ConnectionSupervisor
from edge_agent.driver import AnyDriver, ConnectionFailed, DriverError, TagSet
from edge_agent.model.batch import Batch
from edge_agent.model.state import UnknownCause
from tests import loop_time
from tests.drivers.modbus.harness import connection
from tests.drivers.modbus.hostile import (
    Question,
    Script,
    hostile_line,
    hostile_server,
    unit_with,
    value_at,
)
from tests.drivers.modbus.image import pymodbus_server
from tests.drivers.modbus.ptys import pty_to_tcp

ANSWER_S = 0.01
"""What an answer takes on the line of these tests."""
FAST, SLOW = 0.1, 0.4
RUN_S = 1.6


def serial_connection(
    port: Path, sets: list[ModbusTagSet], timeout: str = "20s", **serial: Any
) -> ModbusDriver:
    line = {"device": str(port), "baudrate": 115200, "parity": "N", **serial}
    equipment = {s.equipment.id: s.equipment for s in sets}
    options = connection(502, list(equipment.values()), host=None, serial=line, timeout=timeout)
    return ModbusDriver(options, sets)


class Record:
    """A sink that notes when batches came."""

    def __init__(self) -> None:
        self.times: dict[tuple[str, int], list[float]] = defaultdict(list)
        """By equipment and number of tags."""
        self.wrong: list[str] = []
        self.failed: set[tuple[str, UnknownCause]] = set()

    def batch(self, batch: Batch) -> None:
        self.times[batch.equipment, len(batch.tags)].append(asyncio.get_running_loop().time())
        for tag, value in zip(batch.tags, batch.values, strict=True):
            if value != value_at(int(tag[1:])):
                self.wrong.append(f"{batch.equipment} {tag} {value}")

    def opened(self, connection: str) -> None: ...

    def lost(self, connection: str, error: DriverError) -> None:
        self.wrong.append(f"{connection}: {error}")

    def equipment_failed(self, connection: str, equipment: str, error: DriverError) -> None:
        assert connection == "c"
        self.failed.add((equipment, error.cause))

    def limit_crossed(self, connection: str, crossing: Crossing) -> None: ...


def supervise(script: Script, sets: list[ModbusTagSet], timeout: str) -> Record:
    """What comes in RUN_S of the loop's time while `script` answers for the units of a line."""
    record = Record()

    async def body() -> None:
        driver = serial_connection(Path("port"), sets, timeout)
        supervised: AnyDriver = driver  # type: ignore[assignment]  # the agent knows drivers by their base only
        with suppress(TimeoutError):
            async with asyncio.timeout(RUN_S):
                await ConnectionSupervisor(supervised, record, 0.0).run()

    with hostile_line(script, "rtu"):
        loop_time.run(body())
    return record


def fast_and_slow(units: range) -> list[ModbusTagSet]:
    """Each unit with one tag at the fast and two at the slow period, in requests of their own."""
    sets: list[ModbusTagSet] = []
    for unit in units:
        tags = tuple(ModbusTag(id=f"r{a}", table="holding", address=a) for a in (0, 500, 501))
        one = ModbusEquipment(id=f"U{unit}", unit=unit, tags=tags)
        sets += [TagSet(one, tags[:1], FAST), TagSet(one, tags[1:], SLOW)]
    return sets


def test_units_and_periods_take_turns() -> None:
    """Neighbours get as much, and between two readings at the slow period each unit has some at the fast."""
    busy = False
    overlaps = 0

    async def script(question: Question) -> None:
        nonlocal busy, overlaps
        overlaps += busy
        busy = True
        await asyncio.sleep(ANSWER_S)
        question.answer()
        busy = False

    record = supervise(script, fast_and_slow(range(1, 5)), "100ms")
    assert record.wrong == []
    assert overlaps == 0
    assert len(record.times) == 8
    fast = [times for (_, tags), times in record.times.items() if tags == 1]
    slow = [times for (_, tags), times in record.times.items() if tags == 2]
    for same in (fast, slow):
        counts = [len(times) for times in same]
        assert max(counts) - min(counts) <= 2, "neighbours at one period are asked as often"
    assert min(map(len, slow)) >= 2
    for times in slow:
        for before, after in pairwise(times):
            for others in fast:
                between = sum(before < at < after for at in others)
                assert between >= 2, "who is asked seldom does not hold up who is asked often"


def test_a_line_with_too_much_to_do_is_still_shared_fairly() -> None:
    """Eight units at the fast period are twice what the line can carry: all of them get their half."""

    async def script(question: Question) -> None:
        await asyncio.sleep(2.5 * ANSWER_S)
        question.answer()

    sets = [unit_with([unit], unit=unit) for unit in range(1, 9)]
    slow = TagSet(sets[0].equipment, unit_with([700, 701]).tags, SLOW)
    record = supervise(script, [*sets, slow], "100ms")
    assert record.wrong == []
    counts = {key: len(times) for key, times in record.times.items()}
    fast = [count for (_, tags), count in counts.items() if tags == 1]
    assert len(fast) == 8
    assert max(fast) - min(fast) <= 2
    assert counts["U1", 2] >= 0.6 * RUN_S / SLOW


def test_a_dead_unit_costs_its_neighbours_at_most_one_time_out() -> None:
    timeout = 0.15

    async def script(question: Question) -> None:
        if question.unit != 3:
            question.answer()

    record = supervise(script, [unit_with([unit], unit=unit) for unit in range(1, 6)], "150ms")
    assert record.wrong == []
    assert record.failed == {("U3", UnknownCause.TIMEOUT)}
    assert {equipment for equipment, _ in record.times} == {"U1", "U2", "U4", "U5"}
    for times in record.times.values():
        gaps = [after - before for before, after in pairwise(times)]
        assert max(gaps) < 0.1 + timeout + 0.05
        # Parked after two failures in a row, for a second or two: then nothing is lost any more.
        assert sum(gap > 0.12 for gap in gaps) <= 3


# The port


def test_a_port_that_is_pulled_out_and_comes_back(tmp_path: Path) -> None:
    async def body() -> None:
        tags = unit_with([2])
        async with pymodbus_server([5, 6, 7], framing="rtu") as tcp_port:
            with pty_to_tcp(tmp_path, tcp_port) as socat:
                driver = serial_connection(socat.port, [tags])
                await driver.open()
                assert (await driver.read(tags)).values == [7]
                socat.kill()
                with pytest.raises(ConnectionFailed) as failure:
                    await driver.read(tags)
                assert failure.value.cause is UnknownCause.UNREACHABLE
                await driver.close()
                # As udev does: the terminal that the link leads to may be somebody else's meanwhile.
                (tmp_path / "port").unlink()
                with pytest.raises(ConnectionFailed):
                    await driver.open()
            with pty_to_tcp(tmp_path, tcp_port):
                await driver.open()
                try:
                    assert (await driver.read(tags)).values == [7]
                finally:
                    await driver.close()

    asyncio.run(body())


def test_a_port_belongs_to_one_connection(tmp_path: Path) -> None:
    async def body() -> None:
        tags = unit_with([0])
        async with pymodbus_server([5], framing="rtu") as tcp_port:
            with pty_to_tcp(tmp_path, tcp_port) as socat:
                first, second = (serial_connection(socat.port, [tags]) for _ in range(2))
                await first.open()
                try:
                    with pytest.raises(ConnectionFailed) as failure:
                        await second.open()
                    assert "Another program" in failure.value.remedy
                finally:
                    await second.close()
                    await first.close()
                await second.open()
                await second.close()

    asyncio.run(body())


@pytest.mark.parametrize(("path", "remedy"), [("absent", "by-id"), ("file", "no serial port")])
def test_what_is_no_serial_port(path: str, remedy: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    driver = serial_connection(tmp_path / path, [unit_with([0])])
    with pytest.raises(ConnectionFailed) as failure:
        asyncio.run(driver.open())
    assert remedy in failure.value.remedy


# What the line can carry


def test_the_plan_shows_what_each_request_takes_of_the_line() -> None:
    sets = [unit_with(range(20)), unit_with(range(20), unit=2)]
    driver = serial_connection(Path("port"), sets, timeout="1s", baudrate=9600, parity="E")
    # 8 characters there, 45 back, of 11 bits each; and silences of 3.5 characters before both.
    seconds = (8 + 45 + 7) * 11 / 9600
    first, last = (planned.what for planned in driver.plan())
    assert first == f"unit 1 holding 0-19 (function 3), {1000 * seconds:.0f} ms"
    assert last.startswith(f"unit 2 holding 0-19 (function 3), {1000 * seconds:.0f} ms; ")
    assert f"{2000 * seconds:.0f} ms a round, {2 * seconds / 0.1:.0%} busy: TOO MUCH" in last
    (load,) = [one.value for one in driver.diagnostics() if one.name == "planned_bus_load"]
    assert load == pytest.approx(100 * 2 * seconds / 0.1)


def test_a_plan_for_tcp_says_nothing_of_a_line() -> None:
    sets = [unit_with(range(20))]
    driver = ModbusDriver(connection(502, [sets[0].equipment]), sets)
    assert [planned.what for planned in driver.plan()] == ["unit 1 holding 0-19 (function 3)"]
    assert "planned_bus_load" not in {one.name for one in driver.diagnostics()}


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
@pytest.mark.parametrize(("baudrate", "timeout"), [(1200, 1.0), (4800, 0.5), (9600, 3.0)])
def test_requests_are_as_large_as_the_time_limit_lets_the_line_carry(
    framing: str, baudrate: int, timeout: float
) -> None:
    tags = unit_with(range(125))
    line = {"device": "port", "baudrate": baudrate, "parity": "N"}
    options = connection(
        502, [tags.equipment], host=None, serial=line, framing=framing, timeout=f"{timeout}s"
    )
    planned = ModbusDriver(options, [tags]).plan()
    sizes = [len(one.tags) for one in planned]

    def seconds(count: int) -> float:
        answer = 2 * count + 2
        characters = 8 + answer + 3 if framing == "rtu" else 17 + 2 * answer + 7
        return characters * 10 / baudrate

    assert seconds(max(sizes)) <= timeout / 2
    assert max(sizes) == 125 or seconds(max(sizes) + 1) > timeout / 2
    assert sum(sizes) == 125


def test_nobody_answers_to_the_broadcast_unit() -> None:
    with pytest.raises(ValidationError, match="broadcast"):
        serial_connection(Path("port"), [unit_with([0], unit=0)])
    assert connection(502, [ModbusEquipment(id="A", unit=0)]).equipment[0].unit == 0


def test_silence_is_kept_before_each_request(tmp_path: Path) -> None:
    """3.5 characters of 1,200 baud are 29 ms."""
    times: list[float] = []

    async def script(question: Question) -> None:
        times.append(asyncio.get_running_loop().time())
        assert struct.unpack(">H", question.pdu[1:3])[0] in (0, 1000, 2000)
        question.answer()

    async def body() -> None:
        tags = unit_with([0, 1000, 2000])
        async with hostile_server(script, "rtu") as tcp_port:
            with pty_to_tcp(tmp_path, tcp_port) as socat:
                driver = serial_connection(socat.port, [tags], baudrate=1200)
                await driver.open()
                try:
                    await driver.read(tags)
                finally:
                    await driver.close()

    asyncio.run(body())
    assert len(times) == 3
    assert all(after - before >= 3.5 * 10 / 1200 for before, after in pairwise(times))
