"""The agent as a process, as a technician starts it."""

import os
import signal
import subprocess
import sys
from pathlib import Path


class AgentProcess:
    """`edge-agent run` on a configuration; its standard error is kept in `<folder>/agent.log`."""

    def __init__(
        self,
        configuration: Path,
        folder: Path,
        *options: str,
        module: str = "edge_agent",
        **environment: object,
    ) -> None:
        """`options` are those of the command; `module` is run, which is the agent unless a test wants it
        otherwise."""
        self._command = [sys.executable, "-m", module, "run", str(configuration), *options]
        self._environment = {**os.environ, **{name: str(value) for name, value in environment.items()}}
        self._log = folder / "agent.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(40)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def __enter__(self) -> "AgentProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
