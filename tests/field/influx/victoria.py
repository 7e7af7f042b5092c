"""A real VictoriaMetrics as its own process: another database that takes line protocol."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.ports import free_port

START_LIMIT_S = 30.0


class Victoria:
    """Listens on the loopback alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def series(self, name: str) -> list[tuple[dict[str, str], dict[int, float]]]:
        """All that there is under `name`: labels, and values by time in ms."""
        with urlopen(f"{self.url}/internal/force_flush", timeout=20):  # noqa: S310 - loopback
            pass
        query = urlencode({"match[]": name})
        with urlopen(f"{self.url}/api/v1/export?{query}", timeout=20) as answer:  # noqa: S310 - loopback
            found: list[dict[str, Any]] = [json.loads(line) for line in answer]
        return [(one["metric"], dict(zip(one["timestamps"], one["values"], strict=True))) for one in found]

    def __enter__(self) -> "Victoria":
        program = shutil.which("victoria-metrics")
        assert program, "victoria-metrics is not installed; `make test` installs it"
        command = [
            program,
            f"-storageDataPath={self._folder}/data",
            f"-httpListenAddr={self.url.removeprefix('http://')}",
            "-retentionPeriod=1",
            "-memory.allowedBytes=64MB",
        ]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._until_it_answers(self._process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                with urlopen(f"{self.url}/health", timeout=1):  # noqa: S310 - loopback
                    return
            except (URLError, OSError):
                assert process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
