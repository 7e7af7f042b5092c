"""One overview for all browsers."""

import asyncio

import pytest

from edge_agent.console import shared
from edge_agent.console.shared import Shared
from tests import loop_time

EVERY_S = 0.5
"""A time of which the loop's clock can be an exact multiple."""


class Counting:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> bytes:
        self.made += 1
        return b"%d" % self.made


def test_twenty_followers_share_each_overview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "EVERY_S", EVERY_S)
    make = Counting()

    async def main() -> list[list[bytes]]:
        one = Shared(make)

        async def follow() -> list[bytes]:
            return [event async for event in one.follow(lambda: True)]

        tasks = [asyncio.create_task(follow()) for _ in range(20)]
        # They begin somewhere within a turn, and get one at once and one with each of the next four.
        await asyncio.sleep(4.1 * EVERY_S)
        assert one.followers == 20
        one.close()
        events = await asyncio.gather(*tasks)
        assert one.followers == 0
        return events

    received = loop_time.run(main())
    assert make.made == 5
    for events in received:
        assert events[0].startswith(b"event: overview\ndata: ")
        assert events[0].endswith(b"\n\n")
        assert len(events) == 5


def test_nothing_is_made_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "EVERY_S", EVERY_S)
    make = Counting()

    async def main() -> None:
        one = Shared(make)
        async for _ in one.follow(lambda: True):
            break
        made = make.made
        await asyncio.sleep(4 * EVERY_S)
        assert make.made == made
        assert one.current() == one.current() == b"%d" % (made + 1)

    loop_time.run(main())
