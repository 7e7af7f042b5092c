"""From simulated machines to the platform: the right figures, and nothing lost or invented on the way."""

import itertools
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.config.shipped import shipped
from edge_agent.contract.messages import (
    AnyMessage,
    Event,
    RegisterMessage,
    State,
    Statements,
    Status,
    Telemetry,
    decode,
)
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.clock import CLOCK
from edge_agent.model.state import MachineState
from edge_agent.simulator.fleet import MACHINES, MODBUS_SERVERS
from edge_agent.simulator.stage import Ports, Process, copy_configuration, workshop
from edge_agent.simulator.story import Story
from edge_agent.states.history import History
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received
from tests.ports import demo_ports

# Worked out by hand in configs/demo/EXPECTED.md.
EXPECTED = {
    ("networked-rate/live", "91330300MA00DEM06A"): (12, 18),
    ("networked-rate/live", "机加工车间"): (5, 8),
    ("networked-rate/live", "冲压车间"): (4, 6),
    ("networked-rate/live", "装配车间"): (3, 4),
    ("networked-rate/miit-sme-2024", "91330300MA00DEM06A"): (12, 18),
    ("networked-rate/miit-sme-2024", "机加工车间"): (5, 8),
    ("networked-rate/miit-sme-2024", "冲压车间"): (4, 6),
    ("networked-rate/miit-sme-2024", "装配车间"): (3, 4),
    ("nc-rate/by-count", "91330300MA00DEM06A"): (11, 18),
    ("nc-rate/by-count", "机加工车间"): (6, 8),
    ("nc-rate/by-count", "冲压车间"): (3, 6),
    ("nc-rate/by-count", "装配车间"): (2, 4),
}
LIVE = {e for e in MACHINES if e != "AIR-01"}

Condition = Callable[[list[Received]], object]


@dataclass
class Scene:
    broker: Mosquitto
    platform: Platform
    agent: AgentProcess
    story: Story
    ports: Ports
    data: Path
    plant: Process

    def restart_plant(self) -> None:
        self.plant = workshop(self.ports, self.story.seed, self.story.since_ms)
        self.plant.start()

    def mark(self) -> int:
        return len(self.platform.received())

    def wait(self, since: int, condition: Condition, limit: float = 60.0) -> None:
        """Until `condition` holds for what came after the mark `since`."""
        try:
            self.platform.wait_for(lambda received: bool(condition(received[since:])), limit)
        except AssertionError as error:
            raise AssertionError(f"{error}\nagent:\n{self.agent.log()[-4000:]}") from error


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    free = demo_ports()
    story = Story(CLOCK.now_ms())
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        ports = Ports(free.modbus, free.opcua, broker.port, free.page)
        folder = copy_configuration(shipped("demo"), tmp_path / "demo", ports)
        file = folder / "agent.yaml"
        file.write_text(file.read_text("utf-8").replace('version: "3.1.1"', 'version: "5"'), "utf-8")
        plant = workshop(ports, story.seed, story.since_ms)
        plant.start()
        with AgentProcess(folder, tmp_path, module="tests.field.patient_agent") as agent:
            scene = Scene(broker, platform, agent, story, ports, folder / "data", plant)
            try:
                yield scene
            finally:
                scene.plant.end()


def figures(received: list[Received]) -> dict[tuple[str, str], tuple[int, int]]:
    """The newest figures of the enterprise and the workshops, by definition and scope."""
    return {
        (r.message.definition.id, figure.scope.id): (figure.numerator, figure.denominator)
        for r in received
        if isinstance(r.message, Statements)
        for figure in r.message.figures
        if figure.scope.level != "line"
    }


def states(received: list[Received]) -> dict[str, str]:
    """The newest state of each equipment."""
    return {r.message.equipment: r.message.state for r in received if isinstance(r.message, State)}


def registers(received: list[Received]) -> list[RegisterMessage]:
    return [r.message for r in received if isinstance(r.message, RegisterMessage)]


