"""Small files that are there as they were before or as they are to be, whenever the power goes."""

import os
import stat
from contextlib import suppress
from pathlib import Path

_BINARY = getattr(os, "O_BINARY", 0)
"""Windows would take each 10 for the end of a line."""
_OWNER = stat.S_IRUSR | stat.S_IWUSR
_ALL = _OWNER | stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
"""But for what the umask takes from them."""


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """On the medium when this returns; if `private`, for its owner alone. Two processes do not mix.

    Raises OSError, and then it is as before.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)  # a kill may have left one
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
        with os.fdopen(os.open(draft, flags, _OWNER if private else _ALL), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names last: what was made, renamed or removed in it."""
    with suppress(OSError):  # not every system lets a folder be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
