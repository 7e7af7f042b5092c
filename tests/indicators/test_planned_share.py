"""Connected in a share of the planned time: worked out by hand, from evidence in a table and in a file."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.config.definitions import read_definitions
from edge_agent.contract.messages import EquipmentEvidence, Statements, decode, encode
from edge_agent.indicators.calculate import Calculator, Evidence
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.kept import KeptHistory
from edge_agent.model.equipment import Equipment, Register
from edge_agent.model.link import LinkLevel
from edge_agent.model.minutes import Minutes, count_common, minutes_of
from edge_agent.model.state import MachineState
from edge_agent.states.history import Changes, History

ZONE = ZoneInfo("Asia/Shanghai")
TEXT = """\
id: networked-rate/planned-time
version: 1
title: {zh: 设备联网率（计划时间）, en: "Equipment networking rate, of planned time"}
standing: ours
source: {document: our own, without_quote: asked for by the plant manager}
denominator: production
numerator: "true"
connected: {level: data_valid, window: 24h, good_readings: 10, planned_share: 0.8}
"""


def calendar(end: str, holidays: str = "none") -> Calendar:
    """Tuesdays from 08:00 on, with a break at noon if it gets there."""
    pause = [{"start": "12:00", "end": "12:30"}] if end > "12:30" else []
    shift = {"id": "day", "days": ["tue"], "start": "08:00", "end": end, "breaks": pause}
    return Calendar("day", CalendarOptions.model_validate({"holidays": holidays, "shifts": [shift]}), ZONE)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=ZONE).timestamp() * 1000)


# Planned on Tuesday, 2026-11-24: 08:00 to 12:00 and 12:30 to 16:30. These are 480 minutes, and 80 % is 384.
# When each machine was delivering, and what has to come of it at 20:00 of that day.
MACHINES = """
id  delivering                   readings  planned  proved  reason
A   24T08:00-24T12:00+24T12:30-24T14:54  999  480      384     counted
B   24T08:00-24T12:00+24T12:30-24T14:53  999  480      383     planned_share_below
C   24T00:00-24T20:00            999       480      480     counted
D   24T12:00-24T12:30+24T16:30-24T20:00  999  480      0       planned_share_below
E   24T08:00-24T16:30            9         480      480     link_below_data_valid
F   -                            0         480      0       link_below_data_valid
G   24T08:00-24T16:30            999       -        -       calendar_missing
"""
ROWS = [line.split() for line in MACHINES.strip().splitlines()[1:]]
NOW = ms("24T20:00") + 31_000  # in the middle of a minute, which is not over yet


def delivering(text: str) -> dict[int, int]:
    spans = [part.split("-24T") for part in text.split("+")] if text != "-" else []
    return minutes_of([(ms(start), ms(f"24T{end}")) for start, end in spans])


READINGS = {row[0]: int(row[2]) for row in ROWS}
DELIVERING = {row[0]: delivering(row[1]) for row in ROWS}


@dataclass
class Shown:
    """Evidence: good readings within the window by machine, and the minutes in which it was delivering."""

    readings: Mapping[str, int]
    minutes: Mapping[str, Minutes]

    def level(self, equipment: str, now_ms: int) -> LinkLevel:  # noqa: ARG002 - nobody asks for it
        return LinkLevel.REGISTERED

    def good_readings(self, equipment: str, from_ms: int) -> int:  # noqa: ARG002 - always those
        return self.readings[equipment]

    def last_good_ms(self, equipment: str) -> int | None:  # noqa: ARG002 - nobody asks for it
        return None

    def proved_minutes(self, equipment: str, planned: Minutes) -> int:
        return count_common(self.minutes[equipment], planned)


AS_LISTED = Shown(READINGS, DELIVERING)
ALWAYS = Shown(
    dict.fromkeys(READINGS, 999), dict.fromkeys(READINGS, minutes_of([(ms("01T00:00"), ms("30T00:00"))]))
)


@pytest.fixture
def definition(tmp_path: Path) -> Definition:
    return read(tmp_path, TEXT)


def read(folder: Path, text: str) -> Definition:
    (folder / "d.yaml").write_text(text, "utf-8")
    found, problems = read_definitions([folder])
    assert problems == []
    return found["networked-rate/planned-time"]


def statements(
    definition: Definition, evidence: Evidence, calendars: Mapping[str, Calendar], now_ms: int = NOW
) -> Statements:
    register = Register(tuple(Equipment(row[0], row[0], "w") for row in ROWS))
    states = dict.fromkeys(register.by_id, MachineState.IDLE)
    calculator = Calculator(definition, "91330300MA00DEM06A", register, ZONE, calendars)
    return calculator.statements(evidence, states, now_ms)


CALENDARS = {row[0]: calendar("16:30") for row in ROWS if row[0] != "G"}


def told(lines: Mapping[str, EquipmentEvidence]) -> dict[str, tuple[int, int, str]]:
    return {name: (one.planned_minutes, one.proved_minutes, one.reason) for name, one in lines.items()}


def by_id(message: Statements) -> dict[str, EquipmentEvidence]:
    return {one.equipment: one for one in message.equipment}


def test_each_machine_is_counted_as_worked_out_by_hand(definition: Definition) -> None:
    message = statements(definition, AS_LISTED, CALENDARS)
    expected = {
        name: (0 if planned == "-" else int(planned), 0 if proved == "-" else int(proved), reason)
        for name, _, _, planned, proved, reason in ROWS
    }
    assert told(by_id(message)) == expected
    assert (message.figures[0].numerator, message.figures[0].denominator) == (2, 7)
    assert decode(encode(message)) == message


def test_a_file_says_the_same(definition: Definition, tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    rows = []
    for name, spans, readings, *_ in ROWS:
        hours = delivering(spans)
        rows += [(name, hour_ms, 0, hour_ms + 1, bits) for hour_ms, bits in hours.items()]
        if int(readings):
            rows.append((name, ms("24T20:00"), int(readings), NOW - 1000, 0))
    history.save(Changes(NOW, evidence=rows))
    history.close()
    with closing(KeptHistory(tmp_path / "history.db")) as look:
        kept = look.evidence([row[0] for row in ROWS], ms("24T00:00"), NOW + 1, {})
    live, from_file = (statements(definition, one, CALENDARS) for one in (AS_LISTED, kept))
    assert told(by_id(from_file)) == told(by_id(live))


def test_a_share_is_taken_as_it_is_written(tmp_path: Path) -> None:
    """0.7 of 10 is 7, which it is not if 0.7 is a float."""
    definition = read(tmp_path, TEXT.replace("0.8", "0.7"))
    for until, reason in (("08:07", "counted"), ("08:06", "planned_share_below")):
        minutes = dict.fromkeys(READINGS, delivering(f"24T08:00-24T{until}"))
        lines = by_id(statements(definition, replace(ALWAYS, minutes=minutes), {"A": calendar("08:10")}))
        assert (lines["A"].planned_minutes, lines["A"].reason) == (10, reason)


def test_a_window_in_which_nothing_is_planned(definition: Definition) -> None:
    message = statements(definition, ALWAYS, CALENDARS, ms("26T20:00"))
    assert {one.reason for one in message.equipment} == {"nothing_planned", "calendar_missing"}


def test_holidays_that_nobody_knows_yet(definition: Definition) -> None:
    calendars = {row[0]: calendar("16:30", "china") for row in ROWS}
    in_2199 = round(datetime(2199, 6, 1, tzinfo=ZONE).timestamp() * 1000)
    message = statements(definition, ALWAYS, calendars, in_2199)
    assert {one.reason for one in message.equipment} == {"holidays_unknown"}
    assert message.figures[0].numerator == 0


@pytest.mark.parametrize(
    ("now", "planned"),
    [
        ("24T08:00:59", 0),
        ("24T08:01:00", 1),
        ("24T10:00:59", 120),
        ("25T10:00:00", 360),
        ("25T10:00:30", 360),
    ],
)
def test_the_window_is_of_whole_minutes(definition: Definition, now: str, planned: int) -> None:
    """The minute that it is now is not over; a day ago it was two hours into the shift at 10:00."""
    line = by_id(statements(definition, ALWAYS, CALENDARS, ms(now)))["A"]
    assert (line.planned_minutes, line.proved_minutes) == (planned, planned)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("window: 24h, good_readings: 10, ", "", "window is missing"),
        ("planned_share: 0.8", "planned_share: 80", "more than 0 and at most 1"),
        ("planned_share: 0.8", "planned_share: 0", "more than 0 and at most 1"),
        ("planned_share: 0.8", "planned_share: most", "a number"),
        ("window: 24h", "window: 32d", "evidence is looked at for 31 days"),
    ],
)
def test_a_wrong_rule_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    (tmp_path / "d.yaml").write_text(TEXT.replace(old, new), "utf-8")
    (problem,) = read_definitions([tmp_path])[1]
    assert (problem.line, problem.field.partition(".")[0]) == (8, "connected")
    assert complaint in str(problem)