def starts(received: list[Received]) -> list[Event]:
    return [r.message for r in received if isinstance(r.message, Event) and r.message.kind == "agent_started"]


def delivering(received: list[Received]) -> bool:
    return {r.message.equipment for r in received if isinstance(r.message, Telemetry)} == set(MACHINES)


def test_the_right_figures_and_nothing_lost_or_invented(scene: Scene) -> None:
    scene.wait(0, lambda r: figures(r) == EXPECTED and states(r).get("CNC-03") and registers(r))
    first = scene.platform.received()
    register = registers(first)[0]
    assert len(register.equipment) == 20
    versions = RegisterVersions(scene.data / "history.db", read_only=True)
    kept = versions.of(register.version)
    versions.close()
    assert kept is not None
    assert kept.digest == register.digest
    assert states(first)["CNC-03"] == MachineState.UNKNOWN

    # The workshop loses its power: its machines are unknown, and nothing else is made of it.
    mark = scene.mark()
    scene.plant.kill()
    scene.wait(mark, lambda r: all(states(r).get(e) == "unknown" for e in LIVE))
    scene.wait(mark, lambda r: figures(r).get(("networked-rate/live", "91330300MA00DEM06A")) == (0, 18))
    scene.restart_plant()
    mark = scene.mark()
    scene.wait(mark, lambda r: delivering(r) and figures(r) == EXPECTED)

    # The broker is away for a while. It is not killed: what it has confirmed and forgets then, a receiver has
    # to ask for, as in tests/field/outages.py.
    scene.broker.stop(signal.SIGTERM)
    time.sleep(4)  # an outage of some length: machines go on meanwhile
    mark = scene.mark()
    scene.broker.start()
    scene.wait(mark, delivering)

    # The agent is killed. The broker tells everybody, and the next agent accounts for the gap.
    mark = scene.mark()
    assert scene.agent.stop(signal.SIGKILL) != 0
    scene.wait(mark, lambda r: any(isinstance(x.message, Status) and not x.message.online for x in r))
    mark = scene.mark()
    scene.agent.start()
    scene.wait(mark, lambda r: bool(starts(r)) and delivering(r) and figures(r) == EXPECTED)
    down_ms = starts(scene.platform.received()[mark:])[0].detail["down_ms"]
    assert isinstance(down_ms, int)
    assert 0 < down_ms < 60_000

    # The agent is killed while the broker is away: what it had taken is sent by its successor.
    scene.broker.stop(signal.SIGTERM)
    time.sleep(3)
    scene.agent.stop(signal.SIGKILL)
    mark = scene.mark()
    scene.broker.start()
    scene.agent.start()
    scene.wait(mark, lambda r: bool(starts(r)) and delivering(r) and figures(r) == EXPECTED)

    mark = scene.mark()
    assert scene.agent.stop(signal.SIGTERM) == 0, scene.agent.log()
    scene.wait(mark, lambda r: r and isinstance(r[-1].message, Status) and not r[-1].message.online)

    messages = scene.platform.numbered()
    numbers = sorted(messages)
    assert numbers == list(range(1, numbers[-1] + 1)), "a sequence number is missing"
    compared = sum(compare(r.message, scene.story) for r in scene.platform.received())
    assert compared > 2000
    check_totals([decode(messages[number]) for number in numbers])
    check_history(scene.data)


TOTAL = "parts_total"
DERIVED = {TOTAL, "rejects_total", "strokes_total"}
"""By the agent, so no machine shows them."""

APART = {unit.machine.id: unit.apart for server in MODBUS_SERVERS for unit in server.units}


