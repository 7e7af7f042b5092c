"""How far numbers may have been given, beside the journal's file: none is given twice if that goes."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_agent.whole import write_whole


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
        write_whole(self._path, msgspec.json.encode(numbers))
