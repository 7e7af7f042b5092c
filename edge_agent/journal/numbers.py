"""How far numbers may have been given, beside the journal's file: none is given twice if that goes."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec


class Reserved(msgspec.Struct):
    """Of one uplink: no number above `last` was given; everything up to `acknowledged` had arrived then."""

    last: int
    acknowledged: int


@dataclass(slots=True)
class Numbers:
    """`runs` is the newest id of a run when this was written."""

    runs: int
    uplinks: dict[str, Reserved]


class NumbersFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Numbers:
        """What was written last; nothing if there is no file that can be read. Raises OSError."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Numbers)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return Numbers(0, {})

    def write(self, numbers: Numbers) -> None:
        """On the medium when this returns. Raises OSError."""
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(numbers))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        sync_folder(self._path.parent)


def sync_folder(folder: Path) -> None:
    """Make names last: what was made, renamed or removed in it."""
    with suppress(OSError):  # not every system lets a folder be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
