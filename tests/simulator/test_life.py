"""The history is a pure function of seed, machine and tick, and it is a workshop's."""

import struct
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.simulator.fleet import MACHINES, MODBUS_SERVERS
from edge_agent.simulator.kinds import Point
from edge_agent.simulator.life import SHIFT_TICKS, Doing, Machine, Value, _phases, moment, values

FIRST_TWENTY_SECONDS = range(100)

machines = st.sampled_from(sorted(MACHINES))
ticks = st.integers(0, 10 * SHIFT_TICKS)
seeds = st.integers(0, 5)


def history(machine: Machine, of: Sequence[int], seed: int) -> list[dict[str, Value]]:
    return [values(machine, tick, seed) for tick in of]


def test_another_process_tells_the_same_history() -> None:
    program = (
        "from edge_agent.simulator.fleet import MACHINES\n"
        "from edge_agent.simulator.life import values\n"
        "print([values(MACHINES[id], tick, 3) for id in MACHINES for tick in range(0, 40000, 701)])"
    )
    # Isolated mode leaves the order of sets to chance, as every fresh process does.
    told = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    here = [values(machine, tick, 3) for machine in MACHINES.values() for tick in range(0, 40000, 701)]
    assert told.stdout.strip() == str(here)


@given(machines, st.lists(ticks, min_size=2, max_size=5), seeds)
def test_the_order_in_which_ticks_are_asked_does_not_matter(name: str, asked: list[int], seed: int) -> None:
    machine = MACHINES[name]
    forwards = history(machine, asked, seed)
    _phases.cache_clear()
    backwards = history(machine, asked[::-1], seed)
    assert forwards == backwards[::-1]


def test_seeds_and_machines_differ() -> None:
    of = range(0, 600, 3)
    cnc = MACHINES["CNC-01"]
    assert history(cnc, of, 1) != history(cnc, of, 2)
    assert history(cnc, of, 1) != history(MACHINES["CNC-02"], of, 1)


@given(machines, ticks, seeds)
def test_the_tick_is_told_and_the_tags_are_always_the_same(name: str, tick: int, seed: int) -> None:
    shown = values(MACHINES[name], tick, seed)
    assert shown["tick"] == tick
    assert shown.keys() == values(MACHINES[name], 0).keys()


@given(machines, ticks, seeds)
def test_floats_survive_float32(name: str, tick: int, seed: int) -> None:
    for value in values(MACHINES[name], tick, seed).values():
        if isinstance(value, float):
            assert struct.unpack(">f", struct.pack(">f", value))[0] == value


SCALED: list[tuple[Machine, Point]] = [
    (unit.machine, point)
    for server in MODBUS_SERVERS
    for unit in server.units
    for point in unit.points
    if point.scale != 1
]


@pytest.mark.parametrize(("machine", "point"), SCALED)
def test_scaled_values_are_whole_numbers_of_steps(machine: Machine, point: Point) -> None:
    for tick in range(0, 3000, 7):
        value = values(machine, tick)[point.tag]
        assert isinstance(value, float)
        assert (value / point.scale).is_integer()


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_parts_are_counted_one_by_one_and_only_while_running(name: str) -> None:
    machine = MACHINES[name]
    before = moment(machine, 0)
    for tick in range(1, 5000):
        now = moment(machine, tick)
        if now.parts != before.parts:
            assert now.parts == before.parts + 1
            assert before.doing is Doing.RUN
        before = now
    assert before.parts > 100


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_an_alarm_has_a_code_and_nothing_else_has(name: str) -> None:
    machine = MACHINES[name]
    seen = [moment(machine, tick) for tick in range(5000)]
    assert {now.alarm for now in seen if now.doing is Doing.ALARM} <= set(machine.habits.alarms)
    assert {now.alarm for now in seen if now.doing is not Doing.ALARM} == {0}


def test_a_shift_begins_anew() -> None:
    machine = MACHINES["PRS-01"]
    assert moment(machine, SHIFT_TICKS - 1).parts > 1000
    assert moment(machine, SHIFT_TICKS).parts == 0


def test_the_demo_is_lively_from_the_start() -> None:
    production = [machine for machine in MACHINES.values() if machine.id != "AIR-01"]
    for tick in (25, 50, 75, 99):
        assert len({moment(machine, tick).doing for machine in production}) >= 4
    seen = {moment(machine, tick).doing for machine in production for tick in FIRST_TWENTY_SECONDS}
    assert seen == set(Doing)
    at_work = [machine for machine in production if moment(machine, FIRST_TWENTY_SECONDS[-1]).parts > 0]
    assert len(at_work) >= 8
