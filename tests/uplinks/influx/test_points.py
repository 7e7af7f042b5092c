"""Points of each kind of message, and what has to hold for all of them."""

import re

import pytest
from msgspec import structs

from edge_agent.contract import messages
from edge_agent.contract.messages import Numbered, encode
from edge_agent.contract.topics import RecordClass
from edge_agent.driver import Diagnostic
from edge_agent.journal.store import Record
from edge_agent.model.batch import Batch
from edge_agent.model.equipment import Equipment
from edge_agent.model.quality import bad
from edge_agent.uplinks.influx.health import ConnectionHealth, UplinkHealth
from edge_agent.uplinks.influx.points import (
    COUNTED_EVERY_MS,
    MOST_CAUSES,
    OTHER_CAUSE,
    RESERVED,
    TAG_KEYS,
    Points,
    Where,
)
from tests.house.documents import ROOT, text_of

WHERE = Where("E1", "gw", {"M1": Equipment("M1", "一号", "W1", "L1"), "M2": Equipment("M2", "二号", "W2")})
COMMON = "enterprise=E1,equipment=M1,gateway=gw"

FIGURE = messages.Figure(messages.Scope("enterprise", "E1"), 3, 4, 0.75, 1, "root")
HALL = messages.Figure(messages.Scope("workshop", "W1"), 0, 0, None, 0, "root", "denominator_zero")
LINE = messages.Figure(messages.Scope("line", "L1", "W1"), 1, 1, 1.0, 0, "root")
DEFINITION = messages.DefinitionReference("nc-rate/by-count", 2, "d", {"zh": "数控化率", "en": "NC rate"})
STATEMENTS = messages.Statements(
    time=9,
    definition=DEFINITION,
    from_=5,
    to=8,
    register_digest="r",
    figures=[FIGURE, HALL, LINE],
    equipment=[
        messages.EquipmentEvidence("M1", "W1", True, True, "counted", "running", "live", 9, 8, line="L1"),
        messages.EquipmentEvidence(
            "M2", "W2", True, False, "link_below_live", "unknown", "registered", 0, None
        ),
    ],
    processes=[messages.ProcessEvidence("P1", "W1", True, False, "outside_numerator", ["M1"], [])],
)
ACCOUNT = messages.Account(
    equipment="M1",
    time=9,
    period="hour",
    from_=0,
    to=3_600_000,
    timezone="Asia/Shanghai",
    times=[
        messages.StateTime("running", 3_000_000),
        messages.StateTime("alarm", 100_000, "jam"),
        messages.StateTime("alarm", 200_000, "door"),
        messages.StateTime("unknown", 300_000, "timeout"),
    ],
    planned=[messages.StateTime("running", 1_000_000)],
    failures=2,
    parts=41,
    alarms=[messages.AlarmTime("door", 1, 200_000), messages.AlarmTime("jam", 3, 100_000)],
    figures=[
        messages.KeyFigure("availability/iso-22400-2", 1, 5, 5),
        messages.KeyFigure("oee/iso-22400-2", None, missing=["cycle_time"]),
    ],
)
EVENT = messages.Event(
    time=7, kind="counter_reset", subject="M1", message="x", detail={"tag": "parts", "before": 5}
)
ALARM = messages.Event(time=7, kind="alarm_begun", subject="M1", message="jam, again")
CONNECTION = messages.Event(
    time=7, kind="connection_lost", subject="bus-1", message="", detail={"cause": "timeout"}
)
STATE = messages.State(equipment="M1", time=6, state="idle", cause="no order", since=5, link="live")
REGISTER = messages.RegisterMessage(
    time=4,
    digest="d",
    equipment=[
        messages.RegisteredEquipment("M1", "一号", "W1", "L1", "press", True, False, True, "", True, False)
    ],
)
TELEMETRY = messages.telemetry(
    Batch(
        "M1",
        5,
        ["a", "kind", "time", "s", "bits", "broken"],
        [1, True, 2.5, "x", [1, 2], None],
        {5: bad("gap")},
    )
)
ALL: list[Numbered] = [STATEMENTS, ACCOUNT, EVENT, ALARM, CONNECTION, STATE, REGISTER, TELEMETRY]


