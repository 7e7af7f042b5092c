"""Urgent before live before backlog, and nobody without room."""

import asyncio

import pytest

from edge_agent.uplinks import turns as module
from edge_agent.uplinks.streams import Stream
from edge_agent.uplinks.turns import AROUND, Turns
from tests import loop_time

RATE = 8000.0
"""Bytes a second, such that the times of messages are exact."""


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


def test_it_keeps_to_its_rate_and_what_is_urgent_waits_for_one_message_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def life() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(module, "time", loop_time.CLOCK)
        turns = Turns(lambda: True, rate=RATE)
        sent: list[Stream] = []

        async def send(stream: Stream, count: int) -> None:
            for _ in range(count):
                await turns.wait(stream, 500)
                sent.append(stream)

        began = loop.time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send(Stream.LIVE, 6))
            await asyncio.sleep(0)
            assert sent == [Stream.LIVE], "what comes first waits for nothing"
            tasks.create_task(send(Stream.URGENT, 1))
        assert sent == [Stream.LIVE, Stream.URGENT, *[Stream.LIVE] * 5]
        assert loop.time() - began == 6 * (500 + AROUND) / RATE

    loop_time.run(life())
