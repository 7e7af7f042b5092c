"""`edge-agent top`: how a running agent does, in a terminal."""

import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.live import Live

from edge_agent.cli.feed import Access, Feed, NoNewsError
from edge_agent.cli.screens import News, Screen, screen_of, whole
from edge_agent.words import Language

EXIT_NO_NEWS = 1
REFRESH_S = 0.5
PAGE = 10
_PLAIN_WIDTH = 120
"""Columns where no terminal shows it: a file, a pipe."""

_LEFT, _RIGHT, _UP, _DOWN = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
_PAGE_UP, _PAGE_DOWN, _BACKTAB = "\x1b[5~", "\x1b[6~", "\x1b[Z"


def _address(_: click.Context, __: click.Parameter, value: str) -> str:
    try:
        Access(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


@click.command()
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, callback=_address, help="The agent's page."
)
@click.option(
    "--token", default="", envvar="EDGE_AGENT_TOKEN", show_envvar=True, help="Of console.sign_in.token."
)
@click.option(
    "--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="With https: the authority."
)
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Default: the terminal's language.")
def top(url: str, token: str, ca: Path | None, lang: Language | None) -> None:
    """Show how a running agent does: machines, rates, connections, uplinks. 在终端里查看运行中的代理。

    It reads the agent's own page, so `console` has to be in the configuration. Keys: 1 to 4, Tab or the
    arrows change the view, up and down scroll, l changes the language, q ends it. Where nobody sits at a
    terminal, and on Windows, everything is printed once.

    Exit status: 0 ended, 1 the page cannot be read.
    """
    feed = Feed(Access(url, token, None if ca is None else str(ca)))
    screen = Screen(language=lang or language_of(os.environ))
    console = Console(highlight=False)
    try:
        feed.start()
    except NoNewsError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_NO_NEWS)
    if sys.platform == "win32" or not (sys.stdin.isatty() and console.is_terminal):
        console.width = console.width if console.is_terminal else _PLAIN_WIDTH
        console.print(whole(_news(feed), screen.language))
        return
    with _keyboard() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(screen_of(_news(feed), screen, console.width, console.height), refresh=True)
            if not obeyed(_pressed(keys), screen):
                return


def language_of(environment: Mapping[str, str]) -> Language:
    """Chinese, unless the terminal's language is another one."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name, "")
        if value:
            return "zh" if value.startswith(("zh", "C", "POSIX")) else "en"
    return "zh"


def obeyed(typed: str, screen: Screen) -> bool:
    """Do what the keys say; False if it is to end."""
    while typed:
        key = next((k for k in _MOVES if typed.startswith(k)), typed[0])
        typed = typed[len(key) :]
        if key in ("q", "Q", "\x03"):
            return False
        if key == "l":
            screen.language = "en" if screen.language == "zh" else "zh"
        elif key in _MOVES:
            _MOVES[key](screen)
        elif key in "1234":
            screen.turn(int(key) - 1)
    return True


_MOVES = {
    _LEFT: lambda screen: screen.turn(screen.view - 1),
    _BACKTAB: lambda screen: screen.turn(screen.view - 1),
    _RIGHT: lambda screen: screen.turn(screen.view + 1),
    "\t": lambda screen: screen.turn(screen.view + 1),
    _UP: lambda screen: screen.scroll(-1),
    _DOWN: lambda screen: screen.scroll(1),
    _PAGE_UP: lambda screen: screen.scroll(-PAGE),
    _PAGE_DOWN: lambda screen: screen.scroll(PAGE),
}


def _news(feed: Feed) -> News:
    assert feed.overview is not None  # noqa: S101 - it has started
    return News(feed.overview, feed.connections, time.monotonic() - feed.heard_at, feed.trouble)


def _pressed(keys: int) -> str:
    """What was typed; waits for it until the next refresh."""
    ready, _, _ = select.select([keys], [], [], REFRESH_S)
    return os.read(keys, 64).decode("utf-8", "replace") if ready else ""


@contextmanager
def _keyboard() -> Iterator[int]:
    """Keys as they are pressed, and the terminal as it was when all is over, whatever ends it."""
    import termios  # not on every system
    import tty

    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    ends = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        tty.setcbreak(keys)
        yield keys
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)
        for number, handler in ends.items():
            signal.signal(number, handler)


def _end(_: int, __: FrameType | None) -> None:
    sys.exit(0)
