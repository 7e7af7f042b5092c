"""`edge-agent health`: is the agent on this folder at work? For health checks of containers, and people."""

import sys
import time
from pathlib import Path
from typing import NoReturn

import click
import msgspec

HEALTH_FILE = "health"
EXIT_ILL = 1
SILENT_S = 90.0
"""As long as the unit's WatchdogSec: both watch the same thing."""


class Health(msgspec.Struct):
    """What the agent last said of itself, in a file of the data folder."""

    told_s: float
    """By the clock that counts from the start of the computer, so that setting the time makes nobody ill."""
    live: int
    connected: int
    stuck: list[str]

    def age_s(self) -> float:
        """How long ago it was said; negative if that was before the computer was started."""
        return time.monotonic() - self.told_s


def read_health(data_dir: Path) -> Health:
    """Raises FileNotFoundError if no agent runs on the folder, OSError, msgspec.MsgspecError."""
    return msgspec.json.decode((data_dir / HEALTH_FILE).read_bytes(), type=Health)


@click.command()
@click.argument("data_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
def health(data_dir: Path) -> None:
    """Say whether the agent that keeps its data in DATA_DIR goes on. Exit status: 0 it does, 1 it does not.

    Machines that are off do not make it ill: acquisition and keeping have to go on, nothing else.
    """
    try:
        told = read_health(data_dir)
    except FileNotFoundError:
        _ill(f"no agent runs on {data_dir} 未运行")
    except (OSError, msgspec.MsgspecError) as error:
        _ill(f"{data_dir}: {error}")
    if told.stuck:
        _ill(f"stuck 停滞: {', '.join(told.stuck)}")
    if not 0 <= told.age_s() <= SILENT_S:
        _ill(f"silent, and has not ended in order 无响应: {data_dir}")
    click.echo(f"ok 正常: {told.live}/{told.connected} machines live 台设备在线")


def _ill(why: str) -> NoReturn:
    click.echo(why, err=True)
    sys.exit(EXIT_ILL)
