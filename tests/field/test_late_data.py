"""What an OPC UA server kept while it was cut off fills the time in which nobody heard its machine: from the
server's queue to the account of the period, sent again where it had been sent."""

import asyncio
import signal
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.contract.messages import Account, Event, State
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind, period_at
from edge_agent.model.clock import CLOCK
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from tests.drivers.opcua.proxy import Proxy
from tests.drivers.opcua.server import NAMESPACE, ServerProcess, Settings
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received

CONFIGURATION = """
gateway: {{id: gw-case, region: "330300", enterprise: 91330300MA00DEM06A, timezone: UTC}}
register: register.csv
connections:
  - id: cell
    driver: opcua
    endpoint: opc.tcp://127.0.0.1:{server}/machines
    security: none
    period: 200ms
    timeout: 3s
    equipment:
      - id: A
        tags:
          - {{id: status, node: "nsu={namespace};s=A.status"}}
          - {{id: door, node: "nsu={namespace};s=A.door"}}
        states:
          - {{when: door == 1, state: alarm, cause: door open}}
          - {{when: status == 2, state: running}}
          - {{when: status == 1, state: idle}}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {broker}, carries: [states, events, accounts]}}
"""
REGISTER = "id,name,workshop\nA,Mill,Hall 1\n"
STATES = {1: StateWithCause(MachineState.IDLE), 2: StateWithCause(MachineState.RUNNING)}


def site(folder: Path, server: int, broker: int) -> Path:
    folder.mkdir(exist_ok=True)
    text = CONFIGURATION.format(server=server, broker=broker, namespace=NAMESPACE)
    (folder / "agent.yaml").write_text(text, "utf-8")
    (folder / "register.csv").write_text(REGISTER, "utf-8")
    return folder


def newest_state(received: list[Received]) -> str:
    states = [r.message.state for r in received if isinstance(r.message, State)]
    return states[-1] if states else ""


def late_events(received: list[Received]) -> list[Event]:
    return [r.message for r in received if isinstance(r.message, Event) and r.message.kind == "late_data"]


def test_what_the_server_kept_while_it_was_cut_off_is_accounted_for(tmp_path: Path) -> None:
    server = ServerProcess(Settings())
    server.start()
    try:
        with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
            asyncio.run(live(tmp_path, server, broker.port, platform))
    finally:
        server.kill()


async def live(tmp_path: Path, server: ServerProcess, broker: int, platform: Platform) -> None:
    written: list[tuple[int, int]] = []

    def write(status: int) -> None:
        time = CLOCK.now_ms()
        server.ask("put", "A.status", status, "Int64", 0, time)
        written.append((time, status))

    async def heard(state: str) -> None:
        async with asyncio.timeout(40):
            while newest_state(platform.received()) != state:
                await asyncio.sleep(0.02)

    server.ask("put", "A.door", 0, "Int64", 0, CLOCK.now_ms())
    write(2)
    async with Proxy(server.port) as proxy:
        folder = site(tmp_path / "site", proxy.port, broker)
        with AgentProcess(folder, tmp_path, XDG_STATE_HOME=tmp_path / "state") as agent:
            await heard("running")
            write(1)
            await heard("idle")
            begin = CLOCK.now_ms()
            proxy.refuse()
            await heard("unknown")
            for number in range(8):  # what the machine does meanwhile
                write(1 + number % 2)
                await asyncio.sleep(0.2)
            proxy.release()
            number = 0
            while newest_state(platform.received()) == "unknown":
                write(1 + number % 2)
                number += 1
                await asyncio.sleep(0.2)
            end = CLOCK.now_ms()
            (event,) = late_events(await asyncio.to_thread(platform.wait_for, lambda r: bool(late_events(r))))
            assert agent.stop(signal.SIGTERM) == 0, agent.log()
    assert event.subject == "A"
    assert {"from", "to", "ms"} == event.detail.keys()

    with closing(History(folder / "data" / "history.db")) as history:
        period = Period(PeriodKind.HOUR, begin, end)
        account = MachineTime(history, ZoneInfo("UTC"), {}).account("A", period, [], end)
        life = history.intervals_of("A", begin, end)
    times = {(time.state, time.cause): time.ms for time in account.times}
    assert sum(times.values()) == end - begin
    lost, back = int(event.detail["from"]), int(event.detail["to"])
    (unheard,) = [i for i in life if i.state.state is MachineState.UNKNOWN]
    assert unheard.end_ms == lost, "what it did before its first change is not in the queue"
    assert times == {
        **{key: ms for key, ms in times.items() if key[0] in ("idle", "running")},
        ("unknown", unheard.state.cause): lost - max(unheard.start_ms, begin),
    }
    # Where nobody heard the machine, each state began when its value was written.
    assert back - lost > 1600
    began = {
        (i.start_ms, i.state)
        for before, i in pairwise(life)
        if lost <= i.start_ms < back and i.state != before.state
    }
    expected = {
        (time, STATES[status])
        for (_, before), (time, status) in pairwise(written)
        if lost <= time < back and status != before
    }
    assert began == expected
    assert len(expected) >= 7


def test_an_account_that_was_sent_is_sent_again(tmp_path: Path) -> None:
    """Also if the agent was killed before it could."""
    hour_ms = period_at(PeriodKind.HOUR, CLOCK.now_ms(), ZoneInfo("UTC")).from_ms
    begin = hour_ms - 2 * HOUR_MS
    (tmp_path / "site" / "data").mkdir(parents=True)
    with closing(History(tmp_path / "site" / "data" / "history.db")) as history:
        unheard = Interval("A", begin + 600_000, begin + 1_800_000, unknown(UnknownCause.UNREACHABLE))
        after = Interval("A", begin + 1_800_000, hour_ms, STATES[1])
        history.save(Changes(hour_ms, [Interval("A", begin, begin + 600_000, STATES[2]), unheard, after]))
        history.set_accounted(PeriodKind.HOUR, hour_ms)
        history.set_accounted(PeriodKind.DAY, period_at(PeriodKind.DAY, hour_ms, ZoneInfo("UTC")).to_ms)
        history.amend("A", [Interval("A", begin + 600_000, begin + 1_200_000, STATES[2])])
    server = ServerProcess(Settings())
    try:
        server.start()
        with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:

            def hours(received: list[Received]) -> list[Account]:
                found = [r.message for r in received if isinstance(r.message, Account)]
                # Another hour may be over by now.
                return [one for one in found if one.period == "hour" and one.from_ < hour_ms]

            with AgentProcess(site(tmp_path / "site", server.port, broker.port), tmp_path) as agent:
                received = platform.wait_for(lambda r: bool(hours(r)))
                assert agent.stop(signal.SIGTERM) == 0, agent.log()
    finally:
        server.kill()
    (account,) = hours(received)
    assert account.from_ == begin
    assert {(time.state, time.ms) for time in account.times} == {
        ("running", 1_200_000),
        ("unknown", 600_000),
        ("idle", 1_800_000),
    }
