"""The demo, in which a machine that is there may take its time to answer. The limit of 200 ms, at which the
machine that is switched off is waited for no longer, is short for a computer that does much else."""

from pathlib import Path
from unittest import mock

from edge_agent.cli import demo
from edge_agent.cli.main import main
from edge_agent.simulator.stage import Ports, copy_configuration


def copied(source: Path, target: Path, ports: Ports) -> Path:
    folder = copy_configuration(source, target, ports)
    file = folder / "agent.yaml"
    text = file.read_text("utf-8")
    assert text.count("timeout: 200ms") == 1
    file.write_text(text.replace("timeout: 200ms", "timeout: 3s"), "utf-8")
    return folder


with mock.patch.object(demo, "copy_configuration", copied):
    main()
