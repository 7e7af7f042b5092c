"""What a region is told of each kind of message, field by field."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.contract import messages
from edge_agent.contract.messages import Account, AlarmTime, Event, KeyFigure, State, StateTime, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.model.state import MachineState, UnknownCause
from edge_agent.uplinks.disclosure import EVENT_DETAILS, told_to
from tests.house.documents import ROOT, text_of

CONTRACT = text_of(ROOT / "docs" / "contract.md")

MACHINE = messages.RegisteredEquipment(
    id="A",
    name="冲床",
    workshop="一车间",
    line="冲压线",
    kind="压力机",
    production=True,
    digital=True,
    nc=True,
    nc_ground="FANUC 0i",
    should_connect=True,
    key=True,
    commissioned="2020-01-01",
    retired="2030-01-01",
    asset_value=987654321,
    processes=("OP10",),
    connect_reason="手动工位",
    handle="88.1.2/3",
    tenant="zhenghe",
    calendar="two-shifts",
    robot=True,
)
WITHHELD = {"asset_value", "tenant"}

causes = st.sampled_from(["", "E-4711 overload", "program O7734", *(cause.value for cause in UnknownCause)])
times = st.lists(
    st.builds(StateTime, state=st.sampled_from(list(MachineState)), ms=st.integers(1, 10**6), cause=causes)
)


def to_region(record_class: RecordClass, message: messages.Numbered) -> Mapping[str, Any]:
    told: Mapping[str, Any] = msgspec.json.decode(
        told_to("region")(Record(record_class, "A", encode(message)))
    )
    return told


def event(kind: str, **detail: str | int | float | bool) -> Event:
    return Event(time=1, kind=kind, subject="A", message="secret", detail=detail)


def account(times: list[StateTime], planned: list[StateTime] | None = None) -> Account:
    return Account(
        equipment="A", time=9, period="hour", from_=0, to=8, timezone="Asia/Shanghai", times=times,
        planned=planned, failures=2, alarms=[AlarmTime("E-4711 overload", 2, 5)],
        figures=[KeyFigure("availability/iso-22400-2", 0.5, 1, 2)], parts=7, energy_wh=3,
    )  # fmt: skip


def test_of_the_register_money_and_tenants_are_left_out_and_nothing_else() -> None:
    message = messages.RegisterMessage(time=1, digest="d", equipment=[MACHINE], headcount=96, version="v")
    told = to_region(RecordClass.REGISTER, message)
    whole = msgspec.json.decode(encode(message))
    (machine,), (before,) = told["equipment"], whole["equipment"]
    assert before.keys() == {f.encode_name for f in msgspec.structs.fields(MACHINE)}, "each has to be decided"
    assert machine == {name: value for name, value in before.items() if name not in WITHHELD}
    assert {**told, "equipment": None} == {**whole, "equipment": None}


@pytest.mark.parametrize("state", MachineState)
@given(cause=causes)
def test_of_a_state_only_the_fixed_words_for_unknown_are_told(state: MachineState, cause: str) -> None:
    told = to_region(
        RecordClass.STATES, State(equipment="A", time=2, state=state, cause=cause, since=1, link="live")
    )
    known = state is MachineState.UNKNOWN and cause in set(UnknownCause)
    assert told.get("cause", "") == (cause if known else "")
    assert (told["equipment"], told["time"], told["state"], told["since"], told["link"]) == (
        "A",
        2,
        state,
        1,
        "live",
    )


@given(times, st.none() | times)
def test_an_account_keeps_its_time_and_loses_the_texts(
    times: list[StateTime], planned: list[StateTime] | None
) -> None:
    told = to_region(RecordClass.ACCOUNTS, account(times, planned))
    assert (told["planned"] is None) == (planned is None)
    for lines, whole in ((told["times"], times), (told["planned"] or [], planned or [])):
        for state in MachineState:
            of_state = [line for line in lines if line["state"] == state]
            assert sum(line["ms"] for line in of_state) == sum(one.ms for one in whole if one.state == state)
            assert len(of_state) == len({line.get("cause") for line in of_state})
            if state is not MachineState.UNKNOWN:
                assert len(of_state) <= 1
        assert {line["cause"] for line in lines if "cause" in line} <= set(UnknownCause)
    assert "alarms" not in told
    assert (told["failures"], told["parts"], told["energy_wh"]) == (2, 7, 3)
    assert told["figures"] == msgspec.json.decode(encode(account(times)))["figures"]


@pytest.mark.parametrize("kind", [*EVENT_DETAILS, "a_kind_of_the_next_version"])
def test_an_event_tells_what_is_listed_for_its_kind(kind: str) -> None:
    names = {name for told in EVENT_DETAILS.values() for name in told} | {"tag", "file", "text"}
    told = to_region(RecordClass.EVENTS, event(kind, **dict.fromkeys(names, 1)))
    assert told["message"] == ""
    assert (told["kind"], told["subject"], told["time"]) == (kind, "A", 1)
    assert told.get("detail", {}).keys() == EVENT_DETAILS.get(kind, frozenset())


def test_the_page_lists_what_events_tell() -> None:
    section = CONTRACT.partition("## What is disclosed")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ((?:`[a-z_]+`(?:, )?)+) \|$", section, re.M)
    listed = {
        kind: set(re.findall(r"`(\w+)`", details))
        for kinds, details in rows
        for kind in re.findall(r"`(\w+)`", kinds)
    }
    assert listed == {kind: set(told) for kind, told in EVENT_DETAILS.items() if told}
    kinds = CONTRACT.partition("| kind | subject | detail |")[2].partition("\n\n")[0]
    assert set(EVENT_DETAILS) == set(
        re.findall(r"`([a-z_]+)`", " ".join(re.findall(r"^\| ([^|]*) \|", kinds, re.M)))
    )


def test_readings_that_have_a_number_already_leave_only_that() -> None:
    batch = messages.Telemetry(
        equipment="A", received=5, tags=["program"], values=["O7734"], source=[4],
        flaws=[messages.Flaw(0, "uncertain", "secret")],
    )  # fmt: skip
    assert to_region(RecordClass.READINGS, batch) == {
        "schema": "fta.telemetry/1",
        "equipment": "A",
        "received": 5,
        "tags": [],
        "values": [],
    }


@pytest.mark.parametrize(
    "record_class",
    [RecordClass.STATEMENTS, RecordClass.ASSETS, RecordClass.SETTLEMENTS, RecordClass.CAPACITY],
)
def test_what_is_signed_or_names_nothing_is_sent_as_it_is(record_class: RecordClass) -> None:
    body = b'{"signed": "to the last blank" }'
    assert told_to("region")(Record(record_class, "A", body)) == body


@pytest.mark.parametrize("record_class", RecordClass)
def test_the_works_itself_is_told_everything(record_class: RecordClass) -> None:
    body = b'{"whatever": 1}'
    assert told_to("plant")(Record(record_class, "A", body)) == body


@given(times)
def test_what_is_told_again_has_the_same_bytes(times: list[StateTime]) -> None:
    record = Record(RecordClass.ACCOUNTS, "A/hour", encode(account(times)))
    once, again = told_to("region")(record), told_to("region")(record)
    assert once == again
    assert told_to("region")(Record(RecordClass.ACCOUNTS, "A/hour", once)) == once, "nothing more is left out"
