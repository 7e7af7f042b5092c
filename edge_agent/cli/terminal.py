"""How commands show tables."""

from rich.console import Console

PLAIN_WIDTH = 200
"""Columns of a table that no terminal shows: a file, a pipe."""


def console(plain_width: int = PLAIN_WIDTH, *, stderr: bool = False) -> Console:
    """For tables: as wide as the terminal, and `plain_width` columns where there is none."""
    out = Console(stderr=stderr, highlight=False)
    if not out.is_terminal:
        out.width = plain_width
    return out
