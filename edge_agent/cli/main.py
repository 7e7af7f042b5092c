"""`edge-agent`: the command line."""

import io
import sys
from importlib import import_module
from typing import Any

import click

from edge_agent import __version__
from edge_agent.driver import driver_names, load_driver

_OWN = (
    "run",
    "health",
    "check",
    "doctor",
    "schema",
    "top",
    "demo",
    "simulate",
    "init",
    "discover",
    "match",
    "register",
    "indicators",
    "account",
    "policies",
    "sharing",
    "statements",
    "report",
    "recompute",
    "journal",
    "verify",
    "receive",
    "plant",
    "contract",
    "enrol",
    "console",
)
"""Each in the module of its name, imported when it is asked for: `run` does not pay for the others."""


class _Commands(click.Group):
    """The agent's own commands, and those that installed drivers bring under their names."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        _prepare_windows()
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        drivers = [name for name in driver_names() if load_driver(name).commands() is not None]
        return [*_OWN, *drivers]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name in _OWN:
            command: click.Command = getattr(import_module(f"edge_agent.cli.{cmd_name}"), cmd_name)
            return command
        return load_driver(cmd_name).commands() if cmd_name in driver_names() else None


def _prepare_windows() -> None:
    """UTF-8 into files and pipes, not an old code page that lacks Chinese or much else; and not the loop
    that is the default there: it cannot watch sockets, as MQTT needs it, and has other numbers for errors."""
    if sys.platform == "win32":
        import asyncio

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors=stream.errors)
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edge-agent")
def main() -> None:
    """Reads shop-floor machines, works out 联网率 and 数控化率, and reports them over MQTT.

    \b
    First steps:
      edge-agent demo                      a simulated workshop, with everything in it
      edge-agent init                      a first configuration, question by question
      edge-agent discover 192.168.0.0/24   what is on the network?
      edge-agent match my.yaml found.json  which machine of the register is which?
      edge-agent check my.yaml             is the configuration right? what would be read?
      edge-agent check my.yaml --connect   does every machine answer?
      edge-agent run my.yaml               the agent itself; Ctrl-C stops it

    It reads machines and never writes to them. 本程序只读取设备数据，从不写入。
    """
