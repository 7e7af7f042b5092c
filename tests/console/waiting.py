"""Waiting for something with a limit."""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], limit_s: float, why: Callable[[], str] = str) -> None:
    """Look again and again until it holds; after `limit_s` the test fails with what `why` says."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, why()
        time.sleep(0.1)