def compare(message: object, story: Story) -> int:
    """Compare every reading with what the machine showed at its time; returns how many were compared."""
    if not isinstance(message, Telemetry):
        return 0
    machine = MACHINES[message.equipment]
    readings = list(zip(message.tags, message.values, strict=True))
    gaps = {flaw.index for flaw in message.flaws if flaw.reason == "gap"}
    assert len(gaps) == len(message.flaws), message
    if message.source is not None:
        for index, ((tag, value), source) in enumerate(zip(readings, message.source, strict=True)):
            if index in gaps:  # the server was away, and had no values from before
                assert value is None
                continue
            if tag in DERIVED:
                continue
            assert source is not None
            tick, rest = divmod(source - story.since_ms, story.tick_ms)
            assert rest == 0
            assert value == story.values(machine, tick)[tag], (message.equipment, tag, tick)
        return len(readings)
    assert not gaps, message
    counted = dict(readings)["tick"]
    assert isinstance(counted, int)
    for tag, value in readings:
        if tag in DERIVED:
            continue
        if tag in APART[message.equipment]:  # another request, perhaps a tick earlier or later
            assert value in [story.values(machine, counted + d)[tag] for d in (-1, 0, 1)]
        else:
            assert value == story.values(machine, counted)[tag], (message.equipment, tag, counted)
    return len(readings)


def check_totals(messages: list[AnyMessage]) -> None:
    """Totals never decrease, and whatever was killed meanwhile, they missed no part: no machine resets its
    counter in so short a time, so it is ahead of its total by the same number all the time."""
    ahead: dict[str, int] = {}
    newest: dict[str, int] = {}
    for message in messages:
        if not isinstance(message, Telemetry) or TOTAL not in message.tags:
            continue
        by_tag: dict[str, list[object]] = {}
        for tag, value in zip(message.tags, message.values, strict=True):
            by_tag.setdefault(tag, []).append(value)
        for parts, total in zip(by_tag["parts"], by_tag[TOTAL], strict=True):
            if parts is None:  # a gap
                assert total is None
                continue
            assert isinstance(parts, int)
            assert isinstance(total, int)
            assert total >= newest.get(message.equipment, 0)
            newest[message.equipment] = total
            assert parts - total == ahead.setdefault(message.equipment, parts), message
    assert {"CNC-01", "BND-01", "MIL-01", "ROB-02"} <= newest.keys()
    assert max(newest.values()) > 0, "nobody has made a part"


def check_history(data: Path) -> None:
    """Every machine's time adds up without gap or overlap, and the kills are `gateway_down`."""
    history = History(data / "history.db")
    intervals = history.intervals(0, 1 << 62)
    history.close()
    assert {i.equipment for i in intervals} >= LIVE
    downs = [i for i in intervals if i.state.cause == "gateway_down"]
    assert len([i for i in downs if i.equipment == "MIL-01"]) == 2
    for before, after in itertools.pairwise(intervals):
        if before.equipment == after.equipment:
            assert before.end_ms == after.start_ms, (before, after)


def test_a_second_agent_on_the_same_journal_is_refused(scene: Scene, tmp_path: Path) -> None:
    scene.wait(0, lambda r: bool(states(r)))
    (tmp_path / "second").mkdir()
    with AgentProcess(scene.data.parent, tmp_path / "second") as second:
        assert second.process is not None
        assert second.process.wait(20) == 1
        assert "another agent is using this data folder" in second.log()
        assert "Traceback" not in second.log()
    assert scene.agent.process is not None
    assert scene.agent.process.poll() is None


def test_a_wrong_configuration_is_refused_with_status_2(tmp_path: Path) -> None:
    folder = copy_configuration(shipped("demo"), tmp_path / "demo", Ports())
    file = folder / "agent.yaml"
    file.write_text(file.read_text("utf-8").replace("period: 1s", "perriod: 1s", 1), "utf-8")
    with AgentProcess(folder, tmp_path) as agent:
        assert agent.process is not None
        assert agent.process.wait(20) == 2
        assert 'did you mean "period"?' in agent.log()
        assert not (folder / "data").exists(), "refused before anything starts"
