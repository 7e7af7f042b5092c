"""Idle capacity, worked out by hand; and that nothing but classes, times and numbers can be in it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.sharing import SharingOptions
from edge_agent.config.site import load_site
from edge_agent.contract import messages
from edge_agent.contract.messages import Capacity, Numbered
from edge_agent.contract.topics import RecordClass
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.model.equipment import Equipment, Register
from edge_agent.sharing import publishing
from edge_agent.sharing.capacity import AHEAD_MS, capacity, counted
from tests.sharing.plant import HOUR, MINUTE, ZONE, at, clock

MONDAY = "10-12 06:20"
"""An ordinary week of 2026 begins."""


def calendar(name: str, *shifts: tuple[str, str, list[str]], holidays: str = "none") -> Calendar:
    options = {
        "holidays": holidays,
        "shifts": [
            {"id": f"s{n}", "start": start, "end": end, "days": days}
            for n, (start, end, days) in enumerate(shifts)
        ],
    }
    return Calendar(name, CalendarOptions.model_validate(options), ZONE)


WEEK = ["mon", "tue", "wed", "thu", "fri"]
DAY_SHIFT = calendar("day", ("08:00", "16:00", WEEK))


def shared(*machines: Mapping[str, Any]) -> SharingOptions:
    return SharingOptions.model_validate(
        {"tenants": [{"id": "zhenghe", "name": "正和精密"}], "machines": machines}
    )


def window(**more: Any) -> dict[str, Any]:
    return {"tenant": "zhenghe", **more}


def windows(of: messages.FreeClass) -> list[tuple[str, str, int]]:
    return [(clock(one.from_), clock(one.to), one.machines) for one in of.free]


def test_three_lathes_in_one_shift() -> None:
    """Each is planned from 08:00 to 16:00, Monday to Friday.

    | machine | Monday          | Tuesday         | the other days |
    |---------|-----------------|-----------------|----------------|
    | M1      | 正和 10:00–14:00 | free            | free           |
    | M2      | 正和 all day     | 正和 until 12:00 | 正和 all day    |
    | M3      | nobody's by the register: free all the time      |
    """
    options = shared(
        {
            "equipment": "M1",
            "sessions": "schedule",
            "windows": [window(days=["mon"], start="10:00", end="14:00")],
        },
        {
            "equipment": "M2",
            "sessions": "schedule",
            "windows": [
                window(days=["tue"], start="00:00", end="12:00"),
                window(days=["mon", "wed", "thu", "fri"]),
            ],
        },
        {"equipment": "M3", "sessions": "register"},
    )
    register = Register(tuple(Equipment(name, name, "Hall", kind="lathe") for name in ("M1", "M2", "M3")))
    calendars = dict.fromkeys(("M1", "M2", "M3"), DAY_SHIFT)
    message = capacity(options, register, calendars, ZONE, at(MONDAY))
    assert (clock(message.from_), message.to - message.from_) == ("10-12 06:00", AHEAD_MS)
    (lathes,) = message.classes
    assert (lathes.kind, lathes.machines, lathes.unknown) == ("lathe", 3, 0)
    assert windows(lathes) == [
        ("10-12 08:00", "10-12 10:00", 2),
        ("10-12 10:00", "10-12 14:00", 1),
        ("10-12 14:00", "10-12 16:00", 2),
        ("10-13 08:00", "10-13 12:00", 2),
        ("10-13 12:00", "10-13 16:00", 3),
        ("10-14 08:00", "10-14 16:00", 2),
        ("10-15 08:00", "10-15 16:00", 2),
        ("10-16 08:00", "10-16 16:00", 2),
    ]


def test_what_nobody_can_say_is_unknown_and_never_free() -> None:
    """Without a calendar, with one whose holidays are not published, or with sessions that a tag starts."""
    options = shared(
        {"equipment": "M1", "sessions": "register"},
        {"equipment": "M2", "sessions": "register"},
        {"equipment": "M3", "sessions": "tag", "tag": "user", "tenants": {"1": "zhenghe"}},
        {"equipment": "M4", "sessions": "register"},
        {"equipment": "M5", "sessions": "register"},
        {"equipment": "M6", "sessions": "register"},
    )
    register = Register(
        (
            Equipment("M1", "", "", kind="press"),
            Equipment("M2", "", "", kind="press"),
            Equipment("M3", "", "", kind="press"),
            Equipment("M4", "", "", kind="press", tenant="zhenghe"),
            Equipment("M5", "", "", kind="saw", retired=date(2038, 10, 13)),
            Equipment("M6", "", "", kind="crane", commissioned=date(2038, 10, 25)),
        )
    )
    chinese = calendar("chinese", ("08:00", "16:00", WEEK), holidays="china")
    calendars = {"M2": chinese, "M3": DAY_SHIFT, "M4": DAY_SHIFT, "M5": DAY_SHIFT, "M6": DAY_SHIFT}
    now = at(MONDAY) + (date(2038, 10, 11) - date(2026, 10, 12)).days * 24 * HOUR
    press, saw = capacity(options, register, calendars, ZONE, now).classes
    assert (press.kind, press.machines, press.unknown, windows(press)) == ("press", 4, 3, [])
    # Retired on the Wednesday: only the days before it. The crane does not count yet.
    assert (saw.kind, saw.machines, windows(saw)) == (
        "saw",
        1,
        [("10-11 08:00", "10-11 16:00", 1), ("10-12 08:00", "10-12 16:00", 1)],
    )


spans = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda span: (span[0], span[0] + span[1]))


@given(st.lists(spans, max_size=12))
def test_as_many_are_free_as_windows_cover_a_moment(those: list[tuple[int, int]]) -> None:
    found = counted(those)
    for moment in range(95):
        there = [one.machines for one in found if one.from_ <= moment < one.to]
        assert sum(there) == sum(start <= moment < end for start, end in those)
        assert len(there) <= 1
    for one, following in pairwise(found):
        assert one.to < following.from_ or one.machines != following.machines


names = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=6, max_size=12).map(lambda text: f"X9{text}")
"""Nothing else in a message begins like this."""


@given(st.lists(names, min_size=14, max_size=14, unique=True), st.integers(0, 60 * 24))
def test_no_machine_tenant_or_program_can_be_in_the_message(words: list[str], later: int) -> None:
    """Every text that a configuration or a register has, but for the class, is marked; no mark gets out."""
    machine, other, third, tenant, *rest = words
    options = SharingOptions.model_validate(
        {
            "tenants": [{"id": tenant, "name": rest[0]}],
            "machines": [
                {
                    "equipment": machine,
                    "sessions": "schedule",
                    "rates": rest[1],
                    "windows": [{"tenant": tenant, "days": ["mon"]}],
                },
                {"equipment": other, "sessions": "register", "rates": rest[1]},
                {"equipment": third, "sessions": "tag", "tag": rest[2], "tenants": {rest[3]: tenant}},
            ],
            "rates": {
                rest[1]: [
                    {"version": 7654321, "prices": [{"per": "piece", "price": 8765.4321, "name": rest[4]}]}
                ]
            },
        }
    )
    register = Register(
        tuple(
            Equipment(
                name,
                rest[5],
                rest[6],
                line=rest[7],
                kind="lathe",
                nc_ground=rest[8],
                processes=(rest[9],),
                handle=rest[3],
                tenant=holder,
                connect_reason=rest[2],
                calendar=rest[4],
                asset_value=765432100,
            )
            for name, holder in ((machine, ""), (other, tenant), (third, ""))
        )
    )
    plan = calendar(rest[4], ("08:00", "16:00", WEEK))
    message = capacity(
        options, register, dict.fromkeys((machine, other, third), plan), ZONE, at(MONDAY) + later * MINUTE
    )
    sent = messages.encode(message).decode()
    assert "lathe" in sent
    for text in (*words, "7654321", "8765.4321"):
        assert text not in sent


SITE = """\
gateway: {id: gw-01, region: "330300", enterprise: 91330300MA00DEM06A}
register: register.csv
sharing:
  publish_capacity: true
  tenants: [{id: zhenghe, name: Zhenghe}]
  machines: [{equipment: M1, sessions: register}]
