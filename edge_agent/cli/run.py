"""`edge-agent run`: the agent itself."""

import asyncio
import errno
import logging
import shutil
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from edge_agent.agent import DRAIN_S, Agent
from edge_agent.cli.logs import quiet
from edge_agent.cli.service import Notifier, Watching
from edge_agent.config.errors import ConfigError
from edge_agent.config.site import Site, load_site
from edge_agent.journal.cipher import JournalKeyError, JournalKeyUnreadError
from edge_agent.journal.lock import DataDirBusyError
from edge_agent.journal.store import JournalFormatError
from edge_agent.memory import settle, share_one_heap
from edge_agent.signals import on_hangup, stop_on_signal
from edge_agent.statements.keys import KeyFileError
from edge_agent.states.history_file import HistoryFormatError

log = logging.getLogger("edge_agent")

EXIT_FAILED = 1
EXIT_CONFIG = 2
EXIT_UNUSABLE = 78
"""EX_CONFIG of sysexits. Waiting heals neither this nor EXIT_CONFIG: the service is not tried again."""

_LASTING = (HistoryFormatError, JournalFormatError, JournalKeyError, KeyFileError)
"""Why the agent cannot start until somebody comes. All else may pass: another agent, a full disk."""

ROOM = 1_000_000
"""Bytes without which the agent's files cannot be opened."""


def load_or_exit(path: Path) -> Site:
    """The site, or every mistake on standard error and exit status 2."""
    try:
        return load_site(path)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)


def make_or_exit(site: Site, *, shadow: bool = False) -> Agent:
    """The agent, or the reason why it cannot start on standard error; exit status 78 if that lasts, or 1."""
    try:
        return Agent(site, shadow=shadow)
    except (
        DataDirBusyError,
        JournalFormatError,
        JournalKeyError,
        KeyFileError,
        sqlite3.Error,
        OSError,
    ) as error:
        click.echo(f"edge-agent cannot start: {_why(error, site.data_dir)}", err=True)
        lasts = isinstance(error, _LASTING) and not isinstance(error, JournalKeyUnreadError)
        sys.exit(EXIT_UNUSABLE if lasts else EXIT_FAILED)


def _why(error: Exception, folder: Path) -> str:
    """What `error` means for what is kept in `folder`, which SQLite's own errors do not name."""
    free = shutil.disk_usage(next(one for one in (folder, *folder.parents) if one.is_dir())).free
    if _is_of_a_full_disk(error, free):
        return (
            f"{folder}: the disk is full, {free:,} bytes free. Make room on it, and start the agent again"
            f" 磁盘已满，剩余 {free:,} 字节：请清理后重新启动"
        )
    named = not isinstance(error, sqlite3.Error) or str(folder) in str(error)
    return str(error) if named else f"{folder}: {error}"


def _is_of_a_full_disk(error: Exception, free: int) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without SQLite's particulars
    # Without room for what a file needs beside it, SQLite speaks of input and output.
    return code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and free < ROOM)


def run_loop(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run `work` on the fastest event loop there is; its result is the exit status."""
    if sys.platform == "win32":
        return asyncio.run(work())  # on the loop that `main` has chosen
    import uvloop

    return uvloop.run(work())


async def until_stopped(
    agent: Agent, stop: asyncio.Event, drain_s: float = DRAIN_S, watching: Watching | None = None
) -> int:
    """Run the agent until `stop` is set, by a failure too; returns the exit status."""
    await agent.start()
    beside = [] if watching is None else [asyncio.create_task(watching.run(), name="watching")]
    failed = asyncio.create_task(agent.failed())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((failed, stopped), return_when=asyncio.FIRST_COMPLETED)
    status = 0
    if failed.done():
        log.critical("a part of the agent ended: stopping", exc_info=failed.exception())
        status = EXIT_FAILED
        stop.set()
    for task in (failed, stopped, *beside):
        task.cancel()
    await asyncio.gather(failed, stopped, *beside, return_exceptions=True)
    await agent.stop(drain_s)
    return status


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much is written to standard error.",
)
@click.option(
    "--shadow", is_flag=True, help="Connect and report, and send nothing anywhere: for the first day."
)
def run(config: Path, log_level: str, shadow: bool) -> None:
    """Run the agent on CONFIG, a YAML file or a folder of them, until Ctrl-C or SIGTERM.

    With --shadow machines are read and figures made as ever, no uplink is opened, and everything is kept in
    the folder `shadow` of the data folder. What was seen is shown on the page, and printed at the end.

    SIGHUP (systemctl reload) takes over what was changed in CONFIG; a wrong one changes nothing.

    Exit status: 0 stopped, 1 cannot start now or failed, 2 wrong configuration, 78 the data is of a newer
    version, or a key is damaged or not the right one.
    """
    share_one_heap()
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    quiet(logging.ERROR)
    site = load_or_exit(config)

    async def work() -> int:
        stop = stop_on_signal()
        agent = make_or_exit(site, shadow=shadow)
        notifier = Notifier()
        agent.reloader.around = notifier.reloading
        on_hangup(agent.reloader.ask)
        settle()
        log.info(
            "gateway %s: %d equipment registered, %d connections, data in %s",
            site.gateway.id,
            len(site.register.equipment),
            len(site.connections),
            agent.site.data_dir,
        )
        status = await until_stopped(agent, stop, watching=Watching(agent, notifier))
        if shadow:
            from edge_agent.cli.shadow import show_shadow  # tables take 4 MB, which only a shadow pays

            show_shadow(agent)
        return status

    sys.exit(run_loop(work))
