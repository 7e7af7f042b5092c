"""One overview for all browsers."""

import asyncio

import pytest

from edge_agent.console import shared
from edge_agent.console.shared import Shared


class Counting:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> bytes:
        self.made += 1
        return b"%d" % self.made


def test_twenty_followers_share_each_overview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "EVERY_S", 0.05)
    make = Counting()

    async def main() -> list[list[bytes]]:
        one = Shared(make)

        async def follow() -> list[bytes]:
            return [event async for event in one.follow(lambda: True)]

        tasks = [asyncio.create_task(follow()) for _ in range(20)]
        while make.made < 5:
            await asyncio.sleep(0.01)
            assert one.followers == 20
        one.close()
        events = await asyncio.gather(*tasks)
        assert one.followers == 0
        return events

    received = asyncio.run(main())
    assert make.made <= 6
    for events in received:
        assert events[0].startswith(b"event: overview\ndata: ")
        assert events[0].endswith(b"\n\n")
        assert len(events) >= 4


def test_nothing_is_made_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "EVERY_S", 0.05)
    make = Counting()

    async def main() -> None:
        one = Shared(make)
        async for _ in one.follow(lambda: True):
            break
        made = make.made
        await asyncio.sleep(0.2)
        assert make.made == made
        assert one.current() == one.current() == b"%d" % (made + 1)

    asyncio.run(main())