calendars:
  default:
    holidays: none
    shifts: [{id: all, days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "00:00"}]
"""


def test_it_is_sent_at_once_and_then_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text(SITE, "utf-8")
    (tmp_path / "register.csv").write_text("id,name,workshop,kind\nM1,Lathe,Hall,lathe\n", "utf-8")
    site = load_site(tmp_path / "site.yaml")
    assert site.sharing is not None
    begin = at("10-12 06:00")
    # Looked at several times in one hour, and in the two after it.
    looks = [begin + minutes * MINUTE for minutes in (1, 2, 59, 60, 61, 130)]
    sent: list[Numbered] = []

    class Clock:
        def now_ms(self) -> int:
            if not looks:
                raise EndOfTest
            return looks.pop(0)

    class EndOfTest(Exception): ...

    def append(record_class: RecordClass, subject: str, message: Numbered) -> None:
        assert (record_class, subject) == (RecordClass.CAPACITY, "")
        sent.append(message)

    monkeypatch.setattr(publishing, "CLOCK", Clock())
    monkeypatch.setattr(publishing, "LOOK_EVERY_S", 0)
    with pytest.raises(EndOfTest):
        asyncio.run(publishing.publish_capacity(site, site.sharing, append))
    assert [clock(one.time) for one in _capacities(sent)] == ["10-12 06:01", "10-12 07:00", "10-12 08:10"]
    assert [clock(one.from_) for one in _capacities(sent)] == ["10-12 06:00", "10-12 07:00", "10-12 08:00"]


def _capacities(sent: Sequence[Numbered]) -> list[Capacity]:
    return [one for one in sent if isinstance(one, Capacity)]
