"""Machine time on its way to the platform: the hours in which the agent was not running are accounted for."""

import signal
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.contract.messages import Account, Event, Statements
from edge_agent.indicators.periods import HOUR_MS, PeriodKind, period_at
from edge_agent.model.clock import CLOCK
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received
from tests.ports import demo_ports

CONFIGURATION = """
gateway: {{id: gw-case, region: "330300", enterprise: 91330300MA00DEM06A, timezone: Europe/Berlin}}
register: register.csv
connections:
  - id: press
    driver: modbus
    host: 127.0.0.1
    port: {nobody}
    equipment: [{{id: PRS-01, tags: [{{id: tick, table: holding, address: 0}}]}}]
uplinks:
  - id: region
    type: mqtt
    host: 127.0.0.1
    port: {broker}
    audience: plant
    carries: [accounts, statements, events]
calendars:
  always:
    holidays: none
    shifts:
      - {{id: all, days: [mon, tue, wed, thu, fri, sat, sun], start: "06:00", end: "06:00"}}
"""
REGISTER = "id,name,workshop,calendar\nPRS-01,Press,Hall 1,always\nSAW-01,Saw,Hall 1,\n"
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = 60_000
RUNNING = StateWithCause(MachineState.RUNNING, "auto")


def accounts(received: list[Received]) -> dict[tuple[str, int], Account]:
    """By topic and start; the topic and the message agree."""
    found = {}
    for item in received:
        if isinstance(item.message, Account):
            assert item.topic == f"account/{item.message.equipment}/{item.message.period}"
            found[item.topic, item.message.from_] = item.message
    return found


def has_figures(received: list[Received]) -> bool:
    return any(isinstance(one.message, Statements) for one in received)


def since_second_start(received: list[Received]) -> list[Received]:
    """What the second agent has sent; what the first one sent may still be on its way when it has ended."""
    starts = [
        index
        for index, one in enumerate(received)
        if isinstance(one.message, Event) and one.message.kind == "agent_started"
    ]
    return received[starts[1] :] if len(starts) > 1 else []


def minutes(account: Account) -> dict[tuple[str, str], float]:
    return {(time.state, time.cause): time.ms / MINUTE for time in account.times}


def test_hours_of_an_outage_are_accounted_for_once(tmp_path: Path) -> None:
    now_ms = CLOCK.now_ms()
    hour_ms = period_at(PeriodKind.HOUR, now_ms, BERLIN).from_ms
    yesterday = period_at(PeriodKind.DAY, period_at(PeriodKind.DAY, now_ms, BERLIN).from_ms - 1, BERLIN)
    # Three hours ago an agent ran for the first time; half an hour later it was killed.
    begun, killed = hour_ms - 3 * HOUR_MS + 10 * MINUTE, hour_ms - 2 * HOUR_MS + 30 * MINUTE
    (tmp_path / "site" / "data").mkdir(parents=True)
    history = History(tmp_path / "site" / "data" / "history.db")
    history.save(Changes(killed, [Interval("PRS-01", begun, None, RUNNING)]))
    history.set_accounted(PeriodKind.HOUR, hour_ms - 3 * HOUR_MS)
    history.set_accounted(PeriodKind.DAY, yesterday.from_ms)
    history.close()
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        text = CONFIGURATION.format(nobody=demo_ports().modbus, broker=broker.port)
        (tmp_path / "site" / "agent.yaml").write_text(text, "utf-8")
        (tmp_path / "site" / "register.csv").write_text(REGISTER, "utf-8")
        with AgentProcess(tmp_path / "site", tmp_path) as agent:
            wanted = {("account/PRS-01/hour", hour_ms - n * HOUR_MS) for n in (3, 2, 1)}
            wanted.add(("account/PRS-01/day", yesterday.from_ms))
            found = accounts(platform.wait_for(lambda r: wanted <= accounts(r).keys()))
            platform.wait_for(has_figures)
            assert agent.stop(signal.SIGTERM) == 0, agent.log()
            mark = len(platform.received())
            agent.start()
            again = platform.wait_for(lambda r: has_figures(since_second_start(r)))
        assert not wanted & accounts(again[mark:]).keys(), "accounted for already"

    first, second, third = (found["account/PRS-01/hour", hour_ms - n * HOUR_MS] for n in (3, 2, 1))
    assert minutes(first) == {("running", "auto"): 50, ("unknown", "gateway_down"): 10}
    assert minutes(second) == {("running", "auto"): 30, ("unknown", "gateway_down"): 30}
    assert minutes(third) == {("unknown", "gateway_down"): 60}
    availability = {f.id: f for f in second.figures}["availability/iso-22400-2"]
    assert (availability.value, availability.unknown) == (0.5, 30 * MINUTE)
    assert list({f.id: f for f in third.figures}["availability/iso-22400-2"].missing) == ["machine_states"]
    assert (first.calendar, first.timezone) == ("always", "Europe/Berlin")
    for account in found.values():
        assert sum(time.ms for time in account.times) == account.to - account.from_
        assert account.planned is not None
        assert sum(time.ms for time in account.planned) == account.to - account.from_
    assert {account.equipment for account in found.values()} == {"PRS-01"}, "the saw has no connection"
