"""Whatever happens to broker, line and agent, every number arrives once, with what the machines showed.

With an encrypted journal, which has all that an open one has, and a key.
"""

import os
from pathlib import Path

from tests.field.outages import Kind, plan, run

ROUNDS, SEED = int(os.environ.get("OUTAGE_ROUNDS", "8")), int(os.environ.get("OUTAGE_SEED", "1"))
"""About four seconds a round; `python -m tests.field.outages` says how it goes."""


def test_no_outage_loses_or_doubles_anything(tmp_path: Path) -> None:
    result = run(tmp_path, plan(ROUNDS, SEED), print, encrypted=True)
    assert result.compared > 1000
    assert result.kills > 0
    assert result.days > 3


def test_a_seed_says_what_happens() -> None:
    assert plan(30, 5) == plan(30, 5) != plan(30, 6)
    assert {one.kind for one in plan(len(Kind), 5)} == set(Kind)
