"""A silent unit poisons the rest of its line: thingsboard-gateway #2093, telegraf #11782."""

import statistics
from pathlib import Path

from edge_agent.contract.messages import Event
from tests.field.cases.runner import batches, gaps_ms, running, state_of
from tests.field.platform import Received

NEIGHBOURS = ("CNC-01", "CNC-02")


def told(received: list[Received], subject: str) -> list[str]:
    """Kinds of the events about it, repeats of a message left out."""
    events = [r.message for r in received if isinstance(r.message, Event)]
    return list({event.seq: event.kind for event in events if event.subject == subject}.values())


def test_the_neighbours_keep_their_period_and_the_dead_one_is_told_once(tmp_path: Path) -> None:
    with running(Path(__file__).parent, tmp_path) as case:
        received = case.platform.wait_for(
            lambda r: (
                all(len(batches(r, one)) >= 16 for one in NEIGHBOURS)
                and state_of(r, "CNC-03") == ("unknown", "timeout")
                and told(r, "CNC-03") != []
            ),
            60,
        )
    for neighbour in NEIGHBOURS:
        # An attempt now and then costs its time-out of 2 s. One in each period would make that of every gap.
        gaps = gaps_ms(batches(received, neighbour))
        assert statistics.median(gaps) < 1000, gaps
    assert not batches(received, "CNC-03")
    assert told(received, "CNC-03") == ["equipment_lost"]
