"""The demo as a stranger runs it: the right figures, nothing lost, nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.field.test_end_to_end import EXPECTED


def test_the_demo_ends_by_itself_with_the_right_figures_and_leaves_nothing(tmp_path: Path) -> None:
    before = set(Path("/proc").iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "demo", "--seconds", "12", "--json"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    figures = {
        (row["definition"], row["scope"]["id"]): (row["numerator"], row["denominator"])
        for row in report["indicators"]
    }
    assert figures == EXPECTED
    assert len(report["machines"]) == 20
    causes = {m["id"]: m["cause"] for m in report["machines"] if m["state"] == "unknown"}
    assert causes["CNC-03"] == "timeout"
    assert causes["DRL-01"] == "not_connected"
    counts = report["readings"]
    assert counts["taken"] > 500
    assert set(counts.values()) == {counts["taken"]}, counts

    assert not list(tmp_path.iterdir()), "a folder was left"
    left = []
    for process in set(Path("/proc").iterdir()) - before:
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"edge_agent" in command and b"simulat" in command:
            left.append(command)
    assert not left, "a process was left"
