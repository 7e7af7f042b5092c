"""One agent per data folder."""

import os
import sqlite3
from pathlib import Path


class DataDirBusyError(Exception):
    """Another agent holds the folder."""


class DataDirLock:
    """Holds a data folder for this process; the operating system lets go of it however the process ends.

    An exclusive SQLite transaction is the lock: it works alike on every system that Python runs on.
    """

    def __init__(self, data_dir: Path) -> None:
        """Take the lock.

        Raises DataDirBusyError if somebody has it, OSError or sqlite3.Error if the folder cannot be used.
        """
        data_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(data_dir, os.W_OK | os.X_OK):
            raise PermissionError(f"{data_dir}: no permission to write; the agent keeps its journal there")
        self._connection = sqlite3.connect(data_dir / "agent.lock", isolation_level=None, timeout=0)
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._connection.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:  # a full disk, for one
                raise
            raise DataDirBusyError(
                f"{data_dir}: another agent is using this data folder. "
                "Stop it first, or give this one a data_dir of its own."
            ) from error

    def release(self) -> None:
        self._connection.close()
