"""The two numbers by which a host tells sessions apart and sees what is missing."""

import logging
from pathlib import Path

from edge_agent.whole import write_whole

log = logging.getLogger(__name__)

_LIMIT = 256


class BirthNumber:
    """bdSeq: one more with each CONNECT, over restarts too, from 0 up to 255 and again.

    It stands in the Will and in the birth that belong together.
    """

    def __init__(self, path: Path) -> None:
        """`path`: the file that keeps the number of the last CONNECT. Raises OSError."""
        self._path = path
        try:
            self.next = (int(path.read_text(encoding="ascii")) + 1) % _LIMIT
        except FileNotFoundError:
            self.next = 0
        except ValueError:
            log.warning("%s does not have a number; counting from 0", path)
            self.next = 0
        self.current = self.next

    def take(self) -> None:
        """CONNECT is about to go out with `next`. What cannot be kept costs the number after a restart."""
        self.current = self.next
        self.next = (self.next + 1) % _LIMIT
        try:
            write_whole(self._path, f"{self.current}\n".encode())
        except OSError as error:
            log.warning("cannot keep the number of this session in %s: %s", self._path, error)


class SequenceNumber:
    """seq: 0 in each NBIRTH, then one more with each message, 0 again after 255."""

    def __init__(self) -> None:
        self._next = 0

    def restart(self) -> None:
        self._next = 0

    def take(self) -> int:
        number, self._next = self._next, (self._next + 1) % _LIMIT
        return number
