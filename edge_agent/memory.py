"""The memory that loading a configuration takes and running does not need: tens of MB for a moment."""

import ctypes
import gc
import sys


def give_back() -> None:
    """Return it to the system."""
    gc.collect()
    if sys.platform == "linux":
        # glibc alone keeps freed memory for itself; other C libraries have no such function.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def settle() -> None:
    """Once, after the start: what is left stays, so the garbage collector need not look at it again."""
    give_back()
    gc.freeze()
