"""A journal that is encrypted, gets another key and is decrypted again, as its operator does it."""

import os
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from edge_agent.cli.run import EXIT_FAILED, EXIT_UNUSABLE, load_or_exit, make_or_exit
from edge_agent.config.site import shadow_of
from edge_agent.journal.lock import DataDirLock
from edge_agent.journal.store import Store
from tests.cli.plant import copied_demo


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The demo with a journal that is not encrypted."""
    folder = copied_demo(tmp_path)
    (folder / "data").mkdir()
    Store(folder / "data" / "journal.db", {"region": frozenset()}).close()
    return folder


def configure(demo: Path, key_file: str | None) -> None:
    path = demo / "agent.yaml"
    text = re.sub(r"\njournal: .*\n", "\n", path.read_text("utf-8"))
    path.write_text(text + (f"\njournal: {{key_file: {key_file}}}\n" if key_file else ""), "utf-8")


def refusal(demo: Path, capsys: pytest.CaptureFixture[str], status: int = EXIT_UNUSABLE) -> str:
    """Why the agent does not start."""
    with pytest.raises(SystemExit) as ended:
        make_or_exit(load_or_exit(demo))
    assert ended.value.code == status
    return capsys.readouterr().err


def test_a_key_from_the_first_to_none(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = run("journal", "key", demo / "a.key")
    assert made.exit_code == 0
    assert "key_file: " in made.output
    assert os.name == "nt" or stat.S_IMODE((demo / "a.key").stat().st_mode) == 0o600
    again = run("journal", "key", demo / "a.key")
    assert again.exit_code == 1
    assert "was left as it is" in again.output
    run("journal", "key", demo / "b.key")

    configure(demo, "a.key")
    assert "is not encrypted, and journal.key_file names a key" in refusal(demo, capsys)
    for key_file, arguments, said in (
        ("a.key", (), "已加密 encrypted"),
        ("b.key", ("--old-key", demo / "a.key"), "已加密 encrypted"),
        (None, ("--old-key", demo / "b.key"), "未加密 not encrypted"),
    ):
        configure(demo, key_file)
        done = run("journal", "convert", demo, *arguments)
        assert done.exit_code == 0, done.output
        assert said in done.output
        assert ("old file" in done.output) is (not arguments), "what was never encrypted may be left"
        assert "is as the configuration says already" in run("journal", "convert", demo).output

    configure(demo, "gone.key")
    assert shadow_of(load_or_exit(demo)).journal.key_file is None, "it has nothing to encrypt"
    assert "the journal's key is not there: " in refusal(demo, capsys, EXIT_FAILED), "its medium may come"


def test_what_cannot_be_converted_is_said(demo: Path) -> None:
    configure(demo, "a.key")
    run("journal", "key", demo / "a.key")
    lock = DataDirLock(demo / "data")
    busy = run("journal", "convert", demo)
    lock.release()
    assert busy.exit_code == 1
    assert "another agent is using this data folder" in busy.output
    run("journal", "convert", demo)
    run("journal", "key", demo / "b.key")
    configure(demo, "b.key")
    without = run("journal", "convert", demo)
    assert without.exit_code == 1
    assert "is encrypted, and no key is given" in without.output
    (demo / "data" / "journal.db").unlink()
    none = run("journal", "convert", demo, "--old-key", demo / "a.key")
    assert none.exit_code == 1
    assert "there is no journal yet" in none.output


def test_check_warns_of_a_key_that_protects_nothing_or_is_not_there(demo: Path) -> None:
    configure(demo, "a.key")
    assert "warning: the agent will not start: " in run("check", demo).output
    run("journal", "key", demo / "a.key")
    assert "is on the same file system as the journal" in run("check", demo).output
