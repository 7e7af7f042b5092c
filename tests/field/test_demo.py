"""The demo as a stranger runs it: the right figures, nothing lost, nothing left behind."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.field.test_end_to_end import EXPECTED


def test_the_demo_ends_by_itself_with_the_right_figures_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.field.patient_demo", "demo", "--seconds", "17", "--json"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        output, errors = demo.communicate(timeout=120)
    assert demo.returncode == 0, errors
    report = json.loads(output)
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
    deadline = time.monotonic() + 20  # what ends with its parent is some moments later
    while left := processes_of(demo.pid):
        assert time.monotonic() < deadline, f"a process was left: {left}"
        time.sleep(0.05)


def processes_of(session: int) -> list[bytes]:
    """The command lines of those that run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(process.name)) == session:
                found.append((process / "cmdline").read_bytes())
    return found
