"""Urgent before live before backlog, and nobody without room."""

import asyncio
import time

from edge_agent.uplinks.streams import Stream
from edge_agent.uplinks.turns import AROUND, Turns


def test_what_is_urgent_gets_the_next_place() -> None:
    async def life() -> None:
        room = 0
        turns = Turns(lambda: room > 0)
        sent: list[Stream] = []

        async def send(stream: Stream, count: int) -> None:
            nonlocal room
            for _ in range(count):
                await turns.wait(stream, 1)
                room -= 1
                sent.append(stream)

        async with asyncio.TaskGroup() as tasks:
            for stream in (Stream.BACKLOG, Stream.LIVE, Stream.URGENT):
                tasks.create_task(send(stream, 2))
                await asyncio.sleep(0)
            for _ in range(6):
                await asyncio.sleep(0)
                room += 1
                turns.changed()
                for _ in range(5):
                    await asyncio.sleep(0)
                assert room == 0
        assert sent == [stream for stream in Stream for _ in range(2)]

    asyncio.run(life())


def test_it_keeps_to_its_rate_and_what_is_urgent_waits_for_one_message_at_most() -> None:
    async def life() -> None:
        turns = Turns(lambda: True, rate=10_000.0)
        sent: list[Stream] = []

        async def send(stream: Stream, count: int) -> None:
            for _ in range(count):
                await turns.wait(stream, 500)
                sent.append(stream)

        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send(Stream.LIVE, 6))
            await asyncio.sleep(0)
            assert sent == [Stream.LIVE], "what comes first waits for nothing"
            tasks.create_task(send(Stream.URGENT, 1))
        assert sent == [Stream.LIVE, Stream.URGENT, *[Stream.LIVE] * 5]
        assert time.monotonic() - began >= 6 * (500 + AROUND) / 10_000

    asyncio.run(life())
