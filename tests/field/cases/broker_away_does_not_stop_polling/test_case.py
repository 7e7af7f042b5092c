"""An outage upstream freezes acquisition, or values of the outage are lost: thingsboard-gateway #2132."""

import signal
import time
from pathlib import Path

from tests.field.cases.runner import batches, gaps_ms, running

OUTAGE_S = 5.0


def test_values_of_an_outage_are_all_there_with_their_own_times(tmp_path: Path) -> None:
    with running(Path(__file__).parent, tmp_path) as case:
        case.platform.wait_for(lambda r: len(batches(r, "CNC-01")) >= 10)
        case.broker.stop(signal.SIGKILL)
        time.sleep(OUTAGE_S)
        before = len(batches(case.platform.received(), "CNC-01"))
        case.broker.start()
        enough = before + int(OUTAGE_S / 0.2) + 20
        received = case.platform.wait_for(lambda r: len(batches(r, "CNC-01")) >= enough, 40)
    gaps = gaps_ms(batches(received, "CNC-01"))
    assert all(100 <= gap <= 300 for gap in gaps), "each 200 ms, through the outage"
    ticks = [batch.values[0] for batch in batches(received, "CNC-01")]
    assert ticks == sorted(ticks, key=lambda tick: int(str(tick)))
    assert len(set(ticks)) > 0.9 * len(ticks), "the values are those of their time, not the newest repeated"
