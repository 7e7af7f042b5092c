"""What `edge-agent run` says when it cannot start."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.cli.run import EXIT_FAILED, load_or_exit, make_or_exit
from edge_agent.config.shipped import shipped
from edge_agent.simulator.stage import Ports, copy_configuration


@pytest.mark.parametrize("newer", ["history", "journal"])
def test_data_of_a_newer_version_is_refused_untouched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], newer: str
) -> None:
    """Also what is beside the newer file, and would have been taken over to this version's format."""
    folder = copy_configuration(shipped("demo"), tmp_path / "demo", Ports())
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for name in ("history", "journal"):
        with closing(sqlite3.connect(data / f"{name}.db")) as db:
            db.execute(f"PRAGMA user_version = {99 if name == newer else 0}")
    before = {file.name: file.read_bytes() for file in data.iterdir()}
    with pytest.raises(SystemExit) as ended:
        make_or_exit(load_or_exit(folder))
    assert ended.value.code == EXIT_FAILED
    said = capsys.readouterr().err
    assert said.startswith("edge-agent cannot start: ")
    assert f"{newer} format 99, this agent knows formats up to" in said
    assert {name: (data / name).read_bytes() for name in before} == before
