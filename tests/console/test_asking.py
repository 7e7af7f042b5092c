"""A connection is tested seldom, a few at a time, and one that is switched off by a driver of its own."""

import asyncio
from typing import Any, cast

import pytest

from edge_agent.acquisition import trial
from edge_agent.acquisition.asking import Outcome
from edge_agent.acquisition.supervisor import ConnectionSupervisor
from edge_agent.console.asking import AT_ONCE, EVERY_S, Asking, TooSoonError
from edge_agent.console.views import AskedView
from edge_agent.driver import EquipmentFailed
from edge_agent.model.options import ConnectionOptions
from edge_agent.model.state import UnknownCause
from tests import loop_time
from tests.config.plant import DEAD_UNIT, BusConnection, load


class Supervised:
    """Answers when it is let."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.let = asyncio.Event()

    async def ask(self) -> Outcome:
        await self.let.wait()
        return self.outcome


GOOD = Outcome("read", 3.0, None, "CNC-01", 9, 9)


def connection(name: str, host: str = "ok", unit: int = 1) -> ConnectionOptions:
    tags = [{"id": "status", "address": 1}]
    equipment = [{"id": "CNC-01", "unit": unit, "tags": tags}]
    return BusConnection.model_validate({"id": name, "driver": "bus", "host": host, "equipment": equipment})


async def ask(one: Asking, name: str, supervised: Supervised) -> AskedView:
    return await one.ask(connection(name), cast(ConnectionSupervisor, supervised))


def test_a_connection_is_asked_seldom_and_not_twice_at_once() -> None:
    async def main() -> None:
        one, supervised = Asking(), Supervised(GOOD)
        first = asyncio.create_task(ask(one, "a", supervised))
        await asyncio.sleep(0)
        with pytest.raises(TooSoonError):
            await ask(one, "a", supervised)
        supervised.let.set()
        assert (await first).holds
        with pytest.raises(TooSoonError) as refused:
            await ask(one, "a", supervised)
        assert refused.value.wait_s == EVERY_S
        assert (await ask(one, "b", supervised)).holds, "others need not wait for it"
        await asyncio.sleep(EVERY_S - 0.1)
        with pytest.raises(TooSoonError):
            await ask(one, "a", supervised)
        await asyncio.sleep(0.1)
        assert (await ask(one, "a", supervised)).holds

    loop_time.run(main())


def test_a_few_are_asked_at_once() -> None:
    async def main() -> None:
        one, supervised = Asking(), Supervised(GOOD)
        tasks = [asyncio.create_task(ask(one, f"c{number}", supervised)) for number in range(AT_ONCE)]
        await asyncio.sleep(0)
        with pytest.raises(TooSoonError):
            await ask(one, "c", supervised)
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        supervised.let.set()
        assert (await ask(one, "c", supervised)).holds
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("outcome", "holds", "said", "todo"),
    [
        (GOOD, True, "CNC-01 answered: 9 of 9 tags", ""),
        (Outcome("read", 3.0, None, "CNC-01", 9, 4), False, "CNC-01 answered: 4 of 9", "reason of each bad"),
        (Outcome("probe", 12.4, identity={"product": "P"}), True, "the other side answered in 12 ms", ""),
        (
            Outcome("read", 200.0, EquipmentFailed(UnknownCause.TIMEOUT, "unit 5 is silent"), "CNC-01"),
            False,
            "does not answer",
            "check that the machine is on",
        ),
    ],
)  # fmt: skip
def test_what_came_of_it_is_told_in_words(outcome: Outcome, holds: bool, said: str, todo: str) -> None:
    async def main() -> AskedView:
        supervised = Supervised(outcome)
        supervised.let.set()
        return await ask(Asking(), "a", supervised)

    told = asyncio.run(main())
    assert told.holds is holds
    assert said in told.text["en"]
    assert todo in told.todo["en"]
    assert bool(told.todo["zh"]) is bool(todo)
    assert told.message == ("unit 5 is silent" if outcome.error else "")


@pytest.mark.parametrize(
    ("host", "unit", "holds", "message"),
    [("ok", 1, True, ""), ("ok", DEAD_UNIT, False, "unit 13 is silent"),
     ("refuses", 1, False, "the pin is wrong"), ("breaks", 1, False, "fault in the driver")],
)  # fmt: skip
def test_what_is_switched_off_is_tried_by_a_driver_of_its_own(
    monkeypatch: pytest.MonkeyPatch, host: str, unit: int, holds: bool, message: str
) -> None:
    monkeypatch.setattr(trial, "load_driver", load)
    told: Any = asyncio.run(Asking().ask(connection("off", host, unit), None))
    assert (told.holds, message in told.message) == (holds, True)
    assert told.text["zh"] != told.text["en"]