def lines(message: Numbered, points: Points | None = None) -> list[str]:
    # The class of a record does not matter: a message says what it is.
    return (points or Points(WHERE)).of(Record(RecordClass.EVENTS, "", encode(message)))


def test_readings() -> None:
    assert lines(TELEMETRY) == [
        f"readings,clock=gateway,{COMMON},line=L1,workshop=W1 a=1,time.value=2.5,kind.value=1 5",
        f'texts,clock=gateway,{COMMON},line=L1,workshop=W1 s="x",bits="[1,2]" 5',
        f'flaws,{COMMON},line=L1,workshop=W1 broken="bad: gap" 5',
    ]


def test_a_number_is_a_float_however_it_comes() -> None:
    """A tag whose controller sends 1, 1.0, true and 10^18 has one type."""
    for value in (1, 1.0, True, 10**18, -0.5, 1e300):
        (line,) = lines(messages.telemetry(Batch("M2", 5, ["a"], [value])))
        written = line.split(" ")[1].removeprefix("a=")
        assert not written.endswith("i")
        assert float(written) == value


def test_states_and_register() -> None:
    assert lines(STATE) == [
        f'states,{COMMON},line=L1,workshop=W1 state="idle",reason="no order",since=5i,link="live" 6'
    ]
    assert lines(REGISTER) == [
        f'register,{COMMON},line=L1,workshop=W1 name="一号",class="press",production=1i,digital=0i,nc=1i,'
        "should_connect=1i,key=0i 4"
    ]


def test_figures_of_each_scope() -> None:
    enterprise, hall, line, *_ = lines(STATEMENTS)
    assert enterprise == (
        "indicators,definition=nc-rate/by-count,enterprise=E1,gateway=gw,level=enterprise,version=2 "
        'title="数控化率",unit="share",weight="count",since=5i,numerator=3i,denominator=4i,rate=0.75,unknown=1i,'
        'reason="" 8'
    )
    assert ",level=workshop,version=2,workshop=W1 " in hall
    assert "rate=" not in hall
    assert ",level=line,line=L1,version=2,workshop=W1 " in line
    assert "rate=1.0," in line


def test_what_counts_and_why_not_is_written_when_it_changes_and_once_an_hour() -> None:
    points = Points(WHERE)
    head = "counted,definition=nc-rate/by-count,enterprise=E1"
    assert lines(STATEMENTS, points)[3:] == [
        f"{head},equipment=M1,gateway=gw,line=L1,version=2,workshop=W1 "
        'in_denominator=1i,in_numerator=1i,reason="counted" 8',
        f"{head},equipment=M2,gateway=gw,version=2,workshop=W2 "
        'in_denominator=1i,in_numerator=0i,reason="link_below_live" 8',
        f"{head},gateway=gw,subject=P1,version=2,workshop=W1 "
        'in_denominator=1i,in_numerator=0i,reason="outside_numerator" 8',
    ]
    assert lines(structs.replace(STATEMENTS, to=COUNTED_EVERY_MS - 1), points)[3:] == []
    changed = structs.replace(STATEMENTS.equipment[0], reason="not_in_service")
    (one,) = lines(structs.replace(STATEMENTS, equipment=[changed]), points)[3:]
    assert 'reason="not_in_service"' in one
    assert len(lines(structs.replace(STATEMENTS, to=COUNTED_EVERY_MS), points)[3:]) == 3


def test_connections_and_uplinks_and_what_drivers_count() -> None:
    points = Points(WHERE)
    figures = [Diagnostic("", "requests", 5), Diagnostic("unit 3", "response_p99", 12.5, "ms")]
    health = ConnectionHealth("bus 1", True, 2, 1, 7, 0, figures)
    common = "enterprise=E1,gateway=gw,subject=bus\\ 1"
    assert points.connections([health], 9) == [
        f"connections,{common} open=1i,opened=2i,failures=1i,reads=7i,missed_ticks=0i 9",
        f"diagnostics,{common} requests=5.0 9",
        f"diagnostics,about=unit\\ 3,{common} response_p99=12.5 9",
    ]
    assert points.uplinks([UplinkHealth("region", "connected", 3, 1, 9, 6)], 9) == [
        'uplinks,enterprise=E1,gateway=gw,subject=region state="connected",waiting=3i,connects=1i,'
        "published=9i,acknowledged=6i 9"
    ]


