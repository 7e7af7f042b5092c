"""`edge-agent`: the command line."""

import click

from edge_agent import __version__
from edge_agent.cli.check import check
from edge_agent.cli.demo import demo
from edge_agent.cli.run import run
from edge_agent.cli.schema import schema
from edge_agent.cli.simulate import simulate
from edge_agent.driver import driver_names, load_driver


class _Commands(click.Group):
    """The agent's own commands, and those that installed drivers bring under their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self._of_drivers()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is None and cmd_name in driver_names():
            return load_driver(cmd_name).commands()
        return own

    def _of_drivers(self) -> list[str]:
        return [name for name in driver_names() if load_driver(name).commands() is not None]


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edge-agent")
def main() -> None:
    """Reads shop-floor machines, works out 联网率, 数控化率 and machine time, and reports them over MQTT.

    \b
    First steps:
      edge-agent demo                      a simulated workshop, with everything in it
      edge-agent check my.yaml             is the configuration right? what would be read?
      edge-agent check my.yaml --connect   does every machine answer?
      edge-agent run my.yaml               the agent itself; Ctrl-C stops it

    It reads machines and never writes to them. 本程序只读取设备数据，从不写入。
    """


main.add_command(run)
main.add_command(check)
main.add_command(schema)
main.add_command(demo)
main.add_command(simulate)
