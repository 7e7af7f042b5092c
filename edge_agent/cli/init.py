"""`edge-agent init`: the first configuration of a site."""

import sys
from pathlib import Path
from typing import Literal

import click

from edge_agent.cli.init_questions import NONE, Asking, Given, ask
from edge_agent.config.errors import ConfigError
from edge_agent.config.starting import Beginning, write_beginning

EXIT_FAILED, EXIT_WRONG = 1, 2

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("site"))
@click.option(
    "--enterprise", metavar="CODE", help="统一社会信用代码, 18 characters; its check digit is verified."
)
@click.option("--region", metavar="CODE", help="行政区划代码, 6 digits.")
@click.option("--gateway", metavar="ID", help="网关编号. Default: gw-01.")
@click.option("--name", help="For people: the works' or the hall's name. Default: none.")
@click.option(
    "--workshop", "workshops", multiple=True, metavar="NAME", help="车间; once for each. Not with --register."
)
@click.option(
    "--register", type=_FILE, metavar="FILE", help="The asset register that there is: CSV, XLSX or YAML."
)
@click.option(
    "--processes", type=_FILE, metavar="FILE", help="Its processes 工序, if they are in a file of their own."
)
@click.option(
    "--template", type=click.Choice(["xlsx", "csv"]), help="Of the register to fill in. Default: xlsx."
)
@click.option(
    "--broker", metavar="HOST[:PORT]", help=f"MQTT broker of the platform; '{NONE}': nothing is sent yet."
)
@click.option("--tls/--no-tls", default=None, help="Default: TLS, except on port 1883.")
@click.option("--username", help="At the broker. Default: none.")
@click.option("--password-file", type=_FILE, metavar="FILE", help="File that holds its password.")
@click.option("--force", is_flag=True, help="Replace files of an earlier init.")
def init(
    folder: Path,
    enterprise: str | None,
    region: str | None,
    gateway: str | None,
    name: str | None,
    workshops: tuple[str, ...],
    register: Path | None,
    processes: Path | None,
    template: Literal["xlsx", "csv"] | None,
    broker: str | None,
    tls: bool | None,
    username: str | None,
    password_file: Path | None,
    force: bool,
) -> None:
    """Write the first configuration of a site into FOLDER. 生成初始配置。

    What no option says is asked for. Without a terminal nothing is asked; what is missing is told. The
    configuration has comments, and `edge-agent check` accepts it; nothing is overwritten without --force.
    Ctrl-C at any question leaves everything as it was.

    \b
      edge-agent init                                        asks for everything, writes the folder site
      edge-agent init site --register 台账.xlsx               with a register that there is
      edge-agent init site --enterprise 91330300MA00DEM06A --region 330300 --workshop 一车间 --broker none

    Exit status: 0 written, 1 cannot be written or given up, 2 something is wrong or missing.
    """
    if register is not None and (workshops or template is not None):
        raise click.UsageError("--register has the workshops: leave --workshop and --template out")
    if processes is not None and register is None:
        raise click.UsageError("--processes needs --register")
    if password_file is not None and username is None:
        raise click.UsageError("--password-file needs --username")
    given = Given(
        enterprise, region, gateway, name, workshops, register, processes, template,
        broker, tls, username, password_file,
    )  # fmt: skip
    asking = Asking(sys.stdin.isatty())
    try:
        beginning = ask(asking, given)
    except click.Abort:
        click.echo("\n已取消，未写入任何文件 Given up; nothing was written", err=True)
        sys.exit(EXIT_FAILED)
    if asking.missing:
        click.echo(
            f"没有终端可以询问，缺少 there is no terminal to ask on; missing: {', '.join(asking.missing)}",
            err=True,
        )
        sys.exit(EXIT_WRONG)
    present = [str(folder / one) for one in beginning.files if (folder / one).exists()]
    if present and not force:
        click.echo(
            f"已存在，未改动 there already, left as it is: {', '.join(present)}; --force replaces it",
            err=True,
        )
        sys.exit(EXIT_FAILED)
    try:
        write_beginning(beginning, folder)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_WRONG)
    except OSError as error:
        raise click.ClickException(f"{folder}: cannot be written: {error.strerror}") from None
    _show_next(beginning, folder)


def _show_next(beginning: Beginning, folder: Path) -> None:
    for one in beginning.files:
        click.echo(f"written 已写入: {folder / one}")
    register = beginning.register or folder / f"register.{beginning.template}"
    click.echo("\n下一步 Next:")
    steps = []
    if beginning.register is None:
        steps.append(
            (f"{register}", "填写全部设备 list ALL machines, connected or not; replace the examples")
        )
    steps += [
        (f"edge-agent check {folder}", "检查 is everything right?"),
        ("edge-agent discover 192.168.0.0/24 --json found.json", "查找设备 what is on the network?"),
        (f"edge-agent match {folder} found.json", "对应台账 which machine is which?"),
        (f"edge-agent check {folder} --connect", "试连 does every machine answer?"),
        (f"edge-agent run {folder}", "运行 the agent itself"),
    ]
    width = max(len(command) for command, _ in steps)
    for number, (command, what) in enumerate(steps, start=1):
        click.echo(f"  {number}. {command:<{width}}  {what}")
