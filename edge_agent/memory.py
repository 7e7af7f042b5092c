"""The memory that a process takes from the system: that it keeps no more of it than it needs."""

import ctypes
import gc
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

_M_ARENA_MAX = -8
"""In <malloc.h>."""
_MADV_DONTNEED = 4
"""In <sys/mman.h>."""
_MAPPING = re.compile(r"(?P<begin>[0-9a-f]+)-(?P<end>[0-9a-f]+) (?P<may>\S+) \S+ \S+ \d+ *(?P<file>/?)")
"""The first line of each in /proc/self/smaps, see proc(5)."""


def share_one_heap() -> None:
    """Let all threads take memory from one heap. To be called before there are others than the main thread.

    glibc gives each thread a heap of its own, lest they wait for each other; Python's hardly ever do. What is
    freed in one heap is of no use to another: wherever a configuration had been read, holes were left.
    """
    _libc("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what loading a configuration took and running does not need: tens of MB.

    Most of the libraries' code runs but once. The system would drop it last, as it is in use; so it is told
    that it is not. What is used again it maps again, mostly without reading it from the card.
    """
    gc.collect()
    _libc("malloc_trim", ctypes.c_size_t(0))
    with suppress(OSError):  # there may be no /proc
        for address, size in list(_unchanged()):
            _libc("madvise", ctypes.c_void_p(address), ctypes.c_size_t(size), _MADV_DONTNEED)


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


def _unchanged() -> Iterator[tuple[int, int]]:
    """Address and size of each piece of a file that is mapped for reading alone, if it is as it is in the
    file: where a library's addresses were put into it, a page that is dropped would be lost."""
    place = None
    with Path("/proc/self/smaps").open() as lines:
        for line in lines:
            if mapping := _MAPPING.match(line):
                begin, end = int(mapping["begin"], 16), int(mapping["end"], 16)
                of_file = mapping["file"] and mapping["may"] in ("r--p", "r-xp")
                place = (begin, end - begin) if of_file else None
            elif place and line.startswith("Anonymous:") and line.split()[1] == "0":
                yield place


@cache
def _library() -> ctypes.CDLL:
    """Each one that is made leaves a class behind."""
    return ctypes.CDLL(None)


def _libc(function: str, *arguments: object) -> None:
    """Call it where there is such a function: glibc alone keeps freed memory for itself."""
    if sys.platform == "linux":
        found = getattr(_library(), function, None)
        if found is not None:
            found(*arguments)
