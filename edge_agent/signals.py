"""How a program is told to stop, or to read its configuration again."""

import asyncio
import signal
import sys
from collections.abc import Callable

LOOK_EVERY_S = 0.5


def stop_on_signal() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set; on Windows Ctrl-C and Ctrl-Break."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        # Its loops have no handlers of their own, and signals do not wake the one that is used.
        for number in (signal.SIGINT, signal.SIGBREAK):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        _look_for_signals(loop)
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    return stop


def _look_for_signals(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_later(LOOK_EVERY_S, _look_for_signals, loop)


def on_hangup(call: Callable[[], None]) -> None:
    """Call when SIGHUP comes, which Windows does not have."""
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, call)
