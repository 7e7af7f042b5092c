"""nats-server as a broker of MQTT 3.1.1: another make than mosquitto, with other habits.

Not needed for the tests; `python -m tests.field.outages --mqtt 3.1.1` wants it (Debian: nats-server).
"""

import shutil
from pathlib import Path

from tests.field.mosquitto import Mosquitto
from tests.ports import free_port


class Nats(Mosquitto):
    """Started and ended like mosquitto."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("nats-server")
        assert program, "nats-server is not installed"
        self.port = free_port()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "nats.conf"
        configuration.write_text(
            f'server_name: outages\nlisten: "127.0.0.1:{free_port()}"\n'
            f'jetstream {{ store_dir: "{folder}/store" }}\nmqtt {{ listen: "127.0.0.1:{self.port}" }}\n'
        )
        self._command = [program, "-c", str(configuration)]
        self._process = None

    def forget(self) -> None:
        shutil.rmtree(self._folder / "store", ignore_errors=True)
