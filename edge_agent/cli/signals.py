"""How a command is told to stop, or to read its configuration again."""

import asyncio
import signal
import sys
from collections.abc import Callable


def stop_on_signal() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":  # whose loops have no handlers of their own
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)
    return stop


def on_hangup(call: Callable[[], None]) -> None:
    """Call when SIGHUP comes, which Windows does not have."""
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, call)
