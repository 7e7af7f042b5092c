"""A small file is as it was before or as it is to be."""

import os
import stat
from pathlib import Path

import pytest

from edge_agent.whole import write_whole


def test_it_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    for content in (b"1\n", b"2\r\n"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_what_is_private_is_so_even_where_a_kill_left_half_of_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    half = tmp_path / f"key.{os.getpid()}.new"
    half.write_bytes(b"half")
    half.chmod(0o644)
    write_whole(path, b"secret", private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = os.umask(0o022)
    try:
        write_whole(path, b"public")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "numbers"
    write_whole(path, b"before")

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os if step == "fsync" else Path, step, full)
    with pytest.raises(OSError, match="full"):
        write_whole(path, b"after")
    monkeypatch.undo()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
