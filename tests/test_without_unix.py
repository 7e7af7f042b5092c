"""What Windows does not have is needed by nothing that the agent loads, and not by the agent at work.

The agent runs here on this system, with that taken away: it shows what is missing, not how Windows behaves.
"""

import os
import subprocess
import sys
from pathlib import Path

from edge_agent.cli.health import HEALTH_FILE
from edge_agent.config.shipped import shipped
from edge_agent.simulator.stage import copy_configuration
from tests.ports import demo_ports

TAKEN_AWAY = """
import asyncio, importlib, os, pkgutil, signal, socket, sys, threading, time
import drivers, edge_agent
import multiprocessing, subprocess, tempfile  # Python's own have their ways of doing without

GONE = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "uvloop")

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in GONE:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
for name in ("chown", "fork", "getuid", "geteuid", "nice", "pread", "pwrite", "O_NOCTTY", "O_NONBLOCK"):
    delattr(os, name)
del signal.SIGHUP
signal.SIGBREAK = signal.SIGUSR1  # what Windows has instead
socket.SO_EXCLUSIVEADDRUSE = socket.SO_REUSEADDR
socket.errorTab = {}

def no_handler(*_):
    raise NotImplementedError

asyncio.SelectorEventLoop.add_signal_handler = no_handler
asyncio.WindowsSelectorEventLoopPolicy = asyncio.DefaultEventLoopPolicy
"""

LOAD = """
for house in (edge_agent, drivers):
    for one in pkgutil.walk_packages(house.__path__, f"{house.__name__}."):
        if one.name not in ("edge_agent.__main__", "drivers.modbus.serial_port"):
            importlib.import_module(one.name)
"""

RUN = """
from edge_agent.cli.main import main

def stop_when_well():
    while not os.path.exists(sys.argv[3]):
        time.sleep(0.05)
    signal.raise_signal(signal.SIGINT)

threading.Thread(target=stop_when_well, daemon=True).start()
sys.platform = "win32"
main(sys.argv[1:3])
"""

HELP = """
from edge_agent.cli.main import main

sys.platform = "win32"
main(["--help"])
"""


def test_every_module_loads_and_the_agent_runs(tmp_path: Path) -> None:
    folder = copy_configuration(shipped("demo"), tmp_path / "demo", demo_ports())
    health = folder / "data" / HEALTH_FILE
    done = subprocess.run(
        [sys.executable, "-c", TAKEN_AWAY + LOAD + RUN, "run", folder, health],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "data" / "history.db").exists()


def test_what_goes_into_a_pipe_is_utf8() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TAKEN_AWAY + HELP],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "联网率" in done.stdout.decode()
