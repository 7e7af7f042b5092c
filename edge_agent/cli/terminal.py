"""How commands show tables."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_agent.config.secrets import Hidden

PLAIN_WIDTH = 200
"""Columns of a table that no terminal shows: a file, a pipe."""


def console(plain_width: int = PLAIN_WIDTH, *, stderr: bool = False) -> Console:
    """For tables: as wide as the terminal, and `plain_width` columns where there is none."""
    out = Console(stderr=stderr, highlight=False)
    if not out.is_terminal:
        out.width = plain_width
    return out


def table(headings: Sequence[str], rows: Iterable[Iterable[str]]) -> Table:
    """Without lines; what is too long for its column goes on below."""
    made = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for cells in rows:
        made.add_row(*map(Text, cells))
    return made


class SiteReport:
    """Prints what is known of a site; what `hidden` hides never gets out of it."""

    def __init__(self, hidden: Hidden) -> None:
        self._hidden = hidden
        self._console = console()

    def line(self, text: str, style: str = "") -> None:
        self._console.print(Text(self._hidden.clean(text), style=style), soft_wrap=True)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        self._console.print(table(headings, (map(self._hidden.clean, cells) for cells in rows)))
