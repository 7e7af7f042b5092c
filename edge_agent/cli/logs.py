"""What libraries log while a command runs."""

import logging


def quiet(level: int) -> None:
    """Let the protocols' libraries log nothing below `level`: the agent tells failures itself."""
    for name in ("asyncua", "pymodbus"):
        logging.getLogger(name).setLevel(level)
