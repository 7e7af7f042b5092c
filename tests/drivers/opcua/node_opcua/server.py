"""The tests' side of a server made of node-opcua, in a process of its own; and getting the package."""

import json
import os
import queue
import subprocess
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from tests.npm import NODE, npm_package
from tests.ports import free_port

VERSION = "2.156.0"
"""Later ones hide what server.js asks them about sessions and monitored items."""
ANSWER_LIMIT = 60.0


def installed() -> Path:
    """The folder in which node-opcua is. Raises RuntimeError."""
    return npm_package("node-opcua", VERSION)


@dataclass(frozen=True)
class NodeSettings:
    """Named as in server.js."""

    folder: str
    port: int = 0
    values: dict[str, float] | None = None
    user: str = ""
    password: str = ""
    itemsPerCall: int = 0
    itemsPerSubscription: int = 0
    sessions: int = 0


class NodeServer:
    """`start` and `kill` as often as needed; the port stays the same."""

    def __init__(self, modules: Path, settings: NodeSettings) -> None:
        self.settings = replace(settings, port=settings.port or free_port())
        self.namespace = ""
        self._modules = modules
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[Any] = queue.Queue()

    @property
    def port(self) -> int:
        return self.settings.port

    def start(self) -> None:
        program = Path(__file__).with_name("server.js")
        self._process = subprocess.Popen(
            [str(NODE), str(program), json.dumps(asdict(self.settings))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"NODE_PATH": str(self._modules / "node_modules"), "NO_COLOR": "1"},
        )
        self._answers = queue.Queue()
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, self._answers))
        self._reader.start()
        ready = self._answer()
        assert ready["port"] == self.port
        self.namespace = ready["namespace"]

    def kill(self) -> None:
        """At once, as a power cut would; safe twice."""
        if self._process is not None:
            self._process.kill()
            self._reader.join()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process.wait()
            self._process = None

    def ask(self, command: str, *arguments: object) -> Any:
        """Have one of the `commands` in server.js run."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        try:
            return self._answers.get(timeout=ANSWER_LIMIT)
        except queue.Empty:
            raise AssertionError("the server does not answer the test") from None


def _read(lines: IO[str], answers: "queue.Queue[Any]") -> None:
    """Until the server ends; the package writes warnings among the answers."""
    for line in lines:
        with suppress(json.JSONDecodeError):
            answers.put(json.loads(line))
