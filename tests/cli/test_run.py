"""What `edge-agent run` says when it cannot start."""

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_agent.cli import run as module
from edge_agent.cli.run import EXIT_FAILED, EXIT_UNUSABLE, load_or_exit, make_or_exit
from edge_agent.config.shipped import shipped
from edge_agent.journal.lock import DataDirLock
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
    assert ended.value.code == EXIT_UNUSABLE
    said = capsys.readouterr().err
    assert said.startswith("edge-agent cannot start: ")
    assert f"{newer} format 99, this agent knows formats up to" in said
    assert said.count(str(data)) == 1
    assert {name: (data / name).read_bytes() for name in before} == before


def test_another_agent_on_the_data_folder_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = load_or_exit(copy_configuration(shipped("demo"), tmp_path / "demo", Ports()))
    other = DataDirLock(site.data_dir)
    with pytest.raises(SystemExit) as ended:
        make_or_exit(site)
    other.release()
    assert ended.value.code == EXIT_FAILED
    assert "another agent is using this data folder" in capsys.readouterr().err


def test_a_damaged_signing_key_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = load_or_exit(copy_configuration(shipped("demo"), tmp_path / "demo", Ports()))
    site.data_dir.mkdir(exist_ok=True)
    (site.data_dir / "signing-key.pem").write_text("x", encoding="ascii")
    with pytest.raises(SystemExit) as ended:
        make_or_exit(site)
    assert ended.value.code == EXIT_UNUSABLE
    assert "edge-agent cannot start: " in capsys.readouterr().err


def sqlite_error(primary: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = primary | 19 << 8  # with particulars
    return error


def real_error_of_a_full_file() -> sqlite3.Error:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("PRAGMA max_page_count = 1")
        try:
            db.execute("CREATE TABLE t (x)")
        except sqlite3.Error as error:
            return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "free", "full"),
    [
        (real_error_of_a_full_file(), 4096, True),
        (OSError(errno.ENOSPC, "No space left on device"), 0, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 10**9, True),
        (sqlite_error(sqlite3.SQLITE_IOERR), 8192, True),
        (sqlite_error(sqlite3.SQLITE_IOERR), 10**9, False),
        (sqlite_error(sqlite3.SQLITE_READONLY), 0, False),
    ],
)
def test_a_full_disk_is_told_with_the_folder_and_what_is_free(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    free: int,
    full: bool,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, "Agent", fails)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(SystemExit):
        make_or_exit(load_or_exit(copy_configuration(shipped("demo"), tmp_path / "demo", Ports())))
    said = capsys.readouterr().err
    assert f"edge-agent cannot start: {tmp_path / 'demo' / 'data'}: " in said
    assert ("the disk is full" in said, f"{free:,} bytes free" in said, "请清理" in said) == (full,) * 3
