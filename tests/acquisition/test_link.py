import pytest

from edge_agent.acquisition.link import HOUR_MS, EvidenceHour, LinkTracker
from edge_agent.model.batch import Batch
from edge_agent.model.link import LinkLevel
from edge_agent.model.quality import bad

T0 = 500_000 * HOUR_MS + 1234
KEEP_MS = 31 * 24 * HOUR_MS


@pytest.fixture
def links() -> LinkTracker:
    return LinkTracker({"A": 3000}, [], KEEP_MS)


def good(time_ms: int, count: int = 2) -> Batch:
    return Batch("A", time_ms, ["t"] * count, [1] * count)


def test_the_ladder(links: LinkTracker) -> None:
    assert links.level("A", T0) is LinkLevel.REGISTERED
    links.opened(["A"])
    assert links.level("A", T0) is LinkLevel.REACHABLE
    links.batch(good(T0))
    assert links.level("A", T0 + 3000) is LinkLevel.LIVE
    assert links.level("A", T0 + 3001) is LinkLevel.DATA_VALID
    links.lost(["A"])
    assert links.level("A", T0 + 10) is LinkLevel.REGISTERED
    links.opened(["A"])
    assert links.level("A", T0 + 20) is LinkLevel.REACHABLE, "a new connection has to prove itself anew"


def test_nobody_claims_a_level_for_equipment_without_a_connection(links: LinkTracker) -> None:
    assert links.level("B", T0) is LinkLevel.REGISTERED
    assert links.good_readings("B", 0) == 0
    assert links.last_good_ms("B") is None


def test_bad_readings_and_signs_of_life_alone_prove_nothing(links: LinkTracker) -> None:
    links.opened(["A"])
    links.batch(Batch("A", T0, ["t"], [None], {0: bad("x")}))
    links.batch(Batch("A", T0, [], []))
    assert links.level("A", T0) is LinkLevel.REACHABLE
    assert links.good_readings("A", 0) == 0


def test_a_sign_of_life_keeps_alive_what_was_proved(links: LinkTracker) -> None:
    links.opened(["A"])
    links.batch(good(T0))
    links.batch(Batch("A", T0 + 5000, [], []))
    assert links.level("A", T0 + 6000) is LinkLevel.LIVE
    assert links.good_readings("A", 0) == 2


def test_equipment_that_does_not_answer_behind_an_open_endpoint(links: LinkTracker) -> None:
    links.opened(["A"])
    links.batch(good(T0))
    links.failed("A")
    assert links.level("A", T0 + 1) is LinkLevel.REACHABLE
    assert links.good_readings("A", 0) == 2, "what was proved stays on record"


def test_evidence_is_kept_by_the_hour_and_survives_a_restart(links: LinkTracker) -> None:
    links.opened(["A"])
    links.batch(good(T0))
    links.batch(good(T0 + HOUR_MS, 5))
    changed = links.take_changed()
    assert sorted((h.hour_ms, h.good_readings) for h in changed) == [
        (500_000 * HOUR_MS, 2),
        (500_001 * HOUR_MS, 5),
    ]
    assert links.take_changed() == []

    again = LinkTracker({"A": 3000}, changed, KEEP_MS)
    assert again.level("A", T0 + HOUR_MS) is LinkLevel.REGISTERED, "evidence of the past is no connection"
    assert again.good_readings("A", T0) == 7
    assert again.good_readings("A", T0 + 1) == 5
    assert again.last_good_ms("A") == T0 + HOUR_MS


def test_old_evidence_is_forgotten() -> None:
    links = LinkTracker({"A": 3000}, [EvidenceHour("A", T0 - KEEP_MS - 3 * HOUR_MS, 9, 1)], KEEP_MS)
    links.opened(["A"])
    links.batch(good(T0))
    assert links.good_readings("A", 0) == 2
