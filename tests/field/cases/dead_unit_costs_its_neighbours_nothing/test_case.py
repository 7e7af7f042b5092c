"""A silent unit poisons the rest of its line: thingsboard-gateway #2093, telegraf #11782."""

import statistics
from pathlib import Path

from edge_agent.contract.messages import Event, State
from tests.field.cases.runner import batches, gaps_ms, running


def test_the_neighbours_keep_their_period_and_the_dead_one_is_told_once(tmp_path: Path) -> None:
    with running(Path(__file__).parent, tmp_path) as case:
        received = case.platform.wait_for(lambda r: len(batches(r, "CNC-02")) >= 26, 30)
    for neighbour in ("CNC-01", "CNC-02"):
        gaps = gaps_ms(batches(received, neighbour))
        assert abs(statistics.mean(gaps) - 500) < 50, gaps
        # An attempt now and then costs at most its time-out, and no value is lost for it.
        assert max(gaps) < 500 + 300 + 100, gaps
        assert sum(gap > 550 for gap in gaps) <= len(gaps) / 4, gaps
    assert not batches(received, "CNC-03")
    states = [r.message for r in received if isinstance(r.message, State) and r.message.equipment == "CNC-03"]
    assert (states[-1].state, states[-1].cause) == ("unknown", "timeout")
    told = [r.message for r in received if isinstance(r.message, Event) and r.message.subject == "CNC-03"]
    assert [event.kind for event in told] == ["equipment_lost"]
