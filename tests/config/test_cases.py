"""Wrong configurations: each folder under cases/ has one, and every problem that must be reported."""

import os
from pathlib import Path

import pytest

from edge_agent.config import ConfigError, load_site

CASES = sorted(folder.name for folder in (Path(__file__).parent / "cases").iterdir())


@pytest.mark.parametrize("name", CASES)
def test_wrong_configuration(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(__file__).parent / "cases" / name
    monkeypatch.chdir(folder)
    monkeypatch.delenv("NO_SUCH_HOST", raising=False)
    config = Path("config" if Path("config").is_dir() else "config.yaml")
    with pytest.raises(ConfigError) as caught:
        load_site(config)
    said = str(caught.value).replace(os.sep, "/")
    assert said.splitlines() == Path("expected.txt").read_text(encoding="utf-8").splitlines()
