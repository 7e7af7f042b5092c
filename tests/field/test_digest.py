"""The agent as a process, days of two seconds, and a receiver that loses a message: the digest shows it.

Messages are compressed and readings travel together, of which a digest knows nothing.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from edge_agent.contract.messages import Telemetry, decode
from edge_agent.contract.receiver import Broker, Delivery, Item, Notice, Receiver, Rules
from edge_agent.model.clock import CLOCK
from edge_agent.simulator.stage import workshop
from edge_agent.simulator.story import Story
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.outages import configure
from tests.ports import demo_ports

RULES = Rules(patience=3.0, ask_again=60.0, give_up=13.0)
"""Ten seconds for an answer."""
LIMIT_S = 90.0


class Forgetful(Receiver):
    """Loses one message of readings, numbered above `above`, as it comes and when it first comes again."""

    above: int | None = None
    lost = 0
    answers = 0

    def _account_for_one(
        self, gateway: str, topic: str, payload: bytes, *, retained: bool, again: bool = False
    ) -> list[Item]:
        message = decode(payload)
        if isinstance(message, Telemetry) and isinstance(message.seq, int):
            if self.above is not None and message.seq > self.above:
                self.above, self.lost = None, message.seq
            if message.seq == self.lost:
                self.answers += again
                if self.answers < 2:  # so also when it is repeated after a kill
                    return []
        return super()._account_for_one(gateway, topic, payload, retained=retained, again=again)


async def until(items: AsyncIterator[Item], done: Callable[[list[Item]], bool]) -> list[Item]:
    """What comes until `done` holds of it."""
    found: list[Item] = []
    async with asyncio.timeout(LIMIT_S):
        async for item in items:
            found.append(item)
            if done(found):
                return found
    raise AssertionError("the receiver ended")


def notices(items: list[Item], kind: str) -> list[Notice]:
    return [item for item in items if isinstance(item, Notice) and item.kind == kind]


def readings(items: list[Item]) -> list[int]:
    """The numbers of those that were handed over."""
    return [
        one.message.seq
        for one in items
        if isinstance(one, Delivery)
        and isinstance(one.message, Telemetry)
        and isinstance(one.message.seq, int)
    ]


def test_a_lost_message_is_shown_by_the_digest_and_then_comes(tmp_path: Path) -> None:
    ports = demo_ports()
    story = Story(CLOCK.now_ms())
    plant = workshop(ports, story.seed, story.since_ms)
    with Mosquitto(tmp_path / "broker") as broker:
        configuration = configure(tmp_path / "demo", replace(ports, broker=broker.port), "5", narrow=True)
        receiver = Forgetful(Broker("127.0.0.1", broker.port, "p"), ledger=tmp_path / "p.db", rules=RULES)
        agent = AgentProcess(configuration, tmp_path, module="tests.field.hasty_agent")

        async def work() -> None:
            async with receiver.items() as items:
                agent.start()
                await until(items, lambda found: len(notices(found, "digest_agrees")) >= 1)
                await asyncio.to_thread(agent.stop, signal.SIGKILL)
                agent.start()
                before = await until(
                    items,
                    lambda found: len(notices(found, "digest_agrees")) >= 2 and bool(readings(found)),
                )
                assert not notices(before, "digest_differs")
                receiver.above = max(readings(before)) + 20
                found = await until(items, lambda found: bool(notices(found, "digest_differs")))
                (differs,) = notices(found, "digest_differs")
                assert differs.first <= receiver.lost <= differs.last
                expected, counted = differs.detail["expected"], differs.detail["found"]
                assert (differs.detail["class"], differs.detail["missing"]) == ("readings", 1)
                assert expected.count == counted.count + 1
                (lost,) = notices(found, "lost")
                assert lost.first == lost.last == receiver.lost
                # It is asked for again, comes, and all of the day is there.
                found = await until(
                    items, lambda found: differs.first in [n.first for n in notices(found, "digest_agrees")]
                )
                handed_over = [one.message for one in found if isinstance(one, Delivery)]
                assert receiver.lost in [getattr(one, "seq", None) for one in handed_over]

        plant.start()
        try:
            asyncio.run(work())
        finally:
            if agent.process is not None and agent.process.poll() is None:
                agent.stop(signal.SIGKILL)
            plant.end()
