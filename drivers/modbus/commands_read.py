"""`edge-agent modbus read`: values by hand, of any type."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast, get_args

import click
from rich.table import Table as RichTable

from drivers.modbus.commands_access import Access, console, device_access, row, run, table
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.interpretations import ORDERS, interpret, types_as_large_as
from drivers.modbus.options import BIT_TABLES, Encoding, ModbusConnection, ModbusTag, Order, Table
from drivers.modbus.types import TypeName
from edge_agent.driver import DriverError, TagSet
from edge_agent.model.batch import Batch

_AGAIN = 3.0
"""Seconds until `--watch` tries again after a failure."""
_FIRST_OF_MANUAL = {"coil": 0, "discrete": 1, "input": 3, "holding": 4}
"""The digit with which manuals number the addresses of a table, from 1 on: 40001 is holding 0."""
_MANUAL_DIGITS = 10_000
_LEGEND = (
    "ABCD: as it is. CDAB: word_order: little. BADC: byte_order: little."
    " DCBA: byte_order: little, word_order: little"
)
_ORDER = click.Choice(get_args(Order))


@click.command()
@device_access(timeout="3s")
@click.option("--unit", type=click.IntRange(0, 255), default=1, show_default=True, help="Unit id.")
@click.option(
    "--table", "table_name", type=click.Choice(get_args(Table)), default="holding", show_default=True
)
@click.option(
    "--address",
    type=click.IntRange(0, 65535),
    required=True,
    help="From 0, as it travels: what a manual calls 40001 is holding 0, 30001 is input 0.",
)
@click.option("--type", "type_name", type=click.Choice(get_args(TypeName)), help="Default: uint16, or bool.")
@click.option("--count", type=click.IntRange(1, 125), default=1, show_default=True, help="Values in a row.")
@click.option("--byte-order", type=_ORDER, help="Bytes within a register. Default: big.")
@click.option("--word-order", type=_ORDER, help="Registers of one value. Default: big, high one first.")
@click.option("--bit", type=click.IntRange(0, 15), help="One bit of a register, 0 the least significant.")
@click.option("--byte", type=click.Choice(["low", "high"]), help="Which half of a register an 8-bit type is.")
@click.option("--length", type=click.IntRange(1, 125), help="Registers of a string.")
@click.option("--encoding", type=click.Choice(get_args(Encoding)), help="Of a string. Default: ascii.")
@click.option("--scale", type=float, help="value = raw x scale + offset.")
@click.option("--offset", type=float)
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C, and show what changes.")
@click.option("--period", type=click.FloatRange(0.05), default=1.0, show_default=True, help="Of --watch; s.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="End --watch after so long.")
def read(
    access: Access,
    unit: int,
    table_name: Table,
    address: int,
    count: int,
    watch: bool,
    period: float,
    seconds: float | None,
    **of_tag: Any,
) -> None:
    """Read values by hand. 手动读取寄存器。

    A value of two or four registers is also shown in all byte and word orders: the one that makes sense goes
    into the configuration. Exit status 1 if a value is bad.

    \b
      edge-agent modbus read 192.168.0.20 --address 0 --count 10
      edge-agent modbus read 192.168.0.20 --table input --address 52 --type float32
      edge-agent modbus read 192.168.0.20 --address 100 --type string --length 8
      edge-agent modbus read --serial /dev/ttyUSB0 --parity N --unit 7 --address 0 --watch
    """
    of_tag["type"] = of_tag.pop("type_name")
    given = {name: value for name, value in of_tag.items() if value is not None}
    asked = _asked(access, unit, table_name, address, count, given)
    if watch:
        with suppress(KeyboardInterrupt):
            run(_watch(asked, period, seconds))
    elif not run(_read(asked)):
        raise SystemExit(1)


@dataclass(frozen=True)
class _Asked:
    """A connection whose equipment has the `count` tags that are asked for, then a tag for each register."""

    options: ModbusConnection
    count: int

    @property
    def tags(self) -> Sequence[ModbusTag]:
        return self.options.equipment[0].tags[: self.count]

    def registers_of(self, batch: Batch, index: int) -> list[int]:
        """The registers of a value; none of a bit table, or of what was refused."""
        if self.tags[index].table in BIT_TABLES:
            return []
        extent = self.tags[0].extent
        first = self.count + index * extent
        found = batch.values[first : first + extent]
        return cast(list[int], [] if None in found else list(found))


def _asked(
    access: Access, unit: int, table_name: Table, address: int, count: int, given: dict[str, Any]
) -> _Asked:
    def tag(name: str, at: int, fields: dict[str, Any]) -> dict[str, object]:
        return {"id": name, "table": table_name, "address": at, **fields}

    one = access.connection(unit, [tag("value", address, given)]).equipment[0].tags[0]
    tags = [tag(f"value_{k}", address + k * one.extent, given) for k in range(count)]
    if table_name not in BIT_TABLES:
        tags += [tag(f"raw_{k}", address + k, {"type": "uint16"}) for k in range(count * one.extent)]
    return _Asked(access.connection(unit, tags), count)


@asynccontextmanager
async def _opened(asked: _Asked) -> AsyncIterator[tuple[ModbusDriver, TagSet[Any, Any]]]:
    equipment = asked.options.equipment[0]
    tag_set = TagSet(equipment, equipment.tags, asked.options.period)
    driver = ModbusDriver(asked.options, [tag_set])
    try:
        await driver.open()
        yield driver, tag_set
    finally:
        await driver.close()


async def _read(asked: _Asked) -> bool:
    """Whether no value is bad."""
    async with _opened(asked) as (driver, tag_set):
        batch = await driver.read(tag_set)
    to = console()
    values = table("地址 address", "手册 in manuals", "值 value", "寄存器 registers", "质量 quality")
    for index, tag in enumerate(asked.tags):
        registers = " ".join(f"{register:04X}" for register in asked.registers_of(batch, index))
        address = f"{tag.table} {tag.address}"
        row(values, address, in_manuals(tag), _value(batch, index), registers, _quality(batch, index))
    to.print(values)
    kinds = types_as_large_as(asked.tags[0].type)
    if kinds and any(asked.registers_of(batch, index) for index in range(asked.count)):
        to.print("\n字节序对照 In every order, without scale:")
        to.print(_in_every_order(asked, batch, kinds if asked.count == 1 else [asked.tags[0].type]))
        to.print(_LEGEND)
    bad = [index for index in range(asked.count) if _is_bad(batch, index)]
    if bad and (remedy := _remedy(asked.tags[bad[0]], batch.flaws[bad[0]].reason)):
        click.echo(remedy, err=True)
    return not bad


def _in_every_order(asked: _Asked, batch: Batch, kinds: Sequence[str]) -> RichTable:
    made = table("地址 address", "类型 type", *(orders.name for orders in ORDERS))
    for index, tag in enumerate(asked.tags):
        registers = asked.registers_of(batch, index)
        for kind in kinds if registers else ():
            meanings = (interpret(registers, kind, orders) for orders in ORDERS)
            row(made, f"{tag.table} {tag.address}", kind, *meanings)
    return made


async def _watch(asked: _Asked, period: float, seconds: float | None) -> None:
    shown: dict[int, tuple[str, str]] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                try:
                    async with _opened(asked) as (driver, tag_set):
                        while True:
                            begun = time.monotonic()
                            _show_changes(asked, await driver.read(tag_set), shown)
                            await asyncio.sleep(begun + period - time.monotonic())
                except DriverError as error:
                    click.echo(f"{_now()}  {error}. 正在重试 trying again", err=True)
                    await asyncio.sleep(_AGAIN)


def _show_changes(asked: _Asked, batch: Batch, shown: dict[int, tuple[str, str]]) -> None:
    for index, tag in enumerate(asked.tags):
        now = _value(batch, index), _quality(batch, index)
        if shown.get(index) != now:
            shown[index] = now
            click.echo(f"{_now()}  {tag.table} {tag.address}  {'  '.join(now)}")


def in_manuals(tag: ModbusTag) -> str:
    """How most manuals number the address: 40001 for holding 0."""
    digits = 5 if tag.address >= _MANUAL_DIGITS - 1 else 4
    return f"{_FIRST_OF_MANUAL[tag.table]}{tag.address + 1:0{digits}}"


def _remedy(tag: ModbusTag, reason: str) -> str:
    if reason == "illegal_function":
        return f"The unit has no {tag.table} table: try another --table. 该设备没有此表。"
    if reason != "illegal_data_address":
        return ""
    first = _FIRST_OF_MANUAL[tag.table] * _MANUAL_DIGITS + 1
    if first <= tag.address < first + _MANUAL_DIGITS:
        return (
            f"Addresses count from 0: what a manual calls {tag.address} is --address {tag.address - first}."
            " 地址从 0 开始。"
        )
    return (
        "The unit does not have that address. `edge-agent modbus scan addresses` shows which it has."
        " 设备没有此地址。"
    )


def _value(batch: Batch, index: int) -> str:
    value = batch.values[index]
    return "" if value is None else str(value)


def _quality(batch: Batch, index: int) -> str:
    flaw = batch.flaws.get(index)
    return "good" if flaw is None else f"{flaw.level}: {flaw.reason}"


def _is_bad(batch: Batch, index: int) -> bool:
    flaw = batch.flaws.get(index)
    return flaw is not None and flaw.level == "bad"


def _now() -> str:
    return time.strftime("%H:%M:%S")
