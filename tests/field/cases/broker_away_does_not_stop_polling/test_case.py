"""An outage upstream freezes acquisition, or values of the outage are lost: thingsboard-gateway #2132."""

import signal
import statistics
import time
from pathlib import Path

from edge_agent.simulator.story import DEFAULT_TICK_MS
from tests.field.cases.runner import batches, gaps_ms, running

OUTAGE_S = 7.0
STALLED_S = 3.0
"""Longer than a busy computer keeps anybody waiting; an outage that is felt is longer still."""


def test_values_of_an_outage_are_all_there_with_their_own_times(tmp_path: Path) -> None:
    with running(Path(__file__).parent, tmp_path) as case:
        case.platform.wait_for(lambda r: len(batches(r, "CNC-01")) >= 10, 60)
        case.broker.stop(signal.SIGKILL)
        time.sleep(OUTAGE_S)
        before = len(batches(case.platform.received(), "CNC-01"))
        case.broker.start()
        enough = before + int(OUTAGE_S / 0.2) + 20
        received = case.platform.wait_for(lambda r: len(batches(r, "CNC-01")) >= enough, 60)
    gaps = gaps_ms(batches(received, "CNC-01"))
    assert statistics.median(gaps) < 300, "each 200 ms"
    assert max(gaps) < 1000 * STALLED_S, "through the outage"
    ticks = [int(str(batch.values[0])) for batch in batches(received, "CNC-01")]
    assert ticks == sorted(ticks)
    late = [
        batch.received - DEFAULT_TICK_MS * tick
        for batch, tick in zip(batches(received, "CNC-01"), ticks, strict=True)
    ]
    assert max(late) - min(late) < 1000 * STALLED_S, "the values are those of their time, not the newest"
