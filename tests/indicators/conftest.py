"""An empty history."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.states.history import History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = History(tmp_path / "history.db")
    yield found
    found.close()
