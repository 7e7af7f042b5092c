"""mosquitto as its own process, with a configuration and a port of its own."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.ports import free_port

START_LIMIT_S = 30.0


class Mosquitto:
    """A broker that can be killed and started again on the same port, keeping what it had promised."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        """`extra` are further configuration lines; anonymous clients are allowed unless it forbids them."""
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin") or shutil.which("mosquitto")
        assert program, "mosquitto is not installed; `make test` installs it"
        self.port = free_port()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", extra]
        if "allow_anonymous" not in extra:
            lines.append("allow_anonymous true")
        lines += [
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 1",
            "max_queued_messages 100000",
            "user root",  # only matters as root: keeps it from changing to a user who cannot read the folder
        ]
        configuration.write_text("\n".join(lines) + "\n")
        self._command = [program, "-c", str(configuration)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Mosquitto":
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        try:
            self._until_it_listens(self._process)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        return self

    def _until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def read_again(self) -> None:
        """Have it read its list of who may do what (`acl_file`) again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def forget(self) -> None:
        """Take from it all that it keeps, while it is stopped: sessions, queues, retained messages."""
        (self._folder / "mosquitto.db").unlink(missing_ok=True)

    def log(self) -> str:
        return (self._folder / "mosquitto.log").read_text(errors="replace")

    def __enter__(self) -> "Mosquitto":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL)
