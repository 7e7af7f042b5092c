"""The memory that loading took and running does not need."""

import ctypes
import gc
import sys


def give_back() -> None:
    """Return it to the system: reading thousands of tags takes tens of MB for a moment.

    What is left stays for good, so the garbage collector need not look at it again.
    """
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        # glibc alone keeps freed memory for itself; other C libraries have no such function.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
