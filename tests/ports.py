"""Ports for what a test starts: nobody else gets them in between.

They lie below those that the system gives to outgoing connections and to whoever listens at port 0, and below
those of the demo; and processes that run tests side by side take them from different parts.
"""

import os
import random
import socket
from itertools import count, islice

from edge_agent.simulator.fleet import MODBUS_SERVERS
from edge_agent.simulator.stage import Ports

_FIRST, _LAST = 10_000, 19_999
_PARTS = 4
_SIZE = (_LAST - _FIRST + 1) // _PARTS
_part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
_steps = count(random.randrange(_SIZE))  # noqa: S311 - no secret: two runs of the tests begin at different ones


def free_ports(number: int) -> range:
    """As many ports one after the other, free on every address of this computer; each is given once, until
    all of them were."""
    taken: list[int] = []
    for step in islice(_steps, 2 * _SIZE):
        port = _FIRST + _part * _SIZE + step % _SIZE
        if taken and port != taken[-1] + 1:
            taken = []
        taken = [*taken, port] if _is_free(port) else []
        if len(taken) == number:
            return range(taken[0], port + 1)
    raise AssertionError(f"no {number} ports in a row are free")


def free_port() -> int:
    return free_ports(1)[0]


def demo_ports() -> Ports:
    """For the workshop, its broker and a page."""
    found = free_ports(len(MODBUS_SERVERS) + 3)
    return Ports(found[0], *found[-3:])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - never listens
        except OSError:
            return False
    return True
