"""What `edge-agent run` says when it cannot start."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.cli.run import EXIT_FAILED, load_or_exit, make_or_exit
from edge_agent.config.shipped import shipped
from edge_agent.simulator.stage import Ports, copy_configuration


def test_a_history_of_a_newer_version_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy_configuration(shipped("demo"), tmp_path / "demo", Ports())
    (folder / "data").mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "data" / "history.db")) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(SystemExit) as ended:
        make_or_exit(load_or_exit(folder))
    assert ended.value.code == EXIT_FAILED
    said = capsys.readouterr().err
    assert said.startswith("edge-agent cannot start: ")
    assert "history format 99, this agent knows formats up to" in said
    assert not (folder / "data" / "journal.db").exists(), "refused before anything is written"
