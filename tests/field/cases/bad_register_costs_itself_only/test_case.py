"""One illegal address makes a whole request, or the whole device, unreadable: device-modbus-go #666."""

import statistics
from pathlib import Path

from tests.field.cases.runner import batches, gaps_ms, running, state_of


def test_the_bad_tag_is_bad_with_the_controllers_reason_and_the_others_are_read(tmp_path: Path) -> None:
    with running(Path(__file__).parent, tmp_path) as case:
        # A rule that does not need the bad tag decides.
        received = case.platform.wait_for(
            lambda r: len(batches(r, "CNC-01")) >= 20 and state_of(r, "CNC-01") == ("running", ""), 60
        )
    for batch in batches(received, "CNC-01"):
        assert list(batch.tags) == ["tick", "beyond", "status"]
        assert [(flaw.index, flaw.quality, flaw.reason) for flaw in batch.flaws] == [
            (1, "bad", "illegal_data_address")
        ]
        assert batch.values[1] is None
        assert batch.values[0] is not None
        assert batch.values[2] is not None
    # A busy computer misses a turn now and then, and most are on time.
    assert statistics.median(gaps_ms(batches(received, "CNC-01"))) < 300
