import pytest

from edge_agent.acquisition.evidence import Evidence, EvidenceHour
from edge_agent.acquisition.link import LinkTracker
from edge_agent.model.batch import Batch
from edge_agent.model.link import LinkLevel
from edge_agent.model.minutes import HOUR_MS
from edge_agent.model.quality import bad

T0 = 500_000 * HOUR_MS + 1234
KEEP_MS = 31 * 24 * HOUR_MS


@pytest.fixture
def links() -> LinkTracker:
    return LinkTracker({"A": 3000}, {}, KEEP_MS)


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
    changed = links.take_changed(T0 + HOUR_MS)
    assert sorted((h.hour_ms, h.good_readings) for h in changed) == [
        (500_000 * HOUR_MS, 2),
        (500_001 * HOUR_MS, 5),
    ]
    assert links.take_changed(T0 + HOUR_MS) == []

    again = LinkTracker({"A": 3000}, Evidence.of(changed), KEEP_MS)
    assert again.level("A", T0 + HOUR_MS) is LinkLevel.REGISTERED, "evidence of the past is no connection"
    assert again.good_readings("A", T0) == 7
    assert again.good_readings("A", T0 + 1) == 5
    assert again.last_good_ms("A") == T0 + HOUR_MS


def test_old_evidence_is_forgotten() -> None:
    known = Evidence.of([EvidenceHour("A", T0 // HOUR_MS * HOUR_MS, 9, T0)])
    links = LinkTracker({"A": 3000}, known, KEEP_MS)
    links.opened(["A"])
    links.batch(good(T0 + KEEP_MS))
    links.take_changed(T0 + KEEP_MS)
    assert links.good_readings("A", 0) == 11, "its last hour counts in part"
    links.take_changed(T0 + KEEP_MS + HOUR_MS)
    assert links.good_readings("A", 0) == 2
    assert links.last_good_ms("A") == T0 + KEEP_MS


def test_what_is_too_old_all_at_once_is_handed_over_first(links: LinkTracker) -> None:
    """A gateway without a clock of its own begins in the past, until somebody tells it the time."""
    links.opened(["A"])
    links.batch(good(T0))
    links.batch(good(T0 + 2 * KEEP_MS))
    changed = links.take_changed(T0 + 2 * KEEP_MS)
    assert sorted(hour.last_good_ms for hour in changed) == [T0, T0 + 2 * KEEP_MS]
    assert links.good_readings("A", 0) == 2


# Minutes of an hour. The stale limit is 3 s. Each row: seconds after the full hour at which good readings
# came (`10-130`: every second from 10 to 130), and the minutes that the machine was delivering through.
MINUTES = [
    ("0-60", {0}, "a whole minute, from its first moment to that of the next"),
    ("0-59", set(), "its last second is not proved yet"),
    ("1-180", {1, 2}, "the first minute began without data"),
    ("0-300 every 3", {0, 1, 2, 3, 4}, "readings exactly as far apart as the stale limit"),
    ("0-300 every 4", set(), "readings further apart prove nothing but themselves"),
    ("0-100 104-300", {0, 2, 3, 4}, "an interruption costs the minute that it is in"),
    ("0-119 122-300", {0, 1, 2, 3, 4}, "a pause of 3 s over a full minute is none"),
    ("0-119 123-300", {0, 3, 4}, "one of 4 s costs the minutes on both sides"),
    ("30", set(), "one reading alone"),
]


def seconds(text: str) -> list[int]:
    """`0-60`, `30`, `0-300 every 3`."""
    text, _, every = text.partition(" every ")
    found: list[int] = []
    for part in text.split():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1, int(every or 1))
    return found


@pytest.mark.parametrize(("readings", "minutes", "why"), MINUTES, ids=[row[0] for row in MINUTES])
def test_minutes_that_are_proved(links: LinkTracker, readings: str, minutes: set[int], why: str) -> None:
    hour_ms = 500_000 * HOUR_MS
    links.opened(["A"])
    for second in seconds(readings):
        links.batch(good(hour_ms + 1000 * second))
    whole_hour = {hour_ms: 2**60 - 1}
    assert links.proved_minutes("A", whole_hour) == len(minutes), why
    for minute in range(60):
        assert links.proved_minutes("A", {hour_ms: 1 << minute}) == (minute in minutes)
    (hour,) = links.take_changed(hour_ms)
    assert {minute for minute in range(60) if hour.minutes >> minute & 1} == minutes
    again = LinkTracker({"A": 3000}, Evidence.of([hour]), KEEP_MS)
    assert again.proved_minutes("A", whole_hour) == len(minutes), "it survives a restart"


def test_bad_readings_prove_no_minutes_and_a_restart_begins_anew(links: LinkTracker) -> None:
    hour_ms = 500_000 * HOUR_MS
    links.opened(["A"])
    for second in range(121):
        flaws = {0: bad("x")} if second > 60 else {}
        links.batch(Batch("A", hour_ms + 1000 * second, ["t"], [1], flaws))
    assert links.proved_minutes("A", {hour_ms: 0b11}) == 1
    assert links.proved_minutes("B", {hour_ms: 0b11}) == 0
    again = LinkTracker({"A": 3000}, Evidence.of(links.take_changed(hour_ms)), KEEP_MS)
    again.opened(["A"])
    for second in range(61, 241):
        again.batch(good(hour_ms + 1000 * second))
    proved = [again.proved_minutes("A", {hour_ms: 1 << minute}) for minute in range(5)]
    assert proved == [1, 0, 1, 1, 0], "nobody saw the first second of minute 1 after the start"


def test_a_slow_machine_proves_hours_in_which_nothing_came() -> None:
    limit_ms = 3 * HOUR_MS
    links = LinkTracker({"A": limit_ms}, {}, KEEP_MS)
    links.opened(["A"])
    begin = 500_000 * HOUR_MS
    links.batch(good(begin + 30 * 60_000, 1))
    links.batch(good(begin + 30 * 60_000 + limit_ms, 1))
    whole = {begin + n * HOUR_MS: 2**60 - 1 for n in range(4)}
    assert links.proved_minutes("A", whole) == 180
    assert links.good_readings("A", begin) == 2, "no reading is made up for the hours between"
    changed = {hour.hour_ms: hour for hour in links.take_changed(begin)}
    assert changed.keys() == whole.keys()
    assert [changed[hour_ms].good_readings for hour_ms in sorted(changed)] == [1, 0, 0, 1]


def test_signs_of_life_go_on_with_what_was_proved(links: LinkTracker) -> None:
    """A subscription over which nothing changes."""
    hour_ms = 500_000 * HOUR_MS
    links.opened(["A"])
    links.batch(good(hour_ms))
    for second in range(2, 121, 2):
        links.batch(Batch("A", hour_ms + 1000 * second, [], []))
    assert links.proved_minutes("A", {hour_ms: 0b1111}) == 2