def test_an_account_has_every_state_and_sums_to_its_period() -> None:
    (line,) = lines(ACCOUNT)
    fields = dict(pair.split("=") for pair in line.split(" ")[1].split(","))
    states = ("running", "idle", "setup", "alarm", "off", "unknown")
    assert sum(int(fields[f"{state}_ms"][:-1]) for state in states) == int(fields["total_ms"][:-1])
    assert fields["alarm_ms"] == fields["alarms_ms"] == "300000i"
    assert fields["unknown_timeout_ms"] == "300000i"
    assert fields["planned_running_ms"] == "1000000i"
    assert fields["alarms"] == "4i"
    assert fields["parts"] == "41i"
    assert fields["missing"] == '"cycle_time"'
    assert "good" not in fields
    assert fields["availability/iso-22400-2"] == "1.0"
    assert "oee/iso-22400-2" not in fields
    assert line.endswith(" 0")


def test_events_of_one_millisecond_do_not_become_one_point() -> None:
    other = messages.Event(time=7, kind="counter_reset", subject="M1", message="", detail={"tag": "strokes"})
    points = Points(WHERE)
    written = [line for event in (EVENT, other, CONNECTION) for line in lines(event, points)]
    assert len({(line.split(" ")[0], line.split(" ")[-1]) for line in written}) == 3


def test_alarms_are_counted_by_cause() -> None:
    event, alarm = lines(ALARM)
    assert event.startswith(f"events,{COMMON},kind=alarm_begun,line=L1,workshop=W1 ")
    assert alarm == (
        f'alarms,cause=jam\\,\\ again,{COMMON},line=L1,workshop=W1 begun=1i,reason="jam, again" 7'
    )


def test_causes_are_bounded() -> None:
    points = Points(WHERE)
    causes = set()
    for number in range(MOST_CAUSES + 50):
        event = messages.Event(time=number, kind="alarm_begun", subject="M1", message=f"c{number}")
        causes.add(lines(event, points)[1].split(",")[1])
    assert len(causes) == MOST_CAUSES + 1
    assert f"cause={OTHER_CAUSE}" in causes


def test_no_name_is_both_a_tag_and_a_field() -> None:
    tags: set[str] = set()
    fields: set[str] = set()
    for message in ALL:
        for line in lines(message):
            series, values, _ = re.fullmatch(r"((?:\\.|[^ \\])*) (.*) (\d+)", line).groups()  # type: ignore[union-attr]
            tags |= set(re.findall(r",([\w.]+)=", series))
            fields |= set(re.findall(r"(?:^|,)([\w./-]+)=", re.sub(r'"(\\.|[^"])*"', '""', values)))
    assert tags <= TAG_KEYS
    assert not fields & RESERVED


@pytest.mark.parametrize("message", ALL, ids=lambda one: type(one).__name__)
def test_every_measurement_tag_and_field_is_on_the_page(message: Numbered) -> None:
    page = text_of(ROOT / "docs" / "influxdb.md")
    words = set(re.findall(r"[\w.]+", page))
    for line in lines(message):
        series, _, values = line.partition(" ")
        assert re.search(rf"^\| `{series.partition(',')[0]}` \|", page, re.MULTILINE)
        assert set(re.findall(r",([\w.]+)=", series)) <= words
        if isinstance(message, messages.Telemetry):
            continue  # its fields are the machine's tags
        names = set(re.findall(r"(?:^|,)(\w+)=", re.sub(r'"(\\.|[^"])*"', '""', values.rpartition(" ")[0])))
        assert {re.sub(r"^(planned_)?[a-z]+_ms$", "running_ms", name) for name in names} - words <= {
            "unknown_timeout_ms"
        }
