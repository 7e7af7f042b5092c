"""How the commands get to a device: the options of the configuration, by the same names."""

import asyncio
import functools
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from drivers.modbus.options import Baudrate, Framing, ModbusConnection
from edge_agent.driver import DriverError

R = TypeVar("R")

_PLAIN_WIDTH = 200
"""Columns of a table that no terminal shows: a file, a pipe."""
_HOST = re.compile(r"(?P<host>\[[^]]+]|[^:]+|[^:]*:.*:[^:]*?)(?::(?P<port>\d+))?")
_TLS_PORT = 802
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

_OF_SERIAL = ("baudrate", "parity", "databits", "stopbits")
_OF_TLS = ("ca", "certificate", "key", "server_name")


@dataclass(frozen=True, slots=True)
class Access:
    """What was given of the way to a device, not yet checked."""

    given: Mapping[str, object]

    def connection(self, unit: int, tags: list[dict[str, object]]) -> ModbusConnection:
        """A connection that does not stand in a configuration, with one unit. Raises click.UsageError."""
        equipment = [{"id": "commissioning", "unit": unit, "tags": tags}]
        made = {"id": "commissioning", "driver": "modbus", "equipment": equipment, **self.given}
        try:
            return ModbusConnection.model_validate(made)
        except ValidationError as error:
            mistakes = dict.fromkeys(
                f"{_named(one['loc'])}{one['msg'].removeprefix('Value error, ')}"
                for one in error.errors(include_input=False)
                if one["type"] != "too_short"  # follows from a mistake in what is inside
            )
            raise click.UsageError("; ".join(mistakes)) from None


def device_access(timeout: str, pause: str | None = None) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorates a click command: adds the argument HOST and the options of access; the function gets them
    as `access: Access`. `timeout` and `pause` are the defaults."""
    options = (
        click.option("--serial", metavar="DEVICE", help="A serial port in place of HOST: /dev/ttyUSB0."),
        click.option(
            "--framing",
            type=click.Choice(get_args(Framing)),
            help="Default: tcp with HOST, rtu with --serial. A serial device server on TCP may need rtu.",
        ),
        click.option(
            "--baudrate",
            type=click.Choice([str(rate) for rate in get_args(Baudrate)]),
            metavar="N",
            help="Of the serial port. Default: 9600.",
        ),
        click.option("--parity", type=click.Choice(["N", "E", "O"]), help="Default: E."),
        click.option("--databits", type=click.Choice(["7", "8"]), help="Default: 8."),
        click.option("--stopbits", type=click.Choice(["1", "2"]), help="Default: 1."),
        click.option("--tls", is_flag=True, help="Modbus/TCP Security, trusting the system's authorities."),
        click.option("--ca", type=_FILE, help="TLS with this authority."),
        click.option("--certificate", type=_FILE, help="TLS with this certificate of ours."),
        click.option("--key", type=_FILE, help="Its key."),
        click.option("--server-name", help="TLS: the name in the server's certificate. Default: HOST."),
        click.option(
            "--timeout", metavar="DURATION", default=timeout, show_default=True, help="Limit for one answer."
        ),
        click.option(
            "--pause",
            metavar="DURATION",
            default=pause,
            show_default=pause is not None,
            help="Silence before each request.",
        ),
    )
    names = ("serial", "framing", *_OF_SERIAL, "tls", *_OF_TLS, "timeout", "pause")

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def with_access(host: str | None, **given: Any) -> R:
            of_access = {name: given.pop(name) for name in names}
            return command(access=_access(host, of_access), **given)

        decorated: Callable[..., R] = with_access
        for option in reversed(options):
            decorated = option(decorated)
        return click.argument("host", metavar="[HOST[:PORT]]", required=False)(decorated)

    return decorate


def run(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run a command's work; what a device does wrong ends it with a sentence and exit status 1."""
    try:
        return run_to_interrupt(coroutine)
    except DriverError as error:
        raise failure(error) from None


def run_to_interrupt(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run it as asyncio.run does. Raises KeyboardInterrupt at Ctrl-C.

    asyncio.run's own handler cancels amid whatever code Ctrl-C meets: a line that took an answer found its
    future cancelled under its hands. The loop's handler waits for its turn.
    """

    async def cancelled_by_signal() -> R:
        task = asyncio.ensure_future(coroutine)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
        return await task

    if sys.platform == "win32":  # whose loops have no handlers of their own
        return asyncio.run(coroutine)
    try:
        return asyncio.run(cancelled_by_signal())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def failure(error: DriverError) -> click.ClickException:
    return click.ClickException(f"{error}. {error.remedy}" if error.remedy else str(error))


def table(*headings: str) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def row(to: Table, *cells: str) -> None:
    to.add_row(*(Text(cell) for cell in cells))


def console() -> Console:
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = _PLAIN_WIDTH
    return made


def _access(host: str | None, given: dict[str, Any]) -> Access:
    serial = {name: value for name in _OF_SERIAL if (value := given.pop(name)) is not None}
    tls = {name: value for name in _OF_TLS if (value := given.pop(name)) is not None}
    device, wants_tls = given.pop("serial"), given.pop("tls") or bool(tls)
    if (host is None) == (device is None):
        raise click.UsageError("give the device's HOST, or --serial with the port it is connected to")
    wanted = {name: value for name, value in given.items() if value is not None}
    if device is not None:
        numbers = {name: value if name == "parity" else int(value) for name, value in serial.items()}
        wanted["serial"] = {"device": device, **numbers}
    elif serial:
        raise click.UsageError(f"--{', --'.join(serial)}: for --serial only; a gateway has its own settings")
    if wants_tls:
        wanted["tls"] = tls
    if host is not None:
        parts = _HOST.fullmatch(host)
        if parts is None:
            raise click.UsageError(f"{host!r} is no HOST[:PORT]")
        wanted["host"] = parts["host"].strip("[]")
        wanted["port"] = int(parts["port"] or (_TLS_PORT if wants_tls else 502))
    return Access(wanted)


def _named(location: tuple[int | str, ...]) -> str:
    names = [str(part) for part in location if isinstance(part, str) and part not in ("equipment", "tags")]
    return f"{'.'.join(names)}: " if names else ""
