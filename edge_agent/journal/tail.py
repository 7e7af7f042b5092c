"""What was recorded since the file was written last: appended to plainly, so that a kill loses none of it.

The journal's file takes whole pages for each transaction, and an SD card takes only so many. So raw readings
gather here for a second, and go into the file together; this file is emptied then. It is never synced: what
lies in it for a second hardly ever reaches the medium, and a power cut may take it.
"""

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

from edge_agent.journal.cipher import Cipher, JournalKeyError
from edge_agent.journal.runs import DamagedRunError, Run, framed, unframed

_HEADER = struct.Struct("<II")
"""Of each frame: CRC-32 and length of what follows."""


_BINARY = getattr(os, "O_BINARY", 0)
"""Windows would take each 10 for the end of a line; and it has no way to read or write at a place."""


class Tail:
    """All methods but `close` may raise OSError."""

    def __init__(self, path: Path, cipher: Cipher) -> None:
        self._path = path
        self._cipher = cipher
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o644)
        self.size = 0
        """Bytes of whole frames."""

    def read(self) -> list[Run]:
        """What is there from before, up to the first frame that is not whole. Raises JournalKeyError."""
        os.lseek(self._file, 0, os.SEEK_SET)
        content = os.read(self._file, os.fstat(self._file).st_size)
        runs: list[Run] = []
        while len(content) - self.size >= _HEADER.size:
            crc, length = _HEADER.unpack_from(content, self.size)
            start = self.size + _HEADER.size
            frame = content[start : start + length]
            if len(frame) != length or zlib.crc32(frame) != crc:
                break
            try:
                runs += unframed(self._cipher.open(frame))
            except DamagedRunError as error:  # it is as it was written: not by who has this key
                raise JournalKeyError(
                    f"密钥不符 {self._path} was written with another key, or without one. Put back what"
                    " journal.key_file was. If that key is lost, delete the file: it holds readings of the"
                    " last second or so before the agent was killed."
                ) from error
            self.size = start + length
        return runs

    def add(self, runs: list[Run]) -> None:
        frame = self._cipher.seal(framed(runs))
        content = _HEADER.pack(zlib.crc32(frame), len(frame)) + frame
        # A frame that was not written as a whole is written over by the next one.
        os.lseek(self._file, self.size, os.SEEK_SET)
        written = os.write(self._file, content)
        if written != len(content):
            raise OSError(f"only {written} of {len(content)} bytes were written; the disk is full")
        self.size += written

    def clear(self) -> None:
        os.ftruncate(self._file, 0)
        self.size = 0

    def close(self) -> None:
        with suppress(OSError):
            if self.size:
                os.fsync(self._file)
        os.close(self._file)
