"""`edge-agent verify`: check statements, without the agent's data."""

import sys
from pathlib import Path

import click

from edge_agent import verifier


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key", "keys", multiple=True, help="A public key that is trusted (hex); may be given several times."
)
def verify(file: Path, keys: tuple[str, ...]) -> None:
    """Check FILE: what `statements export` wrote, or one message with a statement.

    Everything is worked out anew from the file itself: canonical form, signatures, the chain, roots and
    counts, and what the register, the definition and the evidence make of every machine. The program is one
    file, edge_agent/verifier.py, that can be copied to another computer: python verifier.py FILE

    Exit status: 0 all right, 1 something is wrong, 2 not readable, or not everything could be checked.
    """
    arguments = [str(file), *(word for key in keys for word in ("--key", key))]
    sys.exit(verifier.main(arguments))
