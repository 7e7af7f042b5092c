"""Urgent before bulk, and nobody without room."""

import asyncio
import time

from edge_agent.journal.lanes import Lane
from edge_agent.uplinks.turns import Turns


def test_what_is_urgent_gets_the_next_place() -> None:
    async def life() -> None:
        room = 0
        turns = Turns(lambda: room > 0)
        sent: list[Lane] = []

        async def send(lane: Lane, count: int) -> None:
            nonlocal room
            for _ in range(count):
                await turns.wait(lane, 1)
                room -= 1
                sent.append(lane)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send(Lane.BULK, 3))
            await asyncio.sleep(0)
            tasks.create_task(send(Lane.URGENT, 2))
            for _ in range(5):
                await asyncio.sleep(0)
                room += 1
                turns.changed()
                for _ in range(5):
                    await asyncio.sleep(0)
                assert room == 0
        assert sent == [Lane.URGENT, Lane.URGENT, Lane.BULK, Lane.BULK, Lane.BULK]

    asyncio.run(life())


def test_it_keeps_to_its_rate_and_what_is_urgent_waits_for_one_message_at_most() -> None:
    async def life() -> None:
        turns = Turns(lambda: True, rate=10_000.0)
        sent: list[Lane] = []

        async def send(lane: Lane, count: int) -> None:
            for _ in range(count):
                await turns.wait(lane, 500)
                sent.append(lane)

        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send(Lane.BULK, 6))
            await asyncio.sleep(0)
            assert sent == [Lane.BULK], "what comes first waits for nothing"
            tasks.create_task(send(Lane.URGENT, 1))
        assert sent == [Lane.BULK, Lane.URGENT, *[Lane.BULK] * 5]
        assert time.monotonic() - began >= 6 * 500 / 10_000

    asyncio.run(life())
