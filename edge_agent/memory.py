"""The memory that a process takes from the system: that it keeps no more of it than it needs."""

import ctypes
import gc
import sys

_M_ARENA_MAX = -8
"""In <malloc.h>."""


def share_one_heap() -> None:
    """Let all threads take memory from one heap. To be called before there are others than the main thread.

    glibc gives each thread a heap of its own, lest they wait for each other; Python's hardly ever do. What is
    freed in one heap is of no use to another: wherever a configuration had been read, holes were left.
    """
    _glibc("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what loading a configuration took and running does not need: tens of MB."""
    gc.collect()
    _glibc("malloc_trim", 0)


def settle() -> None:
    """Once, after the start: what is left stays, so the garbage collector need not look at it again."""
    give_back()
    gc.freeze()
    # A connection that is lost leaves hundreds of objects that only a full collection finds. One comes late:
    # when there is a quarter more to look at than the last time, and not before 85,000 objects or so have
    # gathered. As there is little to look at from now on, it may see that, and come sooner.
    gc.collect()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 1)


def _glibc(function: str, *arguments: int) -> None:
    """Call it where there is such a function: glibc alone keeps freed memory for itself."""
    if sys.platform == "linux":
        found = getattr(ctypes.CDLL(None), function, None)
        if found is not None:
            found(*arguments)
