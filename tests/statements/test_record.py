"""Statements of record against a month that can be worked out by hand (plant.py)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.contract.messages import StatementOfRecord, decode
from edge_agent.indicators.connected import ConnectedVersions
from edge_agent.indicators.periods import Period, PeriodKind
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.equipment import Register
from edge_agent.statements.keys import signing_key
from edge_agent.statements.record import SETTLE_MS, Draft, RecordMaker, keep
from edge_agent.statements.store import StatementStore
from edge_agent.states.history import Changes, History
from tests.statements.plant import MARCH, REGISTER, at, day, maker, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path)


@pytest.fixture
def records(path: Path) -> Iterator[RecordMaker]:
    agent = History(path)  # has the file open
    made = maker(path)
    yield made
    made.close()
    agent.close()


def drafts(records: RecordMaker, period: Period) -> dict[str, Draft]:
    return {draft.definition: draft for draft in records.drafts(period)}


def counts(draft: Draft) -> dict[str, str]:
    """`2/4` by scope."""
    return {
        f["scope"].get("workshop", "") + "/" * ("workshop" in f["scope"]) + f["scope"]["id"]: (
            f"{f['numerator']}/{f['denominator']}"
        )
        for f in draft.content["figures"]
    }


# In service at the end of March, that is on the 31st: M1 M2 M3 (A) and M4 M6 (B); M5 went that day. Within
# the 24 hours before the first of April: M1, and M2 at 00:30 of the 31st. M3's newest reading is a minute
# older than that, M4's came ten minutes after the month. At the end itself only M1 was live.
#
# On the 30th M3 was not in service yet, and M5 still was.
WORKED_OUT = """
period      definition                    enterprise  A    A/L1  A/L2  B    B/L1
2026-03     networked-rate/miit-sme-2024  2/5         2/3  2/2   0/1   0/2  0/1
2026-03     networked-rate/live           1/5         1/3  1/2   0/1   0/2  0/1
2026-03     networked-rate/of-should-connect 2/4      2/3  2/2   0/1   0/1  0/0
2026-03     nc-rate/by-count              2/5         2/3  1/2   1/1   0/2  0/1
2026-03     robot-density/ifr             1/50        1/0  0/0   1/0   0/0  0/0
2026-03-31  networked-rate/miit-sme-2024  2/5         2/3  2/2   0/1   0/2  0/1
2026-03-30  networked-rate/miit-sme-2024  1/5         1/2  1/2   0/0   0/3  0/1
2026-03-30  nc-rate/by-count              1/5         1/2  1/2   0/0   0/3  0/1
2026-04-01  networked-rate/miit-sme-2024  1/4         1/3  1/2   0/1   0/1  0/1
2026-04-01  networked-rate/live           0/4         0/3  0/2   0/1   0/1  0/1
"""
# On the first of April M4 was retired; M1 had sent until noon, M2 not since the 31st at 00:30.


@pytest.mark.parametrize("row", WORKED_OUT.strip().splitlines()[1:])
def test_figures_are_those_worked_out_by_hand(records: RecordMaker, row: str) -> None:
    period, definition, *expected = row.split()
    of = MARCH if period == "2026-03" else day(period)
    scopes = ["91330300MA00DEM06A", "A", "A/L1", "A/L2", "B", "B/L1"]
    assert counts(drafts(records, of)[definition]) == dict(zip(scopes, expected, strict=True))


def test_evidence_states_and_claims_are_those_of_the_end(records: RecordMaker) -> None:
    draft = drafts(records, MARCH)["networked-rate/miit-sme-2024"]
    content = draft.content
    assert (content["evidence_from"], content["evidence_to"]) == (at("2026-03-31 00:00"), MARCH.to_ms)
    lines = {line["equipment"]: line for line in json.loads(draft.evidence["equipment"])}
    assert list(lines) == sorted(lines)
    assert lines["M1"] == {
        "equipment": "M1", "workshop": "A", "line": "L1", "in_denominator": True, "in_numerator": True,
        "reason": "counted", "state": "running", "link": "live", "good_readings": 2400,
        "last_good": at("2026-03-31 23:59:59"),
    }  # fmt: skip
    assert (lines["M2"]["state"], lines["M2"]["good_readings"]) == ("unknown", 3)
    assert (lines["M4"]["good_readings"], lines["M4"]["last_good"]) == (0, None), "that came afterwards"
    assert {name: line["reason"] for name, line in lines.items()} == {
        "M1": "counted", "M2": "counted", "M3": "link_below_data_valid", "M4": "link_below_data_valid",
        "M5": "not_in_service", "M6": "link_below_data_valid",
    }  # fmt: skip
    assert content["claims"] == [
        {"kind": "no_evidence", "subject": "M3", "detail": "2026-03-30"},
        {"kind": "no_evidence", "subject": "M4", "detail": ""},
    ]
    assert drafts(records, MARCH)["nc-rate/by-count"].content["claims"] == [
        {"kind": "nc_not_registered", "subject": "M2", "detail": "spindle_speed"}
    ]
    assert drafts(records, MARCH)["robot-density/ifr"].content["claims"] == []


def test_a_statement_is_such_a_message(path: Path, records: RecordMaker, tmp_path: Path) -> None:
    store = StatementStore(path, signing_key(tmp_path))
    for draft in records.drafts(MARCH):
        kept = keep(store, draft)
        assert kept is not None
        message = decode(kept.message)
        assert isinstance(message, StatementOfRecord)
        assert message.definition.id == message.subject == draft.definition
        assert (message.period, message.from_, message.to) == ("month", MARCH.from_ms, MARCH.to_ms)
        assert message.register_version == REGISTER.version
        lines = [*message.evidence.equipment, *message.evidence.processes]
        assert len(lines) == (1 if message.definition.counts == "process" else 6)
    store.close()


def test_each_period_is_counted_on_its_own_register(path: Path, records: RecordMaker) -> None:
    larger = replace(REGISTER, headcount=100)
    registers = RegisterVersions(path)
    registers.keep(larger, at("2026-03-31 23:59:59"))
    registers.close()
    density = "robot-density/ifr"
    assert counts(drafts(records, day("2026-03-30"))[density])["91330300MA00DEM06A"] == "0/50"
    assert counts(drafts(records, day("2026-03-31"))[density])["91330300MA00DEM06A"] == "1/100"
    assert drafts(records, day("2026-02-26")) == {}, "before the first register nobody can count"


def test_a_zone_of_half_hours_takes_no_reading_of_after_the_day(tmp_path: Path) -> None:
    """In Kolkata a day ends in the middle of a UTC hour: what that hour proved is not taken apart."""
    path = write(tmp_path)
    records = maker(path)
    end_ms = at("2026-03-31 02:30")
    draft = drafts(records, Period(PeriodKind.DAY, end_ms - 24 * 3_600_000, end_ms))[
        "networked-rate/miit-sme-2024"
    ]
    assert draft.content["evidence_to"] == at("2026-03-31 02:00")
    records.close()


def test_what_is_due(records: RecordMaker, path: Path) -> None:
    assert records.settled_ms() == at("2026-04-02 00:00") - SETTLE_MS
    assert records.due(PeriodKind.DAY, None) == (at("2026-04-01 00:00"), []), "the first start"
    begin, due = records.due(PeriodKind.DAY, at("2026-03-30 00:00"))
    assert begin == at("2026-03-30 00:00")
    assert due == [day("2026-03-30"), day("2026-03-31")], "the first of April has not settled"
    assert records.due(PeriodKind.MONTH, at("2026-03-01 00:00"))[1] == [MARCH]
    begin, due = records.due(PeriodKind.DAY, at("2025-01-01 00:00"))
    assert len(due) == 62
    assert due[-1] == day("2026-03-31")
    assert records.due(PeriodKind.MONTH, at("2020-01-01 00:00"))[1][0].from_ms == at("2025-03-01 00:00")
    ahead = at("2026-05-01 00:00")
    assert records.due(PeriodKind.DAY, ahead) == (at("2026-04-01 00:00"), []), "the clock was set back"
    history = History(path)
    history.save(Changes(at("2026-04-02 00:00") + SETTLE_MS))
    history.close()
    assert records.due(PeriodKind.DAY, at("2026-04-01 00:00"))[1] == [day("2026-04-01")]


def test_nothing_is_due_before_an_agent_has_run(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    History(path).close()
    RegisterVersions(path).close()
    ConnectedVersions(path).close()
    made = maker(path)
    assert made.due(PeriodKind.DAY, None) == (None, [])
    assert list(made.drafts(MARCH)) == []
    made.close()


def everything(records: RecordMaker, period: Period) -> list[Any]:
    return [(draft.content, draft.evidence) for draft in records.drafts(period)]


def test_what_comes_later_changes_nothing(tmp_path: Path) -> None:
    """A statement made two seconds after its period, and one made months later, say the same."""
    for folder in ("soon", "late"):
        (tmp_path / folder).mkdir()
    soon = maker(write(tmp_path / "soon", "2026-04-01 00:00:02"))
    late = maker(write(tmp_path / "late", "2026-09-01 00:00"))
    for period in (MARCH, day("2026-03-31"), day("2026-03-30")):
        assert everything(soon, period) == everything(late, period)
    soon.close()
    late.close()


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_order_does_not_matter(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Neither that of the register's lines nor that in which periods are stated and stated again."""
    folder = tmp_path_factory.mktemp("order")
    shuffled = Register(
        tuple(data.draw(st.permutations(REGISTER.equipment))), REGISTER.processes, REGISTER.headcount
    )
    path = write(folder, register=shuffled)
    records = maker(path)
    store = StatementStore(path, signing_key(folder))
    periods = [MARCH, day("2026-03-30"), day("2026-03-31")]
    for period in data.draw(st.lists(st.sampled_from(periods), max_size=4)) + periods:
        for draft in records.drafts(period):
            keep(store, draft)
    kept = list(store.all_of("fta.statement/1"))
    assert len(kept) == 3 * 13, "made again, nothing changes"
    said = {(one.subject, one.kind, one.from_ms): one.content["figures"] for one in kept}
    assert said == as_listed()
    records.close()
    store.close()


@cache
def as_listed() -> dict[tuple[str, str, int], Any]:
    """What comes of the register in its own order."""
    with TemporaryDirectory() as folder:
        records = maker(write(Path(folder)))
        found = {
            (draft.definition, period.kind, period.from_ms): draft.content["figures"]
            for period in (MARCH, day("2026-03-30"), day("2026-03-31"))
            for draft in records.drafts(period)
        }
        records.close()
    return found
